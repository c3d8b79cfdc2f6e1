"""How many are at risk, and how many leave, in each group at each time at which something happens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from cjm.survival._design import FloatArray, IntArray

__all__ = ["Cells", "TimeRows", "median_of", "time_rows"]

CodeArray = npt.NDArray[np.int32]

_ROUNDING = 1e-12
_DENSE = 4_000_000
"""Cells of a table of all groups and times that is worth filling."""


@dataclass(frozen=True)
class Cells:
    """A group at a time at which one of its rows begins or ends; sorted by group and time.

    Attributes
    ----------
    group, time : ndarray of int32
        ``time`` is the place in ``TimeRows.times``.
    at_risk : ndarray of int64
        Rows with entry < time <= exit.
    ended : ndarray of int64, shape (cells, endings)
        Rows whose exit is the time; ending 0 is censoring.
    """

    group: CodeArray
    time: CodeArray
    at_risk: IntArray
    ended: IntArray

    @property
    def events(self) -> IntArray:
        """Rows that ended in the first kind of event."""
        return np.ascontiguousarray(self.ended[:, 1])

    @property
    def gone(self) -> IntArray:
        """Rows that ended in any way."""
        return np.asarray(sum(self.ended.T))

    def take(self, kept: IntArray) -> Cells:
        """Return some cells, in the order given."""
        return Cells(self.group[kept], self.time[kept], self.at_risk[kept], self.ended[kept])


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

    @cached_property
    def cells(self) -> Cells:
        """The counts."""
        wide = len(self.times)
        if self.groups * wide * (self.endings + 1) <= _DENSE:
            from cjm.kernels.survival_tables import count_rows

            begins = np.zeros((self.groups, wide), dtype=np.int64)
            ends = np.zeros((self.groups, wide, self.endings), dtype=np.int64)
            count_rows(self.first, self.last, self.group, self.ending, begins, ends)
            group, time = np.divmod(np.flatnonzero(sum((ends[:, :, end] for end in range(self.endings)), begins)), wide)
            begun, ended = begins[group, time], ends[group, time]
        else:
            base = self.group.astype(np.int64) * wide
            starts, beginning = np.unique(base + self.first, return_counts=True)
            stops, ending = np.unique((base + self.last) * self.endings + self.ending, return_counts=True)
            keys = np.union1d(starts, stops // self.endings)
            group, time = keys // wide, keys % wide
            begun = np.zeros(len(keys), dtype=np.int64)
            begun[np.searchsorted(keys, starts)] = beginning
            ended = np.zeros((len(keys), self.endings), dtype=np.int64)
            ended[np.searchsorted(keys, stops // self.endings), stops % self.endings] = ending
        gone = np.asarray(sum(ended.T))
        at_risk = np.cumsum(begun) - np.cumsum(gone) + gone  # every group is empty again when the next one begins
        return Cells(group.astype(np.int32), time.astype(np.int32), at_risk, ended)

    def take(self, kept: npt.NDArray[np.bool_]) -> TimeRows:
        """Keep some rows; times and groups keep their numbers."""
        first, last, group, ending = (part[kept] for part in (self.first, self.last, self.group, self.ending))
        return TimeRows(self.times, first, last, group, ending, self.groups, self.endings)


def time_rows(
    entry: FloatArray,
    exit: FloatArray,
    ending: npt.NDArray[np.bool_] | IntArray,
    group: IntArray | None = None,
) -> TimeRows:
    """Return rows at risk in (entry, exit] with their times as places.

    Parameters
    ----------
    entry, exit : ndarray
        Days.
    ending : ndarray
        0 (or False) censored, 1 (or True) the event, above that competing ends.
    group : ndarray of int64, optional
        One group unless given.
    """
    from cjm.kernels._jit import as_array

    times, last = _numbered(exit)
    late = float(entry.max()) >= times[0]
    first = np.searchsorted(times, entry, side="right") if late else np.zeros(len(exit), dtype=np.int32)
    group = np.zeros(len(exit), dtype=np.int64) if group is None else group
    return TimeRows(
        times=times,
        first=as_array(first, np.int32),
        last=as_array(last, np.int32),
        group=as_array(group, np.int32),
        ending=as_array(ending, np.int32),
        groups=int(group.max()) + 1,
        endings=max(int(ending.max()) + 1, 2),
    )


def median_of(rows: TimeRows) -> float:
    """Return the median time to the event in one group, NaN if fewer than half had it.

    Where the Kaplan-Meier curve runs along 0.5 it is the middle of that step, as for any even sample; as R's.
    """
    cells = rows.cells
    curve = np.cumprod((cells.at_risk - cells.events) / cells.at_risk)
    below = np.flatnonzero(curve < 0.5 - _ROUNDING)
    if not len(below):
        return float("nan")
    at_half = np.flatnonzero(np.abs(curve - 0.5) <= _ROUNDING)
    first = rows.times[at_half[0]] if len(at_half) else rows.times[below[0]]
    return float(first + rows.times[below[0]]) / 2


def _numbered(values: FloatArray) -> tuple[FloatArray, CodeArray | IntArray]:
    """Return the distinct values and the place of each; whole numbers are counted, not sorted."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.survival_tables import is_whole, places_of_whole

    values = as_array(values, np.float64)
    whole, low, high = is_whole(values)
    if not whole or high - low > 4 * len(values):
        times, found_at = np.unique(values, return_inverse=True)
        return times.astype(np.float64), found_at
    place = np.zeros(int(high - low) + 1, dtype=np.int32)
    found = np.empty(len(values), dtype=np.int32)
    places_of_whole(values, low, place, found)
    return np.flatnonzero(place >= 0) + np.float64(low), found
