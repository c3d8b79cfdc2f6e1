"""Sums that are the same in whatever order the numbers come."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["LIMIT", "add_floats", "add_integers"]

LIMIT = 2.0**62
_LOW = (1 << 32) - 1
_SCALE = 2.0**32


@kernel
def add_integers(values: npt.NDArray[np.int64], group: npt.NDArray[np.int32], sums: npt.NDArray[np.int64]) -> None:
    """Add each value to the row of its group: multiples of 2**32 in column 0, the rest in column 1."""
    for i in range(len(values)):
        sums[group[i], 0] += values[i] >> 32
        sums[group[i], 1] += values[i] & _LOW


@kernel
def add_floats(values: npt.NDArray[np.float64], group: npt.NDArray[np.int32], sums: npt.NDArray[np.int64]) -> bool:
    """Do the same for numbers with a fraction: multiples of 2**-32 in column 2, of 2**-64 in column 3.

    What is left then is dropped: nothing of a number above 2**-12, which has no digits there. NaN is skipped; return
    False, at once, for a number that is too large.
    """
    for i in range(len(values)):
        value = values[i]
        if np.isnan(value):
            continue
        if abs(value) >= LIMIT:
            return False
        # Towards zero at each step, so that the differences are exact.
        whole = np.int64(value)
        rest = (value - whole) * _SCALE
        upper = np.int64(rest)
        row = sums[group[i]]
        row[0] += whole >> 32
        row[1] += whole & _LOW
        row[2] += upper
        row[3] += np.int64((rest - upper) * _SCALE)
    return True
