"""In which period and group each event is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["groups_of", "period_from", "timeline_batch", "timeline_cells"]

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


@kernel
def timeline_cells(
    offsets: IntArray,
    time: IntArray,
    group: npt.NDArray[np.int32],
    groups: int,
    starts: IntArray,
    cells: IntArray,
) -> None:
    """Count events and persons in ``cells``, shape (periods * groups, 3): these and who was last, 0 before.

    As :func:`timeline_batch`, for as few cells as stay in the cache.
    """
    length = (starts[-1] - starts[0]) // (len(starts) - 1)
    for person in range(len(offsets) - 1):
        place = 0
        until = starts[0]
        for event in range(offsets[person], offsets[person + 1]):
            if time[event] >= until:
                place = period_from(starts, length, place, time[event])
                until = starts[place + 1]
            cell = place * groups + group[event]
            cells[cell, 0] += 1
            cells[cell, 1] += cells[cell, 2] != person + 1
            cells[cell, 2] = person + 1


@kernel
def groups_of(code: npt.NDArray[np.int32], group: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the group of each event, given that of each touchpoint; NumPy takes three times as long."""
    found = np.empty(len(code), dtype=np.int32)
    for event in range(len(code)):
        found[event] = group[code[event]]
    return found
