"""The step matrix against a slow twin, DuckDB SQL, and cases made by hand."""

from __future__ import annotations

from collections import defaultdict

import polars as pl
import pytest
from buckets import in_buckets
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import TOUCHPOINTS, Event, logs, to_journeys
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
    same,
    split_paths,
    walk,
    walks,
)

from cjm.errors import ArgumentError
from cjm.measure._step_matrix import step_matrix

few = settings(max_examples=50, deadline=None)
fewer = settings(few, max_examples=25)
aligned = st.sampled_from([None, *TOUCHPOINTS[:2]])


def slow(
    log: list[Event], unit: str, split: str, steps: int, align: str | None, before: int | None, occurrence: str
) -> dict[tuple[object, int, str], list[int]]:
    """(group, step, touchpoint) to the persons whose paths are there."""
    rows: dict[tuple[object, int, str], list[int]] = defaultdict(list)
    for group, events in split_paths(log, unit, split):
        names = [event.touchpoint for event in events]
        zero = -1
        if align is not None:
            places = [i for i, name in enumerate(names) if name == align]
            if not places:
                continue
            zero = places[0 if occurrence == "first" else -1]
        low = 1 if align is None else -(steps if before is None else before)
        for step in range(low, steps + 1):
            i = zero + step
            name = "(start)" if i < 0 else "(end)" if i >= len(names) else names[i]
            rows[group, step, name].append(events[0].person)
    return rows


def of(expected: dict[tuple[object, int, str], list[int]], group: object) -> list[int]:
    """The persons of all paths of a group that are shown."""
    return [
        person for (other, step, _), persons in expected.items() if (other, step) == (group, 1) for person in persons
    ]


@few
@given(
    logs(),
    st.sampled_from(list(UNITS)),
    st.sampled_from(list(SPLITS)),
    st.sampled_from([1, 3, 30]),
    aligned,
    st.sampled_from([None, 0, 2]),
    st.sampled_from(["first", "last"]),
)
def test_as_the_slow_twin(
    log: list[Event], unit: str, split: str, steps: int, align: str | None, before: int | None, occurrence: str
) -> None:
    journeys = to_journeys(log)
    before = None if align is None else before
    options = {"unit": UNITS[unit], "by": SPLITS[split], "steps": steps, "align": align, "before": before}
    rows = step_matrix(journeys, occurrence=occurrence, **options)  # type: ignore[arg-type]
    expected = slow(log, unit, split, steps, align, before, occurrence)
    found = {
        (row.get(split), row["step"], row["touchpoint"]): (row["persons"], row["of"])
        for row in rows.iter_rows(named=True)
    }
    assert found == {key: (len(persons), len(of(expected, key[0]))) for key, persons in expected.items()}
    check_intervals(rows, "persons", "of", "share")
    order = [*names_of(split), "step", pl.col("persons").neg(), "touchpoint"]
    assert rows.equals(rows.sort(order, nulls_last=True))
    assert step_matrix(in_buckets(journeys, 3), occurrence=occurrence, **options).equals(rows)  # type: ignore[arg-type]


@fewer
@given(logs(), st.sampled_from(["person", "session"]), aligned)
def test_versus_and_small_numbers(log: list[Event], unit: str, align: str | None) -> None:
    journeys = to_journeys(log)
    expected = slow(log, unit, "group", 2, align, None, "first")
    if not of(expected, "g"):
        with pytest.raises(ArgumentError, match="unknown group 'g'"):
            step_matrix(journeys, steps=2, align=align, unit=unit, by="group", versus="g")
        return
    rows = step_matrix(journeys, steps=2, align=align, unit=unit, by="group", versus="g", min_persons=2)

    def small(group: object, step: int, name: str) -> bool:
        whole = len(set(of(expected, group)))
        there = len(set(expected.get((group, step, name), [])))
        return 1 in (whole, there, whole - there)

    assert rows.height == len(expected)
    for row in rows.iter_rows(named=True):
        key = (row["group"], row["step"], row["touchpoint"])
        assert (row["persons"] is None) == (row["low"] is None) == (row["share"] is None) == small(*key)
        found = (row["difference"], row["difference_low"], row["difference_high"])
        if row["group"] == "g" or small(*key) or small("g", *key[1:]):
            assert found == (None, None, None)
        else:
            ours, theirs = (len(expected.get((group, *key[1:]), [])) for group in (row["group"], "g"))
            assert found == pytest.approx(difference(ours, row["of"], theirs, len(of(expected, "g"))))


