"""Whom to spare now: intervals that begin and end with events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from cjm.contracts import TIME
from cjm.durations import Duration, format_duration, to_us
from cjm.errors import ArgumentError

if TYPE_CHECKING:
    from cjm.journeys import Journeys

__all__ = ["Suppression", "suppressions"]


@dataclass(frozen=True)
class Suppression:
    """A reason to spare a person, and the rule that ends it.

    Attributes
    ----------
    reason : str
    start : str
        Touchpoints that begin it, such as ``"call:ticket_opened"`` or ``"{call:complaint, web:complaint}"``.
    end : str or None
        Touchpoints that end it: the next one after the start. None: only time does.
    hold : duration
        How long it still lasts after the end; without ``end``, after the start.
    limit : duration or None
        It lasts at most so long after its start, for what is never closed.
    key : str or None
        An attribute by which starts and ends belong together, such as the number of a ticket.

    Raises
    ------
    ArgumentError
        If nothing ends it, or a duration cannot be read.

    Examples
    --------
    >>> rule = Suppression("open ticket", "call:ticket_opened", "call:ticket_closed", hold="2d", limit="30d")
    >>> rule.release
    'until 2d after call:ticket_closed, at most 30d'
    >>> Suppression("cancelled", "account:cancelled", hold="90d").release
    'until 90d after account:cancelled'
    """

    reason: str
    start: str
    end: str | None = None
    hold: Duration = "0s"
    limit: Duration | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        where = f"suppression {self.reason!r}"
        hold = to_us(self.hold, f"hold of {where}")
        if self.limit is not None:
            to_us(self.limit, f"limit of {where}")
        if self.end is None and hold == 0:
            raise ArgumentError.at("nothing ends it", where=where, hint="Give end=..., or hold=... after the start")

    @property
    def release(self) -> str:
        """The rule that ends it, as text."""
        held = to_us(self.hold)
        after = self.start if self.end is None else self.end
        text = f"until {format_duration(held)} after {after}" if held else f"until {after}"
        return text if self.limit is None else f"{text}, at most {format_duration(to_us(self.limit))}"


def suppressions(journeys: Journeys, rules: Sequence[Suppression]) -> pl.DataFrame:
    """Find whom to spare, from when to when, for :func:`cjm.decide`.

    Parameters
    ----------
    journeys : Journeys
        Events up to the moment of decision. To decide for an earlier one, filter them first, or ``to`` will hold what
        could not be known.
    rules : sequence of Suppression

    Returns
    -------
    polars.DataFrame
        ``person``, ``reason``, ``from`` (inclusive), ``to`` (exclusive; null: not ended), ``release`` (the rule in
        words); a row an event that begins a suppression; sorted by rule as given, person, time.

    Raises
    ------
    ArgumentError
        If a touchpoint or attribute does not occur, with the nearest that does.

    Examples
    --------
    >>> from cjm.journeys import journeys_from_frame
    >>> from datetime import UTC, datetime
    >>> frame = pl.DataFrame({"person": [1, 1, 2], "channel": "call", "event": ["opened", "closed", "opened"],
    ...     "time": [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 3, 4)]})
    >>> rule = Suppression("open ticket", "call:opened", "call:closed", hold="1d")
    >>> found = suppressions(journeys_from_frame(frame, gap=1), [rule])
    >>> found.select("person", pl.col("from", "to").dt.day()).rows()
    [(1, 1, 4), (2, 4, None)]
    """
    from cjm.matching import touchpoints_of

    empty = pl.DataFrame(
        schema={"person": pl.Int64, "reason": pl.String, "from": TIME, "to": TIME, "release": pl.String}
    )
    parts = [empty]
    for rule in rules:
        starts = touchpoints_of(journeys, rule.start)
        ends = [] if rule.end is None else touchpoints_of(journeys, rule.end)
        if rule.key is not None and rule.key not in journeys.schema:
            raise ArgumentError.unknown(
                "attribute", rule.key, journeys.schema.names(), where=f"suppression {rule.reason!r}"
            )
        parts += [_found(bucket, rule, starts, ends) for bucket in journeys.buckets()]
    return pl.concat(parts)


def _found(journeys: Journeys, rule: Suppression, starts: Sequence[str], ends: Sequence[str]) -> pl.DataFrame:
    group = ["person", *([] if rule.key is None else [rule.key])]
    hold = pl.duration(microseconds=to_us(rule.hold), time_unit="us")
    if rule.end is None:
        to = pl.col("time") + hold
    else:
        ending = pl.when(pl.col("touchpoint").is_in(ends)).then("time")
        to = ending.shift(-1).backward_fill().over(group) + hold
    if rule.limit is not None:
        to = pl.min_horizontal(to, pl.col("time") + pl.duration(microseconds=to_us(rule.limit), time_unit="us"))
    return (
        journeys.frame.filter(pl.col("touchpoint").is_in([*starts, *ends]))
        .with_columns(to.alias("to"))
        .filter(pl.col("touchpoint").is_in(starts))
        .select(
            "person",
            pl.lit(rule.reason).alias("reason"),
            pl.col("time").alias("from"),
            "to",
            pl.lit(rule.release).alias("release"),
        )
        .collect()
    )
