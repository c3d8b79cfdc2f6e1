"""Quality measures against pairs counted one by one."""

from collections import Counter
from itertools import combinations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjm.errors import ArgumentError, InputError
from cjm.identity import evaluate_identities, identity_errors


def frame_of(persons, events=None, kind="cookie"):
    columns = {
        "kind": pl.Series([kind] * len(persons), dtype=pl.String),
        "id": pl.Series([f"k{at}" for at in range(len(persons))], dtype=pl.String),
        "person": persons,
    }
    return pl.DataFrame(columns if events is None else columns | {"events": events})


def brute_force(found, true, weights):
    units = [(f, t) for f, t, n in zip(found, true, weights, strict=True) for _ in range(n)]
    same = Counter((a[0] == b[0], a[1] == b[1]) for a, b in combinations(units, 2))
    both, in_found, in_true = (
        same[True, True],
        same[True, True] + same[True, False],
        same[True, True] + same[False, True],
    )
    precision = sum(sum(b == a for b in units) / sum(b[0] == a[0] for b in units) for a in units) / len(units)
    recall = sum(sum(b == a for b in units) / sum(b[1] == a[1] for b in units) for a in units) / len(units)
    cells = Counter(units)
    per_found = [
        sum((cells[f, t] / units_of) ** 2 for t in {*true})
        for f in {*found}
        if (units_of := sum(u[0] == f for u in units))
    ]
    per_true = [
        sum((cells[f, t] / units_of) ** 2 for f in {*found})
        for t in {*true}
        if (units_of := sum(u[1] == t for u in units))
    ]
    by_person = sum(per_found) / len(per_found), sum(per_true) / len(per_true)
    return {
        "pairwise_precision": both / in_found if in_found else None,
        "pairwise_recall": both / in_true if in_true else None,
        "pairwise_f1": 2 * both / (in_found + in_true) if in_found + in_true else None,
        "bcubed_precision": precision,
        "bcubed_recall": recall,
        "bcubed_f1": 2 * precision * recall / (precision + recall),
        "person_precision": by_person[0],
        "person_recall": by_person[1],
        "person_f1": 2 * by_person[0] * by_person[1] / sum(by_person),
        "purity": sum(max(cells[f, t] for t in {*true}) for f in {*found}) / len(units),
        "inverse_purity": sum(max(cells[f, t] for f in {*found}) for t in {*true}) / len(units),
        "units": len(units),
        "pairs_found": in_found,
        "pairs_true": in_true,
        "pairs_both": both,
    }


ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=10)


@settings(max_examples=100, deadline=None)
@given(ROWS, st.sampled_from(["identifiers", "events"]))
def test_measures_equal_counted_pairs(rows, unit):
    found, true, weights = (list(column) for column in zip(*rows, strict=True))
    got = evaluate_identities(frame_of(found, weights), frame_of(true), unit=unit)
    expected = brute_force(found, true, weights if unit == "events" else [1] * len(rows))
    row = got.row(0, named=True)
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    assert (row["persons_found"], row["persons_true"]) == (len({*found}), len({*true}))


def test_an_identifier_of_several_persons_counts_for_the_main_one():
    found = pl.DataFrame(
        {"kind": ["cookie"] * 5, "id": ["a", "a", "a", "b", "b"], "person": [1, 2, 1, 2, 1], "events": [2, 3, 2, 4, 4]}
    )
    truth = frame_of(["x", "x"]).with_columns(id=pl.Series(["a", "b"]))
    row = evaluate_identities(found, truth, unit="events").row(0, named=True)
    assert (row["pairwise_precision"], row["persons_found"], row["units"]) == (1.0, 1, 15)


def test_events_of_the_truth_go_before_those_of_the_map():
    row = evaluate_identities(frame_of([1, 1], [5, 5]), frame_of(["x", "y"], [1, 2]), unit="events").row(0, named=True)
    assert (row["units"], row["pairs_found"], row["pairs_both"]) == (3, 3.0, 1.0)


def test_only_identifiers_of_the_truth_count():
    row = evaluate_identities(frame_of([1, 1, 1]), frame_of(["x", "x", None, "y"])).row(0, named=True)
    assert (row["units"], row["missing"], row["pairwise_precision"]) == (2, 1, 1.0)


def test_nothing_put_together_has_no_precision():
    row = evaluate_identities(frame_of([1, 2]), frame_of(["x", "x"])).row(0, named=True)
    assert (row["pairwise_precision"], row["pairwise_recall"], row["pairwise_f1"]) == (None, 0.0, 0.0)
    alone = evaluate_identities(frame_of([1]), frame_of(["x"]))
    assert alone.select("pairwise_precision", "pairwise_recall", "pairwise_f1").row(0) == (None, None, None)
    assert alone.schema["pairwise_f1"] == pl.Float64


def test_large_counts_do_not_overflow():
    many = 4 * 10**9
    row = evaluate_identities(frame_of([1, 1, 2], [many] * 3), frame_of([1, 1, 1]), unit="events").row(0, named=True)
    assert row["pairwise_precision"] == 1.0
    assert row["pairwise_recall"] == pytest.approx(5 / 9)
    assert row["units"] == 3 * many


def test_wrong_calls_are_named():
    with pytest.raises(ArgumentError, match='unknown unit .event.. Did you mean "events"'):
        evaluate_identities(frame_of([1]), frame_of([1]), unit="event")
    with pytest.raises(InputError, match="evaluate_identities, truth: column 'person' is missing"):
        evaluate_identities(frame_of([1]), frame_of([1]).drop("person"))
    with pytest.raises(InputError, match="no identifier in common"):
        evaluate_identities(frame_of([1]), frame_of([1], kind="device"))


@settings(max_examples=100, deadline=None)
@given(ROWS, st.sampled_from(["identifiers", "events"]))
def test_errors_are_the_pairs_that_are_wrong(rows, unit):
    found, true, weights = (list(column) for column in zip(*rows, strict=True))
    errors = identity_errors(frame_of(found, weights), frame_of(true), unit=unit, limit=None)
    units = [(f, t) for f, t, n in rows for _ in range(n if unit == "events" else 1)]
    expected = {}
    for a, b in combinations(units, 2):
        if (a[0] == b[0]) != (a[1] == b[1]):
            key = ("over-merged", str(a[0])) if a[0] == b[0] else ("under-merged", str(a[1]))
            expected[key] = expected.get(key, 0) + 1
    assert {
        (error, person): pairs for error, person, pairs in errors.select("error", "person", "wrong_pairs").rows()
    } == expected
    for error, person, persons, size, largest in errors.select("error", "person", "persons", "units", "largest").rows():
        side = error == "under-merged"
        parts = Counter(one[not side] for one in units if str(one[side]) == person)
        assert (persons, size, largest) == (len(parts), sum(parts.values()), max(parts.values()))
    for part in errors.partition_by("error"):
        assert part["wrong_pairs"].is_sorted(descending=True)


def test_errors_show_some_identifiers_of_the_worst():
    found, true = [1] * 7 + [2, 2], list("aaabbbcdd")
    one = identity_errors(frame_of(found), frame_of(true), limit=1)
    assert one.select("error", "person", "persons").rows() == [("over-merged", "1", 3)]
    assert one["examples"].to_list() == [[f"cookie:k{at}" for at in range(5)]]
    assert identity_errors(frame_of(true), frame_of(true)).is_empty()
    with pytest.raises(ArgumentError, match="limit is 0"):
        identity_errors(frame_of(found), frame_of(true), limit=0)
