"""Journeys towards goals against a simulation in plain Python, event by event."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations, combinations_with_replacement

import polars as pl
from buckets import in_buckets
from hypothesis import given, settings
from hypothesis import strategies as st

from cjm.durations import format_duration
from cjm.journeys import Journeys
from cjm.journeys._build import journeys_from_frame
from cjm.measure._goal import Goal, goal
from cjm.measure._goals import goal_events, goal_journeys, goal_overlap
from cjm.patterns import Pattern
from cjm.statistics import wilson

MINUTE = 60_000_000
NAMES = ["a", "b", "c", "d e"]


@dataclass(frozen=True)
class Event:
    person: int
    time: int
    name: str
    key: str | None


@dataclass(frozen=True)
class Chain:
    """A pattern as the simulation sees it: sets of names, one after the other."""

    steps: tuple[frozenset[str], ...]
    within: int | None

    def pattern(self) -> Pattern:
        sets = ["{" + ", ".join(f'web:"{name}"' for name in sorted(step)) + "}" for step in self.steps]
        limit = "" if self.within is None else f" within {format_duration(self.within)} of start"
        return Pattern.parse(" -> ".join(sets) + limit)

    def completed(self, events: list[Event], i: int, earliest: int) -> int | None:
        """The latest first event, ``earliest`` or later, of an occurrence that event ``i`` completes."""
        starts = [
            chosen[0]
            for before in combinations(range(earliest, i), len(self.steps) - 1)
            for chosen in [(*before, i)]
            if chosen[0] >= earliest
            and all(events[j].name in step for j, step in zip(chosen, self.steps, strict=True))
            and (self.within is None or events[i].time - events[chosen[0]].time <= self.within)
        ]
        return max(starts, default=None)


@dataclass(frozen=True)
class Plan:
    start: Chain
    end: Chain | None
    abandon: Chain | None
    timeout: int | None
    idle: int | None
    keyed: bool

    def goal(self, name: str) -> Goal:
        return goal(
            name,
            start=self.start.pattern(),
            end=self.end and self.end.pattern(),
            abandon=self.abandon and self.abandon.pattern(),
            timeout=None if self.timeout is None else format_duration(self.timeout),
            idle=None if self.idle is None else format_duration(self.idle),
            key="order" if self.keyed else None,
        )


@dataclass
class Journey:
    person: int
    goal: str
    start: int
    key: str | None
    events: list[int]
    opened: int
    end: int | None = None
    state: str = "open"
    rows: list[Event] = field(default_factory=list)


def person_events(log: list[Event]) -> dict[int, list[Event]]:
    return {n: sorted((e for e in log if e.person == n), key=lambda e: e.time) for n in sorted({e.person for e in log})}


def simulate(events: list[Event], plan: Plan, name: str, data_end: int) -> list[Journey]:
    found: list[Journey] = []

    def ran_out(journey: Journey, now: int) -> bool:
        deadlines = []
        if plan.timeout is not None:
            deadlines.append((journey.start + plan.timeout, 0, "timed out", journey.start + plan.timeout))
        if plan.idle is not None:
            last = events[journey.events[-1]].time
            deadlines.append((last + plan.idle, 1, "abandoned", last))
        passed = [deadline for deadline in deadlines if deadline[0] < now]
        if passed:
            _, _, journey.state, journey.end = min(passed)
        return bool(passed)

    for i, event in enumerate(events):
        for journey in found:
            mine = not plan.keyed or event.key is None or event.key == journey.key
            if journey.state != "open" or not mine or ran_out(journey, event.time):
                continue
            journey.events.append(i)
            for state, chain in (("reached", plan.end), ("abandoned", plan.abandon)):
                if journey.state == "open" and chain and chain.completed(events, i, journey.events[0]) is not None:
                    journey.state, journey.end = state, event.time
        key = event.key if plan.keyed else None
        if (plan.keyed and key is None) or any(j.state == "open" and j.key == key for j in found):
            continue
        free = 0
        if found and not plan.keyed:
            last = found[-1].events[-1]
            closed_by_event = found[-1].state == "reached" or (
                plan.abandon is not None
                and found[-1].state == "abandoned"
                and last > found[-1].opened
                and plan.abandon.completed(events, last, found[-1].events[0]) is not None
            )
            free = last if closed_by_event else last + 1
        first = plan.start.completed(events, i, i if plan.keyed else free)
        if first is None or (plan.timeout is not None and event.time - events[first].time > plan.timeout):
            continue
        found.append(Journey(event.person, name, events[first].time, key, list(range(first, i + 1)), i))
    for journey in found:
        if journey.state == "open":
            ran_out(journey, data_end)
        journey.rows = [events[i] for i in journey.events]
    return found


def expected(log: list[Event], plans: list[Plan]) -> list[Journey]:
    data_end = max(event.time for event in log)
    found = [
        journey
        for events in person_events(log).values()
        for number, plan in enumerate(plans)
        for journey in simulate(events, plan, f"goal {number}", data_end)
    ]
    return sorted(found, key=lambda j: (j.person, j.start, j.goal, j.key or ""))


def to_journeys(log: list[Event]) -> Journeys:
    """Build journeys in which every touchpoint is known, whether or not it occurs in ``log``."""
    rows = [(0, 0, name, None) for name in NAMES] + [(e.person, e.time, e.name, e.key) for e in log]
    frame = pl.DataFrame(rows, schema=["person", "time", "event", "order"], orient="row").with_columns(
        pl.col("time").cast(pl.Datetime("us", "UTC")), pl.col("order").cast(pl.String), channel=pl.lit("web")
    )
    return journeys_from_frame(frame, gap=30 * MINUTE).filter(pl.col("person") > 0)


def us(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Duration, pl.Datetime).to_physical())


def logs() -> st.SearchStrategy[list[Event]]:
    """Few persons and touchpoints, many ties, pauses and spans that are often exactly at a limit."""
    event = st.builds(
        Event,
        st.integers(1, 3),
        st.integers(0, 12).map(lambda n: n * 15 * MINUTE + 1_600_000_000_000_000),
        st.sampled_from(NAMES),
        st.sampled_from([None, "1", "2", 'żółw: "x"']),
    )
    return st.one_of(st.lists(event, min_size=size, max_size=24) for size in (1, 14))


limits = st.sampled_from([None, None, 0, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE])
names = st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=2)


def chains(longest: int) -> st.SearchStrategy[Chain]:
    return st.builds(Chain, st.lists(names, min_size=1, max_size=longest).map(tuple), limits)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    keyed = draw(st.booleans())
    chain = chains(1 if keyed else 3)
    plan = Plan(
        draw(chain), draw(st.none() | chain), draw(st.none() | st.none() | chain), draw(limits), draw(limits), keyed
    )
    closes = plan.end or plan.abandon or plan.timeout is not None or plan.idle is not None
    return plan if closes else Plan(plan.start, draw(chain), None, None, None, keyed)


@settings(max_examples=80, deadline=None)
@given(logs(), st.lists(plans(), min_size=1, max_size=3), st.integers(1, 3))
def test_journeys_and_their_events(log: list[Event], chosen: list[Plan], buckets: int) -> None:
    journeys = in_buckets(to_journeys(log), buckets)
    goals = [plan.goal(f"goal {number}") for number, plan in enumerate(chosen)]
    slow = expected(log, chosen)
    found = us(goal_journeys(journeys, goals))
    keyed = any(plan.keyed for plan in chosen)
    assert found.columns[8:] == (["key"] if keyed else [])
    assert found.drop("key", strict=False).rows() == [
        (j.person, n, j.goal, j.start, j.end, j.state, len(j.rows), None if j.end is None else j.end - j.start)
        for n, j in enumerate(slow)
    ]
    if keyed:
        assert found["key"].to_list() == [j.key for j in slow]
    events = us(goal_events(journeys, goals)).select("journey", "goal", "person", "time", "touchpoint", "step")
    assert events.rows() == [
        (n, j.goal, j.person, event.time, f"web:{event.name}", step)
        for n, j in enumerate(slow)
        for step, event in enumerate(j.rows, start=1)
    ]


@settings(max_examples=40, deadline=None)
@given(logs(), st.lists(plans(), min_size=1, max_size=3), st.integers(1, 3))
def test_overlap(log: list[Event], chosen: list[Plan], buckets: int) -> None:
    journeys = in_buckets(to_journeys(log), buckets)
    goals = [plan.goal(f"goal {number}") for number, plan in enumerate(chosen)]
    data_end = max(event.time for event in log)
    slow = [(j, j.start, data_end if j.end is None else j.end) for j in expected(log, chosen)]
    rows = us(goal_overlap(journeys, goals[::-1])).rows()
    order = combinations_with_replacement([goal.name for goal in goals], 2)
    for row, (a, b) in zip(rows, order, strict=True):
        mine = [x for x in slow if x[0].goal == a]
        met = [
            (x, y)
            for x in mine
            for y in slow
            if y[0].goal == b and x is not y and x[0].person == y[0].person and x[1] <= y[2] and y[1] <= x[2]
        ]
        pairs = len(met) // (2 if a == b else 1)
        common = sum(min(x[2], y[2]) - max(x[1], y[1]) for x, y in met) // (2 if a == b else 1)
        overlapping = len({id(x) for x, _ in met})
        low, high = wilson([overlapping], [len(mine)])
        assert row == (
            a,
            b,
            len({x[0].person for x, _ in met}),
            pairs,
            overlapping,
            len(mine),
            overlapping / len(mine) if mine else None,
            low[0] if mine else None,
            high[0] if mine else None,
            common // pairs if pairs else None,
        )
