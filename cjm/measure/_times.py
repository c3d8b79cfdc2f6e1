"""Exact quantiles of times that are too many to be held at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from cjm.errors import ArgumentError
from cjm.ragged import IntArray

__all__ = ["quantile_columns", "quantile_names"]

# Times held at once, unless one row alone has more: 128 MB.
_HELD = 16_000_000


def quantile_names(quantiles: Sequence[float]) -> list[str]:
    """Return the column of each quantile: ``time_p50`` for 0.5, ``time_p99.5`` for 0.995.

    Raises
    ------
    ArgumentError
        Unless the quantiles are different numbers from 0 to 1.
    """
    hint = "Write [0.5] for the median"
    if isinstance(quantiles, str | float | int) or not all(
        isinstance(quantile, float | int) and 0 <= quantile <= 1 for quantile in quantiles
    ):
        raise ArgumentError.at(
            f"must be a list of numbers from 0 to 1, not {quantiles!r}", where="quantiles=", hint=hint
        )
    names = [f"time_p{100 * quantile:g}" for quantile in quantiles]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ArgumentError.at(f"{twice!r} is asked for twice", where="quantiles=", hint=hint)
    return names


def quantile_columns(
    counts: IntArray, quantiles: Sequence[float], fill: Callable[[IntArray, IntArray], None]
) -> list[pl.Series]:
    """Return the quantiles of the times of each row, interpolated linearly and cut to whole microseconds.

    Parameters
    ----------
    counts : ndarray of int64, shape (rows,)
        How many times each row has; without any, its quantiles are null.
    quantiles : sequence of float
    fill : callable
        Called with ``place`` and ``times``: writes each time of row ``i`` to ``times[place[i]]`` and adds 1 to
        ``place[i]``. Rows with a place of -1 have their turn in another call.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_quantiles import quantiles_of_runs

    rising = np.argsort(quantiles)
    found = np.empty((len(quantiles), len(counts)), dtype=np.int64)
    ends = np.concatenate([[0], np.cumsum(counts)])
    first = 0
    while first < len(counts):
        stop = max(int(np.searchsorted(ends, ends[first] + _HELD, side="right")) - 1, first + 1)
        offsets = ends[first : stop + 1] - ends[first]
        place = np.full(len(counts), -1, dtype=np.int64)
        place[first:stop] = offsets[:-1]
        times = np.empty(offsets[-1], dtype=np.int64)
        fill(place, times)
        wanted = as_array(np.asarray(quantiles, dtype=np.float64)[rising], np.float64)
        found[rising, first:stop] = quantiles_of_runs(times, as_array(offsets, np.int64), wanted)
        first = stop
    return [
        pl.Series(name, row).set(pl.Series(row) < 0, None).cast(pl.Duration("us"))
        for name, row in zip(quantile_names(quantiles), found, strict=True)
    ]
