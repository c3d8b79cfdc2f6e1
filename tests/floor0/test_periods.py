"""Calendar periods as edges, against Polars and against the local clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjm.contracts import TIME
from cjm.errors import ArgumentError
from cjm.kernels.periods import period_of
from cjm.periods import periods

ZONES = ["UTC", "Europe/Warsaw", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(["1d", "3d", "1w", "2w", "1mo", "5mo", "1q", "1y"]),
    st.sampled_from(ZONES),
    st.lists(st.datetimes(datetime(1995, 1, 1), datetime(2030, 1, 1)), min_size=1, max_size=5),
)
def test_calendar_periods_against_polars(every: str, zone: str, moments: list[datetime]) -> None:
    time = np.array([us(moment.replace(tzinfo=UTC)) for moment in moments], dtype=np.int64)
    found = periods(every, zone, int(time.min()), int(time.max()))
    number = found.of(time)
    assert np.all(np.diff(found.starts) > 0)
    assert np.all(found.starts[number] <= time)
    assert np.all(time < found.starts[number + 1])
    local = pl.Series(time).cast(TIME).dt.convert_time_zone(zone).dt.replace_time_zone(None)
    assert found.labels(number).dt.replace_time_zone(None).equals(local.dt.truncate(every))


@pytest.mark.parametrize(
    ("zone", "day", "starts"),
    [
        ("Europe/Warsaw", "2026-03-29", ["2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00"]),  # 23 hours
        ("Europe/Warsaw", "2025-10-26", ["2025-10-26T00:00+02:00", "2025-10-27T00:00+01:00"]),  # 25 hours
        ("America/Sao_Paulo", "2018-11-04", ["2018-11-04T01:00-02:00", "2018-11-05T00:00-02:00"]),  # midnight skipped
        ("America/Sao_Paulo", "2018-02-17", ["2018-02-17T00:00-02:00", "2018-02-18T00:00-03:00"]),  # 23:00 comes twice
        ("Asia/Beirut", "2023-10-29", ["2023-10-29T00:00+02:00", "2023-10-30T00:00+02:00"]),  # 23:00 came twice
        ("America/Havana", "2025-11-02", ["2025-11-02T00:00-04:00", "2025-11-03T00:00-05:00"]),  # midnight comes twice
    ],
)
def test_days_where_clocks_change(zone: str, day: str, starts: list[str]) -> None:
    first, last = (us(datetime.fromisoformat(start)) for start in starts)
    found = periods("1d", zone, first, last - 1)
    number = found.of(np.array([first - 1, first, last - 1, last], dtype=np.int64))
    assert (number - number[1]).tolist() == [-1, 0, 0, 1]
    assert str(found.labels(number[1:2])[0].date()) == day


def test_shorter_periods_are_elapsed_time_from_the_start_of_the_local_day() -> None:
    first = us(datetime(2026, 3, 28, 23, tzinfo=UTC))  # 29 March, 0:00 in Warsaw, a day of 23 hours
    found = periods("6h", "Europe/Warsaw", first, first)
    number = int(found.of(np.array([first]))[0])
    local = found.labels(np.arange(number, number + 5)).dt.strftime("%d %H:%M").to_list()
    assert local == ["29 00:00", "29 07:00", "29 13:00", "29 19:00", "30 00:00"]


@settings(deadline=None)
@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=8, unique=True).map(sorted),
    st.lists(st.integers(-60, 60), max_size=30),
)
def test_the_search(starts: list[int], times: list[int]) -> None:
    found = period_of(np.array(times, dtype=np.int64), np.array(starts, dtype=np.int64))
    assert found.tolist() == (np.searchsorted(starts, times, side="right") - 1).tolist()


@pytest.mark.parametrize("every", ["d", "0d", "1 d", "-1d", "1x", 1, None])
def test_lengths_that_cannot_be_read(every: str) -> None:
    with pytest.raises(ArgumentError, match="cannot be read"):
        periods(every, "UTC", 0, 0)


@pytest.mark.parametrize("zone", ["Europe/Warszawa", "", "/etc", 5, None])
def test_unknown_zones(zone: str) -> None:
    assert ZoneInfo("Europe/Warsaw")
    with pytest.raises(ArgumentError, match=f"unknown time zone {zone!r}"):
        periods("1d", zone, 0, 0)
