"""Hand-made cases of ``find``: limits met exactly, ties, nulls, odd names, absences, refused attempts, errors."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

import cjm.matching._find as matching_find
from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError, PatternError
from cjm.journeys import journeys_from_frame
from cjm.matching import find, find_matches
from cjm.patterns import Pattern, pattern

START = datetime(2026, 1, 1, tzinfo=UTC)


def journeys_of(text, **attributes):
    """One person a line: ``0 web:a, 24 web:b`` are events at these hours."""
    rows = [
        (person, START + timedelta(hours=float(hour)), *touchpoint.split(":", 1))
        for person, line in enumerate(text.strip().splitlines(), start=1)
        for hour, touchpoint in (event.split(maxsplit=1) for event in line.strip().split(", "))
    ]
    frame = pl.DataFrame(rows, schema=["person", "time", "channel", "event"], orient="row")
    frame = frame.with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")), **attributes)
    return journeys_from_frame(frame, gap=1)


def spans(journeys, text, **options):
    """Return (person, hour of start, hour of end) of every match."""
    frame = find(journeys, text, **options)
    hours = [(frame[column] - START).dt.total_microseconds() / 3.6e9 for column in ("start", "end")]
    return list(zip(frame["person"].to_list(), *(hour.to_list() for hour in hours), strict=True))


def test_limits_are_inclusive():
    journeys = journeys_of("0 w:a, 24 w:b\n0 w:a, 24.5 w:b")
    assert spans(journeys, "w:a -> w:b within 1d") == [(1, 0, 24)]
    assert spans(journeys, "w:a -> w:b after 1d within 2d") == [(1, 0, 24), (2, 0, 24.5)]
    assert spans(journeys, "w:a -> w:b within 1d of start") == [(1, 0, 24)]


def test_order_matters():
    journeys = journeys_of("0 w:b, 1 w:c, 2 w:a, 3 w:b")
    assert spans(journeys, "w:a -> w:b -> w:c") == []
    assert spans(journeys, "w:b -> w:c -> w:a") == [(1, 0, 2)]


def test_equal_times_follow_arrival():
    journeys = journeys_of("5 w:a, 5 w:b\n5 w:b, 5 w:a")
    assert spans(journeys, "w:a -> w:b within 0s") == [(1, 5, 5)]
    assert spans(journeys, "w:a -> not w:b within 0s", complete_until=START + timedelta(hours=6)) == [(2, 5, 5)]


def test_latest_start_and_occurrence():
    journeys = journeys_of("0 w:a, 1 w:a, 2 w:b, 3 w:b, 4 w:a, 5 w:b")
    assert spans(journeys, "w:a -> w:b", occurrence="first") == [(1, 1, 2)]
    assert spans(journeys, "w:a -> w:b") == [(1, 1, 2), (1, 4, 5)]
    assert spans(journeys, "w:a -> w:b", occurrence="all") == [(1, 1, 2), (1, 1, 3), (1, 4, 5)]


def test_relaxed_and_strict():
    journeys = journeys_of("0 w:a, 1 w:x, 2 w:b\n0 w:a, 1 w:b, 2 w:x")
    assert spans(journeys, "w:a -> w:b") == [(1, 0, 2), (2, 0, 1)]
    assert spans(journeys, "w:a => w:b") == [(2, 0, 1)]
    assert spans(journeys, "w:a => *:*") == [(1, 0, 1), (2, 0, 1)]


def test_unless_ends_the_attempt_and_a_new_one_may_begin():
    journeys = journeys_of("0 w:a, 1 w:x, 2 w:b\n0 w:a, 1 w:x, 2 w:a, 3 w:b")
    assert spans(journeys, "w:a -> w:b unless w:x") == [(2, 2, 3)]


def test_repeated_events_and_counts():
    journeys = journeys_of("0 c:fail, 1 c:fail, 2 c:fail, 3 c:fail\n0 c:fail, 1 c:fail, 2.5 c:fail")
    assert spans(journeys, "3 x c:fail within 2h") == [(1, 0, 2)]
    assert spans(journeys, "3 x c:fail within 2h", occurrence="all") == [(1, 0, 2), (1, 1, 3)]
    assert spans(journeys, "c:fail -> c:fail -> c:fail", occurrence="first") == [(1, 0, 2), (2, 0, 2.5)]


def test_absence_at_the_end():
    journeys = journeys_of("0 w:a, 24 w:x\n0 w:a, 24.5 w:x\n0 w:a\n12 w:a, 13 w:y")
    text = "w:a -> not w:x within 1d"
    frame = find(journeys, text)
    assert frame["person"].to_list() == [2, 3]
    assert frame["confirmed_at"].to_list() == [START + timedelta(hours=24)] * 2
    later = START + timedelta(hours=36)
    assert [person for person, *_ in spans(journeys, text, complete_until=later)] == [2, 3, 4]
    assert [person for person, *_ in spans(journeys, text, complete_until=later - timedelta(microseconds=1))] == [2, 3]


def test_absence_certain_exactly_at_the_end_of_the_data():
    journeys = journeys_of("0 w:a, 24 w:y\n0 w:x")
    assert spans(journeys, "w:a -> not w:x within 1d") == [(1, 0, 0)]
    assert spans(journeys, "w:a -> not w:x within 1d1us") == []


def test_absence_in_the_middle_comes_before_the_next_step():
    text = "w:a -> not w:x within 1d -> w:b within 7d"
    journeys = journeys_of(
        "0 w:a, 24 w:b, 25 w:b\n"  # 24 h is inside the window: the second b it is
        "0 w:a, 5 w:x, 30 w:b\n"  # x inside the window
        "0 w:a, 25 w:x, 30 w:b\n"  # x after the window
        "0 w:a, 168 w:b\n"
        "0 w:a, 168.5 w:b"  # seven days count from a
    )
    assert spans(journeys, text, occurrence="first") == [(1, 0, 25), (3, 0, 30), (4, 0, 168)]


def test_non_overlapping_begins_afresh_after_the_absence():
    journeys = journeys_of("0 w:a, 1 w:a, 25 w:a, 60 w:y, 61 w:x")
    assert spans(journeys, "w:a -> not w:x within 1d") == [(1, 0, 0), (1, 25, 25)]
    assert spans(journeys, "w:a -> not w:x within 1d", occurrence="all") == [(1, 0, 0), (1, 1, 1), (1, 25, 25)]


def test_attribute_tests_and_nulls():
    journeys = journeys_of(
        "0 w:a, 1 w:a, 2 w:a, 3 w:a",
        value=pl.Series([10.0, float("nan"), None, 20.0]),
        segment=pl.Series(["premium", None, 'a "b"', "x"]),
        code=pl.Series(["x", "y", None, "z"], dtype=pl.Categorical),
        paid=pl.Series([True, False, None, True]),
        visits=pl.Series([1, 2, None, 4]),
    )

    def hours(test):
        return [hour for _, hour, _ in spans(journeys, f"w:a[{test}]", occurrence="all")]

    assert hours("value >= 10") == [0, 3]
    assert hours("value > 1e1") == [3]
    assert hours("value != 10") == [3]
    assert hours('segment = "premium"') == [0]
    assert hours('segment != "premium"') == [2, 3]
    assert hours('segment in {"x", "a \\"b\\""}') == [2, 3]
    assert hours('code < "z"') == [0, 1]
    assert hours("paid = true") == [0, 3]
    assert hours("paid != true") == [1]
    assert hours("visits in {1, 4.0}") == [0, 3]
    assert hours("visits <= 2, paid = false") == [1]


def test_polars_expression_as_step():
    journeys = journeys_of("0 w:a, 1 w:b, 2 w:b", value=pl.Series([None, 1.0, 5.0]))
    steps = pattern("w:a").then((pl.col("event") == "b") & (pl.col("value") > 2))
    assert spans(journeys, steps) == [(1, 0, 2)]
    assert spans(journeys, pattern(pl.col("value") > 0), occurrence="all") == [(1, 1, 1), (1, 2, 2)]
    with pytest.raises(ArgumentError, match='Did you mean "value"'):
        find(journeys, pattern(pl.col("valu") > 2))
    with pytest.raises(ArgumentError, match="gives Float64"):
        find(journeys, pattern(pl.col("value")))
    with pytest.raises(ArgumentError, match="fails"):
        find(journeys, pattern(pl.col("event") > pl.col("value")))


def test_odd_names():
    odd = ['we:b:x"y\\', "sklep:żółć -> 1", "a:", "*:*", "a:b, c"]
    rows = pl.DataFrame(
        {
            "person": [1] * 5,
            "time": pl.Series([START + timedelta(hours=i) for i in range(5)]).cast(pl.Datetime("us", "UTC")),
            "channel": ["we:b", "sklep", "a", "*", "a"],
            "event": ['x"y\\', "żółć -> 1", "", "*", "b, c"],
        }
    )
    journeys = journeys_from_frame(rows, gap=1)
    mined = Pattern.from_touchpoints(odd)
    assert spans(journeys, mined) == [(1, 0, 4)]
    assert spans(journeys, str(mined)) == [(1, 0, 4)]
    assert spans(journeys, '"we:b":*') == [(1, 0, 0)]
    assert spans(journeys, '*:"b, c"') == [(1, 4, 4)]


def test_names_order_and_contract():
    journeys = journeys_of("0 w:a, 1 w:b\n0 w:b, 1 w:a")
    frame = find(journeys, {"second": "w:b", "first": pattern("w:a")}, occurrence="all")
    assert frame["pattern"].to_list() == ["second"] * 2 + ["first"] * 2
    assert frame["person"].to_list() == [1, 2, 1, 2]
    CONTRACTS["OCCURRENCES"].validate(frame)
    both = find(journeys, ["w:a", "w:b -> not w:a within 30m"], complete_until=START + timedelta(days=1))
    assert both["pattern"].unique(maintain_order=True).to_list() == ["w:a", "w:b -> not w:a within 30m"]
    assert both["confirmed_at"].null_count() == 2
    CONTRACTS["OCCURRENCES"].validate(both)


def test_empty_journeys_and_no_patterns():
    journeys = journeys_of("0 w:a").filter(pl.lit(False))
    for frame in (find(journeys, "w:a -> w:a within 1d"), find(journeys, {})):
        assert frame.height == 0
        CONTRACTS["OCCURRENCES"].validate(frame)
    frame = find(journeys, "w:a -> not w:a within 1d")
    assert frame.columns == ["pattern", "person", "start", "end", "span", "confirmed_at"]
    CONTRACTS["OCCURRENCES"].validate(frame)


def test_ranges_and_threads_change_nothing(monkeypatch):
    journeys = journeys_of("\n".join("0 w:a, 1 w:b, 2 w:a, 3 w:b, 4 w:x" for _ in range(50)))
    patterns = ["w:a -> w:b", "w:a -> not w:x within 1h", "w:x"]
    whole = find(journeys, patterns)
    monkeypatch.setattr(matching_find, "_EVENTS_A_TASK", 7)
    assert find(journeys, patterns).equals(whole)
    assert whole.height == 50 * 5


def test_refused_attempts_are_counted_and_said():
    events = ", ".join(f"{hour} w:a" for hour in range(20)) + ", 30 w:b"
    journeys = journeys_of(events)
    waiting = Pattern.parse("w:a -> w:b after 20h")
    with pytest.warns(UserWarning, match="4 attempts were refused"):
        frame = find(journeys, waiting)
    assert frame.height == 1
    with pytest.warns(UserWarning, match="pattern 'p'"):
        assert find_matches(journeys, {"p": waiting}, occurrence="all")["p"].refused == 4
    # with room for the attempts that matter nothing is refused, however many there are
    assert spans(journeys, "w:a -> w:b after 10h30m") == [(1, 19, 30)]
    assert spans(journeys, "16 x w:a -> w:b") == [(1, 4, 30)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("w:a -> w:bx", "unknown touchpoint 'w:bx'. Did you mean \"w:b\""),
        ("web:* -> w:a", "unknown channel 'web'"),
        ("*:aaa", "unknown event 'aaa'"),
        ("{w:a, w:q}", "unknown touchpoint 'w:q'"),
        ("w:a -> w:b unless w:q", "unknown touchpoint 'w:q'"),
        ("w:a[valu = 1]", "unknown attribute 'valu'. Did you mean \"value\""),
        ('w:a[value = "1"]', "does not fit"),
        ("w:a[paid < true]", "does not fit"),
        ("w:a[paid = 1]", "does not fit"),
        ('w:a[day = "2026-01-01"]', "cannot test"),
    ],
)
def test_unknown_names_are_errors(text, message):
    journeys = journeys_of("0 w:a, 1 w:b", paid=pl.Series([True, False]), day=pl.Series([START, START]))
    with pytest.raises(ArgumentError, match="pattern 'p': ") as caught:
        find(journeys, {"p": text})
    assert message in str(caught.value)


def test_wrong_calls_are_errors():
    journeys = journeys_of("0 w:a")
    with pytest.raises(ArgumentError, match="unknown occurrence 'last'"):
        find(journeys, "w:a", occurrence="last")
    with pytest.raises(ArgumentError, match="given twice"):
        find(journeys, ["w:a", pattern("w:a")])
    with pytest.raises(ArgumentError, match="time zone"):
        find(journeys, "w:a", complete_until=datetime(2026, 1, 1))
    with pytest.raises(PatternError, match="read from text"):
        find(journeys, [3])
