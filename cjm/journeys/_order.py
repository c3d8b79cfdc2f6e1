"""Unordered, coded events to the arrays of journeys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import InputError
from cjm.journeys._arrays import EventArrays
from cjm.journeys._sessions import SessionRule, session_offsets

__all__ = ["Unordered", "ordered"]

IntArray = npt.NDArray[np.int64]


@dataclass(eq=False)
class Unordered:
    """Events in order of arrival; what is used up while they are sorted is dropped from here.

    Attributes
    ----------
    person : ndarray of int32
        Code of the person.
    time : ndarray of int64
    touchpoint : ndarray of int32
        Row in the table of touchpoints.
    known : ndarray of int64, or None
        When it could be known whose event it is.
    rest : polars.DataFrame
        ``value`` and attributes.
    """

    person: npt.NDArray[np.int32]
    time: IntArray
    touchpoint: npt.NDArray[np.int32]
    known: IntArray | None
    rest: pl.DataFrame


def ordered(
    events: Unordered, numbers: IntArray, rule: SessionRule, touchpoints: pl.Series, first_session: int
) -> tuple[EventArrays, pl.DataFrame]:
    """Sort events by person number and time, those that tie as they came, and cut sessions.

    Parameters
    ----------
    events : Unordered
    numbers : ndarray of int64
        Person number of each code.
    rule : SessionRule
    touchpoints : polars.Series
        Name of each row of the table of touchpoints.
    first_session : int
        Number of the first session.

    Returns
    -------
    EventArrays
    polars.DataFrame
        ``events.rest`` in the same order.

    Raises
    ------
    InputError
        If two persons have one number.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.sorting import order_by_rank, order_by_time

    counts = np.bincount(events.person, minlength=len(numbers))
    codes = np.flatnonzero(counts)
    codes = codes[np.argsort(numbers[codes], kind="stable")]
    person = numbers[codes]
    if np.any(person[1:] == person[:-1]):
        raise InputError.at(
            "two persons have the same person number",
            where="build_journeys",
            hint="Stitch with another salt=",
        )
    offsets = np.concatenate(([0], np.cumsum(counts[codes])))
    rank = np.full(len(numbers), -1, dtype=np.int32)
    rank[codes] = np.arange(len(codes))
    order = order_by_rank(as_array(events.person, np.int32), as_array(rank, np.int32), as_array(offsets, np.int64))
    events.person = np.empty(0, dtype=np.int32)
    time = events.time[order]
    events.time = np.empty(0, dtype=np.int64)
    order_by_time(as_array(offsets, np.int64), time, order)
    code = events.touchpoint[order]
    events.touchpoint = np.empty(0, dtype=np.int32)
    known = None
    if events.known is not None:
        known = np.maximum(time, events.known[order])
        events.known = None
        if np.array_equal(known, time):
            known = None
    cuts = session_offsets(rule, offsets, time, code, touchpoints)
    sessions = np.arange(first_session, first_session + len(cuts) - 1, dtype=np.int64)
    arrays = EventArrays(person, offsets, time, code, sessions, cuts, known)
    return arrays, events.rest[pl.Series(order)]
