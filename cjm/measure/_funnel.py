"""Funnels: how many persons get how far, how long they take, and where those who left went next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cjm.durations import Duration
from cjm.journeys import Journeys
from cjm.measure._by import By, group_names
from cjm.measure._common import END, OTHER, check_count
from cjm.measure._funnel_walk import Exclude, Steps, Walked, steps_of, walk
from cjm.measure._labels import hidden, with_absent
from cjm.measure._rates import DIFFERENCE, check_level, check_mask, compared, interval, share
from cjm.measure._touchpoints import Touchpoints
from cjm.measure._unit import Unit
from cjm.ragged import IntArray

__all__ = ["funnel", "funnel_next"]

_RATES = ["persons", "of", "rate", "low", "high", "step_rate", "step_low", "step_high"]
_TIMES = ["time_p25", "time_p50", "time_p75", "total_p50"]
_RESULT = ["step", "touchpoint", *_RATES, *_TIMES]
_NEXT = ["step", "touchpoint", "next", "persons", "of", "share", "low", "high"]


def funnel(
    journeys: Journeys,
    steps: Sequence[Touchpoints],
    *,
    within: Duration | None = None,
    order: str = "ordered",
    exclude: Exclude | None = None,
    unit: Unit = "person",
    by: By | None = None,
    level: float = 0.95,
    versus: object = None,
    min_persons: int = 0,
) -> pl.DataFrame:
    """Count the persons who take the steps, and how long they need.

    A person reaches step k if some choice of events, one after the other in the order of the journey, takes steps
    1 to k; every event that takes step 1 may be the start, and a person counts once, however often they come. The same
    touchpoint twice asks for two events.

    Parameters
    ----------
    journeys : Journeys
    steps : sequence of str, or of lists of str
        Touchpoints, such as ``["web:product", "web:cart", "store:purchase"]``. A step may also be all of a channel
        (``"web:*"``), an event in every channel (``"*:purchase"``), or a list or set of these, any of which takes it.
        A name that is not a touchpoint as it stands is read as in a pattern. At most 31 steps.
    within : duration, optional
        Longest time from step 1 to the step reached; one exactly as long counts. Default: no bound.
    order : {"ordered", "strict", "any"}
        ``"ordered"``: any other events may lie between the steps. ``"strict"``: each step is the very next event of the
        person. ``"any"``: in whatever order; row k counts the persons who take k of the steps, each by an event of its
        own and all ``within`` of the first of them. No two steps may share a touchpoint then.
    exclude : str, list of str, or mapping of int to these, optional
        Touchpoints, named as steps are, that end an attempt if they come between two of its steps; another attempt may
        still succeed. With a mapping, ``{2: ["web:logout"]}`` forbids them between steps 2 and 3 only.
    unit : {"person", "session"} or Goal
        Where the steps must lie: anywhere in what the person does, all in one session, or all in one journey towards
        the goal. It is persons that are counted.
    by : str, Cohort, Period, Goal or list of Goal, optional
        A column of ``journeys.frame``, :func:`cjm.cohort`, :func:`cjm.period`, or goals. A person belongs to the
        group of their first event of step 1 (of any step, with ``order="any"``).
    level : float
        Confidence level of the intervals, between 0 and 1.
    versus : object, optional
        A group of ``by`` to compare the others with.
    min_persons : int
        Hide the figures of steps that speak of fewer persons: of those who reached it, who did not, or who left there.

    Returns
    -------
    polars.DataFrame
        One row a step (and group): ``by`` if given, ``step`` (from 1), ``touchpoint`` (of a list: as a pattern writes
        it; ``"any 2 of 3"`` with ``order="any"``), ``persons`` who reached it, ``of`` (persons at step 1), ``rate`` =
        persons / of with its Wilson interval ``low``, ``high``, ``step_rate`` (of the persons at the step before; null
        at step 1) with ``step_low``, ``step_high``, the quartiles ``time_p25``, ``time_p50``, ``time_p75`` of the time
        since the step before, and the median ``total_p50`` of the time since step 1 (interpolated, cut to whole
        microseconds). The time of a person is taken from the attempt that is first to reach that person's furthest
        step, each of its events being the latest that fits before the next one. With ``versus``: ``difference`` of
        ``rate`` to that group's, and its Newcombe interval ``difference_low``, ``difference_high``. Empty journeys give
        no rows.

    Raises
    ------
    ArgumentError
        For a touchpoint that does not occur, no steps at all, or another argument that cannot be meant.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-02T10:00Z"],
    ...                       "what": ["home", "cart", "home"], "who": ["a", "a", "b"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.funnel(journeys, ["web:home", "web:cart"], within="1d").select("step", "persons", "of", "rate").rows()
    [(1, 2, 2, 1.0), (2, 1, 2, 0.5)]
    """
    check_level(level)
    check_mask(min_persons)
    looked_up = steps_of(journeys, steps, within, order, exclude)
    keys = group_names(by)
    added = DIFFERENCE if versus is not None else []
    walked = walk(journeys, looked_up, unit=unit, by=by, result=[*_RESULT, *DIFFERENCE])
    rows = _steps_taken(walked, looked_up)
    if by is not None or journeys.height == 0:
        rows = rows.filter(pl.col("of") > 0)
    low, high = interval(rows, "persons", "__before", level)
    rows = rows.with_columns(
        *interval(rows, "persons", "of", level),
        share(rows["persons"], rows["of"]).alias("rate"),
        share(rows["persons"], rows["__before"]).alias("step_rate"),
        low.alias("step_low"),
        high.alias("step_high"),
    ).rename({"__group": keys[0] if keys else "__group"})
    rows = compared(rows, by, versus, ["step"], "persons", "of", level)
    rows = rows.with_columns(__left=pl.col("__before") - pl.col("persons"))
    rows = hidden(rows, by, versus, min_persons, ["step"], ["persons", "__left"], [*_RATES, *_TIMES], "of")
    return rows.select(*keys, *_RESULT, *added)


def _steps_taken(walked: Walked, steps: Steps) -> pl.DataFrame:
    """Return the counts and times of all groups and steps, sorted by both."""
    width = len(steps.labels)
    persons = walked.persons
    cells = {name: np.zeros(persons.shape, dtype=np.int64) for name in _TIMES}
    known = np.zeros(persons.shape, dtype=bool)
    for j in range(1, width):
        there = np.flatnonzero(walked.reached > j)
        group = walked.group[there]
        known[:, j] = persons[:, j] > 0
        waits = _sorted_in_groups(walked.times[there, j] - walked.times[there, j - 1], group, len(walked.groups))
        for name, quarters in (("time_p25", 1), ("time_p50", 2), ("time_p75", 3)):
            cells[name][:, j] = _quantile(waits, persons[:, j], quarters)
        if j > 1:
            waits = _sorted_in_groups(walked.times[there, j] - walked.times[there, 0], group, len(walked.groups))
        cells["total_p50"][:, j] = _quantile(waits, persons[:, j], 2)
    before = np.column_stack([np.zeros(len(persons), dtype=np.int64), persons[:, :-1]])
    is_first = pl.col("step") == 1
    return pl.DataFrame(
        {
            "__group": walked.groups.gather(np.repeat(np.arange(len(persons)), width)),
            "step": np.tile(np.arange(1, width + 1, dtype=np.int64), len(persons)),
            "touchpoint": pl.Series(steps.labels * len(persons), dtype=pl.String),
            "persons": persons.ravel(),
            "of": np.repeat(persons[:, 0], width),
            "__before": before.ravel(),
            "__known": known.ravel(),
            **{name: values.ravel() for name, values in cells.items()},
        }
    ).with_columns(pl.when(~is_first).then("__before"), pl.when("__known").then(pl.col(_TIMES)).cast(pl.Duration("us")))


def _sorted_in_groups(values: IntArray, group: IntArray, groups: int) -> IntArray:
    return np.sort(values) if groups == 1 else values[np.lexsort((values, group))]


def _quantile(values: IntArray, counts: IntArray, quarters: int) -> IntArray:
    """Return a quartile of each group, of ``values`` sorted in groups of these sizes; anything where there is none."""
    if len(values) == 0:
        return np.zeros(len(counts), dtype=np.int64)
    begin = np.cumsum(counts) - counts
    whole, rest = np.divmod((counts - 1) * quarters, 4)
    lower = values[np.clip(begin + whole, 0, len(values) - 1)]
    upper = values[np.clip(begin + np.minimum(whole + 1, counts - 1), 0, len(values) - 1)]
    cut: IntArray = lower + ((upper - lower) * rest) // 4
    return cut


def funnel_next(
    journeys: Journeys,
    steps: Sequence[Touchpoints],
    *,
    within: Duration | None = None,
    order: str = "ordered",
    exclude: Exclude | None = None,
    unit: Unit = "person",
    by: By | None = None,
    top: int = 10,
    level: float = 0.95,
    versus: object = None,
    min_persons: int = 0,
) -> pl.DataFrame:
    """Say where the persons went who left a funnel: the touchpoint right behind the last step they took.

    Parameters
    ----------
    journeys, steps, within, order, exclude, unit, by
        As for :func:`cjm.funnel`.
    top : int
        How many touchpoints to show a step, the most frequent over all groups; the others become ``"(other)"``.
    level : float
        Confidence level of the intervals, between 0 and 1.
    versus : object, optional
        A group of ``by`` to compare the others with: its share is 0 where others went and it did not.
    min_persons : int
        Hide the figures of rows that speak of fewer persons.

    Returns
    -------
    polars.DataFrame
        One row a step that is not the last and touchpoint behind it (and group): ``by`` if given, ``step``,
        ``touchpoint`` (as in a funnel), ``next``, ``persons``, ``of`` (persons who reached the step and not the next
        one), ``share`` = persons / of with its Wilson interval ``low``, ``high``; with ``versus`` the ``difference`` of
        ``share`` with ``difference_low`` and ``difference_high``. A person counts with the touchpoint right behind the
        last event that took their furthest step; ``"(end)"`` if the path (of the ``unit``) ends there. Sorted by group,
        step, persons (most first), ``next``.

    Raises
    ------
    ArgumentError
        As for :func:`cjm.funnel`.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": [f"2026-01-0{day}T10:00Z" for day in (1, 2, 1, 1)],
    ...                       "what": ["home", "help", "home", "cart"], "who": ["a", "a", "b", "c"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.funnel_next(journeys, ["web:home", "web:cart"]).select("step", "next", "persons", "of").rows()
    [(1, '(end)', 1, 2), (1, 'web:help', 1, 2)]
    """
    check_level(level)
    check_mask(min_persons)
    check_count("top", top)
    looked_up = steps_of(journeys, steps, within, order, exclude)
    keys = group_names(by)
    added = DIFFERENCE if versus is not None else []
    walked = walk(journeys, looked_up, unit=unit, by=by, result=[*_NEXT, *DIFFERENCE])
    left = np.flatnonzero(walked.reached < walked.width)
    counted = (
        pl.DataFrame({"__group": walked.group[left], "step": walked.reached[left], "__code": walked.after[left]})
        .group_by("__group", pl.col("step").cast(pl.Int64), pl.col("__code").replace(-1, None))
        .agg(persons=pl.len().cast(pl.Int64))
    )
    names = journeys.touchpoints["touchpoint"].cast(pl.String)
    counted = counted.with_columns(next=names.gather(counted["__code"]).fill_null(END))
    shown = (
        counted.group_by("step", "next")
        .agg(pl.col("persons").sum())
        .sort("step", -pl.col("persons"), "next")
        .select("step", "next", __shown=pl.int_range(pl.len()).over("step") < top)
    )
    rows = (
        counted.join(shown, on=["step", "next"], how="left")
        .with_columns(next=pl.when("__shown").then("next").otherwise(pl.lit(OTHER)))
        .group_by("__group", "step", "next")
        .agg(pl.col("persons").sum())
        .with_columns(of=pl.col("persons").sum().over("__group", "step"))
        .sort("__group", "step", -pl.col("persons"), "next")
    )
    rows = rows.with_columns(
        walked.groups.gather(rows["__group"]).alias(keys[0] if keys else "__label"),
        pl.Series("touchpoint", looked_up.labels, dtype=pl.String).gather(rows["step"] - 1),
    )
    way = ["step", "next"]
    rows = with_absent(rows, by, versus, way, ["persons"], ["of"], within=["step"])
    rows = rows.with_columns(share(rows["persons"], rows["of"]).alias("share"), *interval(rows, "persons", "of", level))
    rows = compared(rows, by, versus, way, "persons", "of", level)
    figures = ["persons", "of", "share", "low", "high"]
    rows = hidden(rows, by, versus, min_persons, way, ["persons"], figures, "of")
    return rows.filter("__shown").select(*keys, *_NEXT, *added)
