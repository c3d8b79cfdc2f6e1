"""Counts of rows at risk by time and group, and what is summed over them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["count_rows", "influence_sums", "pair_sums"]

FloatArray = npt.NDArray[np.float64]
CodeArray = npt.NDArray[np.int32]
CountArray = npt.NDArray[np.int64]


@kernel
def count_rows(
    first: CodeArray,
    last: CodeArray,
    group: CodeArray,
    ending: CodeArray,
    low: int,
    begun: CountArray,
    ended: CountArray,
) -> None:
    """Count, for the times from ``low`` on, rows by first time at risk and group, and by last time, group and ending.

    ``begun`` has shape (times, groups), ``ended`` (times, groups, endings); rows of other times are passed over.
    """
    times = begun.shape[0]
    for i in range(len(last)):
        at = last[i] - low
        if 0 <= at < times:
            ended[at, group[i], ending[i]] += 1
        at = first[i] - low
        if 0 <= at < times:
            begun[at, group[i]] += 1


@kernel
def pair_sums(
    at_risk: CountArray,
    events: CountArray,
    weighting: int,
    survival: FloatArray,
    excess: FloatArray,
    variance: FloatArray,
) -> None:
    """Add to ``excess`` and ``variance`` what log-rank tests of each pair of groups sum over these times.

    Pairs are (0, 1), (0, 2), ..., (1, 2), ...; ``survival`` holds the Kaplan-Meier curve of each pair before the first
    time and is moved on. ``weighting``: 0 equal, 1 by that curve, 2 by the number at risk, 3 by its square root.
    """
    times, groups = at_risk.shape
    pair = 0
    for a in range(groups):
        for b in range(a + 1, groups):
            before = survival[pair]
            more = 0.0
            spread = 0.0
            for k in range(times):
                died = events[k, a] + events[k, b]
                if died == 0:
                    continue
                total = at_risk[k, a] + at_risk[k, b]
                weight = 1.0
                if weighting == 1:
                    weight = before
                elif weighting == 2:
                    weight = float(total)
                elif weighting == 3:
                    weight = np.sqrt(total)
                share = at_risk[k, a] / total
                more += weight * (events[k, a] - died * share)
                if total > 1:
                    spread += weight * weight * died * (total - died) / (total - 1) * share * (1.0 - share)
                before *= (total - died) / total
            survival[pair] = before
            excess[pair] += more
            variance[pair] += spread
            pair += 1


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
        for at, sign in ((j, 1.0), (k + 1, -1.0)):
            there[at, 0] += sign
            there[at, 1] += sign * own[j]
            there[at, 2] += sign * every[j]
            there[at, 3] += sign * own[j] * own[j]
            there[at, 4] += sign * own[j] * every[j]
            there[at, 5] += sign * every[j] * every[j]
