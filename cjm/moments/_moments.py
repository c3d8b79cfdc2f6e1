"""A moment is a pattern with a name and the action it calls for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from cjm.errors import ArgumentError
from cjm.patterns import Pattern

if TYPE_CHECKING:
    from cjm.journeys import Journeys

__all__ = ["Moment", "detect"]


@dataclass(frozen=True)
class Moment:
    """A pattern that is watched.

    Attributes
    ----------
    name : str
    pattern : Pattern
    action : str
        What it calls for, as text for those who act.

    Examples
    --------
    >>> Moment("offer seen", Pattern.parse("web:view_offer -> store:visit within 3d"), "call back").name
    'offer seen'
    """

    name: str
    pattern: Pattern
    action: str = ""


def detect(journeys: Journeys, moments: Sequence[Moment]) -> pl.DataFrame:
    """Find moments in journeys; occurrences of one moment do not overlap for a person.

    Parameters
    ----------
    journeys : Journeys
    moments : sequence of Moment
        Names differ.

    Returns
    -------
    polars.DataFrame
        ``moment``, ``pattern`` (its text), ``person``, ``start``, ``end``, ``span``, ``action``, and ``confirmed_at``
        if a pattern ends with an absence; sorted by moment as given, then person and time.

    Raises
    ------
    ArgumentError
        For two moments of one name, a pattern with a touchpoint that does not occur, or one that may wait for ever.
    """
    from cjm.matching import find

    names = [moment.name for moment in moments]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ArgumentError.at(
            f"two moments are named {twice[0]!r}", where="detect", hint="Give each a name of its own"
        )
    for moment in moments:
        if moment.pattern.horizon_us is None:
            raise ArgumentError.at(
                f"the pattern {moment.pattern} may wait for ever",
                where=f"moment {moment.name!r}",
                hint='Give each step a limit, such as "within 3d"',
            )
    found = find(journeys, {moment.name: moment.pattern for moment in moments}, occurrence="non_overlapping")
    details = pl.DataFrame(
        {
            "moment": names,
            "text": [str(moment.pattern) for moment in moments],
            "action": [moment.action for moment in moments],
        },
        schema={"moment": pl.String, "text": pl.String, "action": pl.String},
    )
    return (
        found.rename({"pattern": "moment"})
        .join(details, on="moment", how="left", maintain_order="left")
        .select("moment", pl.col("text").alias("pattern"), "person", "start", "end", "span", "action", "^confirmed_at$")
    )
