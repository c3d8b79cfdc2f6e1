"""Sessions: where a person's events are cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import Duration, format_duration, to_us
from cjm.errors import ArgumentError
from cjm.periods import check_zone, periods

__all__ = ["SessionRule", "session_offsets", "session_rule"]

IntArray = npt.NDArray[np.int64]

_ENDLESS = np.iinfo(np.int64).max


@dataclass(frozen=True)
class SessionRule:
    """Where a session begins, besides at the first event of a person.

    Attributes
    ----------
    gap : int or None
        After a pause longer than this, microseconds; a pause exactly as long does not cut. None: never by a pause.
    start_on, end_on : tuple of str
        At each of these touchpoints, and after each of these.
    day_in : str or None
        At the first event of a calendar day of this time zone.
    """

    gap: int | None
    start_on: tuple[str, ...] = ()
    end_on: tuple[str, ...] = ()
    day_in: str | None = None

    def __str__(self) -> str:
        parts = [f"after {format_duration(self.gap)} without an event"] if self.gap is not None else []
        parts += [f"at {', '.join(self.start_on)}"] if self.start_on else []
        parts += [f"after {', '.join(self.end_on)}"] if self.end_on else []
        parts += [f"with a new day in {self.day_in}"] if self.day_in else []
        return f"a session begins {', '.join(parts)}" if parts else "a session is all that a person does"


def session_rule(
    gap: Duration | None, start_on: Sequence[str] = (), end_on: Sequence[str] = (), day_in: str | None = None
) -> SessionRule:
    """Check the arguments and return the rule; touchpoints are checked where they are known."""
    start_on, end_on = (names if isinstance(names, str) else tuple(names) for names in (start_on, end_on))
    for name, value in (("start_on", start_on), ("end_on", end_on)):
        if isinstance(value, str) or not all(isinstance(touchpoint, str) for touchpoint in value):
            raise ArgumentError.at(f"must be a list of touchpoints, not {value!r}", where=f"{name}=")
    if day_in is not None:
        check_zone(day_in)
    return SessionRule(None if gap is None else to_us(gap, "gap"), tuple(start_on), tuple(end_on), day_in)


def session_offsets(
    rule: SessionRule, offsets: IntArray, time: IntArray, code: npt.NDArray[np.int32], touchpoints: pl.Series
) -> IntArray:
    """Return where the sessions of sorted events begin, and the number of events.

    Parameters
    ----------
    rule : SessionRule
    offsets, time, code : ndarray
        As in EventArrays.
    touchpoints : polars.Series
        Name of each code.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.sessions import cuts

    flags = pl.select(
        pl.lit(touchpoints).is_in(list(rule.start_on)).cast(pl.UInt8)
        + pl.lit(touchpoints).is_in(list(rule.end_on)).cast(pl.UInt8) * 2
    ).to_series()
    day = np.empty(0, dtype=np.int32)
    if rule.day_in is not None and len(time):
        day = periods("1d", rule.day_in, int(time.min()), int(time.max())).of(time)
    return cuts(
        as_array(offsets, np.int64),
        as_array(time, np.int64),
        as_array(code, np.int32),
        as_array(day, np.int32),
        as_array(flags.to_numpy(), np.uint8),
        _ENDLESS if rule.gap is None else min(rule.gap, _ENDLESS),
    )
