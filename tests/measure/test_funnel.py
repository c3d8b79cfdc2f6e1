"""Funnels: against a slow twin, and against SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import duckdb
import polars as pl
import pytest
from buckets import in_buckets
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import (
    DAY,
    MINUTE,
    TOUCHPOINTS,
    Event,
    by_person,
    by_session,
    logs,
    quantile,
    to_journeys,
)

from cjm.journeys import journeys_from_frame
from cjm.measure._funnel import funnel, funnel_next
from cjm.statistics import wilson

few = settings(max_examples=60, deadline=None)
HOSPITAL = Path(__file__).parents[3] / "shared" / "data" / "events" / "hospital_billing.parquet"
STEPS = [*TOUCHPOINTS[:3], '"a,b":*', "*:x", TOUCHPOINTS[:2], set(TOUCHPOINTS[1:3])]


def takes(step: str | list[str] | set[str], event: Event) -> bool:
    names = [step] if isinstance(step, str) else step
    return any(name in (event.touchpoint, f'"{event.channel}":*', f"*:{event.event}") for name in names)


def choices(
    events: list[Event], steps: list, k: int, within: int | None, order: str, exclude: list | dict | None
) -> list[tuple[int, ...]]:
    """All choices of events that take the first ``k`` steps, or any ``k`` of them."""
    found: list[tuple[tuple[int, ...], frozenset[int]]] = [((), frozenset())]
    for number in range(k):
        found = [
            ((*chosen, i), used | {s})
            for chosen, used in found
            for i, event in enumerate(events)
            for s in ([number] if order != "any" else sorted(set(range(len(steps))) - used))
            if takes(steps[s], event)
            and (not chosen or i > chosen[-1])
            and (not chosen or within is None or event.time - events[chosen[0]].time <= within)
            and not (chosen and order == "strict" and i != chosen[-1] + 1)
            and not (chosen and forbidden(events[chosen[-1] + 1 : i], exclude, number))
        ]
    return [chosen for chosen, _ in found]


def forbidden(between: list[Event], exclude: list | dict | None, step: int) -> bool:
    names = exclude.get(step, []) if isinstance(exclude, Mapping) else exclude or []
    return any(takes(names, event) for event in between)


def walked(
    log: list[Event], steps: list, within: int | None, order: str, exclude: list | dict | None, unit: str
) -> list[tuple[Event, int, list[int], str]]:
    """Of each person at step 1: the first event there, the furthest step, the times, what comes next."""
    persons = []
    for mine in by_person(log).values():
        paths = [mine] if unit == "person" else by_session(mine)
        starts = steps if order == "any" else steps[:1]
        first = next((e for path in paths for e in path if any(takes(step, e) for step in starts)), None)
        if first is None:
            continue
        found = {
            k: [choices(path, steps, k, within, order, exclude) for path in paths] for k in range(1, len(steps) + 1)
        }
        reached = max(k for k in found if any(found[k]))
        path = next(i for i, there in enumerate(found[reached]) if there)
        # First to get there; among these, from the last step backwards, always the latest event.
        best = max(found[reached][path], key=lambda chosen: (-chosen[-1], chosen[-2::-1]))
        times = [paths[path][i].time for i in best]
        path, last = max((i, chosen[-1]) for i, there in enumerate(found[reached]) for chosen in there)
        rest = paths[path][last + 1 :]
        persons.append((first, reached, times, rest[0].touchpoint if rest else "(end)"))
    return persons


@st.composite
def questions(draw: st.DrawFn) -> dict:
    order = draw(st.sampled_from(["ordered", "ordered", "strict", "any"]))
    if order == "any":
        steps = draw(st.permutations([*TOUCHPOINTS[:2], [TOUCHPOINTS[2]]]))
        exclude = draw(st.sampled_from([None, [TOUCHPOINTS[3]]]))
    else:
        steps = draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=4))
        inside = st.dictionaries(st.integers(1, max(1, len(steps) - 1)), st.just(TOUCHPOINTS[1:2]))
        allowed = st.one_of(st.none(), st.sampled_from([TOUCHPOINTS[:1], TOUCHPOINTS[3:4]]), inside)
        exclude = None if order == "strict" or len(steps) == 1 else draw(allowed)
    return {
        "steps": list(steps),
        "within": draw(st.sampled_from([None, 0, 15 * MINUTE, 30 * MINUTE, 10 * DAY])),
        "order": order,
        "exclude": exclude,
        "unit": draw(st.sampled_from(["person", "person", "session"])),
    }


def narrow(log: list[Event]) -> list[Event]:
    """Fewer touchpoints, so that funnels are walked."""
    return [Event(e.person, e.time, *TOUCHPOINTS[sum(map(ord, e.touchpoint)) % 4].split(":", 1), e.group) for e in log]


def ask(question: dict) -> dict:
    return question | {"within": None if question["within"] is None else f"{question['within']}us"}


@few
@given(logs(persons=2, min_events=6).map(narrow), questions(), st.booleans(), st.sampled_from([1, 2]))
def test_funnel_is_that_of_the_oracle(log: list[Event], question: dict, grouped: bool, buckets: int) -> None:
    steps = question["steps"]
    rows = funnel(in_buckets(to_journeys(log), buckets), **ask(question), by="group" if grouped else None)
    persons = walked(log, **question)
    groups = {first.group for first, *_ in persons} if grouped else {None}
    assert rows.height == len(groups) * len(steps)
    for row in rows.with_columns(pl.col(pl.Duration).to_physical()).iter_rows(named=True):
        mine = [person for person in persons if not grouped or person[0].group == row["group"]]
        k = row["step"]
        there = [times for _, reached, times, _ in mine if reached >= k]
        before = sum(reached >= k - 1 for _, reached, _, _ in mine)
        assert (row["persons"], row["of"]) == (len(there), len(mine))
        assert row["rate"] == (len(there) / len(mine) if mine else None)
        assert row["step_rate"] == (len(there) / before if k > 1 and before else None)
        low, high = wilson([len(there)], [len(mine)])
        assert (row["low"], row["high"]) == ((low[0], high[0]) if mine else (None, None))
        low, high = wilson([len(there)], [before])
        assert (row["step_low"], row["step_high"]) == ((low[0], high[0]) if k > 1 and before else (None, None))
        waits = [times[k - 1] - times[k - 2] for times in there] if k > 1 else []
        assert [row[f"time_p{q}"] for q in (25, 50, 75)] == [quantile(waits, q) for q in (0.25, 0.5, 0.75)]
        assert row["total_p50"] == (quantile([times[k - 1] - times[0] for times in there], 0.5) if k > 1 else None)


@few
@given(logs(persons=4, min_events=6).map(narrow), questions(), st.booleans(), st.sampled_from([1, 3]))
def test_funnel_next_is_that_of_the_oracle(log: list[Event], question: dict, grouped: bool, buckets: int) -> None:
    rows = funnel_next(in_buckets(to_journeys(log), buckets), **ask(question), by="group" if grouped else None)
    left = [p for p in walked(log, **question) if p[1] < len(question["steps"])]
    expected = Counter((first.group if grouped else None, reached, after) for first, reached, _, after in left)
    of = Counter((first.group if grouped else None, reached) for first, reached, _, _ in left)
    found = {(row.get("group"), row["step"], row["next"]): row for row in rows.iter_rows(named=True)}
    assert {key: row["persons"] for key, row in found.items()} == expected
    for (group, step, _), row in found.items():
        assert row["of"] == of[group, step]
        assert row["share"] == row["persons"] / row["of"]
        low, high = wilson([row["persons"]], [row["of"]])
        assert (row["low"], row["high"]) == (low[0], high[0])
    keys = [(r.get("group") is None, r.get("group") or "", r["step"], -r["persons"], r["next"]) for r in found.values()]
    assert keys == sorted(keys)


@pytest.mark.skipif(not HOSPITAL.exists(), reason="the hospital billing log is not beside the checkout")
def test_hospital_billing_in_sql() -> None:
    frame = pl.read_parquet(HOSPITAL, columns=["case_id", "activity", "timestamp", "casetype"]).drop_nulls("case_id")
    log = journeys_from_frame(
        frame.select(
            person=pl.col("case_id").rank("dense").cast(pl.Int64),
            time=pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            channel=pl.lit("billing"),
            event="activity",
            casetype="casetype",
        ),
        gap=30 * MINUTE,
    )
    events = log.frame.select("person", pl.col("time").to_physical().alias("t"), "event").with_row_index("i").collect()
    sql = duckdb.connect()
    sql.register("e", events.to_arrow())
    names = ["NEW", "FIN", "RELEASE", "BILLED"]
    month = 30 * DAY
    joins = " ".join(
        f"left join e e{k + 1} on e{k + 1}.person = e0.person and e{k + 1}.i > e{k}.i and e{k + 1}.event = '{name}' "
        f"and e{k + 1}.t - e0.t <= {month}"
        for k, name in enumerate(names[1:])
    )
    counts = ", ".join(f"count(distinct e{k}.person)" for k in range(len(names)))
    (expected,) = sql.execute(f"select {counts} from e e0 {joins} where e0.event = '{names[0]}'").fetchall()
    steps = [f"billing:{name}" for name in names]
    rows = funnel(log, steps, within="30d")
    assert rows["persons"].to_list() == list(expected)
    assert all(a > b > 0 for a, b in pairwise(expected))
    assert funnel(in_buckets(log, 7), steps, within="30d").equals(rows)
    by = funnel(log, steps, within="30d", by="casetype")
    assert by.filter(pl.col("step") == 1)["persons"].sum() == expected[0]
    assert funnel(in_buckets(log, 7), steps, within="30d", by="casetype").equals(by)
    strict = """
        with n as (select *, lead(event) over w as b, lead(event, 2) over w as c from e
                   window w as (partition by person order by i))
        select count(distinct person), count(distinct person) filter (b = 'FIN'),
            count(distinct person) filter (b = 'FIN' and c = 'RELEASE') from n where event = 'NEW'
    """
    (expected,) = sql.execute(strict).fetchall()
    assert funnel(log, steps[:3], order="strict")["persons"].to_list() == list(expected)
    left = """
        with f as (select person, min(i) filter (event = 'NEW') as first, max(i) filter (event = 'NEW') as last,
                          max(i) filter (event = 'FIN') as fin from e group by person),
        l as (select * from f where first is not null and (fin is null or fin < first))
        select coalesce('billing:' || n.event, '(end)') as next, count(*) as persons
        from l left join e n on n.person = l.person and n.i = l.last + 1 group by next order by persons desc, next
    """
    assert funnel_next(log, steps[:2], top=100).select("next", "persons").rows() == sql.execute(left).fetchall()
