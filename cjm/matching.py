"""``find``: where patterns occur in journeys. Every other verb that needs a pattern asks here."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import TIME
from cjm.errors import ArgumentError
from cjm.patterns import Pattern
from cjm.patterns._pattern import waits_of
from cjm.patterns._parts import Name, Selector, Step, Test

if TYPE_CHECKING:
    from cjm.journeys import Journeys

__all__ = ["Matches", "Occurrence", "Patterns", "find", "find_matches", "named_patterns"]

Occurrence = Literal["first", "non_overlapping", "all"]
Patterns = Pattern | str | Mapping[str, Pattern | str] | Sequence[Pattern | str]
IntArray = npt.NDArray[np.int64]

_FOREVER = np.iinfo(np.int64).max
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
        Time, with a zone, up to which the data are complete. Default: the last event of the journeys (``journeys.end``).
        An absence holds once its window has ended at or before this time; one that still runs then is no match.

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
    "Later" is later in the order of events, so of two events at one instant the second follows the first. A match that
    ends with an absence is complete when its window has passed; with ``"non_overlapping"`` the window belongs to it, and
    matching starts afresh after it.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-02T10:00Z"], "what": ["offer", "visit"], "who": ["a", "a"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.find(journeys, "web:offer -> web:visit within 3d").select("pattern", "start", "span").row(0)[2]
    datetime.timedelta(days=1)
    """
    named = named_patterns(patterns)
    matches = find_matches(journeys, named, occurrence=occurrence, complete_until=complete_until)
    arrays = journeys.arrays
    counts = [len(found.person) for found in matches.values()]
    start = arrays.time[_joined(found.start for found in matches.values())]
    end = arrays.time[_joined(found.end for found in matches.values())]
    times = pl.DataFrame({"start": start, "end": end}).cast(TIME)
    names = pl.Series("pattern", list(named), dtype=pl.String)
    frame = pl.DataFrame(
        {
            "pattern": names.gather(np.repeat(np.arange(len(named)), counts)),
            "person": arrays.person[_joined(found.person for found in matches.values())],
            "start": times["start"],
            "end": times["end"],
            "span": times["end"] - times["start"],
        }
    )
    waits = [pattern.confirm_us for pattern in named.values()]
    if all(wait is None for wait in waits):
        return frame
    confirm = pl.Series(waits, dtype=pl.Int64).cast(pl.Duration("us")).gather(np.repeat(np.arange(len(named)), counts))
    return frame.with_columns((times["end"] + confirm).alias("confirmed_at"))


def find_matches(
    journeys: Journeys,
    patterns: Mapping[str, Pattern],
    *,
    occurrence: Occurrence,
    complete_until: datetime | None = None,
) -> dict[str, Matches]:
    """Return the matches of each pattern as positions; parameters as for :func:`find`."""
    if occurrence not in _OCCURRENCES:
        raise ArgumentError.unknown("occurrence", str(occurrence), _OCCURRENCES, where="find(occurrence=...)")
    known_to = _known_to(journeys, complete_until)
    compiler = _Compiler(journeys)
    tasks = {name: compiler.compile(name, pattern) for name, pattern in patterns.items()}
    ranges = _ranges(journeys.arrays.offsets)
    mode = _OCCURRENCES.index(occurrence)

    def scan(task: tuple[_Tables, int, int]) -> tuple[IntArray, int]:
        return _scan(journeys, *task, mode=mode, known_to=known_to)

    parts = [(tables, start, stop) for tables in tasks.values() for start, stop in ranges]
    if len(journeys.arrays.time) * len(patterns) > _EVENTS_A_TASK:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            scanned = list(pool.map(scan, parts))
    else:
        scanned = [scan(part) for part in parts]
    result: dict[str, Matches] = {}
    for number, name in enumerate(tasks):
        mine = scanned[number * len(ranges) : (number + 1) * len(ranges)]
        rows = np.concatenate([part[0] for part in mine])
        result[name] = Matches(rows[:, 0], rows[:, 1], rows[:, 2], sum(part[1] for part in mine))
    refused = {name: found.refused for name, found in result.items() if found.refused}
    if refused:
        name, count = next(iter(refused.items()))
        warnings.warn(
            f"pattern {name!r}: {count} attempts were refused because too many waited at once for a step with a "
            f"shortest wait; matches may be missing. A smaller wait or a rarer first step helps"
            + (f" (so with {len(refused) - 1} more patterns)" if len(refused) > 1 else ""),
            UserWarning,
            stacklevel=3,
        )
    return result


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


def _known_to(journeys: Journeys, complete_until: datetime | None) -> int:
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


def _ranges(offsets: IntArray) -> list[tuple[int, int]]:
    """Cut the persons into runs of about equally many events."""
    events = int(offsets[-1])
    cuts = np.searchsorted(offsets, np.arange(0, events, _EVENTS_A_TASK))
    edges = np.unique(np.concatenate(([0], cuts, [len(offsets) - 1])))
    return [(int(a), int(b)) for a, b in pairwise(edges)] or [(0, 0)]


@dataclass(frozen=True)
class _Tables:
    """A pattern compiled for given journeys; see ``cjm.kernels.matching``."""

    table: npt.NDArray[np.uint32]
    gate: npt.NDArray[np.uint32]
    first_bit: int
    last_bit: int
    waits: IntArray
    absences: IntArray
    span: int


class _Compiler:
    """Turns patterns into tables; keeps the results of attribute tests that several patterns share."""

    def __init__(self, journeys: Journeys) -> None:
        self.journeys = journeys
        self.touchpoints = journeys.touchpoints["touchpoint"].to_list()
        self.code = {name: code for code, name in enumerate(self.touchpoints)}
        self.passed: dict[Selector, npt.NDArray[np.bool_]] = {}

    def compile(self, name: str, pattern: Pattern) -> _Tables:
        where = f"pattern {name!r}"
        bits: dict[Selector, int] = {}

        def bit(selector: Selector | None) -> int:
            return 0 if selector is None else 1 << bits.setdefault(selector, len(bits))

        first = bit(pattern.steps[0].what)
        rows, absences, slots = [], [], 0
        waits = waits_of(pattern)
        for number, wait in enumerate(waits):
            step = wait.step
            within = _FOREVER if step.within is None else step.within
            quiet = max((_window(absence) for absence in wait.absences), default=-1)
            rows.append(
                (bit(step.what), within, wait.earliest, step.count, step.strict, bit(step.unless), quiet, slots, wait.attempts)
            )
            absences += [(number, bit(absence.what), _window(absence)) for absence in wait.absences]
            slots += wait.attempts
        at_end = pattern.steps[len(pattern.steps) - _trailing(pattern) :]
        absences += [(len(waits), bit(absence.what), _window(absence)) for absence in at_end]
        table = np.zeros(len(self.touchpoints), dtype=np.uint32)
        for selector, place in bits.items():
            table[self.codes(selector, where)] |= np.uint32(1 << place)
        return _Tables(
            table,
            self.gate(bits, where),
            first,
            rows[-1][0] if rows else first,
            np.array(rows, dtype=np.int64).reshape(-1, 9),
            np.array(absences, dtype=np.int64).reshape(-1, 3),
            _FOREVER if pattern.span_us is None else pattern.span_us,
        )
