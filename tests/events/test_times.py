"""Times are converted exactly, and nothing is guessed silently."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cjm
from cjm.errors import InputError

WARSAW = ZoneInfo("Europe/Warsaw")
INSTANTS = st.datetimes(datetime(1995, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC))


def times_of(values: object, **options: object) -> tuple[list[datetime], pl.DataFrame]:
    frame = pl.DataFrame({"t": values, "n": ["x"] * len(values), "c": ["a"] * len(values)})  # type: ignore[arg-type]
    source = cjm.Source(frame, time="t", event="n", ids={"customer": "c"}, **options)  # type: ignore[arg-type]
    log = cjm.scan_events({"s": source})
    return log.frame.collect()["time"].to_list(), log.quality()


@settings(deadline=None, max_examples=60)
@given(st.lists(INSTANTS, min_size=1, max_size=5), st.integers(-14 * 60, 14 * 60))
def test_iso_text_with_any_offset(instants: list[datetime], minutes: int) -> None:
    sign = "-" if minutes < 0 else "+"
    offset = f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    local = [(instant + timedelta(minutes=minutes)).replace(tzinfo=None) for instant in instants]
    for separator in ("T", " "):
        text = [moment.isoformat(sep=separator) + offset for moment in local]
        assert times_of(text)[0] == instants


@settings(deadline=None, max_examples=60)
@given(st.lists(INSTANTS, min_size=1, max_size=5))
def test_wall_clock_text_agrees_with_zoneinfo(instants: list[datetime]) -> None:
    local = [instant.astimezone(WARSAW).replace(tzinfo=None) for instant in instants]
    first_pass = [moment.replace(tzinfo=WARSAW, fold=0).astimezone(UTC) for moment in local]
    assert times_of([moment.isoformat() for moment in local], time_zone="Europe/Warsaw")[0] == first_pass
    text = [moment.strftime("%d.%m.%Y %H:%M:%S.%f") for moment in local]
    options = {"time_zone": "Europe/Warsaw", "time_format": "%d.%m.%Y %H:%M:%S%.f"}
    assert times_of(text, **options)[0] == first_pass


@pytest.mark.parametrize(("unit", "scale"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("kind", [int, str])
def test_epoch_numbers(unit: str, scale: int, declared: bool, kind: type) -> None:
    instant = datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)
    options = {"time_format": unit} if declared else {}
    found, quality = times_of([kind(int(instant.timestamp()) * scale)], **options)
    assert found == [instant]
    assert quality["check"].to_list() == ([] if declared else [f"epoch number read as {unit} by its size"])


def test_fractions_of_epoch_seconds() -> None:
    assert times_of([1_741_064_767.25], time_format="s")[0] == [datetime(2025, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)]


def test_mixed_epoch_units_are_an_error_or_counted() -> None:
    values = [1_741_064_767, 1_741_064_768, 1_741_064_767_000]
    with pytest.raises(InputError, match="another unit than s.*1 of 3 rows"):
        times_of(values)
    found, quality = times_of(values, on_error="set aside")
    assert len(found) == 2
    assert quality.filter(pl.col("action") == "set aside")["rows"].to_list() == [1]


def test_daylight_saving() -> None:
    with pytest.raises(InputError, match="skipped by daylight saving"):
        times_of(["2025-03-30T02:30:00"], time_zone="Europe/Warsaw")
    found, quality = times_of(["2025-10-26T02:30:00"], time_zone="Europe/Warsaw")
    assert found == [datetime(2025, 10, 26, 0, 30, tzinfo=UTC)]
    assert quality["check"].to_list() == ["time in the repeated hour read as its first pass"]


def test_naive_text_needs_a_zone_and_naive_timestamps_say_what_was_taken() -> None:
    with pytest.raises(InputError, match="no zone is declared.*time_zone="):
        times_of(["2025-01-01 10:00"])
    with pytest.raises(InputError, match="no zone is declared"):
        times_of(["01.02.2025"], time_format="%d.%m.%Y %H:%M")
    found, quality = times_of([datetime(2025, 1, 1, 10), date(2025, 1, 2)][:1])
    assert found == [datetime(2025, 1, 1, 10, tzinfo=UTC)]
    assert quality["check"].to_list() == ["time without zone read as UTC"]
    assert times_of([date(2025, 7, 1)], time_zone="Europe/Warsaw")[0] == [datetime(2025, 6, 30, 22, tzinfo=UTC)]


def test_zones_of_timestamps_are_kept() -> None:
    instant = datetime(2025, 7, 1, 12, tzinfo=WARSAW)
    for unit in ("ms", "us", "ns"):
        series = pl.Series([instant]).dt.cast_time_unit(unit)  # type: ignore[arg-type]
        assert times_of(series)[0] == [instant.astimezone(UTC)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("2025-02-30T10:00:00Z", "unreadable"),
        ("30 Feb 2025", "unreadable"),
        ("", "missing"),
        (None, "missing"),
        ("1970-01-01T00:00:00Z", "before 1990"),
        ("0001-01-01T00:00:00Z", "before 1990"),
        ("2999-01-01T00:00:00Z", "more than a year ahead"),
    ],
)
def test_rows_without_a_usable_time(value: str | None, reason: str) -> None:
    values = ["2025-01-01T00:00:00Z", value]
    with pytest.raises(InputError) as caught:
        times_of(values)
    for part in (reason, "row 1", '"t"', "1 of 2 rows", 'on_error="set aside"'):
        assert part in str(caught.value)
    found, quality = times_of(values, on_error="set aside")
    assert len(found) == 1
    assert quality.rows() == [("s", f"time {reason}", 1, 0.5, f"source 's' row 1: {value}", "set aside")]


def test_near_future_is_kept_and_told() -> None:
    found, quality = times_of([datetime.now(UTC) + timedelta(days=30)])
    assert len(found) == 1
    assert quality["check"].to_list() == ["time in the future"]


def test_a_column_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="holds no times"):
        times_of([True])


def test_epoch_digits_and_iso_text_in_one_column() -> None:
    instant = datetime(2026, 1, 1, 10, tzinfo=UTC)
    values = ["1767261600", "2026-01-01T10:00:00Z", " 1767261600.25", "2026-01-01T11:00:00+01:00", None, "soon"]
    found, quality = times_of(values, on_error="set aside")
    assert found == [instant, instant, instant + timedelta(milliseconds=250), instant]
    assert quality.select("check", "rows", "example").rows() == [
        ("epoch number read as s by its size", 3 - 1, "1767261600"),
        ("time missing", 1, "source 's' row 4: None"),
        ("time unreadable", 1, "source 's' row 5: aaaa"),
    ]
    found, quality = times_of(["2026-01-01T11:00", *values], on_error="set aside", time_zone="Europe/Warsaw")
    assert found == [instant, *([instant] * 2), instant + timedelta(milliseconds=250), instant]


def test_one_bad_row_does_not_spoil_epoch_text() -> None:
    values = ["1767261600", "soon", "17672616000", "1767261600000"]
    found, quality = times_of(values[:2], on_error="set aside")
    assert found == [datetime(2026, 1, 1, 10, tzinfo=UTC)]
    found, quality = times_of(values, on_error="set aside")
    assert found == [datetime(2026, 1, 1, 10, tzinfo=UTC)]
    assert quality.filter(pl.col("action") == "set aside").select("check", "rows").sort("check").rows() == [
        ("epoch number in another unit than s", 1),
        ("time more than a year ahead", 1),
        ("time unreadable", 1),
    ]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(INSTANTS, st.integers(0, 2)), min_size=1, max_size=6))
def test_text_of_many_makes_agrees_with_python(rows: list[tuple[datetime, int]]) -> None:
    makes = [
        datetime.isoformat,
        lambda moment: f"{(moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)}",
        lambda moment: f"{moment.timestamp():.6f}",
    ]
    rows = [(moment.replace(microsecond=0) if make == 1 else moment, make) for moment, make in rows]
    assert times_of([makes[make](moment) for moment, make in rows])[0] == [moment for moment, _ in rows]


@pytest.mark.parametrize(("unit", "scale"), [("s", 1), ("ms", 10**3), ("us", 10**6)])
def test_fractions_in_declared_epoch_text(unit: str, scale: int) -> None:
    values = [f"{1_767_261_600 * scale}.5", f"{1_767_261_600 * scale}", "soon", "inf", "9" * 30]
    found, quality = times_of(values, time_format=unit, on_error="set aside")
    half = timedelta(microseconds=round(500_000 / scale))
    assert found == [datetime(2026, 1, 1, 10, tzinfo=UTC) + half, datetime(2026, 1, 1, 10, tzinfo=UTC)]
    assert quality.select("check", "rows").rows() == [("time unreadable", 3)]


def test_nanoseconds_in_text_are_exact() -> None:
    found, _ = times_of(["1767261600123456789"], time_format="ns")
    assert found == [datetime(2026, 1, 1, 10, 0, 0, 123456, tzinfo=UTC)]


@pytest.mark.parametrize("offset", ["+99:99", "+15:00", "-10:60", "+24", "+1", "-9999"])
def test_impossible_offsets_are_unreadable(offset: str) -> None:
    values = ["2025-01-01T00:30:00Z", f"2025-01-01T00:00:00{offset}"]
    found, quality = times_of(values, on_error="set aside")
    assert len(found) == 1
    assert quality["check"].to_list() == ["time unreadable"]


@pytest.mark.parametrize(
    "values",
    [
        [20250102, 20250103],
        pl.Series([20250102, 20250103], dtype=pl.UInt32),
        [20250102.0, 20250103.0],
        pl.Series([20250102, 20250103]).cast(pl.Decimal(10, 2)),
        pl.Series(["20250102", "20250103"]),
    ],
)
def test_a_format_reads_numbers_as_text(values: object) -> None:
    found, quality = times_of(values, time_format="%Y%m%d", time_zone="Europe/Warsaw")
    assert found == [datetime(2025, 1, 1, 23, tzinfo=UTC), datetime(2025, 1, 2, 23, tzinfo=UTC)]
    assert quality.select("check", "rows", "action").rows() == [("time of day is always midnight", 2, "kept")]


def test_midnight_is_told_where_it_is_the_only_time_of_day() -> None:
    def told(values: object, **options: object) -> list[tuple[str, int, str]]:
        quality = times_of(values, on_error="set aside", **options)[1]
        return quality.filter(pl.col("check").str.contains("midnight")).select("check", "rows", "example").rows()

    days = ["2025-07-01T00:00:00Z", "soon", "2025-07-02T00:00:00Z"]
    assert told(days) == [("time of day is always midnight", 2, "2025-07-01T00:00:00Z")]
    assert told(days[:2]) == []
    assert told([*days, "2025-07-02T00:00:01Z"]) == []
    assert told(days, time_zone="Europe/Warsaw") == []
    assert told(["2025-07-01", "2025-12-01"], time_zone="Europe/Warsaw") != []
    assert told(pl.Series([date(2025, 1, 1), date(2025, 1, 2)])) != []
    aware = pl.Series([datetime(2025, 7, 1, tzinfo=WARSAW), datetime(2025, 12, 1, tzinfo=WARSAW)])
    assert told(aware) != []
    assert told(aware.dt.convert_time_zone("UTC")) == []


FAR = {
    "UInt64": pl.Series([2**64 - 1], dtype=pl.UInt64),
    "Int128": pl.Series([2**100], dtype=pl.Int128),
    "Int64": pl.Series([-(2**63)], dtype=pl.Int64),
    "Float64": pl.Series([float("inf")]),
    "NaN": pl.Series([float("nan")]),
    "Decimal": pl.Series(["9" * 30]).cast(pl.Decimal(38, 0)),
    "ms": pl.Series([2**62]).cast(pl.Datetime("ms")),
    "ms in a zone": pl.Series([2**62]).cast(pl.Datetime("ms", "Europe/Warsaw")),
    "ms before": pl.Series([-(2**62)]).cast(pl.Datetime("ms")),
    "us": pl.Series([2**62]).cast(pl.Datetime("us")),
    "us in a zone": pl.Series([2**62]).cast(pl.Datetime("us", "UTC")),
    "date": pl.Series([2**31 - 1], dtype=pl.Int32).cast(pl.Date),
    "9999": pl.Series([datetime(9999, 12, 31, 23, 59)]).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"),
    "text": pl.Series(["9999-12-31T23:59:59Z"]),
    "format": pl.Series([99999999]),
}


@pytest.mark.parametrize("kind", FAR)
@pytest.mark.parametrize("zone", [None, "Europe/Warsaw", "America/New_York"])
def test_times_past_any_calendar_are_rows_without_a_usable_time(kind: str, zone: str | None) -> None:
    formats = ["%Y%m%d"] if kind == "format" else [None, "s", "ns"]
    for time_format in formats:
        options = {"time_format": time_format, "time_zone": zone or ("UTC" if kind == "format" else None)}
        with pytest.raises(InputError, match='source \'s\' row 0, column "t": ".*": time'):
            times_of(FAR[kind], **options)
        found, quality = times_of(FAR[kind], on_error="set aside", **options)
        assert found == []
        assert quality.filter(pl.col("action") == "set aside")["rows"].to_list() == [1]


def test_a_column_of_nulls_is_times_that_are_missing() -> None:
    for values in ([None, None], [float("nan"), None]):
        found, quality = times_of(values, on_error="set aside")
        assert found == []
        assert quality.select("check", "rows").rows() == [("time missing", 2)]


@pytest.mark.parametrize("pattern", ["%Y-%m-%d %H", "%", "%Q", "", "%Y%z", "%s %s"])
def test_formats_that_cannot_be_used_end_in_a_clear_error(pattern: str) -> None:
    with pytest.raises(InputError, match="time_format|unreadable"):
        times_of(["2025-01-01 10"], time_format=pattern, time_zone="UTC")
