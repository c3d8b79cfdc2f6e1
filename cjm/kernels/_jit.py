"""One decorator and one array check for every kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["as_array", "kernel"]

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` on first call, without the GIL, cached on disk where a folder for it can be written."""
    try:
        compiled = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no writable place for the cache: an installed package in a read-only container
        compiled = numba.njit(nogil=True)(function)
    return cast("Callable[P, R]", compiled)


def as_array(values: Any, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return a contiguous, read-only array of exactly ``dtype``, so that a kernel is compiled once for it."""
    array = np.ascontiguousarray(values, dtype=dtype)
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array
