"""The measures once more: slow, obvious, in plain Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import polars as pl
from hypothesis import strategies as st

from cjm.journeys import Journeys, journeys_from_frame

MINUTE = 60_000_000
DAY = 1440 * MINUTE
GAP = 30 * MINUTE
MONDAY = 4 * DAY
CHANNELS = ["web", "store", "a,b"]
EVENTS = ["x", "y -> z", 'q"uote:', "żółw"]
TOUCHPOINTS = sorted(f"{channel}:{event}" for channel in CHANNELS for event in EVENTS)


@dataclass(frozen=True)
class Event:
    person: int
    time: int
    channel: str
    event: str
    group: str | None

    @property
    def touchpoint(self) -> str:
        return f"{self.channel}:{self.event}"


def logs(persons: int = 4, min_events: int = 1) -> st.SearchStrategy[list[Event]]:
    """Few persons and touchpoints, many ties, pauses of exactly the session gap, and some far apart in time."""
    minutes = st.one_of(st.integers(0, 4).map(lambda n: 15 * n), st.integers(0, 80).map(lambda n: 1440 * n + 7))
    event = st.builds(
        Event,
        st.integers(1, persons),
        minutes.map(lambda n: n * MINUTE + 1_600_000_000_000_000),
        st.sampled_from(CHANNELS),
        st.sampled_from(EVENTS),
        st.sampled_from([None, "g", "h"]),
    )
    # Hypothesis keeps lists near their shortest: ask for long ones too.
    return st.one_of(st.lists(event, min_size=size, max_size=24) for size in (min_events, 12))


def to_journeys(log: list[Event]) -> Journeys:
    """Build journeys in which every touchpoint is known, whether or not it occurs in ``log``."""
    known = [Event(0, 0, channel, event, None) for channel in CHANNELS for event in EVENTS]
    rows = [(e.person, e.time, e.channel, e.event, e.group) for e in known + log]
    schema = {"person": pl.Int64, "time": pl.Int64, "channel": pl.String, "event": pl.String, "group": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))
    return journeys_from_frame(frame, gap=GAP).filter(pl.col("person") > 0)


def by_person(log: list[Event]) -> dict[int, list[Event]]:
    persons: dict[int, list[Event]] = defaultdict(list)
    for event in sorted(log, key=lambda e: e.time):  # stable: ties stay in order of arrival
        persons[event.person].append(event)
    return dict(sorted(persons.items()))


def by_session(log: list[Event]) -> list[list[Event]]:
    sessions: list[list[Event]] = []
    for events in by_person(log).values():
        for i, event in enumerate(events):
            if i == 0 or event.time - events[i - 1].time > GAP:
                sessions.append([])
            sessions[-1].append(event)
    return sessions


def paths(log: list[Event], by: str) -> list[list[Event]]:
    return list(by_person(log).values()) if by == "person" else by_session(log)


def quantile(values: list[int], q: float) -> int | None:
    """Interpolate linearly between the two nearest values, cut to a whole number."""
    if not values:
        return None
    ranked = sorted(values)
    place = q * (len(ranked) - 1)
    low = int(place)
    high = min(low + 1, len(ranked) - 1)
    return int(ranked[low] + (ranked[high] - ranked[low]) * (place - low))


def attempts(events: list[Event], steps: list[str], within: int | None) -> list[tuple[int, ...]]:
    """All choices of events, one after the other, that match all ``steps`` within the window."""
    found: list[tuple[int, ...]] = [()]
    for step in steps:
        found = [
            (*chosen, i)
            for chosen in found
            for i, event in enumerate(events)
            if event.touchpoint == step
            and (not chosen or i > chosen[-1])
            and (not chosen or within is None or event.time - events[chosen[0]].time <= within)
        ]
    return found


def funnel(log: list[Event], steps: list[str], within: int | None, grouped: bool) -> dict[tuple, tuple]:
    """(group, step) to persons, of, persons at the step before, three quartiles of the time from there."""
    persons = []
    for events in by_person(log).values():
        reached, best = 0, ()
        for k in range(1, len(steps) + 1):
            if found := attempts(events, steps[:k], within):
                # First to get there; among these, from the last step backwards, always the latest event.
                reached, best = k, max(found, key=lambda chosen: (-chosen[-1], chosen[-2::-1]))
        if reached:
            first = next(event for event in events if event.touchpoint == steps[0])
            persons.append((first.group if grouped else None, reached, [events[i].time for i in best]))
    rows = {}
    for group in {person[0] for person in persons} | (set() if grouped else {None}):
        mine = [person for person in persons if person[0] == group]
        for k in range(1, len(steps) + 1):
            there = [times for _, reached, times in mine if reached >= k]
            waits = [times[k - 1] - times[k - 2] for times in there] if k > 1 else []
            before = sum(reached >= k - 1 for _, reached, _ in mine) if k > 1 else 0
            rows[group, k] = (len(there), len(mine), before, *(quantile(waits, q) for q in (0.25, 0.5, 0.75)))
    return rows


def transitions(log: list[Event], grouped: bool, within_session: bool, ends: bool) -> dict[tuple, tuple]:
    """(group, source, target) to count, transitions out of source, persons, median and mean time."""
    found: dict[tuple, list[tuple[int, int | None]]] = defaultdict(list)
    for events in paths(log, "session" if within_session else "person"):
        if ends:
            found[events[0].group, "(start)", events[0].touchpoint].append((events[0].person, None))
            found[events[-1].group, events[-1].touchpoint, "(end)"].append((events[0].person, None))
        for a, b in pairwise(events):
            found[a.group, a.touchpoint, b.touchpoint].append((a.person, b.time - a.time))
    if not grouped:
        merged: dict[tuple, list] = defaultdict(list)
        for (_, source, target), seen in found.items():
            merged[None, source, target] += seen
        found = merged
    out = Counter()
    for (group, source, _), seen in found.items():
        out[group, source] += len(seen)
    rows = {}
    for (group, source, target), seen in found.items():
        times = [time for _, time in seen if time is not None]
        rows[group, source, target] = (
            len(seen),
            out[group, source],
            len({person for person, _ in seen}),
            quantile(times, 0.5),
            sum(times) // len(times) if times else None,
        )
    return rows


def variants(log: list[Event], by: str, collapse: bool, max_length: int | None) -> list[tuple[list[str], int]]:
    counted: Counter = Counter()
    for events in paths(log, by):
        names = [event.touchpoint for event in events]
        if collapse:
            names = [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
        counted[tuple(names[:max_length])] += 1
    return [(list(path), n) for path, n in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]


def step_matrix(log: list[Event], steps: int, align: str | None) -> dict[tuple[int, str], int]:
    rows: Counter = Counter()
    for events in by_person(log).values():
        names = [event.touchpoint for event in events]
        if align is not None and align not in names:
            continue
        anchor = -1 if align is None else names.index(align)
        for step in range(1 if align is None else -steps, steps + 1):
            i = anchor + step
            rows[step, "(start)" if i < 0 else "(end)" if i >= len(names) else names[i]] += 1
    return dict(rows)


def flow(log: list[Event], steps: int, top: int, by: str) -> dict[tuple[int, str, str], int]:
    shown = [[event.touchpoint for event in events][: steps + 1] for events in paths(log, by)]
    frequency = Counter(name for names in shown for name in names)
    kept = sorted(frequency, key=lambda name: (-frequency[name], name))[:top]
    rows: Counter = Counter()
    for names in shown:
        labels = [name if name in kept else "(other)" for name in names]
        if len(labels) <= steps:
            labels.append("(end)")
        for k in range(len(labels) - 1):
            rows[k + 1, labels[k], labels[k + 1]] += 1
    return dict(rows)


def retention(log: list[Event], every: int, grouped: bool) -> dict[tuple, tuple[int, int]]:
    """(group, start of the cohort, period) to persons and size of the cohort."""
    end = max(event.time for event in log)
    cohorts: dict[tuple, list[set[int]]] = defaultdict(list)
    for events in by_person(log).values():
        start = events[0].time - (events[0].time - MONDAY) % every
        cohorts[events[0].group if grouped else None, start].append({(e.time - start) // every for e in events})
    rows = {}
    for (group, start), members in cohorts.items():
        period = 0
        while start + (period + 1) * every - 1 <= end:
            rows[group, start, period] = (sum(period in active for active in members), len(members))
            period += 1
    return rows


def kpis(log: list[Event], whole: list[Event]) -> dict[str, tuple[float | None, int | None, int | None]]:
    """Each figure of the events ``log`` (one group of the ``whole``): value, numerator, denominator."""
    members = set(map(id, log))
    persons = [mine for events in by_person(whole).values() if (mine := [e for e in events if id(e) in members])]
    sessions = [mine for events in by_session(whole) if (mine := [e for e in events if id(e) in members])]
    ours: dict[int, list[list[Event]]] = defaultdict(list)
    for session in sessions:
        ours[session[0].person].append(session)
    pauses = [b[0].time - a[-1].time for mine in ours.values() for a, b in pairwise(mine)]
    lengths = [session[-1].time - session[0].time for session in sessions if len(session) > 1]
    days = [{event.time // DAY for event in events} for events in persons]
    first, last = min(e.time for e in whole) // DAY + 29, max(e.time for e in whole) // DAY
    daily = sum(day in active for active in days for day in range(first, last + 1))
    monthly = sum(any(day - 29 <= seen <= day for seen in active) for active in days for day in range(first, last + 1))
    channels = [len({event.channel for event in events}) for events in persons]

    def ratio(a: int, b: int) -> tuple[float | None, int, int]:
        return (a / b if b else None, a, b)

    return {
        "events": (len(log), len(log), None),
        "persons": (len(persons), len(persons), None),
        "sessions": (len(sessions), len(sessions), None),
        "sessions_per_person": ratio(len(sessions), len(persons)),
        "events_per_session": ratio(len(log), len(sessions)),
        "bounce_rate": ratio(sum(len(session) == 1 for session in sessions), len(sessions)),
        "returning_rate": ratio(sum(len(mine) > 1 for mine in ours.values()), len(persons)),
        "channels_per_person": ratio(sum(channels), len(persons)),
        "multichannel_rate": ratio(sum(n > 1 for n in channels), len(persons)),
        "session_pause_median": (median(pauses) / DAY if pauses else None, None, len(pauses)),
        "session_length_median": (median(lengths) / 1_000_000 if lengths else None, None, len(lengths)),
        "stickiness": ratio(daily, monthly),
    }
