"""Identities of a log whose sources have got more events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.identity._change import changed
from cjm.identity._coding import Region
from cjm.identity._evidence import Log, Part
from cjm.identity._identities import Identities
from cjm.identity._patched import patched

__all__ = ["grown"]

Int64Array = npt.NDArray[np.int64]


class More(Log, Protocol):
    """Further events of a source."""

    @property
    def before(self) -> int:
        """How many events the source had."""


def grown(
    people: Identities, log: Log, more: Sequence[More], tables: Mapping[str, pl.DataFrame] | None = None
) -> tuple[Identities, Int64Array]:
    """Return what stitching finds in a log that has grown, and the persons whose events are not what they were.

    Only the persons whom the new events touch are made anew. Where times tie the order is that of the log: a new event
    of one source comes before a former one of the next.

    Parameters
    ----------
    people : Identities
        Of the log as it was; a log and nothing else.
    log : EventLog
        As it is now.
    more : sequence of More
        What is new in each source, in the order of the log.
    tables : mapping of str to polars.DataFrame, optional
        ``map``, ``links`` and ``conflicts`` of ``people``: those of the result are made of them.

    Returns
    -------
    Identities
        The same as one call of :func:`cjm.stitch` on the log would find.
    ndarray of int64
        Numbers of persons, ascending: those who got events, lost some to others or have some that could be known
        otherwise.
    """
    evidence = people._evidence
    (whole,) = evidence.parts
    ends = np.cumsum([0, *(one.before for one in more)])
    former = [
        Part(None, whole.time[first:stop], whole.codes[:, first:stop], rank)
        for rank, (first, stop) in enumerate(pairwise(ends))
    ]
    after = replace(evidence, parts=tuple(former))
    for rank, one in enumerate(more):
        after = after.with_log(one)
        after = replace(after, parts=(*after.parts[:-1], replace(after.parts[-1], rank=rank)))
    before = replace(people, _evidence=replace(evidence, parts=tuple(former)))
    found, region = changed(before, after, np.empty(0, np.int32))
    result = _in_one(found, log)
    if tables is not None:
        vars(result).update(patched(found, region, tables))
    return result, _touched(before, found, region)


def _touched(before: Identities, after: Identities, region: Region) -> Int64Array:
    rows, first = region.rows, len(before._found.person)
    of_old = rows[rows < first]
    old, new = (
        np.append(one._numbers.of, np.int64(-1))[one._found.person[some]]
        for one, some in ((before, of_old), (after, rows))
    )
    known = before._found.known[of_old] != after._found.known[of_old]
    other = np.flatnonzero((old != new[: len(old)]) | known)
    persons = np.unique(np.concatenate([old[other], new[other], new[len(old) :]]))
    return persons[persons >= 0]


def _in_one(people: Identities, log: Log) -> Identities:
    """Return the same with all events as one part, in the order of the log."""
    evidence, found = people._evidence, people._found
    parts = evidence.parts
    order = sorted(range(len(parts)), key=lambda number: parts[number].rank)
    ends = np.cumsum([0, *(len(part.time) for part in parts)])

    def joined(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if order == sorted(order):
            return values
        return np.concatenate([values[ends[number] : ends[number + 1]] for number in order])

    whole = Part(
        log,
        np.concatenate([parts[number].time for number in order]),
        np.concatenate([parts[number].codes for number in order], axis=1),
    )
    found = replace(found, person=joined(found.person), reason=joined(found.reason), known=joined(found.known))
    return Identities(replace(evidence, parts=(whole,)), found, people._numbers, people._clusters)
