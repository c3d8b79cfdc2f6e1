"""``find``: where patterns occur in journeys. Every other verb that needs a pattern asks here."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import TIME
from cjm.errors import ArgumentError
from cjm.matching._program import Letters, Program, Ran, compile_patterns, tables_of
from cjm.matching._run import run
from cjm.matching._tables import Compiler
from cjm.patterns import Pattern, Step

if TYPE_CHECKING:
    from cjm.journeys import EventArrays, Journeys

__all__ = [
    "Matches",
    "Occurrence",
    "Patterns",
    "find",
    "find_matches",
    "known_until",
    "named_patterns",
    "over_parts",
    "ranges_of",
    "scan",
    "touchpoints_of",
    "unusable",
]

Occurrence = Literal["first", "non_overlapping", "all"]
Patterns = Pattern | str | Mapping[str, Pattern | str] | Sequence[Pattern | str]
IntArray = npt.NDArray[np.int64]

T = TypeVar("T")

_OCCURRENCES = ("first", "non_overlapping", "all")
_EVENTS_A_TASK = 2_000_000


@dataclass(frozen=True)
class Matches:
    """The matches of one pattern, as positions in ``Journeys.arrays``; ordered by person and end.

    Attributes
    ----------
    person : ndarray of int64
        Row of the person in ``arrays.person``.
    start, end : ndarray of int64
        Index of the first and of the last matched event.
    refused : int
        Attempts that were refused because too many waited at once.
    """

    person: IntArray
    start: IntArray
    end: IntArray
    refused: int


def find(
    journeys: Journeys,
    patterns: Patterns,
    *,
    occurrence: Occurrence = "non_overlapping",
    complete_until: datetime | None = None,
) -> pl.DataFrame:
    """Find where patterns occur.

    Parameters
    ----------
    journeys : Journeys
    patterns : Pattern, str, mapping of str to these, or sequence of these
        The keys of a mapping are the names in the result; other patterns are named by their text.
    occurrence : {"non_overlapping", "first", "all"}
        ``"first"``: the first match of each person to be complete. ``"non_overlapping"``: after a match, matching
        starts afresh with the next event. ``"all"``: each event that completes a match. The start is always the latest
        that leads to that end.
    complete_until : datetime, optional
        Time, with a zone, up to which the data are complete. Default: their last event (``journeys.end``). An absence
        holds if its window has ended at or before this time; one that still runs then is no match.

    Returns
    -------
    polars.DataFrame
        Contract OCCURRENCES: ``pattern``, ``person``, ``start`` and ``end`` (first and last matched event), ``span``
        (their distance); and ``confirmed_at`` if a pattern ends with an absence: the instant its window ends (null for
        other patterns). Sorted by pattern in the order given, person, end (in the order of events).

    Raises
    ------
    ArgumentError
        If a pattern names a touchpoint, channel, event, or attribute that does not occur, with the nearest that does.
    PatternError
        If the text of a pattern cannot be read.

    Warns
    -----
    UserWarning
        If attempts were refused: a step with a shortest wait (``after``, or an absence before it) keeps 16 waiting
        attempts, so a match may be missing or start earlier than it could.

    Notes
    -----
    "Later" is later in the order of events, so of two events at one instant the second follows the first. A match
    that ends with an absence is complete when its window has passed; with ``"non_overlapping"`` the window belongs to
    it, and matching starts afresh after it.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame(
    ...     {"at": ["2026-01-01T10:00Z", "2026-01-02T10:00Z"], "what": ["offer", "visit"], "who": ["a", "a"]}
    ... )
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.find(journeys, {"followed": "web:offer -> web:visit within 3d"}).select("pattern", "span").row(0)
    ('followed', datetime.timedelta(days=1))
    """
    named = named_patterns(patterns)
    known_to = known_until(journeys, complete_until)

    def one(bucket: Journeys) -> tuple[pl.DataFrame, dict[str, int]]:
        matches = _matches(bucket, named, occurrence, known_to)
        return _frame(bucket, named, matches), {name: found.refused for name, found in matches.items()}

    parts = over_parts(journeys, named, one)
    _warn({name: sum(refused[name] for _, refused in parts) for name in named})
    frame = pl.concat(part for part, _ in parts)
    return frame.sort("number", maintain_order=True).drop("number") if len(parts) > 1 else frame.drop("number")


def _frame(journeys: Journeys, named: Mapping[str, Pattern], matches: Mapping[str, Matches]) -> pl.DataFrame:
    arrays = journeys.arrays
    counts = [len(found.person) for found in matches.values()]
    start = arrays.time[_joined(found.start for found in matches.values())]
    end = arrays.time[_joined(found.end for found in matches.values())]
    times = pl.DataFrame({"start": start, "end": end}).cast(TIME)
    number = np.repeat(np.arange(len(named)), counts)
    frame = pl.DataFrame(
        {
            "number": number,
            "pattern": pl.Series("pattern", list(named), dtype=pl.String).gather(number),
            "person": arrays.person[_joined(found.person for found in matches.values())],
            "start": times["start"],
            "end": times["end"],
            "span": times["end"] - times["start"],
        }
    )
    waits = [pattern.confirm_us for pattern in named.values()]
    if all(wait is None for wait in waits):
        return frame
    confirm = pl.Series(waits, dtype=pl.Int64).cast(pl.Duration("us")).gather(number)
    return frame.with_columns((times["end"] + confirm).alias("confirmed_at"))


def find_matches(
    journeys: Journeys,
    patterns: Mapping[str, Pattern],
    *,
    occurrence: Occurrence,
    complete_until: datetime | None = None,
) -> dict[str, Matches]:
    """Return the matches of each pattern as positions; parameters as for :func:`find`."""
    found = _matches(journeys, patterns, occurrence, known_until(journeys, complete_until))
    _warn({name: matches.refused for name, matches in found.items()})
    return found


def over_parts(journeys: Journeys, named: Mapping[str, Pattern], call: Callable[[Journeys], T]) -> list[T]:
    """Return what ``call`` makes of each bucket, in their order; there is a bucket in work for each processor."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(call, _parts_of(journeys, named)))


