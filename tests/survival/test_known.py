"""A path counts when it is complete and its events could be known to be the person's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from cjm.journeys import Journeys, journeys_from_frame
from cjm.survival._known import known_completions

ZERO = datetime(2025, 1, 1, tzinfo=UTC)
PATH = {"path": "web:a -> web:b within 5d"}
Event = tuple[int, int, str, int]


def journeys_of(events: list[Event]) -> Journeys:
    """Person, day, event, days after which the person was known."""
    frame = pl.DataFrame(
        {
            "person": [e[0] for e in events],
            "time": [ZERO + timedelta(days=e[1]) for e in events],
            "channel": "web",
            "event": [e[2] for e in events],
            "__known": [ZERO + timedelta(days=e[1] + e[3]) for e in events],
        }
    )
    return journeys_from_frame(frame, gap=1)


def expected(events: list[Event]) -> dict[int, int]:
    """Return the first day at which each person's path was complete and all events from its start on were known."""
    found: dict[int, int] = {}
    for person in {e[0] for e in events}:
        own = sorted((e for e in events if e[0] == person), key=lambda e: e[1])
        for end, last in enumerate(own):
            starts = [i for i, first in enumerate(own[:end]) if first[2] == "a" and last[1] - first[1] <= 5]
            if last[2] == "b" and starts:
                day = max(e[1] + e[3] for e in own[starts[-1] : end + 1])
                found[person] = min(found.get(person, day), day)
    return found


@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 20), st.sampled_from("abc"), st.integers(0, 9)),
        min_size=1,
        max_size=25,
    )
)
def test_against_plain_python(events: list[Event]) -> None:
    journeys = journeys_of([*events, (9, 0, "a", 0), (9, 1, "b", 0)])
    dated = known_completions(journeys, PATH, every=False)
    days = {p: (t - ZERO).days for p, t in dated.filter(pl.col("person") < 9).select("person", "end").iter_rows()}
    assert days == expected(events)


def test_a_later_walk_that_was_known_earlier_counts() -> None:
    journeys = journeys_of([(1, 0, "a", 20), (1, 1, "b", 0), (1, 5, "a", 0), (1, 6, "b", 0)])
    assert known_completions(journeys, PATH, every=False)["end"].to_list() == [ZERO + timedelta(days=6)]
    assert known_completions(journeys, PATH, every=True)["end"].to_list() == [ZERO + timedelta(days=6)]


def test_an_absence_counts_once_its_window_has_passed() -> None:
    journeys = journeys_of([(1, 0, "a", 0), (1, 30, "c", 0)])
    dated = known_completions(journeys, {"quiet": "web:a -> not web:c within 7d"}, every=False)
    assert dated["end"].to_list() == [ZERO + timedelta(days=7)]


def test_nothing_found() -> None:
    journeys = journeys_of([(1, 0, "a", 0), (1, 30, "b", 0)])
    assert known_completions(journeys, PATH, every=False).is_empty()
