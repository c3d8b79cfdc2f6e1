"""Cases made by hand: where other tools go wrong, edges, errors, schemas, a lazy import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

import polars as pl
import pytest

from cjm.errors import ArgumentError
from cjm.journeys import Journeys, journeys_from_frame
from cjm.measure import flow, funnel, kpis, retention, step_matrix, timeline, transitions, variants

MINUTE = timedelta(minutes=1)
START = datetime(2024, 1, 1)  # a Monday


def journeys(*persons: list[tuple[float, str]], start: datetime = START, **attributes: list[object]) -> Journeys:
    """One list of (minute, event) a person; a single letter stands for an event of channel ``web``."""
    rows = [
        (i, start + minute * MINUTE, *(name.split(":", 1) if ":" in name else ("web", name)))
        for i, events in enumerate(persons)
        for minute, name in events
    ]
    frame = pl.DataFrame(rows, schema=["person", "time", "channel", "event"], orient="row").with_columns(
        pl.col("person").cast(pl.Int64), pl.col("time").dt.replace_time_zone("UTC")
    )
    return journeys_from_frame(
        frame.with_columns(**{k: pl.Series(v) for k, v in attributes.items()}), gap=30 * 60_000_000
    )


def walk(names: str) -> list[tuple[float, str]]:
    return [(float(minute), name) for minute, name in enumerate(names)]


@pytest.mark.parametrize(
    ("events", "steps", "within", "persons"),
    [
        (walk("BCAB"), "ABC", None, [1, 1, 0]),  # each step is there, but not in order
        (walk("A"), "AA", None, [1, 0]),  # one event is not two
        (walk("AxA"), "AA", None, [1, 1]),
        (walk("AyByC"), "ABC", None, [1, 1, 1]),  # others may lie between
        ([(0, "A"), (60, "B")], "AB", "1h", [1, 1]),  # exactly the window
        ([(0, "A"), (60, "B")], "AB", timedelta(minutes=59, seconds=59), [1, 0]),
        # The first start is too old for C; a later one, after the first B, leads there.
        ([(0, "A"), (1, "B"), (50, "A"), (55, "B"), (70, "C")], "ABC", "1h", [1, 1, 1]),
        # The later start has no B of its own: it does not inherit the B before it.
        ([(0, "A"), (1, "B"), (50, "A"), (70, "C")], "ABC", "1h", [1, 1, 0]),
        ([(0, "A"), (0, "B")], "AB", "0s", [1, 1]),  # a tie counts in order of arrival
        ([(0, "B"), (0, "A")], "AB", "0s", [1, 0]),
    ],
)
def test_funnel_of_one_person(
    events: list[tuple[float, str]], steps: str, within: str | None, persons: list[int]
) -> None:
    others = [(minute, f"other:{name}") for minute, name in walk("ABC")]  # makes the channels two
    known = [(0.0, name) for name in "CBA"]  # makes every touchpoint known, and goes nowhere
    rows = funnel(
        journeys(events, others, known).filter(pl.col("person") == 0), [f"web:{s}" for s in steps], within=within
    )
    assert rows["persons"].to_list() == persons


def test_funnel_times_are_those_of_the_attempt_that_gets_furthest() -> None:
    log = journeys([(0, "A"), (10, "A"), (12, "B"), (30, "A"), (31, "B"), (35, "C"), (99, "C")])
    rows = funnel(log, ["web:A", "web:B", "web:C"])
    assert rows["time_p50"].to_list() == [None, timedelta(minutes=1), timedelta(minutes=4)]
    assert funnel(log.filter(pl.col("event") != "C"), ["web:A", "web:B", "web:C"])["time_p50"].to_list() == [
        None,
        timedelta(minutes=2),  # the first B ends the attempt, from the A right before it
        None,
    ]


def test_funnel_of_a_repeated_step_has_the_time_between_two_events() -> None:
    assert funnel(journeys([(0, "A"), (5, "A"), (7, "A")]), ["web:A"] * 2)["time_p50"].to_list() == [None, 5 * MINUTE]


def test_funnel_groups_persons_by_their_first_start() -> None:
    log = journeys(walk("xAAB"), walk("A"), walk("BB"), device=["tv", None, "tv", "tv", "tv", "tv", "tv"])
    rows = funnel(log, ["web:A", "web:B"], by="device")
    assert rows.select("device", "step", "persons", "of", "step_rate").rows() == [
        ("tv", 1, 1, 1, None),
        ("tv", 2, 0, 1, 0.0),
        (None, 1, 1, 1, None),
        (None, 2, 1, 1, 1.0),
    ]


def test_funnel_without_anyone_at_the_first_step() -> None:
    log = journeys(walk("A"), walk("B")).filter(pl.col("event") == "B")
    rows = funnel(log, ["web:A", "web:B"])
    assert rows.select("persons", "of", "rate", "low", "step_rate").rows() == [(0, 0, None, None, None)] * 2


def test_shares_are_the_nearest_float() -> None:
    rows = variants(journeys(*[walk("A")] * 3, *[walk("B")] * 2))
    assert rows["share"].to_list() == [3 / 5, 2 / 5]


def test_names_with_separators_stay_apart() -> None:
    log = journeys([(0, "a:b,c"), (1, "a:d")], [(0, "a:b"), (1, "c:a:d")], [(0, "a:b -> a:d")])
    assert variants(log)["path"].to_list() == [["a:b", "c:a:d"], ["a:b -> a:d"], ["a:b,c", "a:d"]]
    assert transitions(log).select("source", "target").rows() == [("a:b", "c:a:d"), ("a:b,c", "a:d")]


def test_transitions_between_far_events_have_an_exact_mean() -> None:
    far = 100_000_000  # minutes: the sum of the microseconds would not fit in 64 bits for 2,000 persons
    rows = transitions(journeys(*[[(0, "A"), (far, "B")]] * 2_000, start=datetime(1800, 1, 1)))
    assert rows["time_mean"].to_list() == [timedelta(minutes=far)]


def test_retention_counts_only_periods_that_are_over() -> None:
    week = 7 * 1440
    log = journeys([(0, "A"), (week, "A")], [(week - 1, "A"), (3 * week - 1 / 60_000_000, "A")])
    assert retention(log).select("period", "persons", "of").rows() == [(0, 2, 2), (1, 1, 2), (2, 1, 2)]
    earlier = journeys([(0, "A"), (week, "A")], [(week - 1, "A"), (3 * week - 2 / 60_000_000, "A")])
    assert retention(earlier)["period"].to_list() == [0, 1]
    assert retention(earlier)["cohort"].dt.to_string("%F %T").unique().to_list() == ["2024-01-01 00:00:00"]
    assert retention(journeys(walk("AB"))).is_empty()


def test_retention_keeps_the_end_of_the_whole_log() -> None:
    log = journeys([(0, "A"), (1440, "A")], [(5 * 1440, "A")])
    rows = retention(log.filter(pl.col("person") == 0), every="1d")
    assert rows["persons"].to_list() == [1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("zone", "instants", "begins"),
    [
        # Clocks go back at 01:00: the day has two midnights, and begins at the first.
        ("America/Havana", ["2022-11-06T04:30", "2022-11-06T05:30", "2022-11-07T04:59"], ["2022-11-06T00:00:00-04:00"]),
        # Midnight is skipped: the day begins at 01:00.
        ("America/Sao_Paulo", ["2018-11-04T03:00", "2018-11-05T01:59"], ["2018-11-04T01:00:00-02:00"]),
        ("Europe/Warsaw", ["2024-03-30T23:00", "2024-03-31T21:59"], ["2024-03-31T00:00:00+01:00"]),
    ],
)
def test_timeline_days_with_a_change_of_clocks(zone: str, instants: list[str], begins: list[str]) -> None:
    log = journeys(*[[((datetime.fromisoformat(at) - START) / MINUTE, "A")] for at in instants])
    rows = timeline(log, time_zone=zone)
    assert [period.isoformat() for period in rows["period"]] == begins
    assert rows.schema["period"] == pl.Datetime("us", zone)
    assert rows["persons"].to_list() == [len(instants)]


def test_timeline_by_month_week_and_hour() -> None:
    log = journeys([(0, "A"), (30, "A"), (61, "store:A"), (31 * 1440, "A")])
    found = timeline(log, every="1mo")
    assert found.select("channel", "events").rows() == [("store", 1), ("web", 2), ("web", 1)]
    assert timeline(log, every="1w")["period"].dt.weekday().to_list() == [1, 1, 1]
    hours = timeline(log, every="1h", time_zone="Asia/Kathmandu")  # 5 h 45 min ahead: full hours of that zone
    assert hours["period"].dt.minute().unique().to_list() == [0]
    assert hours["events"].to_list() == [1, 1, 1, 1]


def test_kpis_of_a_group_are_those_of_its_own_events() -> None:
    log = journeys([(0, "A"), (1, "store:B"), (100, "store:B"), (102, "store:B")])
    found = {
        (channel, kpi): value
        for channel, kpi, value in kpis(log, by="channel").select("channel", "kpi", "value").rows()
    }
    assert found["web", "sessions"] == 1
    assert found["web", "bounce_rate"] == 1
    assert found["store", "sessions"] == 2
    assert found["store", "bounce_rate"] == 0.5
    assert found["store", "session_length_median"] == 120
    assert found["store", "session_pause_median"] == pytest.approx(99 / 1440)
    assert found["store", "multichannel_rate"] == 0
    assert found["store", "stickiness"] is None


VERBS: dict[str, Callable[[Journeys], pl.DataFrame]] = {
    "kpis": kpis,
    "kpis by": lambda j: kpis(j, by="channel"),
    "funnel": lambda j: funnel(j, ["web:A", "web:B"]),
    "funnel by": lambda j: funnel(j, ["web:A", "web:B"], by="device"),
    "transitions": transitions,
    "transitions by": lambda j: transitions(j, by="device", ends=True, within_session=True),
    "step_matrix": step_matrix,
    "step_matrix align": lambda j: step_matrix(j, align="web:B"),
    "flow": flow,
    "variants": variants,
    "variants cut": lambda j: variants(j, by="session", collapse=True, max_length=1, top=1),
    "retention": lambda j: retention(j, every="1m"),
    "retention by": lambda j: retention(j, every="1m", by="device"),
    "timeline": timeline,
}


@pytest.mark.parametrize("verb", VERBS)
def test_empty_journeys_and_one_event_give_the_same_schema(verb: str) -> None:
    log = journeys(walk("AB"), walk("A"), device=pl.Series([None, "tv", None], dtype=pl.Categorical))
    full = VERBS[verb](log)
    assert not full.is_empty()
    empty = VERBS[verb](log.filter(pl.lit(False)))
    assert empty.is_empty()
    assert empty.schema == full.schema
    assert VERBS[verb](log.filter(pl.col("person") == 1)).schema == full.schema


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda j: funnel(j, ["web:A", "web:b"]), "unknown touchpoint 'web:b'. Did you mean \"web:B\"?"),
        (lambda j: funnel(j, "web:A"), "must be a list of touchpoints"),
        (lambda j: funnel(j, []), "must be a list of touchpoints"),
        (lambda j: funnel(j, ["web:A"], within=7), "A bare number has no unit"),
        (lambda j: funnel(j, ["web:A"], level=95), "must lie between 0 and 1"),
        (lambda j: funnel(j, ["web:A"], by="step"), "the result has a column 'step' of its own"),
        (lambda j: kpis(j, by="chanel"), "unknown column 'chanel'. Did you mean \"channel\"?"),
        (lambda j: step_matrix(j, align="web:Z"), "unknown touchpoint"),
        (lambda j: step_matrix(j, steps=0), "whole number above zero"),
        (lambda j: flow(j, top=2.5), "whole number above zero"),
        (lambda j: variants(j, by="persons"), 'Did you mean "person"?'),
        (lambda j: variants(j, max_length=0), "max_length=: must be a whole number"),
        (lambda j: retention(j, every="0d"), "longer than zero"),
        (lambda j: retention(j, every="1mo"), "months and years have no fixed length"),
        (lambda j: timeline(j, every="0d"), "cannot be read"),
        (lambda j: timeline(j, every=1), "cannot be read"),
        (lambda j: timeline(j, time_zone="Mars/Base"), "unknown time zone 'Mars/Base'"),
    ],
)
def test_errors_say_what_is_wrong(call: Callable[[Journeys], object], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call(journeys(walk("AB"), step=[1, 2]))
    assert words in str(caught.value)


def test_importing_measure_stays_light() -> None:
    heavy = "{'numba', 'pandas', 'lifelines', 'mlxtend', 'sklearn', 'matplotlib'}"
    code = f"import sys, cjm.measure; sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