def _parts_of(journeys: Journeys, named: Mapping[str, Pattern]) -> Iterator[Journeys]:
    """Yield the buckets; all of them as one where an expression may look at more than its row."""
    steps = (step for pattern in named.values() for step in pattern.steps)
    selectors = (selector for step in steps for selector in (step.what, step.unless) if selector is not None)
    if any(selector.expression is not None for selector in selectors):
        yield journeys
    else:
        yield from journeys.buckets()


def _matches(
    journeys: Journeys, patterns: Mapping[str, Pattern], occurrence: Occurrence, known_to: int
) -> dict[str, Matches]:
    if occurrence not in _OCCURRENCES:
        raise ArgumentError.unknown("occurrence", str(occurrence), _OCCURRENCES, where="find(occurrence=...)")
    scanned = scan(journeys, patterns, occurrence=occurrence, known_to=known_to, near=False)
    refused = sum((part.refused for part in scanned), np.zeros(len(patterns), dtype=np.int64))
    rows = np.concatenate([part.rows for part in scanned])
    del scanned  # there may be many matches
    order = np.argsort(rows[:, 0], kind="stable")
    edges = np.searchsorted(rows[:, 0], np.arange(len(patterns) + 1), sorter=order)
    result = {}
    for number, name in enumerate(patterns):
        mine = order[edges[number] : edges[number + 1]]
        person, start, end = (rows[mine, column] for column in (1, 2, 3))
        result[name] = Matches(person, start, end, int(refused[number]))
    return result


def _warn(refused: Mapping[str, int]) -> None:
    few = {name: count for name, count in refused.items() if count}
    if few:
        name, count = next(iter(few.items()))
        warnings.warn(
            f"pattern {name!r}: {count} attempts were refused because too many waited at once for a step with a "
            f"shortest wait; matches may be missing. A smaller wait or a rarer first step helps"
            + (f" (so with {len(few) - 1} more patterns)" if len(few) > 1 else ""),
            UserWarning,
            stacklevel=4,
        )


