"""Small tables about runs of events."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["distinct_in_runs"]


@kernel
def distinct_in_runs(
    offsets: npt.NDArray[np.int64], code: npt.NDArray[np.int32], label: npt.NDArray[np.int32], labels: int
) -> npt.NDArray[np.int64]:
    """Return how many of the values ``label[code]``, which are below ``labels``, differ in each run of events."""
    runs = len(offsets) - 1
    found = np.zeros(runs, dtype=np.int64)
    last = np.full(labels, -1, dtype=np.int64)
    for run in range(runs):
        count = 0
        for event in range(offsets[run], offsets[run + 1]):
            value = label[code[event]]
            if last[value] != run:
                last[value] = run
                count += 1
        found[run] = count
    return found
