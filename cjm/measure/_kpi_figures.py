"""Which key figures there are, and their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cjm.durations import DAY_US
from cjm.errors import ArgumentError
from cjm.measure._goal import Goal
from cjm.measure._kpi_counts import Median, Totals
from cjm.measure._kpi_registry import Kpi
from cjm.measure._kpi_sums import ONE
from cjm.measure._rates import share
from cjm.ragged import IntArray

__all__ = ["NAMES", "Named", "figure_rows"]

_SECOND_US = 1_000_000
_LARGEST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Named:
    """How the touchpoints read that a caller named; None for those they did not."""

    first_value: str | None
    cancel: str | None
    contacts: str | None


@dataclass(frozen=True)
class _Ratio:
    """One count over another; the count itself without a denominator. With an interval if the name ends in _rate.

    ``part`` of the persons in ``of`` are those whom the figure speaks of.
    """

    kpi: str
    numerator: str
    denominator: str | None
    unit: str
    part: str = "persons"
    of: str = "persons"


_COUNTS = (
    _Ratio("events", "events", None, "count"),
    _Ratio("persons", "persons", None, "count"),
    _Ratio("sessions", "sessions", None, "count"),
    _Ratio("sessions_per_person", "sessions", "persons", "sessions a person"),
    _Ratio("events_per_session", "events", "sessions", "events a session"),
    _Ratio("bounce_rate", "bounced", "sessions", "share"),
    _Ratio("returning_rate", "returning", "persons", "share", "returning"),
    _Ratio("channels_per_person", "channels", "persons", "channels a person"),
    _Ratio("multichannel_rate", "multichannel", "persons", "share", "multichannel"),
)
_MEDIANS = ("session_pause_median", "session_length_median")
_ACTIVITY = (
    _Ratio("stickiness", "daily", "monthly", "share"),
    _Ratio("daily_active_persons", "active", "days", "persons"),
    _Ratio("weekly_active_persons", "weekly", "weeks", "persons"),
    _Ratio("monthly_active_persons", "monthly", "months", "persons"),
    _Ratio("switches_per_session", "switches", "sessions", "changes of channel a session"),
)
_VALUED = _Ratio("first_value_rate", "valued", "persons", "share", "valued")
_CANCELLED = _Ratio("cancellation_rate", "cancelled", "persons", "share", "cancelled")
_CONTACTS = _Ratio("contacts_per_person", "contacts", "persons", "contacts a person", "contacting")
_GOAL = (
    _Ratio("goal_journeys", "journeys", None, "count", "owners", "owners"),
    _Ratio("completion_rate", "reached", "over", "share", "owners", "owners"),
)
_GOAL_SWITCHES = _Ratio(
    "switches_per_journey", "switches", "journeys", "changes of channel a journey", "owners", "owners"
)
_GOAL_CONTACTS = _Ratio("contacts_per_journey", "contacts", "journeys", "contacts a journey", "owners", "owners")

NAMES = frozenset(
    [figure.kpi for figure in (*_COUNTS, *_ACTIVITY, *_GOAL, _VALUED, _CANCELLED, _CONTACTS)]
    + [*_MEDIANS, "first_value_time_median", "completion_time_median"]
    + [_GOAL_SWITCHES.kpi, _GOAL_CONTACTS.kpi]
)


def figure_rows(totals: Totals, named: Named, goals: Sequence[Goal], more: Sequence[Kpi]) -> pl.DataFrame:
    """Return the rows of all groups with events, by group and figure.

    ``__group`` is the row of the group, ``__share`` says whether there is an interval, ``__part`` and ``__of`` are the
    persons that a row speaks of and those they are a part of.
    """
    counts = totals.counts
    frames = [_ratio(figure, counts) for figure in _COUNTS]
    frames.append(_median("session_pause_median", totals.pauses, DAY_US, "days", counts["returning"]))
    frames.append(_median("session_length_median", totals.lengths, _SECOND_US, "seconds", counts["stayed"]))
    frames += [_ratio(figure, counts) for figure in _ACTIVITY]
    if named.first_value is not None:
        frames.append(_ratio(_VALUED, counts, named.first_value))
        frames.append(
            _median("first_value_time_median", totals.waits, DAY_US, "days", counts["valued"], about=named.first_value)
        )
    if named.cancel is not None:
        frames.append(_ratio(_CANCELLED, counts, named.cancel))
    if named.contacts is not None:
        frames.append(_ratio(_CONTACTS, counts, named.contacts))
    for goal, (ours, durations) in zip(goals, totals.goals, strict=True):
        frames += [_ratio(figure, ours, goal.name) for figure in _GOAL]
        frames.append(_median("completion_time_median", durations, DAY_US, "days", ours["reachers"], about=goal.name))
        frames.append(_ratio(_GOAL_SWITCHES, ours, goal.name))
        if named.contacts is not None:
            frames.append(_ratio(_GOAL_CONTACTS, ours, goal.name))
    frames += [_further(figure, *sums, counts["persons"]) for figure, sums in zip(more, totals.more, strict=True)]
    there = np.flatnonzero(counts["events"])
    numbered = [frame[there].with_columns(__order=pl.lit(order)) for order, frame in enumerate(frames)]
    return pl.concat(numbered).sort("__group", "__order")


def _ratio(figure: _Ratio, counts: dict[str, IntArray], about: str | None = None) -> pl.DataFrame:
    numerator = pl.Series(counts[figure.numerator])
    below = figure.denominator
    value = numerator.cast(pl.Float64) if below is None else share(numerator, pl.Series(counts[below]))
    return _rows(
        figure.kpi,
        value,
        numerator,
        None if below is None else pl.Series(counts[below]),
        unit=figure.unit,
        about=about,
        is_share=figure.kpi.endswith("_rate"),
        people=(counts[figure.part], counts[figure.of]),
    )


def _median(
    name: str, median: Median, us: int, unit: str, persons: IntArray, *, about: str | None = None
) -> pl.DataFrame:
    value = pl.Series(median.twice / 2 / us).zip_with(pl.Series(median.count > 0), pl.Series([None], dtype=pl.Float64))
    return _rows(name, value, None, pl.Series(median.count), unit=unit, about=about, people=(persons, persons))


def _further(figure: Kpi, above: list[int], below: list[int], persons: IntArray) -> pl.DataFrame:
    pairs = list(zip(above, below, strict=True))
    if figure.interval:
        wrong = next((f"{a / ONE:g} of {b / ONE:g}" for a, b in pairs if not _is_share(a, b)), None)
        if wrong is not None:
            raise ArgumentError.at(
                f"{wrong} is no share of rows", where=f"kpi({figure.name!r})", hint="Leave out interval=True"
            )
    return _rows(
        figure.name,
        pl.Series([a / b if b else None for a, b in pairs], dtype=pl.Float64),
        _whole(above),
        _whole(below),
        unit=figure.unit,
        about=None,
        is_share=figure.interval,
        people=(persons, persons),
    )


def _is_share(above: int, below: int) -> bool:
    return above % ONE == 0 and below % ONE == 0 and 0 <= above <= below


def _whole(sums: list[int]) -> pl.Series:
    """Return the sums that are whole numbers, null for others."""
    whole = [total // ONE if total % ONE == 0 and abs(total // ONE) <= _LARGEST else None for total in sums]
    return pl.Series(whole, dtype=pl.Int64)


def _rows(
    name: str,
    value: pl.Series,
    numerator: pl.Series | None,
    denominator: pl.Series | None,
    *,
    unit: str,
    about: str | None,
    people: tuple[IntArray, IntArray],
    is_share: bool = False,
) -> pl.DataFrame:
    none = pl.lit(None, pl.Int64)
    return pl.DataFrame({"__group": np.arange(len(value)), "value": value}).select(
        "__group",
        pl.lit(name).alias("kpi"),
        "value",
        (none if numerator is None else pl.lit(numerator)).alias("numerator"),
        (none if denominator is None else pl.lit(denominator)).alias("denominator"),
        pl.lit(unit).alias("unit"),
        pl.lit(about, pl.String).alias("about"),
        pl.lit(is_share).alias("__share"),
        pl.lit(pl.Series(people[0])).alias("__part"),
        pl.lit(pl.Series(people[1])).alias("__of"),
    )
