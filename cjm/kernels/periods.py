"""Times to periods."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["period_of"]


@kernel
def period_of(time: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Return for each time the last of ``starts`` (ascending) at or before it; -1 before the first.

    Neighbours in ``time`` are mostly close, so the search begins where the last one ended.
    """
    found = np.empty(len(time), dtype=np.int32)
    count = len(starts)
    place = 0
    for i in range(len(time)):
        now = time[i]
        if now < starts[place] or (place + 1 < count and now >= starts[place + 1]):
            if place + 2 < count and now >= starts[place + 1] and now < starts[place + 2]:
                place += 1
            else:
                low, high = 0, count
                while low < high:
                    middle = (low + high) // 2
                    if starts[middle] <= now:
                        low = middle + 1
                    else:
                        high = middle
                place = max(low - 1, 0)
        found[i] = place if now >= starts[place] else -1
    return found
