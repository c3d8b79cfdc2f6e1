"""Exact quantiles of many runs of times."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["quantiles_of_runs"]

IntArray = npt.NDArray[np.int64]


@kernel
def _partition(values: IntArray, first: int, stop: int, place: int) -> None:
    """Move the value of rank ``place`` in values[first:stop] there, none larger before it and none smaller after."""
    low, high = first, stop - 1
    while low < high:
        # Median of three as pivot, so that sorted times are no worst case.
        a, b, c = values[low], values[(low + high) // 2], values[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if place <= j:
            high = j
        elif place >= i:
            low = i
        else:
            return


@kernel
def quantiles_of_runs(values: IntArray, offsets: IntArray, quantiles: npt.NDArray[np.float64]) -> IntArray:
    """Return the ``quantiles``, ascending, of each run of ``values``, a row each; -1 for an empty run.

    Interpolated between the two nearest values and cut to a whole number; ``values`` are put in another order.
    """
    runs = len(offsets) - 1
    found = np.full((len(quantiles), runs), -1, dtype=np.int64)
    for run in range(runs):
        start, stop = offsets[run], offsets[run + 1]
        if start == stop:
            continue
        first = start
        for row in range(len(quantiles)):
            exact = quantiles[row] * (stop - start - 1)
            place = start + int(exact)
            _partition(values, first, stop, place)
            low = values[place]
            share = exact - int(exact)
            if share > 0:
                high = values[place + 1]
                for i in range(place + 2, stop):
                    high = min(high, values[i])
                low += int((high - low) * share)
            found[row, run] = low
            first = place
    return found
