"""Rows in the order of a small whole number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["order_by_number"]


@kernel
def order_by_number(number: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int32]:
    """Return the rows in rising order of ``number``, which lies in ``[0, size)``; equal ones stay as they stand."""
    free = np.zeros(size + 1, dtype=np.int64)
    for i in range(len(number)):
        free[number[i] + 1] += 1
    for k in range(size):
        free[k + 1] += free[k]
    order = np.empty(len(number), dtype=np.int32)
    for i in range(len(number)):
        order[free[number[i]]] = i
        free[number[i]] += 1
    return order
