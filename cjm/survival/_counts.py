"""How many are at risk, and how many leave, at each time in each group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cjm.survival._design import FloatArray, IntArray

__all__ = ["Counts", "TimeRows", "time_rows"]

CodeArray = npt.NDArray[np.int32]

_CELLS = 4_000_000
"""Cells of a table of times and groups that are held at once."""


@dataclass(frozen=True)
class Counts:
    """Counts at consecutive times.

    Attributes
    ----------
    times : ndarray, shape (times,)
    at_risk : ndarray of int64, shape (times, groups)
        Rows with entry < time <= exit.
    ended : ndarray of int64, shape (times, groups, endings)
        Rows whose exit is the time; ending 0 is censoring.
    """

    times: FloatArray
    at_risk: IntArray
    ended: IntArray

    @property
    def events(self) -> IntArray:
        """Rows that ended in the first event, shape (times, groups)."""
        return self.ended[:, :, 1]


@dataclass(frozen=True)
class TimeRows:
    """Rows whose times are places in the list of all exits.

    Attributes
    ----------
    times : ndarray, shape (times,)
        Exits, ascending.
    first, last : ndarray of int32
        Places of the first and of the last time at which a row is at risk.
    group, ending : ndarray of int32
    groups, endings : int
    """

    times: FloatArray
    first: CodeArray
    last: CodeArray
    group: CodeArray
    ending: CodeArray
    groups: int
    endings: int

    def blocks(self) -> Iterator[Counts]:
        """Yield the counts, as many times at once as memory allows."""
        from cjm.kernels.survival_tables import count_rows

        length = max(1, _CELLS // (self.groups * (self.endings + 1)))
        at_risk = np.zeros(self.groups, dtype=np.int64)
        for low in range(0, len(self.times), length):
            times = self.times[low : low + length]
            begun = np.zeros((len(times), self.groups), dtype=np.int64)
            ended = np.zeros((len(times), self.groups, self.endings), dtype=np.int64)
            count_rows(self.first, self.last, self.group, self.ending, low, begun, ended)
            gone = ended.sum(axis=2)
            risk = at_risk + np.cumsum(begun, axis=0) - np.cumsum(gone, axis=0) + gone
            at_risk = risk[-1] - gone[-1]
            yield Counts(times, risk, ended)

    def take(self, kept: npt.NDArray[np.bool_]) -> TimeRows:
        """Keep some rows; times and groups keep their numbers."""
        first, last, group, ending = (part[kept] for part in (self.first, self.last, self.group, self.ending))
        return TimeRows(self.times, first, last, group, ending, self.groups, self.endings)


def time_rows(
    entry: FloatArray,
    exit: FloatArray,
    ending: npt.NDArray[np.bool_] | IntArray,
    group: IntArray | None = None,
    *,
    groups: int | None = None,
) -> TimeRows:
    """Number the times of rows at risk in (entry, exit].

    Parameters
    ----------
    entry, exit : ndarray
        Days.
    ending : ndarray
        0 (or False) censored, 1 (or True) the event, above that competing ends.
    group : ndarray of int64, optional
        One group unless given.
    groups : int, optional
        How many; by default one more than the highest.
    """
    from cjm.kernels._jit import as_array

    times, last = _numbered(exit)
    latest = float(entry.max())
    if latest < times[0]:
        first = np.zeros(len(exit), dtype=np.int32)
    else:
        first = np.searchsorted(times, entry, side="right")
    if group is None:
        group = np.zeros(len(exit), dtype=np.int64)
    return TimeRows(
        times,
        as_array(first, np.int32),
        as_array(last, np.int32),
        as_array(group, np.int32),
        as_array(ending, np.int32),
        int(group.max()) + 1 if groups is None else groups,
        max(int(ending.max()) + 1, 2),
    )


def _numbered(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the distinct values and the place of each; whole numbers are counted, not sorted."""
    whole = values.astype(np.int64)
    low, high = int(whole.min()), int(whole.max())
    if high - low <= 4 * len(values) and bool((whole == values).all()):
        there = np.bincount(whole - low) > 0
        place = np.cumsum(there) - 1
        return np.flatnonzero(there).astype(np.float64) + low, place[whole - low]
    times, place = np.unique(values, return_inverse=True)
    return times, place
