"""Sessions by a pause, by touchpoints, and by the calendar day of a zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cjm
from cjm.contracts import TIME
from cjm.errors import ArgumentError
from cjm.journeys import Journeys, SessionRule, journeys_from_frame

ZONES = [None, "UTC", "Europe/Warsaw", "America/Sao_Paulo", "Asia/Kathmandu"]
events = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 80), st.sampled_from("abc")), min_size=1, max_size=40)


def slow(rows: list[tuple[int, datetime, str]], rule: SessionRule) -> list[int]:
    """Return the session of each row of (person, time, event), in order."""
    found: list[int] = []
    for n, (person, time, event) in enumerate(rows):
        before = rows[n - 1] if n else None
        begins = before is None or before[0] != person
        if before is not None and not begins:
            begins = rule.gap is not None and time - before[1] > timedelta(microseconds=rule.gap)
            begins |= f"web:{event}" in rule.start_on or f"web:{before[2]}" in rule.end_on
            if rule.day_in is not None:
                zone = ZoneInfo(rule.day_in)
                begins |= time.astimezone(zone).date() != before[1].astimezone(zone).date()
        found.append((found[-1] if found else -1) + begins)
    return found


def journeys_of(rows: list[tuple[int, datetime, str]], rule: SessionRule) -> Journeys:
    frame = pl.DataFrame(rows, schema={"person": pl.Int64, "time": TIME, "event": pl.String}, orient="row")
    return journeys_from_frame(frame.with_columns(channel=pl.lit("web")), gap=None, rule=rule)


@settings(deadline=None)
@given(
    events,
    st.sampled_from([None, 0, 3, 12]),
    st.sets(st.sampled_from("abc"), max_size=2),
    st.sets(st.sampled_from("abc"), max_size=1),
    st.sampled_from(ZONES),
    # hours before clocks change in Warsaw (spring, autumn) and, at midnight, in Sao Paulo
    st.sampled_from([datetime(2026, 3, 28), datetime(2025, 10, 25, 12), datetime(2018, 11, 3), datetime(2018, 2, 17)]),
)
def test_rules_against_plain_python(
    drawn: list[tuple[int, int, str]],
    gap: int | None,
    start: set[str],
    end: set[str],
    zone: str | None,
    first: datetime,
) -> None:
    hour = timedelta(hours=1)
    rows = sorted(((p, first.replace(tzinfo=UTC) + n * hour, e) for p, n, e in drawn), key=lambda row: row[:2])
    there = {row[2] for row in rows}
    start_on, end_on = (tuple(f"web:{name}" for name in sorted(names & there)) for names in (start, end))
    rule = SessionRule(None if gap is None else gap * 3_600_000_000, start_on, end_on, zone)
    journeys = journeys_of(rows, rule)
    assert journeys.frame.select("session").collect()["session"].to_list() == slow(rows, rule)
    sessions = journeys.sessions.collect()
    assert sessions["session"].to_list() == list(range(sessions.height))
    assert sessions["events"].sum() == len(rows)


def test_a_pause_as_long_as_the_gap_does_not_cut() -> None:
    times = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=n) for n in (0, 1_800_000_000, 3_600_000_001)]
    journeys = journeys_of([(1, time, "a") for time in times], SessionRule(1_800_000_000))
    assert journeys.sessions.collect()["events"].to_list() == [2, 1]


def test_days_of_a_zone_where_clocks_change() -> None:
    # Warsaw, 29 March 2026: 23:30 on the 28th, then 00:30, 01:30, and 03:30 after the hour that is skipped
    times = [datetime(2026, 3, 28, 22, 30, tzinfo=UTC) + timedelta(hours=n) for n in range(4)]
    rows = [(1, time, "a") for time in times]
    assert journeys_of(rows, SessionRule(None, day_in="Europe/Warsaw")).sessions.collect()["events"].to_list() == [1, 3]
    assert journeys_of(rows, SessionRule(None, day_in="UTC")).sessions.collect()["events"].to_list() == [2, 2]


def test_rules_of_build_journeys() -> None:
    at = ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-01T12:00Z", "2026-01-02T00:01Z"]
    frame = pl.DataFrame({"at": at, "what": ["in", "out", "in", "see"], "who": ["a"] * 4})
    log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})

    def lengths(**options: object) -> list[int]:
        journeys = cjm.build_journeys(log, person="customer", **options)  # type: ignore[arg-type]
        return journeys.sessions.collect()["events"].to_list()

    assert lengths() == [2, 1, 1]
    assert lengths(gap=None) == [4]
    assert lengths(gap=None, start_on=["web:in"]) == [2, 2]
    assert lengths(gap=None, end_on=["web:out"]) == [2, 2]
    assert lengths(gap=None, day_in="UTC") == [3, 1]
    assert lengths(gap=timedelta(days=1), day_in="Asia/Tokyo") == [3, 1]
    with pytest.raises(ArgumentError, match='Did you mean "web:out"'):
        lengths(end_on=["web:outt"])
    with pytest.raises(ArgumentError, match="must be a list of touchpoints"):
        lengths(start_on="web:in")
    with pytest.raises(ArgumentError, match="must be a list of touchpoints"):
        lengths(end_on=[1])
    assert lengths(start_on=iter(["web:in"])) == [2, 1, 1]
    assert lengths(gap="99999999w") == [4]
    for zone in ("Warsaw", ""):
        with pytest.raises(ArgumentError, match=f"unknown time zone '{zone}'"):
            lengths(day_in=zone)


def test_a_rule_says_what_it_is() -> None:
    rule = SessionRule(1_800_000_000, ("app:open",), ("web:logout",), "UTC")
    assert str(rule) == (
        "a session begins after 30m without an event, at app:open, after web:logout, with a new day in UTC"
    )
    assert str(SessionRule(None)) == "a session is all that a person does"
