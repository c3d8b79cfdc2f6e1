"""Paths as they could be known: never earlier than the persons of their events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import TIME
from cjm.journeys import EventArrays, Journeys
from cjm.patterns import Pattern
from cjm.progress import bar
from cjm.ragged import offsets_of_sorted, places_in_sorted
from cjm.survival._design import Completion, IntArray

__all__ = ["first_completions", "known_completions"]

Places = npt.NDArray[Any]

_AT_ONCE, _FEWEST = 64, 8  # paths that are looked for in one pass: their completions are held
_EVENTS = 2_000_000_000  # times paths of a pass, at most


def known_completions(journeys: Journeys, patterns: Mapping[str, Pattern | str], *, every: bool) -> pl.DataFrame:
    """Return when paths were complete and known.

    Stitching may give an anonymous event to a customer who logs in later. That the customer was still there to log in
    must not count for the path: it is dated when the last of the events from its start to its end could be known to be
    the person's. For a path that ends with an absence the window must have passed too.

    Parameters
    ----------
    journeys : Journeys
    patterns : mapping of str to Pattern or str
    every : bool
        All completions that were known at the completing event itself; otherwise the first of each person.

    Returns
    -------
    polars.DataFrame
        ``pattern``, ``person``, ``end``; sorted by pattern in the order given, and by person.
    """
    from cjm.matching import named_patterns

    found = _completed(journeys, named_patterns(dict(patterns)), lambda persons: persons, every=every)
    parts = [
        pl.DataFrame({"pattern": pl.Series([name]).new_from_index(0, len(person)), "person": person, "end": end})
        for name, person, end in found
    ]
    return pl.concat(parts).with_columns(pl.col("end").cast(TIME))


def first_completions(
    journeys: Journeys, patterns: Mapping[str, Pattern], persons: IntArray, *, every: bool = False
) -> Iterator[Completion]:
    """Yield, a pattern, the places in ``persons`` (rising) of those who completed it, and when it was known.

    Places rise, and times (microseconds) within a person where there are several; meaning as for
    :func:`known_completions`, with far fewer rows held at once.
    """

    def place_of(person: IntArray) -> npt.NDArray[np.int32]:
        return places_in_sorted(persons, person).astype(np.int32)

    for name, place, time in _completed(journeys, patterns, place_of, every=every):
        ours = place >= 0
        yield name, place[ours], time[ours]


def _completed(
    journeys: Journeys, patterns: Mapping[str, Pattern], label: Callable[[IntArray], Places], *, every: bool
) -> Iterator[tuple[str, Places, IntArray]]:
    """Yield, a pattern, the label of the person of each completion, and its time; labels are made once a bucket."""
    from cjm.matching import find_matches

    names = list(patterns)
    labels: list[Places] = []
    at_once = max(_FEWEST, min(_AT_ONCE, _EVENTS // max(journeys.height, 1)))
    with bar("paths", -(-len(names) // at_once)) as done:
        for start in range(0, len(names), at_once):
            some = {name: patterns[name] for name in names[start : start + at_once]}
            found: dict[str, list[tuple[Places, IntArray]]] = {name: [] for name in some}
            for place, bucket in enumerate(journeys.buckets()):
                arrays = bucket.arrays
                if place == len(labels):
                    labels.append(label(arrays.person))
                first = not every and arrays.known_from is None
                for name, matches in find_matches(bucket, some, occurrence="first" if first else "all").items():
                    person, at = matches.person, arrays.time[matches.end]
                    at = at + (some[name].confirm_us or 0)
                    if not first:
                        person, at = _dated(arrays, matches.start, matches.end, person, at, every)
                    found[name].append((labels[place][person], at))
            done()
            for name in some:
                parts = found.pop(name)
                yield name, np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _dated(
    arrays: EventArrays, start: IntArray, end: IntArray, person: IntArray, at: IntArray, every: bool
) -> tuple[IntArray, IntArray]:
    """Date matches to when all their events were known to be the person's.

    Of each person the first is kept or, with ``every``, those that were known at once.
    """
    if arrays.known_from is None or not len(at):
        known = at
    else:
        ranges = np.column_stack((start, end + 1)).ravel()
        known = np.maximum(at, np.maximum.reduceat(np.append(arrays.known, 0), ranges)[::2])
    if every:
        kept = known == at
        return person[kept], at[kept]
    runs = offsets_of_sorted(person)[:-1]
    return person[runs], np.minimum.reduceat(known, runs) if len(runs) else known
