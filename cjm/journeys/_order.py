"""Unordered, coded events to the arrays of journeys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import InputError
from cjm.events import together
from cjm.journeys._arrays import EventArrays
from cjm.journeys._sessions import SessionRule, session_offsets

__all__ = ["Unordered", "inverse", "ordered"]

IntArray = npt.NDArray[np.int64]


@dataclass(eq=False)
class Unordered:
    """A piece of events in order of arrival; what is used up while they are sorted is dropped from here.

    Attributes
    ----------
    person : ndarray of int32
        Code of the person.
    time : ndarray of int64
    touchpoint : ndarray of int32
        Code of the touchpoint.
    known : ndarray of int64, or None
        When it could be known whose event it is.
    rest : dict of str to polars.Series
        ``value`` and attributes.
    """

    person: npt.NDArray[np.int32]
    time: IntArray
    touchpoint: npt.NDArray[np.int32]
    known: IntArray | None
    rest: dict[str, pl.Series]

    @property
    def height(self) -> int:
        """Number of events."""
        return len(self.person)


def inverse(order: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return where each row stands in an order of rows, or the order from where each row stands."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.sorting import put_rows

    place = np.empty_like(order)
    put_rows(as_array(order, np.uint32), place)
    return place


def ordered(
    pieces: Sequence[Unordered],
    numbers: IntArray,
    rows: npt.NDArray[np.int32],
    touchpoints: pl.Series,
    rule: SessionRule,
    first_session: int,
) -> tuple[EventArrays, pl.DataFrame]:
    """Sort events by person number and time, those that tie as they came, and cut sessions.

    Parameters
    ----------
    pieces : sequence of Unordered
        In order of arrival. They are used up.
    numbers : ndarray of int64
        Person number of each code.
    rows : ndarray of int32
        Row in ``touchpoints`` of each code of a touchpoint.
    touchpoints : polars.Series
        Their names.
    rule : SessionRule
    first_session : int
        Number of the first session.

    Returns
    -------
    EventArrays
    polars.DataFrame
        ``value`` and attributes in the same order.

    Raises
    ------
    InputError
        If two persons have one number.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.sorting import count_codes, order_by_time, places, put

    counts = np.zeros(len(numbers), dtype=np.int64)
    for piece in pieces:
        count_codes(as_array(piece.person, np.int32), counts)
    codes = np.flatnonzero(counts)
    codes = codes[np.argsort(numbers[codes], kind="stable")]
    person = numbers[codes]
    if np.any(person[1:] == person[:-1]):
        raise InputError.at(
            "two persons have the same person number", where="build_journeys", hint="Stitch with another salt="
        )
    offsets = np.concatenate(([0], np.cumsum(counts[codes])))
    rank = np.full(len(numbers), -1, dtype=np.int32)
    rank[codes] = np.arange(len(codes))
    free, place = offsets[:-1].copy(), np.empty(offsets[-1], dtype=np.uint32)
    ends = np.cumsum([0, *(piece.height for piece in pieces)])
    spans = [slice(first, stop) for first, stop in pairwise(ends.tolist())]
    for piece, span in zip(pieces, spans, strict=True):
        places(as_array(piece.person, np.int32), as_array(rank, np.int32), free, place[span])

    def sorted_(name: str, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        values = np.empty(len(place), dtype=dtype)
        for piece, span in zip(pieces, spans, strict=True):
            put(as_array(getattr(piece, name), dtype), as_array(place[span], np.uint32), values)
            setattr(piece, name, None)
        return values

    late = any(piece.known is not None for piece in pieces)
    if late:
        for piece in pieces:
            piece.known = piece.time if piece.known is None else np.maximum(piece.time, piece.known)
    time = sorted_("time", np.int64)
    order = np.empty(0, dtype=np.uint32)
    unsorted = order_by_time(as_array(offsets, np.int64), time, order) > 0
    if unsorted:
        order = np.arange(len(place), dtype=np.uint32)
        order_by_time(as_array(offsets, np.int64), time, order)
        place = inverse(order)[place]
    code = rows[sorted_("touchpoint", np.int32)]
    known = sorted_("known", np.int64) if late else None
    cuts = session_offsets(rule, offsets, time, code, touchpoints)
    sessions = np.arange(first_session, first_session + len(cuts) - 1, dtype=np.int64)
    arrays = EventArrays(person, offsets, time, code, sessions, cuts, known)
    return arrays, _rest(pieces, place)


def _rest(pieces: Sequence[Unordered], place: npt.NDArray[np.uint32]) -> pl.DataFrame:
    """Return the other columns in order, one after the other, so that few are in memory twice."""
    rows = pl.Series(inverse(place))
    names = dict.fromkeys(name for piece in pieces for name in piece.rest)
    columns = []
    for name in names:
        parts = []
        for piece in pieces:
            column = piece.rest.pop(name, None)
            if column is None:  # a source without it
                column = pl.repeat(None, piece.height, dtype=pl.Null, eager=True)
            parts.append(column.alias(name).to_frame())
        columns.append(together(parts, "the sources")[name].gather(rows))
    value = pl.repeat(None, len(place), dtype=pl.Float64, eager=True).alias("value")
    return (
        pl.DataFrame(columns or {"value": value})
        .with_columns(*([] if "value" in names else [value]))
        .select("value", pl.exclude("value"))
    )
