"""Whose path it is: a person's, a session's, or that of a journey towards a goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.measure._goal import Goal
from cjm.measure._instances import instances_of
from cjm.ragged import IntArray

__all__ = ["Paths", "Unit", "paths_of"]

Unit: TypeAlias = str | Goal


@dataclass(frozen=True, eq=False)
class Paths:
    """Path ``i`` consists of the events ``[offsets[i], offsets[i + 1])`` of ``code`` and ``time``, in order.

    Attributes
    ----------
    offsets : ndarray of int64, shape (paths + 1,)
    owner : ndarray of int64, shape (paths,)
        Row of the person in ``EventArrays.person``, ascending.
    rows : ndarray of int64, or None
        Row of each event in ``EventArrays``; None if they are all there in order, as for persons and sessions.
    code : ndarray of int32
    time : ndarray of int64
    """

    offsets: IntArray
    owner: IntArray
    rows: IntArray | None
    code: npt.NDArray[np.int32]
    time: IntArray


def paths_of(bucket: Journeys, unit: Unit) -> Paths:
    """Return the paths of each ``"person"``, of each ``"session"``, or of the journeys towards a goal.

    Raises
    ------
    ArgumentError
        For another unit.
    """
    arrays = bucket.arrays
    if isinstance(unit, Goal):
        found = instances_of(bucket, unit)
        return Paths(found.offsets, found.owner, found.rows, arrays.code[found.rows], arrays.time[found.rows])
    if unit not in ("person", "session"):
        raise ArgumentError.unknown("value", unit, ("person", "session"), where="unit=")
    if unit == "person":
        owner = np.arange(len(arrays.person), dtype=np.int64)
        return Paths(arrays.offsets, owner, None, arrays.code, arrays.time)
    sessions = np.diff(np.searchsorted(arrays.session_offsets, arrays.offsets))
    owner = np.repeat(np.arange(len(arrays.person), dtype=np.int64), sessions)
    return Paths(arrays.session_offsets, owner, None, arrays.code, arrays.time)
