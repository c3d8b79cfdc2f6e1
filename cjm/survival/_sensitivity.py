"""How hazard ratios depend on the silence that counts as churn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import polars as pl

from cjm.durations import format_duration
from cjm.errors import ArgumentError, InputError
from cjm.journeys import Journeys
from cjm.survival._churn import Churn
from cjm.survival._hazard import PathHazard
from cjm.survival._subjects import Ending, Moment, subjects

__all__ = ["sensitivity"]


def sensitivity(
    journeys: Journeys,
    churn: Churn,
    model: PathHazard,
    *,
    persons: pl.DataFrame | None = None,
    origin: str | pl.DataFrame | None = None,
    end: Moment | None = None,
    competing: Mapping[str, Ending] | None = None,
    times: Sequence[float] = (0.5, 1.0, 2.0),
) -> pl.DataFrame:
    """Fit a model for several silences in place of one: what is said of a path should not hang on the choice.

    Parameters
    ----------
    journeys : Journeys
    churn : Churn
        By silence.
    model : PathHazard
        Fitted or not; it is not changed.
    persons, origin, end, competing
        As for :func:`cjm.subjects`.
    times : sequence of float
        How many times the silence of ``churn``.

    Returns
    -------
    polars.DataFrame
        ``gap`` (Duration), ``churned`` (persons), ``false_churn`` (share of the silences that ended in a return), then
        contract HAZARDS: a row a silence and term; none for a silence after which nobody churned.

    Raises
    ------
    ArgumentError
        If churn is not silence, or a number of ``times`` is not above zero.
    InputError
        If nobody churned whatever the silence, or a model cannot be fitted.

    Examples
    --------
    >>> from cjm.datasets import simulate
    >>> import cjm
    >>> world = simulate(300, days=90, seed=1)
    >>> journeys = cjm.build_journeys(world.log, cjm.stitch(world.log))
    >>> model = cjm.PathHazard(patterns={"risk": "web:view_offer -> store:visit within 3d"})
    >>> found = sensitivity(journeys, cjm.Churn.inactive("10d"), model)
    >>> found["gap"].dt.total_days().to_list()
    [5, 10, 20]
    """
    if churn.kind != "inactive":
        raise ArgumentError.at(
            f"churn is {churn}",
            where="sensitivity(churn=...)",
            hint='Give one by silence, such as Churn.inactive("45d")',
        )
    if not times or min(times) <= 0:
        raise ArgumentError.at(f"times are {times!r}", where="sensitivity", hint="Such as (0.5, 1, 2)")
    parts = []
    for factor in times:
        gap = round(churn.gap * factor)
        other = Churn.inactive(timedelta(microseconds=gap), *churn.touchpoints)
        found = subjects(journeys, other, persons=persons, origin=origin, end=end, competing=competing)
        if not found.frame["churned"].any():
            continue
        fitted = PathHazard(**model.get_params()).fit(journeys, found)
        audit = found.audit().row(
            by_predicate=pl.col("measure") == f"false churn at {format_duration(gap)}", named=True
        )
        parts.append(
            fitted.summary.select(
                pl.lit(timedelta(microseconds=gap)).alias("gap"),
                pl.lit(int(found.frame["churned"].sum()), dtype=pl.Int64).alias("churned"),
                pl.lit(audit["share"], dtype=pl.Float64).alias("false_churn"),
                pl.all(),
            )
        )
    if not parts:
        raise InputError.at(f"nobody churned at {churn}, nor at other silences", where="sensitivity")
    return pl.concat(parts)
