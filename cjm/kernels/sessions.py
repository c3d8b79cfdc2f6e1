"""Where sessions begin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["cuts"]


@kernel
def cuts(
    offsets: npt.NDArray[np.int64],
    time: npt.NDArray[np.int64],
    code: npt.NDArray[np.int32],
    day: npt.NDArray[np.int32],
    flags: npt.NDArray[np.uint8],
    gap: int,
) -> npt.NDArray[np.int64]:
    """Return the first event of each session, and the number of events.

    A session begins with a person, after a pause longer than ``gap``, at a code whose flag has bit 1, after one whose
    flag has bit 2, and where ``day`` (empty: not asked for) changes.
    """
    starts = np.empty(len(time) + 1, dtype=np.int64)
    count = 0
    by_day = len(day) > 0
    marked = flags.any()
    for person in range(len(offsets) - 1):
        first = offsets[person]
        for event in range(first, offsets[person + 1]):
            begins = event == first or time[event] - time[event - 1] > gap
            if not begins and marked:
                begins = (flags[code[event]] & 1) != 0 or (flags[code[event - 1]] & 2) != 0
            if not begins and by_day:
                begins = day[event] != day[event - 1]
            if begins:
                starts[count] = event
                count += 1
    starts[count] = len(time)
    return starts[: count + 1].copy()
