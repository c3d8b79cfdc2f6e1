"""Sums behind log-rank tests, over cells of groups and times at which something happens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["EARLY", "EQUAL", "GEHAN", "TARONE_WARE", "group_sums", "pair_sums", "quadratic_form"]

FloatArray = npt.NDArray[np.float64]
CodeArray = npt.NDArray[np.int32]
CountArray = npt.NDArray[np.int64]

EQUAL, EARLY, GEHAN, TARONE_WARE = 0, 1, 2, 3


@kernel
def _weight(weighting: int, before: float, total: float) -> float:
    if weighting == EARLY:
        return before
    if weighting == GEHAN:
        return total
    return np.sqrt(total) if weighting == TARONE_WARE else 1.0


@kernel
def group_sums(
    time: CodeArray,
    group: CodeArray,
    at_risk: CountArray,
    events: CountArray,
    ended: CountArray,
    weighting: int,
    observed: FloatArray,
    expected: FloatArray,
    variance: FloatArray,
) -> None:
    """Add observed and expected events of each group and their covariance; cells are sorted by time.

    What is expected of a group is the sum over times of its number at risk times a share, so it is also the sum over
    changes of its number times what the shares have added up to; likewise the covariance of two groups. So a cell costs
    as many steps as there are groups, not as many as there are pairs.
    """
    groups = len(observed)
    risk = np.zeros(groups, dtype=np.float64)
    weighted = np.zeros(groups, dtype=np.float64)  # sum of ``pairs`` times the number at risk, up to ``since``
    since = np.zeros(groups, dtype=np.float64)
    pairs = 0.0  # sums over times so far of what covariances, variances and expectations have in common
    own = 0.0
    share = 0.0
    total = 0.0
    survival = 1.0
    i = 0
    while i < len(time):
        stop = i
        died = 0.0
        while stop < len(time) and time[stop] == time[i]:
            died += events[stop]
            stop += 1
        for leaving in range(2):
            for cell in range(i, stop):
                a = group[cell]
                change = risk[a] - at_risk[cell]
                if leaving:
                    change += ended[cell]
                if change == 0.0:
                    continue
                for b in range(groups):
                    variance[a, b] -= change * (weighted[b] + risk[b] * (pairs - since[b]))
                variance[a, a] += change * own
                expected[a] += change * share
                weighted[a] += risk[a] * (pairs - since[a])
                since[a] = pairs
                risk[a] -= change
                total -= change
            if leaving == 0 and died:
                weight = _weight(weighting, survival, total)
                share += weight * died / total
                if total > 1:
                    spread = weight * weight * died * (total - died) / (total - 1) / total
                    pairs += spread / total
                    own += spread
                survival *= (total - died) / total
                for cell in range(i, stop):
                    observed[group[cell]] += weight * events[cell]
        i = stop
    for a in range(groups):
        for b in range(a):
            variance[a, b] = variance[b, a] = 0.5 * (variance[a, b] + variance[b, a])


@kernel
def pair_sums(
    time: CodeArray,
    offsets: CountArray,
    at_risk: CountArray,
    events: CountArray,
    ended: CountArray,
    weighting: int,
    excess: FloatArray,
    variance: FloatArray,
) -> None:
    """Add, for each pair of groups, observed less expected events of the first and the variance of that.

    Cells are sorted by group and time, ``offsets`` are those of groups; pairs are (0, 1), (0, 2), ..., (1, 2), ....
    """
    groups = len(offsets) - 1
    pair = 0
    for a in range(groups):
        for b in range(a + 1, groups):
            i, j = offsets[a], offsets[b]
            mine = other = 0.0
            survival = 1.0
            while i < offsets[a + 1] or j < offsets[b + 1]:
                first = i < offsets[a + 1] and (j == offsets[b + 1] or time[i] <= time[j])
                second = j < offsets[b + 1] and (i == offsets[a + 1] or time[j] <= time[i])
                died = 0.0
                own = 0.0
                if first:
                    mine = float(at_risk[i])
                    own = float(events[i])
                if second:
                    other = float(at_risk[j])
                    died = float(events[j])
                died += own
                total = mine + other
                if died and total > 1.0:
                    weight = _weight(weighting, survival, total)
                    inverse = 1.0 / (total * total * (total - 1.0))
                    each = died * mine * inverse
                    excess[pair] += weight * (own - each * total * (total - 1.0))
                    variance[pair] += weight * weight * each * other * (total - died)
                if died and weighting == EARLY:
                    survival *= (total - died) / total
                if first:
                    mine -= ended[i]
                    i += 1
                if second:
                    other -= ended[j]
                    j += 1
            pair += 1


@kernel
def quadratic_form(matrix: FloatArray, vector: FloatArray, small: float) -> tuple[float, int]:
    """Return ``vector' matrix^- vector`` for a positive semidefinite matrix, and its rank; both are destroyed.

    Cholesky with the largest pivot first; it ends where the next is below ``small`` times the largest.
    """
    n = len(vector)
    form = 0.0
    least = 0.0
    for rank in range(n):
        pivot = rank
        for a in range(rank + 1, n):
            if matrix[a, a] > matrix[pivot, pivot]:
                pivot = a
        if rank == 0:
            least = small * matrix[pivot, pivot]
        if matrix[pivot, pivot] <= least:
            return form, rank
        for a in range(n):
            matrix[rank, a], matrix[pivot, a] = matrix[pivot, a], matrix[rank, a]
        for a in range(n):
            matrix[a, rank], matrix[a, pivot] = matrix[a, pivot], matrix[a, rank]
        vector[rank], vector[pivot] = vector[pivot], vector[rank]
        form += vector[rank] * vector[rank] / matrix[rank, rank]
        for a in range(rank + 1, n):
            factor = matrix[a, rank] / matrix[rank, rank]
            vector[a] -= factor * vector[rank]
            for b in range(rank + 1, n):
                matrix[a, b] -= factor * matrix[rank, b]
    return form, n
