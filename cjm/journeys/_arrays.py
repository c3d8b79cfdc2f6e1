"""The dense arrays that everything to the right of ``build_journeys`` scans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = ["EventArrays", "joined"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class EventArrays:
    """Events sorted by person, time and arrival, and the runs that belong to persons and sessions.

    Events of person ``i`` (row ``i`` of ``person``) are ``[offsets[i], offsets[i + 1])`` in ``time`` and ``code``;
    those of session ``s`` are ``[session_offsets[s], session_offsets[s + 1])``. No session spans two persons.

    Attributes
    ----------
    person : ndarray of int64, shape (persons,)
        Person numbers, ascending.
    offsets : ndarray of int64, shape (persons + 1,)
    time : ndarray of int64, shape (events,)
        Microseconds since 1970 UTC.
    code : ndarray of int32, shape (events,)
        Row of the touchpoint in ``Journeys.touchpoints``.
    session_number : ndarray of int64, shape (sessions,)
        Session numbers, ascending.
    session_offsets : ndarray of int64, shape (sessions + 1,)
    known_from : ndarray of int64, shape (events,), or None
        When it could be known whose event it is, where that was later than the event; None if it never was.
    """

    person: IntArray
    offsets: IntArray
    time: IntArray
    code: npt.NDArray[np.int32]
    session_number: IntArray
    session_offsets: IntArray
    known_from: IntArray | None = None

    @cached_property
    def person_row(self) -> IntArray:
        """Row of the person for each event."""
        return np.repeat(np.arange(len(self.person), dtype=np.int64), np.diff(self.offsets))

    @property
    def session(self) -> IntArray:
        """Session number of each event."""
        return np.repeat(self.session_number, np.diff(self.session_offsets))

    @property
    def known(self) -> IntArray:
        """When it could be known whose event it is: its time, or later where stitching looked ahead."""
        return self.time if self.known_from is None else self.known_from

    def take(self, rows: IntArray) -> EventArrays:
        """Keep some events, given in ascending order; person and session numbers stay."""
        offsets = np.searchsorted(rows, self.offsets)
        persons = np.flatnonzero(np.diff(offsets))
        session_offsets = np.searchsorted(rows, self.session_offsets)
        sessions = np.flatnonzero(np.diff(session_offsets))
        return EventArrays(
            person=self.person[persons],
            offsets=np.append(offsets[persons], len(rows)),
            time=self.time[rows],
            code=self.code[rows],
            session_number=self.session_number[sessions],
            session_offsets=np.append(session_offsets[sessions], len(rows)),
            known_from=None if self.known_from is None else self.known_from[rows],
        )

    def of_persons(self, first: int, stop: int) -> EventArrays:
        """Keep the persons in rows ``first`` to ``stop`` of ``person``; nothing is copied but offsets."""
        low, high = int(self.offsets[first]), int(self.offsets[stop])
        sessions = slice(*np.searchsorted(self.session_offsets, (low, high)))
        return EventArrays(
            person=self.person[first:stop],
            offsets=self.offsets[first : stop + 1] - low,
            time=self.time[low:high],
            code=self.code[low:high],
            session_number=self.session_number[sessions],
            session_offsets=np.append(self.session_offsets[sessions], high) - low,
            known_from=None if self.known_from is None else self.known_from[low:high],
        )


def joined(parts: Sequence[EventArrays]) -> EventArrays:
    """Put arrays end to end, which are in ascending order of persons and sessions."""
    if len(parts) == 1:
        return parts[0]
    late = any(part.known_from is not None for part in parts)
    return EventArrays(
        person=np.concatenate([part.person for part in parts]),
        offsets=_ends([part.offsets for part in parts]),
        time=np.concatenate([part.time for part in parts]),
        code=np.concatenate([part.code for part in parts]),
        session_number=np.concatenate([part.session_number for part in parts]),
        session_offsets=_ends([part.session_offsets for part in parts]),
        known_from=np.concatenate([part.known for part in parts]) if late else None,
    )


def _ends(parts: Sequence[IntArray]) -> IntArray:
    """Put offsets that each begin at 0 end to end."""
    shifts = np.cumsum([0, *(offsets[-1] for offsets in parts)])
    moved = [offsets[1:] + shift for offsets, shift in zip(parts, shifts[:-1], strict=True)]
    return np.concatenate([np.zeros(1, dtype=np.int64), *moved])
