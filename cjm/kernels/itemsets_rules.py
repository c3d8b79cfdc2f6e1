"""Rules from frequent itemsets: every split of a set in two, how much each adds, and the chance of it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.sequences_cover import find_pattern, pattern_table
from cjm.kernels.sequences_fisher import _log_pmf, _tail

__all__ = ["rules", "upper_tail_p"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]


@kernel
def _part(items: CodeArray, lo: int, length: int, chosen: int, part: CodeArray) -> int:
    """Write the chosen items to ``part`` and return how many they are."""
    n = 0
    for place in range(length):
        if chosen >> place & 1:
            part[n] = items[lo + place]
            n += 1
    return n


@kernel
def _best_simpler(
    table: IntArray, values: CodeArray, offsets: IntArray, counts: IntArray, index: int, chosen: int, base: float,
    part: CodeArray,
) -> float:  # fmt: skip
    """Return the highest confidence among rules with a part of the chosen antecedent (also none) and the same end."""
    lo = offsets[index]
    length = offsets[index + 1] - lo
    rest = ((1 << length) - 1) ^ chosen
    best = base
    smaller = (chosen - 1) & chosen
    while smaller > 0:
        left = find_pattern(table, values, offsets, part, 0, _part(values, lo, length, smaller, part), -1)
        both = find_pattern(table, values, offsets, part, 0, _part(values, lo, length, smaller | rest, part), -1)
        best = max(best, counts[both] / counts[left])
        smaller = (smaller - 1) & chosen
    return best


@kernel
def rules(
    values: CodeArray, offsets: IntArray, counts: IntArray, n: int, min_confidence: float, min_improvement: float,
    towards: npt.NDArray[np.bool_], max_rules: int,
) -> tuple[IntArray, FloatArray, int, int]:  # fmt: skip
    """Split each set into antecedent and consequent.

    (int32[:], int64[:], int64[:], int64, float64, float64, bool[:], int64) -> int64[:, 3] of set, antecedent and
    consequent as numbers of sets; the improvement of each; how many of these are filled; how many splits were looked
    at. Sets hold ascending items and come with all their parts; ``n`` is the number of baskets. ``towards`` marks the
    items that may be a consequent, alone; empty, any part may be one. Ends early, with ``max_rules + 1`` rules, when
    there are more than ``max_rules``.
    """
    table = pattern_table(values, offsets)
    found = np.empty((1024, 3), dtype=np.int64)
    improvement = np.empty(1024, dtype=np.float64)
    filled = 0
    tried = 0
    part = np.empty(64, dtype=np.int32)
    for index in range(len(counts)):
        lo = offsets[index]
        length = offsets[index + 1] - lo
        whole = (1 << length) - 1
        for split in range(length if len(towards) > 0 else whole - 1):
            chosen = split + 1
            if len(towards) > 0:
                if length == 1 or not towards[values[lo + split]]:
                    continue
                chosen = whole ^ (1 << split)
            tried += 1
            antecedent = find_pattern(table, values, offsets, part, 0, _part(values, lo, length, chosen, part), -1)
            confidence = counts[index] / counts[antecedent]
            if confidence < min_confidence:
                continue
            rest = _part(values, lo, length, whole ^ chosen, part)
            consequent = find_pattern(table, values, offsets, part, 0, rest, -1)
            base = counts[consequent] / n
            better = confidence - _best_simpler(table, values, offsets, counts, index, chosen, base, part)
            if better <= min_improvement:
                continue
            if filled == len(found):
                longer = np.empty((2 * filled, 3), dtype=np.int64)
                more = np.empty(2 * filled, dtype=np.float64)
                for old in range(filled):
                    more[old] = improvement[old]
                    for column in range(3):
                        longer[old, column] = found[old, column]
                found, improvement = longer, more
            found[filled, 0] = index
            found[filled, 1] = antecedent
            found[filled, 2] = consequent
            improvement[filled] = better
            filled += 1
            if filled > max_rules:
                return found, improvement, filled, tried
    return found, improvement, filled, tried


@kernel
def upper_tail_p(whole: IntArray, left: IntArray, right: IntArray, total: int, log_factorial: FloatArray) -> FloatArray:
    """Return the chance that at least ``whole`` of ``left`` baskets are among ``right`` of ``total`` baskets.

    (int64[:], int64[:], int64[:], int64, float64[:]) -> float64[:]. ``log_factorial`` has ``total + 1`` values.
    """
    p = np.empty(len(whole), dtype=np.float64)
    for index in range(len(whole)):
        x, drawn, marked = whole[index], left[index], right[index]
        lowest = max(0, drawn + marked - total)
        highest = min(drawn, marked)
        if x <= lowest:
            p[index] = 1.0
        elif x * total > drawn * marked:  # above the mean: sum upwards, so that a small p is exact
            tail = _tail(x, 1, lowest, highest, drawn, marked, total)
            p[index] = min(1.0, math.exp(_log_pmf(x, drawn, marked, total, log_factorial)) * tail)
        else:
            tail = _tail(x - 1, -1, lowest, highest, drawn, marked, total)
            p[index] = max(0.0, 1.0 - math.exp(_log_pmf(x - 1, drawn, marked, total, log_factorial)) * tail)
    return p
