"""One decorator and one array check for every kernel."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
import numpy.typing as npt

__all__ = ["as_array", "compiled_for", "kernel"]

P = ParamSpec("P")
R = TypeVar("R")

_FEW = 1 << 17  # elements that plain Python passes while the compiler would still be starting


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` on first call, without the GIL, cached on disk where a folder for it can be written."""
    import numba

    try:
        compiled = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no writable place for the cache: an installed package in a read-only container
        compiled = numba.njit(nogil=True)(function)
    return cast("Callable[P, R]", compiled)


def compiled_for(function: Callable[P, R], elements: int) -> Callable[P, R]:
    """Return ``function`` compiled, or as it is if there are few elements and no compiler has been loaded."""
    return _compiled(function) if elements > _FEW or "numba" in sys.modules else function


_compiled = cache(kernel)


def as_array(values: Any, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return a contiguous, read-only array of exactly ``dtype``, so that a kernel is compiled once for it."""
    array = np.ascontiguousarray(values, dtype=dtype)
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array
