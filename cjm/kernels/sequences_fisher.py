"""Fisher's exact test for many fourfold tables with the same groups."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["fisher_log_p"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
_TIE = 1e-7  # tables whose probabilities differ by less than this share count as equally likely, as in R


@kernel
def _log_pmf(x: int, drawn: int, marked: int, total: int, log_factorial: FloatArray) -> float:
    f = log_factorial
    rest = total - marked
    return (  # type: ignore[no-any-return]
        (f[marked] - f[x] - f[marked - x])
        + (f[rest] - f[drawn - x] - f[rest - drawn + x])
        - (f[total] - f[drawn] - f[total - drawn])
    )


@kernel
def _tail(x: int, step: int, lowest: int, highest: int, drawn: int, marked: int, total: int) -> float:
    """Sum the probabilities from ``x`` outwards, as multiples of that of ``x``."""
    term = 1.0
    tail = 1.0
    while lowest <= x + step <= highest and term > 1e-18 * tail:
        if step > 0:
            term *= ((marked - x) / (x + 1.0)) * ((drawn - x) / (total - marked - drawn + x + 1.0))
        else:
            term *= (x / (marked - x + 1.0)) * ((total - marked - drawn + x) / (drawn - x + 1.0))
        tail += term
        x += step
    return tail


@kernel
def fisher_log_p(observed: IntArray, drawn: IntArray, marked: int, total: int, log_factorial: FloatArray) -> FloatArray:
    """Return the log of the two-sided p value: (int64[:], int64[:], int64, int64, float64[:]) -> float64[:].

    Of ``total`` persons ``marked`` have the outcome; ``drawn`` have the pattern, ``observed`` of them the outcome.
    The p value sums all tables that are at most as likely as the one observed.
    """
    result = np.zeros(len(observed), dtype=np.float64)
    for index in range(len(observed)):
        x = observed[index]
        n = drawn[index]
        lowest = max(0, n - (total - marked))
        highest = min(n, marked)
        if lowest == highest:
            continue
        mode = min(max(((n + 1) * (marked + 1)) // (total + 2), lowest), highest)
        here = _log_pmf(x, n, marked, total, log_factorial)
        step = 1 if x >= mode else -1
        tail = _tail(x, step, lowest, highest, n, marked, total)
        # on the other side of the mode: the innermost table that is at most as likely
        inner = min(mode, x - 1) if step > 0 else mode
        outer = lowest if step > 0 else highest
        if (outer - inner) * step <= 0 and _log_pmf(outer, n, marked, total, log_factorial) <= here + _TIE:
            while inner != outer:
                middle = inner - (abs(inner - outer) // 2) * step
                if _log_pmf(middle, n, marked, total, log_factorial) <= here + _TIE:
                    outer = middle
                else:
                    inner = middle - step
            share = math.exp(_log_pmf(outer, n, marked, total, log_factorial) - here)
            tail += share * _tail(outer, -step, lowest, highest, n, marked, total)
        result[index] = min(0.0, here + math.log(tail))
    return result
