"""Calendar periods of a time zone, as edges in UTC: computed once, then every event is placed between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import TIME
from cjm.durations import to_us
from cjm.errors import ArgumentError

__all__ = ["Periods", "check_every", "check_zone", "periods"]

IntArray = npt.NDArray[np.int64]

_EVERY = re.compile(r"([1-9]\d*)(us|ms|s|m|h|d|w|mo|q|y)")
_CALENDAR = ("d", "w", "mo", "q", "y")


@dataclass(frozen=True, eq=False)
class Periods:
    """Period ``i`` is ``[starts[i], starts[i + 1])``; the last one has no end.

    Attributes
    ----------
    starts : ndarray of int64
        Microseconds since 1970 UTC, ascending.
    time_zone : str
    """

    starts: IntArray
    time_zone: str

    def labels(self, numbers: npt.NDArray[np.integer]) -> pl.Series:
        """Return where the periods with these numbers begin, Datetime[us, time_zone]."""
        return pl.Series(self.starts[numbers], dtype=pl.Int64).cast(TIME).dt.convert_time_zone(self.time_zone)

    def of(self, time: IntArray) -> npt.NDArray[np.int32]:
        """Return the number of the period of each time, none of which is before the first period."""
        from cjm.kernels._jit import as_array
        from cjm.kernels.periods import period_of

        return period_of(as_array(time, np.int64), as_array(self.starts, np.int64))


def check_zone(time_zone: str) -> None:
    """Raise ArgumentError for a time zone that is not known."""
    try:
        pl.Series([0], dtype=TIME).dt.convert_time_zone(time_zone)
        ZoneInfo(time_zone)
    except (pl.exceptions.ComputeError, TypeError, ValueError):
        hint = 'Write a name such as "Europe/Warsaw"'
        raise ArgumentError.at(f"unknown time zone {time_zone!r}", where="time_zone=", hint=hint) from None


def check_every(every: str) -> None:
    """Raise ArgumentError unless ``every`` is a number and a unit."""
    if not isinstance(every, str) or _EVERY.fullmatch(every) is None:
        raise ArgumentError.at(f"cannot be read: {every!r}", where="every=", hint='Write "1d", "1w" or "1mo"')


def periods(every: str, time_zone: str, first: int, last: int) -> Periods:
    """Return the periods that hold the times from ``first`` to ``last``, microseconds UTC.

    Parameters
    ----------
    every : str
        Length of a period: a number and one of the units ``us ms s m h d w mo q y``. From ``d`` on these are calendar
        units of the zone: a day may have 23 or 25 hours. Weeks begin on Mondays. Shorter ones are elapsed time from
        the start of each local day. A period whose first local time is skipped begins where clocks go on; one whose
        first local time comes twice begins at the first.
    time_zone : str
        Such as ``"Europe/Warsaw"``.

    Raises
    ------
    ArgumentError
        For a length that cannot be read or an unknown zone.

    Examples
    --------
    >>> spring = periods("1d", "Europe/Warsaw", 1774656000000000, 1774828800000000)  # 28 to 30 March 2026
    >>> (np.diff(spring.starts) // 3_600_000_000).tolist()
    [24, 24, 23, 24, 24]
    """
    check_every(every)
    check_zone(time_zone)
    match = _EVERY.fullmatch(every)
    assert match is not None
    calendar = match[2] in _CALENDAR
    step = every if calendar else "1d"
    local = pl.Series([first, last], dtype=pl.Int64).cast(TIME).dt.convert_time_zone(time_zone)
    edges = local.dt.replace_time_zone(None).dt.truncate(step).dt.offset_by(f"-{step}")
    low, high = edges[0], edges.dt.offset_by(step).dt.offset_by(step).dt.offset_by(step)[1]
    naive = pl.datetime_range(low, high, step, eager=True, time_unit="us").to_list()
    zone = ZoneInfo(time_zone)
    # unique, because a zone may skip a whole day
    starts = np.unique(np.array([_microseconds(edge.replace(tzinfo=zone)) for edge in naive], dtype=np.int64))
    if not calendar:
        length = to_us(every, "every")
        pieces = -(-np.diff(starts) // length)
        within = np.arange(int(pieces.sum())) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        starts = np.repeat(starts[:-1], pieces) + within * length
    return Periods(starts, time_zone)


def _microseconds(moment: datetime) -> int:
    """Return microseconds UTC; a local time that is skipped counts with the offset before, which is where it begins."""
    since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
