"""Running figures of persons: what has added up in the calendar period so far."""

from __future__ import annotations

from cjm.kernels._jit import kernel

__all__ = ["running"]


@kernel
def running(offsets, period, amount, since, value, out):  # type: ignore[no-untyped-def]
    """Add ``amount`` up within a person and period, in the order of events.

    Signature: (int64[:], int64[:], float64[:], int64[:], float64[:], float64[:]) -> None.

    ``since`` and ``value`` hold for each person the period at hand and the sum in it, before and after; ``out`` gets
    the sum as of each event, the event itself included.
    """
    for person in range(len(offsets) - 1):
        for i in range(offsets[person], offsets[person + 1]):
            if period[i] != since[person]:
                since[person] = period[i]
                value[person] = 0.0
            value[person] += amount[i]
            out[i] = value[person]
