"""``near_misses``: attempts at a pattern that came to nothing, at which step, and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cjm.contracts import TIME
from cjm.matching._find import Patterns, known_until, named_patterns, over_parts, scan
from cjm.patterns import Pattern

if TYPE_CHECKING:
    from cjm.journeys import Journeys

__all__ = ["near_misses"]

_REASONS = ("timeout", "unless", "superseded", "interrupted", "came")  # in the order of the kernel


def near_misses(journeys: Journeys, patterns: Patterns, *, complete_until: datetime | None = None) -> pl.DataFrame:
    """Find attempts at patterns that began and came to nothing.

    An attempt that got as far as a step and did not get further is one row, at the step it waited for. Those that still
    may succeed when the data end are left out.

    Parameters
    ----------
    journeys : Journeys
    patterns : Pattern, str, mapping of str to these, or sequence of these
        As for :func:`find`, which takes these attempts without overlap (``occurrence="non_overlapping"``).
    complete_until : datetime, optional
        As for :func:`find`.

    Returns
    -------
    polars.DataFrame
        ``pattern``, ``person``, ``start`` (its first event), ``step`` (number of the step it waited for, the first is
        1), ``reason`` and ``at`` (when it ended); sorted by pattern in the order given, person, ``at``. Reasons:
        ``timeout`` (a limit passed), ``unless`` (its event came), ``superseded`` (a newer attempt, or a match, took its
        place), ``interrupted`` (the very next event was another), ``came`` (what must not come did).

    Raises
    ------
    ArgumentError, PatternError
        As for :func:`find`.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> times = ["2026-01-01T10:00Z", "2026-01-05T10:00Z", "2026-01-09T10:00Z"]
    >>> frame = pl.DataFrame({"at": times, "what": ["offer", "visit", "home"], "who": ["a", "a", "a"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> near_misses(journeys, {"followed": "web:offer -> web:visit within 3d"}).select("step", "reason").row(0)
    (2, 'timeout')
    """
    named = named_patterns(patterns)
    known_to = known_until(journeys, complete_until)
    parts = over_parts(journeys, named, lambda bucket: _frame(bucket, named, known_to))
    return pl.concat(parts).sort("number", "person", "at", maintain_order=True).drop("number")


def _frame(journeys: Journeys, named: dict[str, Pattern], known_to: int) -> pl.DataFrame:
    scanned = scan(journeys, named, occurrence="non_overlapping", known_to=known_to, near=True)
    number, person, start, wait, reason, at = np.concatenate([ran.misses for ran in scanned]).T
    step = np.zeros(len(wait), dtype=np.int64)
    for m, pattern in enumerate(named.values()):
        mine = np.flatnonzero(number == m)
        waited, kept_out = _steps(pattern)
        came = reason[mine] == _REASONS.index("came")
        step[mine] = np.where(came, np.array(kept_out)[wait[mine]], np.array(waited)[wait[mine]])
    arrays = journeys.arrays
    times = pl.DataFrame({"start": arrays.time[start], "at": at}).cast(TIME)
    return pl.DataFrame(
        {
            "number": number,
            "pattern": pl.Series(list(named), dtype=pl.String).gather(number),
            "person": arrays.person[person],
            "start": times["start"],
            "step": step,
            "reason": pl.Series(_REASONS, dtype=pl.String).gather(reason),
            "at": times["at"],
        }
    )


def _steps(pattern: Pattern) -> tuple[list[int], list[int]]:
    """Return for each wait the number of the step it waits for, and of the first absence in front of it.

    There is one more entry, for the absences at the end.
    """
    waited: list[int] = [1] if pattern.steps[0].count > 1 else []
    kept_out: list[int] = [0] * len(waited)
    first = 0
    for number, step in enumerate(pattern.steps[1:], start=2):
        if step.absent:
            first = first or number
        else:
            waited.append(number)
            kept_out.append(first)
            first = 0
    return [*waited, first], [*kept_out, first]
