"""Places of bits, by the instructions that processors have for them."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

__all__ = ["leading_zeros", "trailing_zeros"]


@intrinsic
def trailing_zeros(context: Any, bits: Any) -> Any:
    """Return how many zeros there are below the lowest bit of a uint64: 64 if there is none."""
    return _counted("cttz", bits)


@intrinsic
def leading_zeros(context: Any, bits: Any) -> Any:
    """Return how many zeros there are above the highest bit of a uint64: 64 if there is none."""
    return _counted("ctlz", bits)


def _counted(name: str, bits: Any) -> Any:
    if bits != types.uint64:
        raise TypingError(f"bits are uint64, not {bits}")

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from llvmlite import ir

        return getattr(builder, name)(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), build
