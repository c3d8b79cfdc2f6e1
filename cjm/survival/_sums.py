"""The kernels for sums over rows, with arrays as they need them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["gram", "linear"]

FloatArray = npt.NDArray[np.float64]


def linear(x: FloatArray, beta: FloatArray) -> FloatArray:
    """Return ``x @ beta``."""
    from cjm.kernels import survival_sums
    from cjm.kernels._jit import as_array

    return survival_sums.linear(as_array(x, np.float64), as_array(beta, np.float64))


def gram(x: FloatArray, weight: FloatArray | None = None, y: FloatArray | None = None) -> FloatArray:
    """Return ``x.T @ diag(weight) @ y``, with ones for the weight and ``x`` for ``y`` unless given."""
    from cjm.kernels import survival_sums
    from cjm.kernels._jit import as_array

    left = as_array(x, np.float64)
    weight = np.ones(len(x)) if weight is None else weight
    right = left if y is None else as_array(y, np.float64)
    return survival_sums.weighted_gram(left, as_array(weight, np.float64), right)
