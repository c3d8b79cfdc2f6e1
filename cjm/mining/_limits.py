"""Limits on one occurrence of a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import numpy.typing as npt

from cjm.durations import Duration, to_us
from cjm.errors import ArgumentError
from cjm.mining._family import NO_LIMIT

__all__ = ["Limits", "check_whole", "limits_of"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Limits:
    """Limits on one occurrence of a sequence, inclusive; None where there is none.

    Attributes
    ----------
    max_gap, min_gap, within : int or None
        Microseconds.
    max_gap_events, min_gap_events : int or None
        1 is the very next event.
    joined : bool
        Whether a step may hold several items of one event.
    """

    max_gap: int | None = None
    min_gap: int | None = None
    within: int | None = None
    max_gap_events: int | None = None
    min_gap_events: int | None = None
    joined: bool = False

    @property
    def in_time(self) -> bool:
        """Whether any limit is one of time."""
        return not (self.max_gap is None and self.min_gap is None and self.within is None)

    @property
    def given(self) -> bool:
        """Whether there is any limit, or steps of several items."""
        return self.in_time or self.joined or not (self.max_gap_events is None and self.min_gap_events is None)

    @property
    def unbroken(self) -> bool:
        """Whether leaving out a step in between may break a limit."""
        return not (self.max_gap is None and self.max_gap_events is None)

    def values(self) -> IntArray:
        """Return the limits as kernels take them."""
        most = [NO_LIMIT if limit is None else min(limit, NO_LIMIT) for limit in (self.max_gap, self.within)]
        most_events = NO_LIMIT if self.max_gap_events is None else min(self.max_gap_events, NO_LIMIT)
        least = min(self.min_gap or 0, NO_LIMIT)
        least_events = min(self.min_gap_events or 1, NO_LIMIT)
        return np.array([most[0], least, most[1], most_events, least_events, self.joined], dtype=np.int64)


def limits_of(
    max_gap: Duration | None,
    min_gap: Duration | None,
    within: Duration | None,
    max_gap_events: int | None,
    min_gap_events: int | None,
    where: str,
    *,
    joined: bool = False,
) -> Limits:
    """Check the limits on an occurrence.

    Raises
    ------
    ArgumentError
        For a bare number as duration, or a number of events below 1.
    """
    check_whole("max_gap_events", max_gap_events, where)
    check_whole("min_gap_events", min_gap_events, where)
    times = {"max_gap": max_gap, "min_gap": min_gap, "within": within}
    us = {name: None if value is None else to_us(value, name) for name, value in times.items()}
    return Limits(**us, max_gap_events=max_gap_events, min_gap_events=min_gap_events, joined=joined)


def check_whole(name: str, value: object, where: str) -> None:
    """Raise unless ``value`` is None or a whole number of 1 or more."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, Integral) or value < 1):
        raise ArgumentError.at(f"{name} is {value!r}", where=where, hint="Give a whole number of 1 or more")
