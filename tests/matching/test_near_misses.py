"""Attempts that came to nothing: at which step, when and why."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_oracle import journeys_of, logs

import cjm
from cjm.errors import ArgumentError
from cjm.journeys import journeys_from_frame
from cjm.patterns import Pattern

START = datetime(2026, 1, 1, tzinfo=UTC)


def misses(text, pattern, until=None):
    """Return (hour of start, step, reason, hour of end) in a log of one person such as ``0 a, 2 b``."""
    events = [event.split() for event in text.split(", ")]
    frame = pl.DataFrame(
        {
            "person": 1,
            "time": [START + timedelta(hours=float(hour)) for hour, _ in events],
            "channel": "w",
            "event": [name for _, name in events],
        }
    ).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))
    end = None if until is None else START + timedelta(hours=until)
    found = cjm.near_misses(journeys_from_frame(frame, gap=1), pattern, complete_until=end)
    hours = [(found[name] - START).dt.total_microseconds() / 3.6e9 for name in ("start", "at")]
    return list(zip(hours[0].to_list(), found["step"].to_list(), found["reason"].to_list(), hours[1], strict=True))


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("0 a, 1 a, 2 b, 3 b, 4 a, 5 x", "w:a -> w:b", [(0, 2, "superseded", 1)]),
        ("0 a, 3 b", "w:a -> w:b within 3h", []),
        ("0 a, 3.5 b", "w:a -> w:b within 3h", [(0, 2, "timeout", 3)]),
        ("0 a, 1 b, 9 c", "w:a -> w:b within 2h -> w:c within 2h", [(0, 3, "timeout", 3)]),
        ("0 a, 1 b, 9 c", "w:a -> w:b -> w:c within 5h of start", [(0, 3, "timeout", 5)]),
        ("0 a, 1 x, 2 b", "w:a => w:b", [(0, 2, "interrupted", 1)]),
        ("0 a, 1 x, 2 b", "w:a -> w:b within 9h unless w:x", [(0, 2, "unless", 1)]),
        ("0 a, 1 x, 2 b", "w:a -> not w:x within 2h", [(0, 2, "came", 1)]),
        ("0 a, 1 x, 2 b", "w:a -> not w:x within 2h -> w:b within 1d", [(0, 2, "came", 1)]),
        ("0 a, 10 b", "3 x w:a within 2h", [(0, 1, "timeout", 2)]),
    ],
)
def test_where_and_why_an_attempt_ended(text, pattern, expected):
    assert misses(text, pattern) == expected


def test_what_may_still_succeed_is_no_near_miss():
    log = "-9 b, 0 a, 1 x"
    assert misses(log, "w:a -> w:b within 3h") == []
    assert misses(log, "w:a -> w:b within 3h", until=2.9) == []
    assert misses(log, "w:a -> w:b within 3h", until=3) == [(0, 2, "timeout", 3)]
    assert misses(log, "w:a -> w:b") == []


def test_no_events_and_unknown_names():
    with pytest.raises(ArgumentError, match='Did you mean "w:a"'):
        misses("0 a", "w:aa -> w:a within 1h")
    assert misses("0 a", "w:a") == []


def ends(log, known_to):
    """Follow ``x:a -> x:b within 2us unless y:c`` by hand; return (start, reason) of what came to nothing."""
    found, begun = [], None
    for time, letter, _ in log:
        if begun is not None and time - begun > 2:
            found.append((begun, "timeout"))
            begun = None
        if letter == "b":
            begun = None
        elif begun is not None:
            found.append((begun, "superseded" if letter == "a" else "unless"))
            begun = None
        if letter == "a":
            begun = time
    return [*found, (begun, "timeout")] if begun is not None and known_to - begun >= 2 else found


@settings(max_examples=100, deadline=None)
@given(people=st.lists(logs(size=15), min_size=1, max_size=3))
def test_every_attempt_ends_once(people):
    journeys = journeys_of(people)
    missed = cjm.near_misses(journeys, {"p": Pattern.parse("x:a -> x:b within 2us unless y:c")})
    rows = missed.select("person", pl.col("start").to_physical(), "reason").rows()
    expected = [(person, *end) for person, log in enumerate(people, start=7) for end in ends(log, journeys.end)]
    assert sorted(rows) == sorted(expected)
