"""Running figures of persons: what has added up in the calendar period so far."""

from __future__ import annotations

import numpy as np

from cjm.kernels._jit import kernel

__all__ = ["running"]


@kernel
def running(offsets, time, starts, counts, amount, since, until, value, out):  # type: ignore[no-untyped-def]
    """Add ``amount`` of the events that count up within a person and period, in the order of events; NaN adds nothing.

    Signature: (int64[:], int64[:], int64[:], bool[:], float64[:], int64[:], int64[:], float64[:], float64[:]) -> None.

    ``starts`` are the instants where periods begin, from before the first event to after the last. ``since``, ``until``
    and ``value`` hold for each person the period at hand and the sum in it, before and after; ``out`` gets the sum as
    of each event, the event itself included.
    """
    for person in range(len(offsets) - 1):
        first, stop = offsets[person], offsets[person + 1]
        if first == stop:
            continue
        place = np.searchsorted(starts, time[first], side="right") - 1
        total = value[person] if starts[place] == since[person] else 0.0
        for i in range(first, stop):
            while time[i] >= starts[place + 1]:
                place += 1
                total = 0.0
            if counts[i] and not np.isnan(amount[i]):
                total += amount[i]
            out[i] = total
        since[person], until[person], value[person] = starts[place], starts[place + 1], total
