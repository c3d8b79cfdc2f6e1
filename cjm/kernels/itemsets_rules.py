"""Rules from frequent itemsets: every split of a set in two."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.sequences_cover import find_pattern, pattern_table

__all__ = ["rules"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]


@kernel
def rules(
    values: CodeArray, offsets: IntArray, counts: IntArray, min_confidence: float, max_rules: int
) -> tuple[IntArray, int]:
    """Split each set into antecedent and consequent.

    (int32[:], int64[:], int64[:], float64, int64) -> int64[:, 3] of set, antecedent and consequent as numbers of sets,
    and how many rows of it are filled. Sets hold ascending items and come with all their parts. Ends early, with
    ``max_rules + 1`` rules, when there are more than ``max_rules``.
    """
    table = pattern_table(values, offsets)
    found = np.empty((1024, 3), dtype=np.int64)
    n = 0
    left = np.empty(64, dtype=np.int32)
    right = np.empty(64, dtype=np.int32)
    for index in range(len(counts)):
        lo = offsets[index]
        length = offsets[index + 1] - lo
        for chosen in range(1, (1 << length) - 1):
            n_left = 0
            n_right = 0
            for place in range(length):
                if chosen >> place & 1:
                    left[n_left] = values[lo + place]
                    n_left += 1
                else:
                    right[n_right] = values[lo + place]
                    n_right += 1
            antecedent = find_pattern(table, values, offsets, left, 0, n_left, -1)
            if counts[index] / counts[antecedent] < min_confidence:
                continue
            if n == len(found):
                longer = np.empty((2 * n, 3), dtype=np.int64)
                for old in range(n):
                    for column in range(3):
                        longer[old, column] = found[old, column]
                found = longer
            found[n, 0] = index
            found[n, 1] = antecedent
            found[n, 2] = find_pattern(table, values, offsets, right, 0, n_right, -1)
            n += 1
            if n > max_rules:
                return found, n
    return found, n
