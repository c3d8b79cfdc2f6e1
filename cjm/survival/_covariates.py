"""Covariates in little room: rare indicators as places of ones, all others as numbers of unit scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from cjm.survival._threads import cuts, in_threads

__all__ = ["Covariates"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
RowArray = npt.NDArray[np.int32]

_RARE = 0.25
"""A column of zeros and ones with at most this share of ones is kept as the places of its ones."""
_PARTS = 4
"""Parts into which the terms are cut; each has a count a row and a mark a person of its own."""
_LEAST, _ROWS = 400_000, 500_000
"""Fewest values in a part of the terms, and most rows in a part of the rows."""


@dataclass(frozen=True, eq=False)
class Covariates:
    """Covariates of rows.

    Attributes
    ----------
    at, ones : ndarray of int64, of uint16
        Row ``i`` has a one at the rare indicators ``ones[at[i]:at[i + 1]]``, ascending.
    dense : ndarray, shape (rows, other terms)
        The other terms, less ``centre`` and divided by ``spread``.
    order : ndarray of int64, shape (terms,)
        Which term stands at each place: rare indicators first.
    centre, spread : ndarray, shape (terms,)
        What was taken off and divided by, by place; 0 and 1 for rare kernels.
    means : ndarray, shape (terms,)
        Weighted means of the terms, by place.
    exposure : ndarray of int64, shape (terms, 2)
        By term: persons with it not zero in some row, and events in such rows; of all rows, not only those kept.
    """

    at: IntArray
    ones: npt.NDArray[np.uint16]
    dense: FloatArray
    order: IntArray
    centre: FloatArray
    spread: FloatArray
    means: FloatArray
    exposure: IntArray

    @classmethod
    def build(
        cls,
        column: Callable[[int], FloatArray],
        terms: int,
        rows: RowArray,
        weight: FloatArray,
        person: IntArray,
        died: npt.NDArray[np.bool_],
    ) -> Covariates:
        """Return the covariates of ``rows``.

        Parameters
        ----------
        column : callable
            From the number of a term to its values, one for each of all rows.
        terms : int
        rows : ndarray of int32
            Rows to keep, in their order.
        weight : ndarray, shape (len(rows),)
        person, died : ndarray
            Person, and whether there is an event, of all rows; for the counts.
        """
        from cjm.kernels import covariates as kernels
        from cjm.kernels._jit import as_array

        who = as_array(person, np.int64), as_array(died, np.bool_)
        exposure = np.zeros((terms, 2), dtype=np.int64)
        is_rare = np.zeros(terms, dtype=np.bool_)
        most = int(_RARE * len(person))

        def count(low: int, high: int) -> npt.NDArray[np.uint16]:
            """Count the ones of rare terms by row, and the exposed of all."""
            ones = np.zeros(len(person), dtype=np.uint16)
            marks = np.zeros(int(person.max()) + 1, dtype=np.int32)
            for j in range(low, high):
                values = as_array(column(j), np.float64)
                is_rare[j] = j < np.iinfo(np.uint16).max and kernels.count_ones(values, most, ones) >= 0
                exposure[j] = kernels.exposed(values, *who, j + 1, marks)
            return ones

        parts = in_threads(count, cuts(terms, max(-(-terms // _PARTS), _LEAST // len(person), 1)))
        counts = np.zeros(len(person) + 1, dtype=np.int64)
        for part in parts:
            counts[1:] += part
        rare = np.flatnonzero(is_rare).tolist()
        lengths = counts[1:][rows]
        np.cumsum(counts, out=counts)
        ones = np.empty(int(counts[-1]), dtype=np.uint16)
        free = counts[:-1].copy()
        for place, j in enumerate(rare):
            in_threads(partial(_place, as_array(column(j), np.float64), place, free, ones), cuts(len(person), _ROWS))
        at = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(lengths, out=at[1:])
        kept = np.empty(int(at[-1]), dtype=np.uint16)
        kernels.take_rows(counts, ones, rows, at, kept)
        others = [j for j in range(terms) if j not in set(rare)]
        centre, spread, means = np.zeros(terms), np.ones(terms), np.zeros(terms)
        heavy = np.bincount(kept, weights=np.repeat(weight, lengths), minlength=len(rare))
        means[: len(rare)] = heavy[: len(rare)] / weight.sum()
        dense = np.empty((len(rows), len(others)))
        spare = np.empty(len(rows) if others else 0)
        for place, j in enumerate(others):
            values = as_array(column(j), np.float64)
            mean, size = kernels.scale_column(values, rows, weight, spare, dense, place)
            centre[len(rare) + place] = means[len(rare) + place] = mean
            spread[len(rare) + place] = size
        order = np.array([*rare, *others], dtype=np.int64)
        return cls(at, kept, dense, order, centre, spread, means, exposure)

    def by_term(self, values: FloatArray) -> FloatArray:
        """Return a vector by place as one by term; a matrix in both directions."""
        found = np.empty_like(values)
        if values.ndim == 1:
            found[self.order] = values
        else:
            found[np.ix_(self.order, self.order)] = values
        return found

    def by_place(self, values: FloatArray) -> FloatArray:
        """Return a vector by term as one by place."""
        return values[self.order]


def _place(values: FloatArray, place: int, free: IntArray, ones: npt.NDArray[np.uint16], low: int, high: int) -> None:
    from cjm.kernels.covariates import place_ones

    place_ones(values[low:high], place, free[low:high], ones)