def test_both_sides_of_a_touchpoint() -> None:
    log = walks(walk("xxByBz"), walk("B"), walk("xyz"))
    rows = step_matrix(log, steps=1, align="web:B").select("step", "touchpoint", "persons", "of").rows()
    assert rows == [
        (-1, "(start)", 1, 2),
        (-1, "web:x", 1, 2),
        (0, "web:B", 2, 2),
        (1, "(end)", 1, 2),
        (1, "web:y", 1, 2),
    ]
    last = step_matrix(log, steps=1, align="web:B", before=2, occurrence="last")
    assert last.filter(pl.col("persons") == 1, pl.col("step") != 0).select("step", "touchpoint").rows() == [
        (-2, "(start)"),
        (-2, "web:B"),
        (-1, "(start)"),
        (-1, "web:y"),
        (1, "(end)"),
        (1, "web:z"),
    ]


def test_names_with_separators_stay_apart() -> None:
    log = walks([(0, "a:b,c"), (1, 'a:"d"')], [(0, "a:b"), (1, "c:a -> d")])
    assert step_matrix(log, steps=2)["touchpoint"].to_list() == ["a:b", "a:b,c", 'a:"d"', "c:a -> d"]


def test_a_million_touchpoints() -> None:
    log = many_touchpoints(1_000_000)
    rows = step_matrix(log.filter(pl.col("person") > 0), steps=3, align="web:0999999")
    assert rows.filter(pl.col("step") >= 0).select("step", "touchpoint", "persons").rows() == [
        (0, "web:0999999", 2),
        (1, "web:0000000", 2),
        (2, "(end)", 1),
        (2, "web:0500000", 1),
        (3, "(end)", 2),
    ]
    assert step_matrix(log, steps=100_000)["persons"].sum() == 300_000


def test_journeys_of_one_event_or_none_have_the_same_schema() -> None:
    log = walks(walk("AB"), walk("A"), device=pl.Series([None, "tv", None], dtype=pl.Categorical))
    for options in ({}, {"by": "device"}, {"align": "web:B"}):
        full = step_matrix(log, **options)  # type: ignore[arg-type]
        assert not full.is_empty()
        assert step_matrix(log.filter(pl.col("person") == 1), **options).schema == full.schema  # type: ignore[arg-type]
        empty = step_matrix(log.filter(pl.lit(False)), **options)  # type: ignore[arg-type]
        assert empty.is_empty()
        assert empty.schema == full.schema


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"align": "web:b"}, "unknown touchpoint 'web:b'. Did you mean \"web:B\"?"),
        ({"steps": 0}, "steps=: must be a whole number above zero"),
        ({"before": 2}, "Give align= as well"),
        ({"before": -1, "align": "web:A"}, "before=: must be a whole number, zero or more"),
        ({"occurrence": "lest", "align": "web:A"}, 'Did you mean "last"?'),
        ({"unit": "sesion"}, 'Did you mean "session"?'),
        ({"by": "step"}, "the result has a column 'step' of its own"),
        ({"versus": "x"}, "there is no by="),
    ],
)
def test_errors_say_what_is_wrong(options: dict[str, object], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        step_matrix(walks(walk("AB"), step=[1, 2]), **options)  # type: ignore[arg-type]
    assert words in str(caught.value)


STEPS = """
    select k as step, touchpoint, count(*) as persons, (select count(distinct person) from e) as of from e
    where k <= 6 group by k, touchpoint order by step, persons desc, touchpoint
"""
ALIGNED = """
    with z as (select person, min(k) as zero from e where touchpoint = '{0}' group by person)
    select k::bigint - zero as step, touchpoint, count(*) as persons, (select count(*) from z) as of
    from e join z using (person) where abs(k::bigint - zero) <= 4 group by all order by step, persons desc, touchpoint
"""


@pytest.mark.parametrize("name", REAL)
def test_real_logs_in_sql(name: str) -> None:
    journeys = real_log(name)
    connection = database(journeys)
    often = journeys.frame.select(pl.col("touchpoint").mode().sort().first()).collect().item()
    for query, options in ((STEPS, {"steps": 6}), (ALIGNED.format(often), {"steps": 4, "align": often})):
        found = step_matrix(journeys, **options)  # type: ignore[arg-type]
        there = found.filter(~pl.col("touchpoint").is_in(["(start)", "(end)"]))
        same(there.select("step", "touchpoint", "persons", "of"), connection.sql(query).pl())
        assert step_matrix(in_buckets(journeys, 5), **options).equals(found)  # type: ignore[arg-type]
        assert (found.group_by("step").agg(pl.col("persons").sum())["persons"] == found["of"][0]).all()
