"""Many short sequences as one array of values and one of offsets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Ragged", "offsets_of_sorted", "places_in_sorted"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ragged:
    """Sequence ``i`` is ``values[offsets[i]:offsets[i + 1]]``.

    Attributes
    ----------
    values : ndarray, shape (n,)
    offsets : ndarray of int64, shape (sequences + 1,)
    """

    values: npt.NDArray[Any]
    offsets: IntArray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> npt.NDArray[Any]:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        return (self[index] for index in range(len(self)))

    @property
    def lengths(self) -> IntArray:
        """Number of values a sequence."""
        return np.diff(self.offsets)


def offsets_of_sorted(keys: npt.NDArray[Any]) -> IntArray:
    """Return the offsets of the runs of equal neighbours in ``keys``.

    Examples
    --------
    >>> offsets_of_sorted(np.array([4, 4, 9])).tolist()
    [0, 2, 3]
    """
    if len(keys) == 0:
        return np.zeros(1, dtype=np.int64)
    starts = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    return np.concatenate(([0], starts, [len(keys)])).astype(np.int64)


def places_in_sorted(keys: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> IntArray:
    """Return where each of ``wanted`` stands in ``keys``, which are sorted and differ; -1 where it does not.

    Examples
    --------
    >>> places_in_sorted(np.array([2, 5, 9]), np.array([5, 7, 2])).tolist()
    [1, -1, 0]
    """
    if len(keys) == 0:
        return np.full(len(wanted), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, -1).astype(np.int64)
