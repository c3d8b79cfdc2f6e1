"""Key figures of journeys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl

from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.matching._tables import Compiler
from cjm.measure._by import By, group_names
from cjm.measure._goal import Goal, check_goals
from cjm.measure._kpi_counts import CANCEL, CONTACT, FIRST_VALUE, count
from cjm.measure._kpi_figures import NAMES, Named, figure_rows
from cjm.measure._kpi_registry import Kpi, registered_kpis
from cjm.measure._labels import hidden
from cjm.measure._rates import DIFFERENCE, check_level, check_mask, compared, interval
from cjm.measure._touchpoints import Touchpoints, chosen
from cjm.periods import check_zone

__all__ = ["kpis"]

_RESULT = ["kpi", "value", "numerator", "denominator", "low", "high", "unit", "about"]


def kpis(
    journeys: Journeys,
    *,
    by: By | None = None,
    goals: Goal | Sequence[Goal] = (),
    first_value: Touchpoints = (),
    cancel: Touchpoints = (),
    contacts: Touchpoints = (),
    more: Sequence[Kpi] = (),
    time_zone: str = "UTC",
    level: float = 0.95,
    versus: object = None,
    min_persons: int = 0,
) -> pl.DataFrame:
    """Compute the key figures, for all events or for each group of them.

    Parameters
    ----------
    journeys : Journeys
    by : str, Cohort, Period, Goal or list of Goal, optional
        A column of ``journeys.frame``, :func:`cjm.cohort`, :func:`cjm.period`, or goals. Each group is measured on its
        own events: its persons and sessions are those with an event in the group, a session's events and ends are
        those inside the group. So a person can be in several groups, and a session can be a bounce in one of them. A
        journey towards one of ``goals`` belongs to the group of its first event.
    goals : Goal or sequence of Goal
        Adds the figures of journeys towards each of them.
    first_value, cancel, contacts : str or list of str
        Touchpoints in which a person first gets what they came for; with which they leave; and with which they ask for
        help. A touchpoint, ``"call:*"``, ``"*:uninstall"``, or a list of these.
    more : sequence of Kpi
        Further figures, made by :func:`cjm.kpi`, besides those of :func:`cjm.register_kpi`.
    time_zone : str
        Zone of the calendar days in which persons are active.
    level : float
        Confidence level of the intervals, between 0 and 1.
    versus : object, optional
        A group of ``by`` to compare the others with.
    min_persons : int
        Hide figures that speak of fewer persons, or of all but fewer.

    Returns
    -------
    polars.DataFrame
        One row a figure (and group): ``by`` if given, ``kpi``, ``value``, ``numerator``, ``denominator``, the Wilson
        interval ``low``, ``high`` (of the figures named ``..._rate``, null for others), ``unit``, ``about`` (the goal
        or the touchpoints, null for others). The figures:

        - ``events``, ``persons``, ``sessions``: counts.
        - ``sessions_per_person``, ``events_per_session``, ``channels_per_person`` (distinct channels): means.
        - ``bounce_rate``: sessions of one event, of all sessions.
        - ``returning_rate``: persons with more than one session, of all persons.
        - ``multichannel_rate``: persons with more than one channel, of all persons.
        - ``session_pause_median``: days from the end of a session to the start of the person's next one; the
          ``denominator`` is the number of such pauses.
        - ``session_length_median``: seconds from first to last event, of sessions with more than one event, whose
          number is the ``denominator``.
        - ``stickiness``: daily over monthly active persons. Summed over the calendar days from the 30th of the
          journeys to ``journeys.end``: persons active on the day, over persons active on it or in the 29 days before.
          Null where the journeys are shorter than 30 days.
        - ``daily_active_persons``, ``weekly_active_persons``, ``monthly_active_persons``: persons active on a day, or
          in the 7 or 30 days up to it; the mean over the days from the 1st, 7th or 30th of the journeys on, whose
          number is the ``denominator``. The journeys begin with the day of ``journeys.start``; for a calendar period
          they begin and end with it, for a cohort they begin with it.
        - ``switches_per_session``: how often an event comes by another channel than the one before in the session.
        - with ``first_value``: ``first_value_rate``, persons who got there, of all persons; and
          ``first_value_time_median``, days from the first event of a person to the first such event, of those who got
          there, whose number is the ``denominator``. Persons who came late have had less time to get there (their
          waits are censored by the end of the data): the rate counts them as not there and the median leaves them out,
          so that both come out low. :func:`cjm.survival_curves` allows for that.
        - with ``cancel``: ``cancellation_rate``, persons with such an event, of all persons.
        - with ``contacts``: ``contacts_per_person``, such events over persons.
        - for each goal: ``goal_journeys``, their number; ``completion_rate``, journeys that reached the goal, of those
          that are over (open ones may still reach it, so near the end of the data those that are quick to end count
          more: where that matters, give the goal a ``timeout`` and leave out journeys that began less than that before
          the end); ``completion_time_median``, days from start to end of those
          that reached it, whose number is the ``denominator``; ``switches_per_journey``, changes of channel; with
          ``contacts`` also ``contacts_per_journey``.
        - then the figures that were registered, and ``more``. Their ``numerator`` and ``denominator`` are null where
          these are not whole numbers. Sums are exact.

        A figure without observations is null. With ``versus``: ``difference`` of ``value`` to that group's, and
        Newcombe's interval ``difference_low``, ``difference_high`` where the figure is a rate. Empty journeys give no
        rows.

    Raises
    ------
    ArgumentError
        For an unknown column in ``by``, a touchpoint that does not occur, two figures of one name, an expression that
        fails, or another argument that cannot be meant.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-02T10:00Z"],
    ...                       "what": ["home", "cart", "home"], "who": ["a", "a", "b"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.kpis(journeys).select("kpi", "value", "numerator", "denominator").row(5)
    ('bounce_rate', 0.5, 1, 2)
    """
    check_level(level)
    check_mask(min_persons)
    check_zone(time_zone)
    listed = check_goals(goals) if isinstance(goals, Goal) or len(goals) else []
    further = _further(more)
    compiler = Compiler(journeys)
    flags = np.zeros(len(compiler.code), dtype=np.int32)
    labels: dict[str, str | None] = {}
    for name, what, flag in (
        ("first_value", first_value, FIRST_VALUE),
        ("cancel", cancel, CANCEL),
        ("contacts", contacts, CONTACT),
    ):
        found = chosen(compiler, what, f"{name}=") if what else None
        labels[name] = found.label if found else None
        if found:
            flags[found.codes] |= flag
    added = DIFFERENCE if versus is not None else []
    totals = count(journeys, by, flags, listed, further, time_zone, [*_RESULT, *DIFFERENCE])
    rows = figure_rows(totals, Named(**labels), listed, further)
    rows = rows.with_columns(interval(rows, "numerator", "denominator", level)).with_columns(
        pl.when("__share").then(pl.col("low", "high"))
    )
    keys = group_names(by)
    if keys:
        rows = rows.with_columns(totals.labels.gather(rows["__group"]).alias(keys[0]))
    rows = _compared(rows, by, versus, level)
    figures = ["value", "numerator", "denominator", "low", "high"]
    return hidden(rows, by, versus, min_persons, ["kpi", "about"], ["__part"], figures, "__of").select(
        *keys, *_RESULT, *added
    )


def _further(more: Sequence[Kpi]) -> list[Kpi]:
    """Return the registered figures and ``more``."""
    if isinstance(more, Kpi) or not all(isinstance(figure, Kpi) for figure in more):
        raise ArgumentError.at(
            f"must be a list of key figures, not {more!r}", where="more=", hint="Make them with cjm.kpi"
        )
    further = [*registered_kpis(), *more]
    names = Counter([*NAMES, *(figure.name for figure in further)])
    twice = next((figure.name for figure in further if names[figure.name] > 1), None)
    if twice is not None:
        raise ArgumentError.at(f"there is a figure {twice!r} already", where="more=", hint="Give it another name")
    return further


def _compared(rows: pl.DataFrame, by: By | None, versus: object, level: float) -> pl.DataFrame:
    """Add the differences to the group ``versus``; intervals for shares only."""
    if versus is None:
        return rows
    shares = [pl.when("__share").then(name).alias(f"__{name}") for name in ("numerator", "denominator")]
    rows = compared(rows.with_columns(shares), by, versus, ["kpi", "about"], "__numerator", "__denominator", level)
    (name,) = group_names(by)
    reference = rows.filter(pl.col(name) == versus).select("kpi", "about", __reference="value")
    rows = rows.join(reference, on=["kpi", "about"], how="left", nulls_equal=True, maintain_order="left")
    apart = pl.when(pl.col(name).ne_missing(versus)).then(pl.col("value") - pl.col("__reference"))
    return rows.with_columns(difference=pl.when("__share").then("difference").otherwise(apart))
