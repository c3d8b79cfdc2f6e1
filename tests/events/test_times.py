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
        ("soon", "unreadable"),
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
