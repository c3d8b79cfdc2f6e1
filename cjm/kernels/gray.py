"""Sums behind Gray's test of cumulative incidences, over cells of groups and times at which something happens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["gray_sums"]

FloatArray = npt.NDArray[np.float64]
CodeArray = npt.NDArray[np.int32]
CountArray = npt.NDArray[np.int64]

_SMALL = 1e-12


@kernel
def gray_sums(
    time: CodeArray,
    group: CodeArray,
    at_risk: CountArray,
    wanted: CountArray,
    other: CountArray,
    gone: CountArray,
    observed: FloatArray,
    expected: FloatArray,
    variance: FloatArray,
) -> None:
    """Add observed and expected ends of the wanted kind of each group and the covariance of their difference.

    Cells are sorted by time; ``wanted`` and ``other`` count ends of the two kinds, ``gone`` with the censored. In the
    paper's words: ``scale`` is h, ``own`` is a, ``path`` is c up to now. The variance is a sum over times and groups r
    of (own + s (c(end) - c)) squared; as c(end) is not known before the end, the parts with it are kept apart.
    """
    size = len(observed)
    risk = np.zeros(size, dtype=np.float64)
    survival = np.ones(size, dtype=np.float64)
    incidence = np.zeros(size, dtype=np.float64)
    died = np.zeros((size, 2), dtype=np.float64)
    scale = np.zeros(size, dtype=np.float64)
    path = np.zeros((size, size), dtype=np.float64)
    own = np.zeros(size, dtype=np.float64)
    kept = np.zeros((size, size), dtype=np.float64)
    squares = np.zeros(size, dtype=np.float64)
    pooled = 0.0
    i = 0
    while i < len(time):
        stop = i
        while stop < len(time) and time[stop] == time[i]:
            a = group[stop]
            risk[a] = at_risk[stop]
            died[a, 0] = wanted[stop]
            died[a, 1] = other[stop]
            stop += 1
        all_scale = 0.0
        at_stake = 0.0
        all_died = 0.0
        for a in range(size):
            scale[a] = risk[a] / survival[a] if risk[a] > 0 else 0.0
            all_scale += scale[a]
            at_stake += scale[a] * (1 - incidence[a])
            all_died += died[a, 0]
        before = 1 - pooled
        if all_died:
            pooled = min(pooled + all_died / all_scale, 1.0)
            for a in range(size):
                observed[a] += died[a, 0]
                expected[a] += all_died * scale[a] * (1 - incidence[a]) / at_stake
                if before < _SMALL:
                    continue  # in a small sample a group that is gone may have brought it to 1
                for b in range(size):
                    alike = 1.0 if a == b else 0.0
                    path[a, b] += scale[a] * (alike - scale[b] / all_scale) * all_died / (all_scale * before)
        for r in range(size):
            if risk[r] == 0:
                continue
            after = survival[r] * (risk[r] - died[r, 0] - died[r, 1]) / risk[r]
            left = (1 - pooled) / after if after > 0 else 0.0
            for kind in range(2):
                if kind == 0:
                    ties = 1 - (all_died - 1) / (all_scale * survival[r] - 1) if all_died > 1 else 1.0
                    weight = ties * all_died / (all_scale * scale[r])
                    share = 1 - left if after > 0 else 1.0
                else:
                    ties = 1 - (died[r, 1] - 1) / (risk[r] - 1) if died[r, 1] > 1 else 1.0
                    weight = ties * died[r, 1] / (scale[r] * scale[r]) if after > 0 else 0.0
                    share = -left
                if weight == 0:
                    continue
                squares[r] += weight * share * share
                for a in range(size):
                    alike = 1.0 if a == r else 0.0
                    jump = scale[a] * (alike - scale[r] / all_scale) if kind == 0 else 0.0
                    own[a] = jump - share * path[a, r]
                    kept[a, r] += weight * share * own[a]
                for a in range(size):
                    for b in range(size):
                        variance[a, b] += weight * own[a] * own[b]
            incidence[r] += survival[r] * died[r, 0] / risk[r]
            survival[r] = after
        while i < stop:
            a = group[i]
            risk[a] -= gone[i]
            died[a, 0] = died[a, 1] = 0.0
            i += 1
    for r in range(size):
        for a in range(size):
            for b in range(size):
                variance[a, b] += squares[r] * path[a, r] * path[b, r]
                variance[a, b] += path[a, r] * kept[b, r] + path[b, r] * kept[a, r]
