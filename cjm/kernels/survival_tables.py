"""Counts of rows by group and time, and the curves that are products and sums over them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["count_rows", "curves", "influence_sums", "is_whole", "places_of_whole"]

FloatArray = npt.NDArray[np.float64]
CodeArray = npt.NDArray[np.int32]
CountArray = npt.NDArray[np.int64]


@kernel
def is_whole(values: FloatArray) -> tuple[bool, float, float]:
    """Say whether all values are whole numbers, and return the least and the greatest up to the first that is not."""
    low = high = values[0]
    for value in values:
        if value != np.floor(value):
            return False, low, high
        low = min(low, value)
        high = max(high, value)
    return True, low, high


@kernel
def places_of_whole(values: FloatArray, low: float, place: CodeArray, found: CodeArray) -> None:
    """Write to ``found`` the place of each value in the list of distinct ones; ``place`` is 0 for each possible one."""
    for i in range(len(values)):
        place[int(values[i] - low)] = 1
    count = 0
    for k in range(len(place)):
        if place[k]:
            place[k] = count
            count += 1
        else:
            place[k] = -1
    for i in range(len(values)):
        found[i] = place[int(values[i] - low)]


@kernel
def count_rows(
    first: CodeArray, last: CodeArray, group: CodeArray, ending: CodeArray, begun: CountArray, ended: CountArray
) -> None:
    """Count rows by group and first time at risk in ``begun``, by group, last time and ending in ``ended``."""
    for i in range(len(last)):
        ended[group[i], last[i], ending[i]] += 1
        begun[group[i], first[i]] += 1


@kernel
def curves(group: CodeArray, at_risk: CountArray, events: CountArray, sums: FloatArray) -> None:
    """Fill ``sums``, a row a cell (sorted by group and time), with what has piled up in its group.

    Columns: Kaplan-Meier survival, the variance of its logarithm (Greenwood), the cumulative hazard (Nelson-Aalen), its
    variance (Aalen).
    """
    survival = 1.0
    spread = 0.0
    hazard = 0.0
    spread_of_hazard = 0.0
    for i in range(len(group)):
        if i == 0 or group[i] != group[i - 1]:
            survival = 1.0
            spread = hazard = spread_of_hazard = 0.0
        if events[i]:
            risk, died = float(at_risk[i]), float(events[i])
            survival *= (risk - died) / risk
            spread += died / (risk * (risk - died)) if risk > died else np.inf
            hazard += died / risk
            spread_of_hazard += died / (risk * risk)
        sums[i, 0] = survival
        sums[i, 1] = spread
        sums[i, 2] = hazard
        sums[i, 3] = spread_of_hazard


@kernel
def influence_sums(
    first: CodeArray,
    last: CodeArray,
    ending: CodeArray,
    wanted: int,
    own: FloatArray,
    every: FloatArray,
    own_jump: FloatArray,
    every_jump: FloatArray,
    other_jump: FloatArray,
    gone: FloatArray,
    there: FloatArray,
) -> None:
    """Sum squares and products of the two parts of each row's influence on a cumulative incidence.

    A row at risk at times ``first .. last`` has collected ``-(own[last + 1] - own[first])`` of the first part and the
    same of ``every`` of the second; at its last time it adds ``own_jump`` (if it ended as ``wanted``) or ``other_jump``
    (if otherwise, but not censored) to the first and ``every_jump`` to the second. ``gone`` receives, at the last time,
    the sums of squares of the first, of products, and of squares of the second; ``there``, at the first time, the sums
    over rows of 1, own, every, own^2, own * every, every^2 at the start, with which those still at risk can be summed.
    """
    for i in range(len(last)):
        j, k = first[i], last[i]
        a = own[j] - own[k + 1]
        b = every[j] - every[k + 1]
        if ending[i] == wanted:
            a += own_jump[k]
            b += every_jump[k]
        elif ending[i] > 0:
            a += other_jump[k]
            b += every_jump[k]
        gone[k, 0] += a * a
        gone[k, 1] += a * b
        gone[k, 2] += b * b
        for side in range(2):
            at = k + 1 if side else int(j)
            sign = -1.0 if side else 1.0
            there[at, 0] += sign
            there[at, 1] += sign * own[j]
            there[at, 2] += sign * every[j]
            there[at, 3] += sign * own[j] * own[j]
            there[at, 4] += sign * own[j] * every[j]
            there[at, 5] += sign * every[j] * every[j]
