"""Risk sets: which rows are at risk at which event time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from cjm.survival._design import FloatArray, IntArray

__all__ = ["RiskSets", "same_times"]

RowArray = npt.NDArray[np.int32]

_ROWS_A_TASK = 200_000


@dataclass(frozen=True, eq=False)
class RiskSets:
    """Rows in the order of the scan, and the event times they cover.

    Rows that cover no event time tell nothing and are not kept. Row ``i`` is at risk at the event times
    ``first[i] .. last[i]``, which are numbered over all strata.

    Attributes
    ----------
    row : ndarray of int32
        Place in the input; rows are sorted by falling ``last``, events first.
    weight, event, first, last : ndarray, shape (rows,)
    by_first : ndarray of int32
        Rows by falling ``first``.
    times, stratum : ndarray
        Time and stratum of each event time.
    size : int
        Rows of the input.
    km_before : ndarray
        Kaplan-Meier curve of all rows together just before each event time.
    rank : ndarray
        Rank of each event time among the ends of all rows, equal ones at their mean.
    ended, begun : ndarray of int64, shape (times + 1,)
        How many rows have ``last`` (``first``) at that event time or after it.
    deaths, death_weight : ndarray of int64, of float64, shape (times,)
        Events at each event time, and the sum of their weights.
    """

    row: RowArray
    weight: FloatArray
    event: npt.NDArray[np.bool_]
    first: RowArray
    last: RowArray
    by_first: RowArray
    times: FloatArray
    stratum: IntArray
    size: int
    km_before: FloatArray
    rank: FloatArray
    ended: IntArray
    begun: IntArray
    deaths: IntArray
    death_weight: FloatArray

    @classmethod
    def build(
        cls,
        start: FloatArray | None,
        stop: FloatArray,
        event: npt.NDArray[np.bool_],
        stratum: IntArray | None,
        weight: FloatArray | None,
    ) -> RiskSets:
        """Return the risk sets of (start, stop] rows: number the event times, sort the rows.

        ``None`` stands for rows that are at risk from the beginning, a single stratum, and weights of one.
        """
        from cjm.kernels._jit import as_array
        from cjm.kernels.counting import order_by_number

        times = np.unique(stop[event])
        begun = np.zeros(len(stop), dtype=np.int32) if start is None else _places(times, start)
        ended = _places(times, stop)
        deaths = np.bincount(ended[event] - 1, minlength=len(times))
        joined = np.cumsum(np.bincount(begun, minlength=len(times) + 1))[:-1]
        gone = np.cumsum(np.bincount(ended, minlength=len(times) + 1))[:-1]
        after = np.cumprod(1 - deaths / (joined - gone))
        before = np.concatenate(([1.0], after[:-1]))
        equal = np.bincount(ended[(ended > 0) & (stop == times[ended - 1])] - 1, minlength=len(times))
        rank = gone + (equal + 1) / 2
        if stratum is None:
            keys = np.arange(len(times), dtype=np.int64)
            first, last = begun, ended - np.int32(1)
        else:
            base = stratum * len(times)
            keys = np.unique(base[event] + ended[event] - 1)
            first = np.searchsorted(keys, base + begun).astype(np.int32)
            last = (np.searchsorted(keys, base + ended) - 1).astype(np.int32)
        kept = first <= last
        size = len(keys)
        backwards = as_array(np.where(kept, 2 * (size - 1 - last.astype(np.int64)) + ~event, 2 * size), np.int64)
        row = order_by_number(backwards, 2 * size + 1)[: int(kept.sum())]
        first, last, died = first[row], last[row], event[row]
        heavy = np.ones(len(row)) if weight is None else weight[row]
        by_first = order_by_number(as_array(size - 1 - first, np.int64), size)
        return cls(
            row=row,
            weight=heavy,
            event=died,
            first=first,
            last=last,
            by_first=by_first,
            times=times[keys % len(times)],
            stratum=keys // len(times),
            size=len(stop),
            km_before=before[keys % len(times)],
            rank=rank[keys % len(times)],
            ended=_at_or_after(last, size),
            begun=_at_or_after(first, size),
            deaths=np.bincount(last[died], minlength=size),
            death_weight=np.asarray(np.bincount(last[died], weights=heavy[died], minlength=size), dtype=np.float64),
        )

    def ranges(self) -> list[tuple[int, int]]:
        """Cut the event times, from the last to the first, so that about equally many rows come and go in each."""
        moves = self.ended + self.begun
        cuts = np.searchsorted(-moves, -np.arange(_ROWS_A_TASK, int(moves[0]), _ROWS_A_TASK), side="right")
        edges = np.unique(np.concatenate(([0], cuts, [len(self.times)])))
        return [(int(low), int(high)) for low, high in pairwise(edges)][::-1]

    def time_function(self, name: str) -> FloatArray:
        """Return a function of time at each event time, centred: ``km``, ``identity``, ``rank`` or ``log``."""
        if name == "km":
            values = 1 - self.km_before
        elif name == "identity":
            values = self.times
        elif name == "rank":
            values = self.rank
        else:
            values = np.log(self.times)
        return np.asarray(values - values.mean())


def _places(times: FloatArray, values: FloatArray) -> RowArray:
    """Return how many of ``times`` are at or before each value."""
    low, high = times[0], times[-1]
    if high - low < len(values) and _whole(values) and _whole(times):
        table = np.searchsorted(times, np.arange(low - 1, high + 1), side="right").astype(np.int32)
        return np.asarray(table[(np.clip(values, low - 1, high) - (low - 1)).astype(np.int32)])
    return np.searchsorted(times, values, side="right").astype(np.int32)


def _at_or_after(numbers: RowArray, size: int) -> IntArray:
    counts = np.bincount(numbers, minlength=size + 1)
    return np.asarray(np.cumsum(counts[::-1])[::-1], dtype=np.int64)


def same_times(start: FloatArray | None, stop: FloatArray) -> tuple[FloatArray | None, FloatArray]:
    """Make times equal that differ by no more than rounding, such as 60 + 7/12 reached in two ways.

    Examples
    --------
    >>> same_times(np.array([-np.inf, 0.3]), np.array([0.1 + 0.2, 1.0]))[1].tolist()
    [0.3, 1.0]
    """
    given = [stop] if start is None else [start, stop]
    if all(_whole(values) for values in given):
        return start, stop
    known = np.unique(np.concatenate([values[np.isfinite(values)] for values in given]))
    apart = np.ones(len(known), dtype=bool)
    apart[1:] = np.diff(known) > 8 * np.finfo(np.float64).eps * np.abs(known).max()
    if apart.all():
        return start, stop
    kept = known[apart]
    if start is not None:
        start = np.where(np.isfinite(start), kept[np.maximum(np.searchsorted(kept, start, side="right") - 1, 0)], start)
    return start, kept[np.searchsorted(kept, stop, side="right") - 1]


def _whole(values: FloatArray) -> bool:
    """Whether these are whole numbers that float64 holds exactly, or minus infinity."""
    return bool(((values == np.rint(values)) & (values < 2.0**49)).all())
