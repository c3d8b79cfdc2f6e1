"""Coordinate descent for a quadratic function less an elastic net."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["descend"]

FloatArray = npt.NDArray[np.float64]


@kernel
def descend(
    information: FloatArray,
    gradient: FloatArray,
    start: FloatArray,
    lasso: FloatArray,
    ridge: FloatArray,
    sweeps: int,
    tolerance: float,
) -> FloatArray:
    """Return the b that maximises g'(b - start) - (b - start)' I (b - start) / 2 - lasso' |b| - ridge' b^2 / 2.

    A coordinate without curvature stays where it is.
    """
    p = len(start)
    b = start.copy()
    slope = gradient.copy()  # of the smooth part without the ridge, at b
    for _ in range(sweeps):
        moved = 0.0
        for j in range(p):
            curvature = information[j, j] + ridge[j]
            if curvature <= 0.0:
                continue
            pull = slope[j] + information[j, j] * b[j]
            if pull > lasso[j]:
                new = (pull - lasso[j]) / curvature
            elif pull < -lasso[j]:
                new = (pull + lasso[j]) / curvature
            else:
                new = 0.0
            change = new - b[j]
            if change != 0.0:
                for i in range(p):
                    slope[i] -= information[i, j] * change
                b[j] = new
                moved = max(moved, change * change * curvature)
        if moved <= tolerance * tolerance:
            break
    return b
