"""Small symmetric systems on one thread: threads of BLAS would wait actively for longer than the sums take."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["factor", "solve"]

FloatArray = npt.NDArray[np.float64]


@kernel
def factor(a: FloatArray, least: float) -> tuple[FloatArray, int]:
    """Return the lower Cholesky factor of ``a``, and the first column that depends on those before it, or -1.

    That is one of which less than ``least`` of its diagonal is left once the columns before it are taken out; the
    factor is complete up to it.
    """
    p = len(a)
    lower = np.zeros((p, p), dtype=np.float64)
    for j in range(p):
        rest = a[j, j]
        for k in range(j):
            rest -= lower[j, k] * lower[j, k]
        if not (rest > least * a[j, j] and rest > 0.0):
            return lower, j
        lower[j, j] = np.sqrt(rest)
        for i in range(j + 1, p):
            value = a[i, j]
            for k in range(j):
                value -= lower[i, k] * lower[j, k]
            lower[i, j] = value / lower[j, j]
    return lower, -1


@kernel
def solve(lower: FloatArray, b: FloatArray) -> FloatArray:
    """Return the x with ``lower @ lower.T @ x == b``, b of shape (p, columns)."""
    p, columns = b.shape
    x = b.copy()
    for c in range(columns):
        for i in range(p):
            for k in range(i):
                x[i, c] -= lower[i, k] * x[k, c]
            x[i, c] /= lower[i, i]
        for i in range(p - 1, -1, -1):
            for k in range(i + 1, p):
                x[i, c] -= lower[k, i] * x[k, c]
            x[i, c] /= lower[i, i]
    return x
