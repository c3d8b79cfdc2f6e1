"""By how much a path's effect may be diluted by identifiers that were never linked."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

import cjm
from cjm.journeys import Journeys
from cjm.patterns import Pattern

__all__ = ["dilution"]

_SCHEMA = {
    "term": pl.String,
    "hazard_ratio": pl.Float64,
    "exposed": pl.Int64,
    "hidden_max": pl.Int64,
    "hazard_ratio_corrected": pl.Float64,
    "sentence": pl.String,
}


def dilution(
    journeys: Journeys, patterns: Mapping[str, Pattern], summary: pl.DataFrame, customers: pl.DataFrame
) -> pl.DataFrame:
    """Bound how far a hazard ratio may lie too near to 1 because part of the paths cannot be seen.

    A customer whose cookie was never seen with a customer number did the first steps of a path as somebody anonymous,
    and counts in the comparison group. The bound takes every anonymous person with the path's first step for such a
    customer, who went on as often as the customers did whose first step was seen. With a share ``s`` of the comparison
    group exposed in truth, a ratio ``r`` shows as ``r / (1 + s (r - 1))``; this is turned round.

    Parameters
    ----------
    journeys : Journeys
    patterns : mapping of str to Pattern
        The terms of the model that are paths.
    summary : polars.DataFrame
        Contract HAZARDS.
    customers : polars.DataFrame
        ``person``: those at risk. All other persons are anonymous.

    Returns
    -------
    polars.DataFrame
        ``term``, ``hazard_ratio``, ``exposed``, ``hidden_max`` (persons that may be exposed unseen),
        ``hazard_ratio_corrected`` (null where the bound is not finite), ``sentence``.
    """
    rows = []
    known = customers["person"].implode()
    for name, pattern in patterns.items():
        first = cjm.find(journeys, Pattern(pattern.steps[:1]), occurrence="first")
        began = first.filter(pl.col("person").is_in(known)).height
        anonymous = first.height - began
        row = summary.row(by_predicate=pl.col("term") == name, named=True)
        ratio, exposed = row["hazard_ratio"], row["exposed"]
        completed = min(1.0, exposed / began) if began else 1.0
        hidden = min(round(anonymous * completed), customers.height - exposed)
        share = hidden / (customers.height - exposed) if customers.height > exposed else 0.0
        corrected = ratio * (1 - share) / (1 - share * ratio) if share * ratio < 1 else None
        rows.append((name, ratio, exposed, hidden, corrected, _sentence(pattern, ratio, anonymous, hidden, corrected)))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _sentence(pattern: Pattern, ratio: float, anonymous: int, hidden: int, corrected: float | None) -> str:
    if anonymous == 0:
        return f"{pattern}: every first step was seen on an identifier that belongs to a customer; nothing is diluted."
    limit = f"{corrected:.2f}" if corrected is not None else "any size"
    return (
        f"{pattern}: {anonymous:,} anonymous persons did the first step. If all of them were customers, up to "
        f"{hidden:,} of them went the whole path unseen and count as not exposed; the ratio of {ratio:.2f} could then "
        f"be as far from 1 as {limit}."
    )
