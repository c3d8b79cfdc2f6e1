"""The measures once more: slow, obvious, in plain Python."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import polars as pl
from hypothesis import strategies as st

from cjm.journeys import Journeys, journeys_from_frame

MINUTE = 60_000_000
DAY = 1440 * MINUTE
GAP = 30 * MINUTE
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
    """Build journeys in which every touchpoint is known, whether or not it occurs; they begin with the log."""
    known = [Event(0, 0, channel, event, None) for channel in CHANNELS for event in EVENTS]
    rows = [(e.person, e.time, e.channel, e.event, e.group) for e in known + log]
    schema = {"person": pl.Int64, "time": pl.Int64, "channel": pl.String, "event": pl.String, "group": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))
    journeys = journeys_from_frame(frame, gap=GAP).filter(pl.col("person") > 0)
    journeys.start = min((event.time for event in log), default=0)  # there are not many periods
    return journeys


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
