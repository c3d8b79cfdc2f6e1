"""Tables of rows for models of one's own: what is known before, and whether churn follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import polars as pl

from cjm.contracts import TIME
from cjm.durations import DAY_US, Duration, to_us
from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.patterns import Pattern
from cjm.survival._bias import refuse_bias, refuse_spells
from cjm.survival._design import IntArray
from cjm.survival._known import first_completions, known_completions
from cjm.survival._rows import at_events, completion_times, event_rows, origins, path_rows
from cjm.survival._subjects import Subjects
from cjm.survival._times import signs_of_life

__all__ = ["event_table", "landmark_table", "period_table", "spell_table"]

Patterns = Pattern | str | Mapping[str, Pattern | str] | Sequence[Pattern | str]


def spell_table(
    subjects: Subjects, journeys: Journeys, patterns: Patterns, *, allow_bias: bool = False
) -> pl.DataFrame:
    """Return (start, stop] rows: each subject's time at risk, cut wherever a path is completed.

    A path acts strictly after it is complete and known, so one completed at the instant of churn never acts, and one
    completed by entry acts from entry on. For :func:`cjm.survival.cox` and any other model of hazards in time.

    Parameters
    ----------
    subjects : Subjects
    journeys : Journeys
        Where the paths are looked for.
    patterns : Pattern, str, mapping of str to these, or sequence of these
        The keys of a mapping, else the texts of the patterns, name the columns.
    allow_bias : bool
        Make it for churn by silence all the same.

    Returns
    -------
    polars.DataFrame
        ``person``, ``start``, ``stop`` (days since time zero), ``churned``, a Boolean column a path, and the attributes
        of the subjects; sorted by person and start.

    Raises
    ------
    ArgumentError
        For churn by silence (also where its times were inferred from it): nobody can have been silent for long soon
        after an event, so every path looks protective. If a path has the name of another column.

    Examples
    --------
    >>> from cjm.survival._example import example, example_journeys
    >>> rows = spell_table(example(), example_journeys(), {"help": "web:offer -> web:help"})
    >>> rows.filter(person=1).drop("plan").rows()
    [(1, 0.0, 5.0, False, False), (1, 5.0, 30.0, True, True)]
    """
    _refuse(journeys, subjects, allow_bias, "spell_table")
    named, first = _first(subjects, journeys, patterns, where="spell_table")
    rows = path_rows(subjects.frame, first)
    columns = {"start": rows.start, "stop": rows.stop, "churned": rows.churned}
    return _table(subjects, rows.subject, columns, dict(zip(named, rows.x.T, strict=True)))


def event_table(
    subjects: Subjects, journeys: Journeys, patterns: Patterns, *, effect: Literal["onward", "event"] = "onward"
) -> pl.DataFrame:
    """Return a row an event of a subject that was watched for the whole gap of a silence after it.

    For churn by silence: whether an event was the last is compared with other events of the same number.

    Parameters
    ----------
    subjects : Subjects
        With churn by silence.
    journeys, patterns
        As for :func:`spell_table`.
    effect : {"onward", "event"}
        Whether a path is true from the event at which it is complete on, or at that event alone (every completion).

    Returns
    -------
    polars.DataFrame
        ``person``, ``time``, ``number`` (of the event, from 1), ``churned`` (nothing followed within the gap), a
        Boolean column a path, and the attributes of the subjects; sorted by person and time.

    Raises
    ------
    ArgumentError
        If churn is not by silence, or a path has the name of another column.

    Examples
    --------
    >>> from cjm.survival import Churn, subjects
    >>> from cjm.survival._example import example_journeys
    >>> quiet = subjects(example_journeys(), Churn.inactive("30d"))
    >>> rows = event_table(quiet, example_journeys(), {"help": "web:offer -> web:help"})
    >>> rows.filter(person=1).select("number", "churned", "help").rows()
    [(1, False, False), (2, False, True), (3, True, True)]
    """
    if subjects.churn.kind != "inactive":
        raise ArgumentError.at(
            f"churn is {subjects.churn}", where="event_table", hint="For churn at a time there is spell_table"
        )
    if effect not in ("onward", "event"):
        raise ArgumentError.unknown("effect", effect, ["onward", "event"], where="event_table")
    named, first = _first(subjects, journeys, patterns, where="event_table")
    rows = event_rows(signs_of_life(journeys, subjects.churn.touchpoints), subjects.frame, subjects.churn.gap)
    if effect == "onward":
        paths = {name: first[rows.subject, j] <= rows.time for j, name in enumerate(named)}
    else:
        found = known_completions(journeys, named, every=True)
        paths = dict(zip(named, at_events(subjects.frame, rows, found, list(named)).T == 1, strict=True))
    columns = {"time": pl.Series(rows.time).cast(TIME), "number": rows.number, "churned": rows.silent}
    return _table(subjects, rows.subject, columns, paths)


def landmark_table(
    subjects: Subjects,
    journeys: Journeys,
    patterns: Patterns,
    *,
    at: Duration | Sequence[Duration],
    horizon: Duration | None = None,
    allow_bias: bool = False,
) -> pl.DataFrame:
    """Return who was at risk at landmarks, which paths they had completed by then, and what followed.

    Parameters
    ----------
    subjects, journeys, patterns
        As for :func:`spell_table`.
    at : duration or sequence of durations
        Landmarks, since time zero.
    horizon : duration, optional
        How long after a landmark is looked at; without it, to the end.
    allow_bias : bool
        Make it for churn by silence all the same.

    Returns
    -------
    polars.DataFrame
        ``person``, ``landmark`` (days since time zero), ``time`` (days from the landmark to exit or horizon),
        ``churned`` (within the horizon), a Boolean column a path, and the attributes; sorted by landmark and person.

    Raises
    ------
    ArgumentError
        For churn by silence, as for :func:`spell_table`.

    Examples
    --------
    >>> from cjm.survival._example import example, example_journeys
    >>> rows = landmark_table(example(), example_journeys(), {"help": "web:offer -> web:help"}, at="10d", horizon="30d")
    >>> rows.drop("plan").head(2).rows()
    [(1, 10.0, 20.0, True, True), (2, 10.0, 30.0, False, False)]
    """
    _refuse(journeys, subjects, allow_bias, "landmark_table")
    named, first = _first(subjects, journeys, patterns, where="landmark_table")
    zero, entry, exit_ = _times(subjects)
    parts = []
    for mark in [at] if not isinstance(at, Sequence) or isinstance(at, str) else at:
        moment = zero + to_us(mark, "at")
        there = np.flatnonzero((entry <= moment) & (exit_ > moment))
        last = exit_[there] if horizon is None else np.minimum(exit_[there], moment[there] + to_us(horizon, "horizon"))
        columns = {
            "landmark": np.full(len(there), to_us(mark, "at") / DAY_US),
            "time": (last - moment[there]) / DAY_US,
            "churned": subjects.frame["churned"].to_numpy()[there] & (last == exit_[there]),
        }
        paths = {name: first[there, j] <= moment[there] for j, name in enumerate(named)}
        parts.append(_table(subjects, there, columns, paths))
    if not parts:
        raise ArgumentError.at("no landmark is given", where="landmark_table(at=...)")
    return pl.concat(parts)


def period_table(
    subjects: Subjects, journeys: Journeys, patterns: Patterns, *, every: Duration, allow_bias: bool = False
) -> pl.DataFrame:
    """Return a row a person and period: paths completed by its start, and churn within it.

    Only periods that a person was at risk in from their start, and that ended in churn or were observed to their end,
    have a row. For classifiers of any kind (gradient boosting, logistic regression): the product of 1 - probability
    over periods is a survival curve.

    Parameters
    ----------
    subjects, journeys, patterns
        As for :func:`spell_table`.
    every : duration
        Length of a period; periods are counted from time zero.
    allow_bias : bool
        Make it for churn by silence all the same.

    Returns
    -------
    polars.DataFrame
        ``person``, ``period`` (from 0), ``churned``, a Boolean column a path, and the attributes; sorted by person and
        period.

    Raises
    ------
    ArgumentError
        For churn by silence, as for :func:`spell_table`, or if ``every`` is zero.

    References
    ----------
    Allison (1982), Discrete-time methods for the analysis of event histories, Sociological Methodology 13.

    Examples
    --------
    >>> from cjm.survival._example import example, example_journeys
    >>> rows = period_table(example(), example_journeys(), {"help": "web:offer -> web:help"}, every="20d")
    >>> rows.filter(person=1).drop("plan").rows()
    [(1, 0, False, False), (1, 1, True, True)]
    """
    _refuse(journeys, subjects, allow_bias, "period_table")
    length = to_us(every, "every")
    if length == 0:
        raise ArgumentError.at("a period has no length", where="period_table(every=...)")
    named, first = _first(subjects, journeys, patterns, where="period_table")
    zero, entry, exit_ = _times(subjects)
    churned = subjects.frame["churned"].to_numpy()
    begin = -(-(entry - zero) // length)
    # the period (start, start + length] that holds the churn is the last one; else the last that ended by exit
    stop = np.where(churned, -(-(exit_ - zero) // length), (exit_ - zero) // length)
    counts = np.maximum(stop - begin, 0)
    subject = np.repeat(np.arange(len(counts)), counts)
    period = np.arange(len(subject)) - np.repeat(np.cumsum(counts) - counts, counts) + begin[subject]
    start = zero[subject] + period * length
    columns = {"period": period, "churned": churned[subject] & (period == stop[subject] - 1)}
    paths = {name: first[subject, j] <= start for j, name in enumerate(named)}
    return _table(subjects, subject, columns, paths)


def _refuse(journeys: Journeys, subjects: Subjects, allow_bias: bool, where: str) -> None:
    if not allow_bias:
        refuse_bias(journeys, subjects, effect="onward", clock="time", where=where, instead="event_table")


def _first(
    subjects: Subjects, journeys: Journeys, patterns: Patterns, *, where: str
) -> tuple[dict[str, Pattern], IntArray]:
    """Return the patterns by name, and when each subject first completed each."""
    from cjm.matching import named_patterns

    refuse_spells(subjects, where=where)
    named = named_patterns(patterns)
    if not named:
        raise ArgumentError.at("no patterns are given", where=where)
    persons = subjects.frame["person"].to_numpy()
    return named, completion_times(subjects.frame, first_completions(journeys, named, persons))


def _times(subjects: Subjects) -> tuple[IntArray, IntArray, IntArray]:
    """Return time zero, entry and exit of each subject, microseconds."""
    entry, exit_ = (subjects.frame[name].to_physical().to_numpy() for name in ("entry", "exit"))
    return origins(subjects.frame), entry, exit_


def _table(
    subjects: Subjects, row: IntArray, columns: Mapping[str, object], paths: Mapping[str, object]
) -> pl.DataFrame:
    """Put persons, columns, paths and attributes side by side."""
    own = {"person", "entry", "exit", "duration", "churned", "end", "entry_days"}
    attributes = [name for name in subjects.frame.columns if name not in own]
    taken = {"person", *columns, *attributes}
    clash = [name for name in paths if name in taken]
    if clash:
        raise ArgumentError.at(f"{clash[0]!r} is both a path and another column", hint="Rename the path")
    found = subjects.frame.select("person", *attributes)[row]
    return pl.DataFrame({"person": found["person"], **columns, **paths}).hstack(found.select(attributes))
