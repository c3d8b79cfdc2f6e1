"""Variants against a slow twin, DuckDB SQL, and cases made by hand."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import polars as pl
import pytest
from buckets import in_buckets
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import Event, logs, to_journeys
from polars.testing import assert_frame_equal
from splits import (
    REAL,
    SPLITS,
    UNITS,
    check_intervals,
    database,
    difference,
    many_touchpoints,
    names_of,
    real_log,
    split_paths,
    walk,
    walks,
)

from cjm.errors import ArgumentError
from cjm.kernels._jit import as_array
from cjm.kernels.measure_variants import distinct_paths
from cjm.measure._variants import variants

few = settings(max_examples=50, deadline=None)
fewer = settings(few, max_examples=25)
cut = st.sampled_from([None, 1, 2, 5])


def slow(
    log: list[Event], unit: str, split: str, collapse: bool, max_length: int | None
) -> dict[object, list[tuple[tuple[str, ...], int, int]]]:
    """Group to its paths with count and persons, in the order of the result."""
    owners: dict[object, dict[tuple[str, ...], list[int]]] = defaultdict(lambda: defaultdict(list))
    for group, events in split_paths(log, unit, split):
        names = [event.touchpoint for event in events]
        if collapse:
            names = [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
        owners[group][tuple(names[:max_length])].append(events[0].person)
    found = {}
    for group in sorted(owners, key=lambda group: (group is None, group)):
        rows = [(path, len(persons), len(set(persons))) for path, persons in owners[group].items()]
        found[group] = sorted(rows, key=lambda row: (-row[1], row[0]))
    return found


@few
@given(logs(), st.sampled_from(list(UNITS)), st.sampled_from(list(SPLITS)), st.booleans(), cut)
def test_as_the_slow_twin(log: list[Event], unit: str, split: str, collapse: bool, max_length: int | None) -> None:
    journeys = to_journeys(log)

    def ask(journeys: object, **more: object) -> pl.DataFrame:
        return variants(journeys, unit=UNITS[unit], by=SPLITS[split], collapse=collapse, max_length=max_length, **more)  # type: ignore[arg-type]

    rows = ask(journeys)
    expected = [
        (group, list(path), len(path), count, persons, sum(row[1] for row in paths),
         sum(row[1] for row in paths[: i + 1]) / sum(row[1] for row in paths))
        for group, paths in slow(log, unit, split, collapse, max_length).items()
        for i, (path, count, persons) in enumerate(paths)
    ]  # fmt: skip
    key = rows[split] if split != "nothing" else pl.Series([None] * rows.height)
    columns = [key, *(rows[name] for name in ("path", "length", "count", "persons", "of", "coverage"))]
    assert list(zip(*(column.to_list() for column in columns), strict=True)) == expected
    check_intervals(rows, "count", "of", "share")
    assert ask(in_buckets(journeys, 3)).equals(rows)
    keys = names_of(split)
    first = rows.filter(pl.int_range(pl.len()).over(keys) < 2) if keys else rows.head(2)
    assert ask(journeys, top=2).equals(first)


@fewer
@given(logs(), st.sampled_from(["person", "session"]), st.sampled_from([None, 1]))
def test_versus_counts_a_path_that_the_other_group_does_not_take(log: list[Event], unit: str, top: int | None) -> None:
    journeys = to_journeys(log)
    groups = slow(log, unit, "group", True, 2)
    if "g" not in groups:
        with pytest.raises(ArgumentError, match="unknown group 'g'"):
            variants(journeys, unit=unit, by="group", collapse=True, max_length=2, versus="g")
        return
    rows = variants(journeys, unit=unit, by="group", collapse=True, max_length=2, versus="g", top=top)
    plain = variants(journeys, unit=unit, by="group", collapse=True, max_length=2, top=top)
    assert rows.drop("difference", "difference_low", "difference_high").equals(plain)
    theirs = {path: count for path, count, _ in groups["g"]}
    total = sum(theirs.values())
    for row in rows.iter_rows(named=True):
        found = (row["difference"], row["difference_low"], row["difference_high"])
        if row["group"] == "g":
            assert found == (None, None, None)
        else:
            expected = difference(row["count"], row["of"], theirs.get(tuple(row["path"]), 0), total)
            assert found == pytest.approx(expected)


@fewer
@given(logs(), st.sampled_from(["person", "session"]))
def test_small_numbers_of_persons_are_hidden(log: list[Event], unit: str) -> None:
    journeys = to_journeys(log)
    whole = variants(journeys, unit=unit, max_length=1)
    rows = variants(journeys, unit=unit, max_length=1, min_persons=2)
    assert rows.select("path", "length").equals(whole.select("path", "length"))
    people = len({event.person for event in log})
    for row, full in zip(rows.iter_rows(named=True), whole.iter_rows(named=True), strict=True):
        hidden = 1 in (people, full["persons"], people - full["persons"])
        for name in ("count", "persons", "share", "low", "high", "coverage"):
            assert row[name] == (None if hidden else full[name])
        assert row["of"] == (None if people == 1 else full["of"])


def test_differences_with_a_hidden_group_are_hidden() -> None:
    log = walks(*[walk("A")] * 5, walk("A"), walk("B"), device=["x"] * 5 + ["y"] * 2)
    rows = variants(log, by="device", versus="y", min_persons=2)
    assert rows.select("device", "count", "difference").rows() == [("x", 5, None), ("y", None, None), ("y", None, None)]
    assert variants(log, by="device", versus="y")["difference"].to_list() == [0.5, None, None]


def test_shares_are_the_nearest_float() -> None:
    rows = variants(walks(*[walk("A")] * 3, *[walk("B")] * 2))
    assert rows["share"].to_list() == [3 / 5, 2 / 5]


def test_names_with_separators_stay_apart() -> None:
    log = walks([(0, "a:b,c"), (1, "a:d")], [(0, "a:b"), (1, "c:a:d")], [(0, "a:b -> a:d")], [(0, 'a:b","a:d')])
    assert variants(log)["path"].to_list() == [["a:b", "c:a:d"], ["a:b -> a:d"], ['a:b","a:d'], ["a:b,c", "a:d"]]


def test_long_paths_that_differ_only_in_their_last_touchpoint() -> None:
    same = "AB" * 300
    log = walks(walk(same + "C"), walk(same), walk(same + "B"), walk(same + "BA"), walk(same))
    assert [len(path) for path in variants(log)["path"]] == [600, 601, 602, 601]
    assert variants(log)["count"].to_list() == [2, 1, 1, 1]
    assert variants(log, max_length=600)["count"].to_list() == [5]


def test_a_repeat_across_a_cut_is_one_touchpoint() -> None:
    rows = variants(walks(walk("AABBBA"), walk("ABA"), walk("ABBA")), collapse=True, max_length=3)
    assert rows.select("path", "count").rows() == [(["web:A", "web:B", "web:A"], 3)]


def test_paths_of_equal_hash_stay_apart() -> None:
    factor = np.uint64(0x9E3779B97F4A7C15)
    codes = np.random.default_rng(7).integers(0, 2**31, (1 << 19, 2)).astype(np.uint64)
    mixed = np.full(len(codes), factor)  # group 0
    for column in codes.T:
        mixed = (mixed ^ column) * factor
        mixed ^= mixed >> np.uint64(32)
    # Where two of them differ in their lower bits only, a third code makes them equal.
    upper = mixed >> np.uint64(31)
    order = np.argsort(upper)
    twin = np.flatnonzero(upper[order][1:] == upper[order][:-1])[0]
    a, b = order[twin], order[twin + 1]
    paths = np.array([[*codes[a], 0], [*codes[b], mixed[a] ^ mixed[b]], [*codes[a], 0]], dtype=np.int32)
    once = np.ones(3, dtype=np.int64)
    values, ends, _, count, _, kind = distinct_paths(
        as_array([0, 3, 6, 9], np.int64), as_array(paths.ravel(), np.int32), as_array([0, 0, 0], np.int32),
        as_array([0, 1, 2], np.int64), as_array(once, np.int64), as_array(once, np.int64), False, 9,
    )  # fmt: skip
    assert values.tolist() == paths[:2].ravel().tolist()
    assert (ends.tolist(), count.tolist(), kind.tolist()) == ([0, 3, 6], [2, 1], [0, 1, 0])


def test_a_million_touchpoints() -> None:
    log = many_touchpoints(1_000_000).filter(pl.col("person") > 0)
    assert variants(log)["path"].to_list() == [
        ["web:0999999", "web:0000000"],
        ["web:0999999", "web:0000000", "web:0500000"],
    ]


@pytest.mark.parametrize("group", [None, "tv"])
def test_journeys_of_one_event_or_none_have_the_same_schema(group: str | None) -> None:
    log = walks(walk("AB"), walk("A"), device=pl.Series([group, "tv", None], dtype=pl.Categorical))
    for by in (None, "device"):
        full = variants(log, by=by)
        for fewer in (log.filter(pl.col("person") == 1), log.filter(pl.lit(False))):
            found = variants(fewer, by=by)
            assert found.schema == full.schema
            assert found.height == fewer.height


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"unit": "persons"}, 'Did you mean "person"?'),
        ({"max_length": 0}, "max_length=: must be a whole number"),
        ({"top": 1.5}, "top=: must be a whole number"),
        ({"by": "count"}, "the result has a column 'count' of its own"),
        ({"versus": "x"}, "there is no by="),
        ({"level": 95}, "must lie between 0 and 1"),
        ({"min_persons": -1}, "min_persons=: must be a whole number"),
    ],
)
def test_errors_say_what_is_wrong(options: dict[str, object], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        variants(walks(walk("AB"), count=[1, 2]), **options)  # type: ignore[arg-type]
    assert words in str(caught.value)


VARIANTS = """
    select path, len(path) as length, count(*) as count, count(distinct person) as persons,
        sum(count(*)) over () as of, count(*) / sum(count(*)) over () as share,
        sum(count(*)) over (order by count(*) desc, path) / sum(count(*)) over () as coverage
    from (select person, list(touchpoint order by k) as path from e group by {}) group by path
    order by count(*) desc, path
"""


@pytest.mark.parametrize("name", REAL)
def test_real_logs_in_sql(name: str) -> None:
    journeys = real_log(name)
    connection = database(journeys)
    for unit, key in (("person", "person"), ("session", "person, session")):
        found = variants(journeys, unit=unit).drop("low", "high")
        expected = connection.sql(VARIANTS.format(key)).pl()
        assert_frame_equal(found, expected.cast({"count": pl.Int64, "of": pl.Int64}), check_exact=True)
        assert found.height > 100
        assert variants(in_buckets(journeys, 5), unit=unit).drop("low", "high").equals(found)
