"""Suppressions begin and end with events, as a slow reading says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjm.durations import to_us
from cjm.errors import ArgumentError
from cjm.journeys import journeys_from_frame
from cjm.moments import Suppression, suppressions

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
EVENTS = ["opened", "closed", "other"]
HELD = Suppression("open ticket", "call:opened", "call:closed", hold="12h")
KEYED = Suppression("one ticket", "call:opened", "call:closed", limit="3d", key="ticket")
TIMED = Suppression("either", "{call:opened, call:other}", hold="2d")


def journeys_of(rows):
    # every touchpoint occurs, with a person of no interest
    rows = [*rows, *((99, day, event, None) for day, event in enumerate(EVENTS))]
    return journeys_from_frame(
        pl.DataFrame(
            {
                "person": [row[0] for row in rows],
                "time": [START + row[1] * DAY for row in rows],
                "channel": "call",
                "event": [row[2] for row in rows],
                "ticket": pl.Series([row[3] for row in rows], dtype=pl.String),
            }
        ),
        gap=1,
    )


def slowly(rows, rule, starts, ends):
    ordered = sorted(rows, key=lambda row: (row[0], row[1]))  # stable: equal times stay in order
    found = []
    for place, (person, day, event, ticket) in enumerate(ordered):
        if event not in starts:
            continue
        since = START + day * DAY
        hold = timedelta(microseconds=to_us(rule.hold))
        later = [
            START + other[1] * DAY + hold
            for other in ordered[place + 1 :]
            if other[0] == person and other[2] in ends and (rule.key is None or other[3] == ticket)
        ]
        to = [since + hold] if rule.end is None else later[:1]
        if rule.limit is not None:
            to.append(since + timedelta(microseconds=to_us(rule.limit)))
        found.append((person, rule.reason, since, min(to, default=None), rule.release))
    return found


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 2), st.integers(0, 6), st.sampled_from(EVENTS), st.sampled_from([None, "a", "b"])),
        max_size=14,
    )
)
def test_agrees_with_a_slow_reading(rows):
    found = suppressions(journeys_of(rows), [HELD, KEYED, TIMED]).filter(pl.col("person") < 99)
    assert found.rows() == [
        *slowly(rows, HELD, ["opened"], ["closed"]),
        *slowly(rows, KEYED, ["opened"], ["closed"]),
        *slowly(rows, TIMED, ["opened", "other"], []),
    ]


def test_buckets_make_no_difference(tmp_path):
    import cjm

    rows = [(person, day, EVENTS[(person + day) % 3], None) for person in range(40) for day in range(5)]
    journeys = journeys_of(rows)
    journeys.write(tmp_path / "store", bucket_events=50)
    stored = cjm.open_journeys(tmp_path / "store")
    assert len(list(stored.buckets())) > 2
    rules = [HELD, TIMED]
    assert suppressions(stored, rules).equals(suppressions(journeys, rules))
    assert suppressions(journeys, []).is_empty()


def test_the_rule_in_words():
    assert [rule.release for rule in (HELD, KEYED, TIMED)] == [
        "until 12h after call:closed",
        "until call:closed, at most 3d",
        "until 2d after {call:opened, call:other}",
    ]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda: Suppression("x", "call:opened"), "nothing ends it"),
        (lambda: Suppression("x", "call:opened", hold=3), "A bare number has no unit"),
        (lambda: Suppression("x", "call:opned", hold="1d"), 'Did you mean "call:opened"'),
        (lambda: Suppression("x", "call:opened", hold="1d", key="tickt"), 'Did you mean "ticket"'),
    ],
)
def test_wrong_rules(rule, message):
    with pytest.raises(ArgumentError, match=message):
        suppressions(journeys_of([]), [rule()])