def scan(
    journeys: Journeys, patterns: Mapping[str, Pattern], *, occurrence: Occurrence, known_to: int, near: bool
) -> list[Ran]:
    """Run the kernel over all persons: matches, near misses and refused attempts, range by range."""
    program = compile_patterns(list(patterns), tables_of(patterns), Compiler(journeys))
    arrays = journeys.arrays
    whole = None if program.tests else program.letters(arrays.code, 0, len(arrays.code))

    def one(persons: tuple[int, int]) -> Ran:
        return _scan(arrays, program, whole, persons, occurrence, known_to, near)

    ranges = ranges_of(arrays.offsets)
    if len(ranges) == 1:
        return [one(ranges[0])]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, ranges))


def _scan(
    arrays: EventArrays,
    program: Program,
    whole: Letters | None,
    persons: tuple[int, int],
    occurrence: Occurrence,
    known_to: int,
    near: bool,
) -> Ran:
    """Run the kernel over a range of persons."""
    start, stop = persons
    first, last = int(arrays.offsets[start]), int(arrays.offsets[stop])
    letters = program.letters(arrays.code, first, last) if whole is None else whole.part(first, last)
    return run(program, letters, arrays.offsets, arrays.time, persons, mode=occurrence, known_to=known_to, near=near)


def named_patterns(patterns: Patterns) -> dict[str, Pattern]:
    """Return the patterns by name, read from text where they are text."""
    if isinstance(patterns, (Pattern, str)):
        patterns = [patterns]
    if isinstance(patterns, Mapping):
        return {name: _read(pattern) for name, pattern in patterns.items()}
    named: dict[str, Pattern] = {}
    for pattern in map(_read, patterns):
        if str(pattern) in named:
            raise ArgumentError.at(f"the pattern {str(pattern)!r} is given twice")
        named[str(pattern)] = pattern
    return named


def _read(pattern: Pattern | str) -> Pattern:
    return pattern if isinstance(pattern, Pattern) else Pattern.parse(pattern)


def known_until(journeys: Journeys, complete_until: datetime | None) -> int:
    """Return the time up to which the data are complete, microseconds."""
    if complete_until is None:
        return journeys.end
    if not isinstance(complete_until, datetime) or complete_until.tzinfo is None:
        raise ArgumentError.at(
            f"complete_until must be a datetime with a time zone, not {complete_until!r}",
            where="find",
            hint="Write datetime(2026, 1, 31, tzinfo=timezone.utc)",
        )
    return int(pl.Series([complete_until]).cast(TIME).to_physical()[0])


def _joined(parts: Iterable[IntArray]) -> IntArray:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])


def ranges_of(offsets: IntArray) -> list[tuple[int, int]]:
    """Cut the persons into runs of about equally many events."""
    events = int(offsets[-1])
    cuts = np.searchsorted(offsets, np.arange(0, events, _EVENTS_A_TASK))
    edges = np.unique(np.concatenate(([0], cuts, [len(offsets) - 1])))
    return [(int(a), int(b)) for a, b in pairwise(edges)] or [(0, 0)]


def touchpoints_of(journeys: Journeys, selector: str) -> list[str]:
    """Return the touchpoints that a selector such as ``"store:*"`` names.

    Raises
    ------
    ArgumentError
        If it names none that occurs, or is more than a selector of touchpoints.
    """
    parsed = Pattern.parse(selector)
    step = parsed.steps[0]
    if parsed != Pattern((Step(step.what),)) or step.what.tests:
        raise ArgumentError.at(f"{selector!r} is more than touchpoints", hint='Such as "store:visit", "store:*"')
    codes = Compiler(journeys).codes(step.what, f"{selector!r}")
    return journeys.touchpoints["touchpoint"].gather(codes).to_list()


def unusable(journeys: Journeys, patterns: Mapping[str, Pattern], *, added: Sequence[str] = ()) -> dict[str, str]:
    """Return the patterns that name a touchpoint or attribute that is not there, with the reason.

    Attributes in ``added`` will be there.
    """
    compiler = Compiler(journeys)
    found = {}
    for name, pattern in patterns.items():
        try:
            for selector in tables_of({name: pattern}).selectors[0]:
                compiler.codes(selector, f"pattern {name!r}")
                tests = tuple(test for test in selector.tests if test.attribute not in added)
                if selector.expression or tests:
                    compiler.events(selector.expression or tests, f"pattern {name!r}")
        except ArgumentError as error:
            found[name] = str(error)
    return found
