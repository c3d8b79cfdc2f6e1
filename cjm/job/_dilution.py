"""What identifiers that were never linked might hide of a path's effect."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

import cjm
from cjm.journeys import Journeys
from cjm.patterns import Pattern, Step

__all__ = ["dilution"]

_SCHEMA = {
    "term": pl.String,
    "hazard_ratio": pl.Float64,
    "exposed": pl.Int64,
    "hidden_max": pl.Int64,
    "hazard_ratio_corrected": pl.Float64,
}


def dilution(
    journeys: Journeys, patterns: Mapping[str, Pattern], summary: pl.DataFrame, anonymous: pl.DataFrame, at_risk: int
) -> pl.DataFrame:
    """Return a scenario for each path: all anonymous persons who did a step of it are customers who went all of it.

    A customer on an identifier that nobody could link to them counts as not exposed. With a share ``s`` of the
    comparison group exposed in truth, at all times, a ratio ``r`` shows as ``r / (1 + s (r - 1))``; this is turned
    round. It is a scenario, not a bound: who is hidden need not be as many, nor hidden for the whole time.

    Parameters
    ----------
    journeys : Journeys
    patterns : mapping of str to Pattern
        The terms of the model that are paths.
    summary : polars.DataFrame
        Contract HAZARDS.
    anonymous : polars.DataFrame
        ``person``: those without a customer number.
    at_risk : int
        How many persons are at risk.

    Returns
    -------
    polars.DataFrame
        ``term``, ``hazard_ratio``, ``exposed``, ``hidden_max`` (anonymous persons with a step of the path),
        ``hazard_ratio_corrected`` (null where the scenario admits any ratio).
    """
    theirs = journeys.filter(pl.col("person").is_in(anonymous["person"].implode()))
    rows = []
    for name, pattern in patterns.items():
        row = summary.row(by_predicate=pl.col("term") == name, named=True)
        ratio, exposed = row["hazard_ratio"], row["exposed"]
        if ratio is None:
            continue
        steps = [Pattern((Step(step.what),)) for step in pattern.steps if not step.absent]
        hidden = cjm.find(theirs, {str(n): step for n, step in enumerate(steps)}, occurrence="first")[
            "person"
        ].n_unique()
        others = at_risk - exposed
        share = min(1.0, hidden / others) if others > 0 else 0.0
        corrected = ratio * (1 - share) / (1 - share * ratio) if share * ratio < 1 and share < 1 else None
        rows.append((name, ratio, exposed, hidden, corrected))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")
