"""What a measure can be split by: a column, the cohort of a person, a calendar period, a goal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.codes import ranked
from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.measure._common import ranked_groups
from cjm.measure._goal import Goal, check_goals
from cjm.measure._instances import instances_of
from cjm.periods import Periods, check_every, check_zone, periods
from cjm.ragged import IntArray

__all__ = ["By", "Cohort", "Groups", "Period", "Slice", "cohort", "group_names", "period", "slices"]


@dataclass(frozen=True)
class Cohort:
    """Groups of persons by the calendar period of their first event; made by :func:`cohort`."""

    every: str
    time_zone: str


@dataclass(frozen=True)
class Period:
    """Groups of events by the calendar period they fall in; made by :func:`period`."""

    every: str
    time_zone: str


By: TypeAlias = str | Cohort | Period | Goal | Sequence[Goal]

_CODED = ("channel", "event", "touchpoint")
_PLAIN = ("person", "time")


def cohort(every: str, *, time_zone: str = "UTC") -> Cohort:
    """Split persons by the calendar period of their first event: a value for ``by=``; the column is ``cohort``.

    Parameters
    ----------
    every : str
        Length of a period: a number and one of the units ``us ms s m h d w mo q y``; weeks begin on Mondays.
    time_zone : str
        Zone in which periods begin.

    Raises
    ------
    ArgumentError
        For a length that cannot be read or an unknown time zone.

    Examples
    --------
    >>> cohort("1mo")
    Cohort(every='1mo', time_zone='UTC')
    """
    check_every(every)
    check_zone(time_zone)
    return Cohort(every, time_zone)


def period(every: str, *, time_zone: str = "UTC") -> Period:
    """Split events by calendar period: a value for ``by=``; the column is ``period``.

    Parameters
    ----------
    every : str
        Length of a period: a number and one of the units ``us ms s m h d w mo q y``; weeks begin on Mondays.
    time_zone : str
        Zone in which periods begin.

    Raises
    ------
    ArgumentError
        For a length that cannot be read or an unknown time zone.

    Examples
    --------
    >>> period("1w", time_zone="Europe/Warsaw")
    Period(every='1w', time_zone='Europe/Warsaw')
    """
    check_every(every)
    check_zone(time_zone)
    return Period(every, time_zone)


@dataclass(frozen=True, eq=False)
class Groups:
    """To which group each event belongs.

    Attributes
    ----------
    name : str
        Column of the result.
    labels : polars.Series
        The groups, each once; text is String.
    code : ndarray of int32, shape (events,)
        Row of the event's group in ``labels``.
    """

    name: str
    labels: pl.Series
    code: npt.NDArray[np.int32]

    def of(self, rows: IntArray | slice = slice(None)) -> pl.Series:
        """Return the groups of some events, as a column of the result."""
        return self.named(self.code[rows])

    def named(self, code: npt.NDArray[np.integer]) -> pl.Series:
        """Return groups given by their row in ``labels``, as a column of the result."""
        return self.labels.gather(pl.Series(code)).alias(self.name)


@dataclass(frozen=True, eq=False)
class Slice:
    """A bucket of journeys and the groups of its events, or None without ``by=``."""

    journeys: Journeys
    groups: Groups | None


def group_names(by: By | None) -> list[str]:
    """Return the column that ``by`` adds to a result, in a list; an empty list without ``by``."""
    if by is None:
        return []
    if isinstance(by, str):
        return [by]
    return [{Cohort: "cohort", Period: "period"}.get(type(by), "goal")]


def slices(journeys: Journeys, by: By | None, result: Iterable[str]) -> Iterator[Slice]:
    """Yield the journeys bucket by bucket with the groups of ``by``; goals one after the other.

    In a column of numbers, one that is not a number (NaN) is a missing value. Figures of the slices add up, since no
    person is in two buckets: :func:`cjm.measure._common.summed` does it.

    Raises
    ------
    ArgumentError
        For a column that does not exist, or one that bears the name of a column of the ``result``.
    """
    for name in group_names(by):
        if name in result:
            raise ArgumentError.at(
                f"the result has a column {name!r} of its own", where="by=", hint="Split by something else, or rename"
            )
    goals = _check(journeys, by)
    edges = periods(by.every, by.time_zone, journeys.start, journeys.end) if isinstance(by, Cohort | Period) else None
    for bucket in journeys.buckets():
        if by is None:
            yield Slice(bucket, None)
        elif isinstance(by, str):
            yield Slice(bucket, _by_column(bucket, by))
        elif edges is not None:
            yield Slice(bucket, _by_calendar(bucket, by, edges))
        else:
            for goal in goals:
                inside = bucket.take(np.unique(instances_of(bucket, goal).rows))
                nought = np.zeros(inside.height, dtype=np.int32)
                yield Slice(inside, Groups("goal", pl.Series([goal.name], dtype=pl.String), nought))


def _check(journeys: Journeys, by: By | None) -> list[Goal]:
    """Check ``by``; return its goals, if any."""
    if isinstance(by, str):
        if by == "session":
            raise ArgumentError.at(
                "each session would be a group of its own",
                where="by=",
                hint='For the paths of sessions, where a verb has paths, write unit="session"',
            )
        options = [*_PLAIN, *_CODED, *journeys.schema]
        if by not in options:
            raise ArgumentError.unknown("column", by, options, where="by=")
        return []
    if by is None or isinstance(by, Cohort | Period):
        return []
    if not isinstance(by, Goal | Sequence):
        raise ArgumentError.at(
            f"cannot be {by!r}", where="by=", hint="Give a column, cjm.cohort(...), cjm.period(...) or goals"
        )
    return check_goals(cast("Goal | Sequence[Goal]", by))


def _by_column(bucket: Journeys, name: str) -> Groups:
    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_timeline import groups_of

    if name in _CODED:
        texts = bucket.touchpoints[name].cast(pl.String)
        labels, places = ranked_groups(texts)
        of_touchpoint = as_array(places, np.int32)
        return Groups(name, labels, groups_of(as_array(bucket.arrays.code, np.int32), of_touchpoint))
    values = bucket.frame.select(name).collect().to_series() if name in _PLAIN else bucket.attribute(name)
    if isinstance(values.dtype, pl.Categorical):
        return _by_text(name, values)
    if values.dtype.is_float():
        values = values.fill_nan(None) + 0.0  # one missing value, one zero
    labels, places = ranked_groups(values)
    return Groups(name, labels, places.astype(np.int32))


def _by_text(name: str, values: pl.Series) -> Groups:
    place, texts = ranked(values)
    missing = values.null_count() > 0
    if missing:
        place[place < 0] = len(texts)
    return Groups(name, texts.extend_constant(None, int(missing)), place)


def _by_calendar(bucket: Journeys, by: By, edges: Periods) -> Groups:
    arrays = bucket.arrays
    if isinstance(by, Period):
        code = edges.of(arrays.time)
    else:
        code = np.repeat(edges.of(arrays.time[arrays.offsets[:-1]]), np.diff(arrays.offsets))
    return Groups(group_names(by)[0], edges.labels(np.arange(len(edges.starts))), code)
