"""Products of tall matrices, on one thread and in one order, so that results do not depend on the number of threads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["linear", "weighted_gram"]

FloatArray = npt.NDArray[np.float64]


@kernel
def linear(x: FloatArray, beta: FloatArray) -> FloatArray:
    """Return ``x @ beta``."""
    n, p = x.shape
    total = np.zeros(n, dtype=np.float64)
    for i in range(n):
        for a in range(p):
            total[i] += x[i, a] * beta[a]
    return total


@kernel
def weighted_gram(x: FloatArray, weight: FloatArray, y: FloatArray) -> FloatArray:
    """Return ``x.T @ diag(weight) @ y``."""
    n, p = x.shape
    q = y.shape[1]
    total = np.zeros((p, q), dtype=np.float64)
    for i in range(n):
        for a in range(p):
            left = weight[i] * x[i, a]
            if left != 0.0:
                for b in range(q):
                    total[a, b] += left * y[i, b]
    return total
