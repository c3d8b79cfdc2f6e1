"""Sessions: a person's events with no pause longer than the gap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["session_numbers"]

IntArray = npt.NDArray[np.int64]


def session_numbers(person: IntArray, time: IntArray, gap: int) -> IntArray:
    """Return the session number of events sorted by person and time: 0, 1, 2, ... over all persons.

    A pause longer than ``gap`` starts a session; one exactly as long does not.

    Examples
    --------
    >>> session_numbers(np.array([1, 1, 1, 2]), np.array([0, 30, 61, 61]), gap=30).tolist()
    [0, 0, 1, 2]
    """
    starts = np.ones(len(time), dtype=np.int64)
    starts[1:] = (person[1:] != person[:-1]) | (np.diff(time) > gap)
    return np.cumsum(starts) - 1
