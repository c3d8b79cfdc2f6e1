"""The flow from step to step against a slow twin, DuckDB SQL, and cases made by hand."""

from __future__ import annotations

from collections import Counter, defaultdict

import polars as pl
import pytest
from buckets import in_buckets
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import Event, logs, to_journeys
from splits import (
    REAL,
    SPLITS,
    UNITS,
    database,
    many_touchpoints,
    names_of,
    real_log,
    same,
    split_paths,
    walk,
    walks,
)

from cjm.errors import ArgumentError
from cjm.measure._flow import flow

few = settings(max_examples=30, deadline=None)


def slow(
    log: list[Event], unit: str, split: str, steps: int, top: int
) -> dict[tuple[object, int, str, str], list[int]]:
    """(group, step, source, target) to the persons whose paths go there."""
    shown = [(group, events[: steps + 1], len(events) <= steps) for group, events in split_paths(log, unit, split)]
    frequency = Counter(event.touchpoint for _, events, _ in shown for event in events)
    kept = sorted(frequency, key=lambda name: (-frequency[name], name))[:top]
    rows: dict[tuple[object, int, str, str], list[int]] = defaultdict(list)
    for group, events, over in shown:
        labels = [event.touchpoint if event.touchpoint in kept else "(other)" for event in events]
        labels += ["(end)"] * over
        for k in range(len(labels) - 1):
            rows[group, k + 1, labels[k], labels[k + 1]].append(events[0].person)
    return rows


@few
@given(
    logs(),
    st.sampled_from(list(UNITS)),
    st.sampled_from(list(SPLITS)),
    st.sampled_from([1, 3, 30]),
    st.sampled_from([1, 3, 20]),
    st.sampled_from([0, 2]),
)
def test_as_the_slow_twin(log: list[Event], unit: str, split: str, steps: int, top: int, min_persons: int) -> None:
    journeys = to_journeys(log)
    options = {"unit": UNITS[unit], "by": SPLITS[split], "steps": steps, "top": top, "min_persons": min_persons}
    rows = flow(journeys, **options)  # type: ignore[arg-type]
    found = {
        (row.get(split), row["step"], row["source"], row["target"]): row["persons"]
        for row in rows.iter_rows(named=True)
    }
    assert found == {
        key: len(persons) if len(set(persons)) >= min_persons else None
        for key, persons in slow(log, unit, split, steps, top).items()
    }
    if min_persons == 0:
        order = [*names_of(split), "step", pl.col("persons").neg(), "source", "target"]
        assert rows.equals(rows.sort(order, nulls_last=True))
    assert flow(in_buckets(journeys, 3), **options).equals(rows)  # type: ignore[arg-type]


def test_groups_share_the_touchpoints_kept_by_name() -> None:
    rows = flow(walks(walk("AAA"), walk("BB"), device=["x"] * 3 + [None] * 2), top=1, by="device")
    assert rows.rows() == [
        ("x", 1, "web:A", "web:A", 1),
        ("x", 2, "web:A", "web:A", 1),
        ("x", 3, "web:A", "(end)", 1),
        (None, 1, "(other)", "(other)", 1),
        (None, 2, "(other)", "(end)", 1),
    ]


def test_names_with_separators_stay_apart() -> None:
    log = walks([(0, "a:b,c"), (1, 'a:"d"')], [(0, "a:b"), (1, "c:a -> d")])
    assert flow(log, steps=1).rows() == [(1, "a:b", "c:a -> d", 1), (1, "a:b,c", 'a:"d"', 1)]


def test_a_million_touchpoints() -> None:
    log = many_touchpoints(1_000_000)
    few_left = flow(log.filter(pl.col("person") > 0), top=1_000_000)
    assert few_left["persons"].to_list() == [2, 1, 1, 1]
    rows = flow(log, steps=200_000, top=500_000)
    assert rows["persons"].sum() == 200_000 + 3 + 2
    assert rows.filter(pl.col("source") == "(other)").height == 0


def test_journeys_of_one_event_or_none_have_the_same_schema() -> None:
    log = walks(walk("AB"), walk("A"), device=pl.Series([None, "tv", None], dtype=pl.Categorical))
    for by in (None, "device"):
        full = flow(log, by=by)
        assert flow(log.filter(pl.col("person") == 1), by=by).schema == full.schema
        empty = flow(log.filter(pl.lit(False)), by=by)
        assert empty.is_empty()
        assert empty.schema == full.schema


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"top": 2.5}, "top=: must be a whole number above zero"),
        ({"steps": 0}, "steps=: must be a whole number above zero"),
        ({"unit": "sesion"}, 'Did you mean "session"?'),
        ({"by": "source"}, "the result has a column 'source' of its own"),
        ({"min_persons": 1.5}, "min_persons=: must be a whole number"),
    ],
)
def test_errors_say_what_is_wrong(options: dict[str, object], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        flow(walks(walk("AB"), source=[1, 2]), **options)  # type: ignore[arg-type]
    assert words in str(caught.value)


FLOW = """
    with p as (select person, session, touchpoint, row_number() over w as k, lead(touchpoint) over w as next
        from e window w as (partition by {0} order by k)),
    top as (select touchpoint from p where k <= 5 group by touchpoint order by count(*) desc, touchpoint limit 5)
    select k as step, case when touchpoint in (from top) then touchpoint else '(other)' end as source,
        case when next is null then '(end)' when next in (from top) then next else '(other)' end as target,
        count(*) as persons
    from p where k <= 4 group by all order by step, persons desc, source, target
"""


@pytest.mark.parametrize("name", REAL)
def test_real_logs_in_sql(name: str) -> None:
    journeys = real_log(name)
    connection = database(journeys)
    for unit in ("person", "session"):
        found = flow(journeys, steps=4, top=5, unit=unit)
        same(found, connection.sql(FLOW.format(unit)).pl())
        assert flow(in_buckets(journeys, 5), steps=4, top=5, unit=unit).equals(found)
