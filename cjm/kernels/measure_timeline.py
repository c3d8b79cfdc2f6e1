"""In which period and group each event is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["period_from", "timeline_batch"]

IntArray = npt.NDArray[np.int64]


@kernel
def period_from(starts: IntArray, length: int, place: int, now: int) -> int:
    """Return the last of ``starts`` at or before ``now``, which is not before ``starts[place]``.

    ``length`` is their mean distance: the guess it gives is at most a few periods off, whatever the calendar does.
    """
    last = len(starts) - 1
    place = min(place + (now - starts[place]) // length, last)
    while starts[place] > now:
        place -= 1
    while place < last and starts[place + 1] <= now:
        place += 1
    return place


@kernel
def timeline_batch(
    offsets: IntArray,
    time: IntArray,
    group: npt.NDArray[np.int32],
    groups: int,
    starts: IntArray,
    person: int,
    batch: IntArray,
) -> tuple[int, int]:
    """Write (period * groups + group, person) of each event into ``batch``; see :func:`cjm.measure._tally.tallied`.

    No time is before the first of ``starts``, and all are before the last.
    """
    length = (starts[-1] - starts[0]) // (len(starts) - 1)
    size = 0
    while person < len(offsets) - 1 and size + offsets[person + 1] - offsets[person] <= len(batch):
        place = 0
        until = starts[0]
        for event in range(offsets[person], offsets[person + 1]):
            if time[event] >= until:
                place = period_from(starts, length, place, time[event])
                until = starts[place + 1]
            batch[size, 0] = place * groups + group[event]
            batch[size, 1] = person
            size += 1
        person += 1
    return person, size
