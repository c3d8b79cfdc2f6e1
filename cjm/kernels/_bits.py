"""Places of bits, by the instructions that processors have for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from cjm.kernels._jit import kernel

__all__ = ["leading_zeros", "trailing_zeros"]


@intrinsic
def _trailing(context: Any, bits: Any) -> Any:
    return _counting("cttz", bits)


@intrinsic
def _leading(context: Any, bits: Any) -> Any:
    return _counting("ctlz", bits)


def _counting(instruction: str, bits: Any) -> Any:
    """Return what numba needs of an intrinsic: its signature (int64 of uint64) and what writes the instruction."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zero_is_undefined = context.get_constant(types.boolean, False)
        return getattr(builder, instruction)(arguments[0], zero_is_undefined)

    return types.int64(bits), write


@kernel
def trailing_zeros(bits: np.uint64) -> int:
    """Return how many zeros there are below the lowest bit: 64 if there is no bit."""
    return _trailing(bits)  # type: ignore[call-arg]


@kernel
def leading_zeros(bits: np.uint64) -> int:
    """Return how many zeros there are above the highest bit: 64 if there is no bit."""
    return _leading(bits)  # type: ignore[call-arg]
