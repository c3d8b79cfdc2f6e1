"""Covariates in little room: rare indicators as places of ones, all others as numbers of unit scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Covariates"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
RowArray = npt.NDArray[np.int32]

_RARE = 0.25
"""A column of zeros and ones with at most this share of ones is kept as the places of its ones."""


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
        marks = np.zeros(int(person.max()) + 1, dtype=np.int64)
        counts = np.zeros(len(person) + 1, dtype=np.int64)
        most = int(_RARE * len(person))
        rare = [
            j
            for j in range(min(terms, np.iinfo(np.uint16).max))
            if kernels.count_ones(as_array(column(j), np.float64), most, counts[1:]) >= 0
        ]
        lengths = counts[1:][rows]
        np.cumsum(counts, out=counts)
        ones = np.empty(int(counts[-1]), dtype=np.uint16)
        free = counts[:-1].copy()
        exposure = np.zeros((terms, 2), dtype=np.int64)
        for place, j in enumerate(rare):
            values = as_array(column(j), np.float64)
            exposure[j] = kernels.place_ones(values, place, free, ones, *who, j + 1, marks)
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
            exposure[j] = kernels.exposed(values, *who, j + 1, marks)
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
