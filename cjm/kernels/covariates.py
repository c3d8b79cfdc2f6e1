"""Covariates row by row: the places of ones, scaled numbers; counts of rows that are not zero."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["count_ones", "exposed", "place_ones", "scale_column", "take_rows"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
CountArray = npt.NDArray[np.uint16]


@kernel
def count_ones(column: FloatArray, most: int, counts: CountArray) -> int:
    """Add the ones of a column of zeros and ones to the counts of the rows, and return how many there are.

    -1 if there are more than ``most`` or the column holds anything else; the counts are then as they were.
    """
    total = 0
    stop = len(column)
    for i in range(len(column)):
        if column[i] == 1.0:
            total += 1
            counts[i] += 1
        if (column[i] != 0.0 and column[i] != 1.0) or total > most:
            stop = i + 1
            total = -1
            break
    if total < 0:
        for i in range(stop):
            if column[i] == 1.0:
                counts[i] -= 1
    return total


@kernel
def place_ones(column: FloatArray, term: int, free: IntArray, ones: CountArray) -> None:
    """Write ``term`` to the next free place of each row that has a one."""
    for i in range(len(column)):
        if column[i] == 1.0:
            ones[free[i]] = term
            free[i] += 1


@kernel
def take_rows(
    at: IntArray,
    ones: CountArray,
    order: npt.NDArray[np.int32],
    new_at: IntArray,
    new_ones: CountArray,
) -> None:
    """Write the rows ``order``, whose offsets are ``new_at``."""
    for i in range(len(order)):
        target = new_at[i]
        for place in range(at[order[i]], at[order[i] + 1]):
            new_ones[target] = ones[place]
            target += 1


@kernel
def exposed(
    column: FloatArray, group: IntArray, event: npt.NDArray[np.bool_], mark: int, marks: npt.NDArray[np.int32]
) -> tuple[int, int]:
    """Return the groups with a row that is not zero, and the events in such rows; ``marks`` lie below ``mark``."""
    groups = 0
    events = 0
    for i in range(len(column)):
        if column[i] != 0.0:
            if event[i]:
                events += 1
            if marks[group[i]] != mark:
                marks[group[i]] = mark
                groups += 1
    return groups, events


@kernel
def scale_column(
    column: FloatArray,
    rows: npt.NDArray[np.int32],
    weight: FloatArray,
    spare: FloatArray,
    dense: FloatArray,
    place: int,
) -> tuple[float, float]:
    """Write the rows of a column, less their weighted mean and over their standard deviation, to a column of ``dense``.

    Returns the mean and the deviation, 1 where the column does not vary. ``spare`` has room for the rows.
    """
    total = 0.0
    mean = 0.0
    for i in range(len(rows)):
        spare[i] = column[rows[i]]
        total += weight[i]
        mean += weight[i] * spare[i]
    mean /= total
    square = 0.0
    for i in range(len(rows)):
        spare[i] -= mean
        square += weight[i] * spare[i] * spare[i]
    spread = np.sqrt(square / total)
    if spread <= 1e-12 * (1 + abs(mean)):
        spread = 1.0
    for i in range(len(rows)):
        dense[i, place] = spare[i] / spread
    return mean, spread
