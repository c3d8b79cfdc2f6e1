"""Cut persons' time at risk where something happens to them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["cut_spells"]

IntArray = npt.NDArray[np.int64]


@kernel
def cut_spells(
    entry: IntArray,
    exit_: IntArray,
    offsets: IntArray,
    time: IntArray,
    subject: IntArray,
    start: IntArray,
    stop: IntArray,
) -> int:
    """Write rows (start, stop] of each subject, cut at its times ``time[offsets[i]:offsets[i + 1]]``, which lie inside.

    The times of a subject are sorted in place; equal ones cut once. Returns the number of rows.
    """
    row = 0
    for i in range(len(entry)):
        low, high = offsets[i], offsets[i + 1]
        for e in range(low + 1, high):
            now = time[e]
            at = e
            while at > low and time[at - 1] > now:
                time[at] = time[at - 1]
                at -= 1
            time[at] = now
        begun = entry[i]
        for e in range(low, high):
            if time[e] > begun:
                subject[row], start[row], stop[row] = i, begun, time[e]
                begun = time[e]
                row += 1
        subject[row], start[row], stop[row] = i, begun, exit_[i]
        row += 1
    return row
