"""Tables of effects for ``decide``: measured on those who were left alone, or assumed from what hazards show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from cjm.durations import Duration, format_duration, to_us
from cjm.errors import ArgumentError, InputError
from cjm.moments._action import Action
from cjm.moments._input import taken
from cjm.statistics import newcombe

__all__ = ["effects_from_hazards", "effects_from_holdout"]

_SCHEMA = {"moment": pl.String, "action": pl.String, "effect": pl.Float64, "low": pl.Float64, "high": pl.Float64,
           "basis": pl.String}  # fmt: skip


def effects_from_hazards(
    hazards: pl.DataFrame,
    actions: Sequence[Action],
    *,
    risk: float,
    horizon: Duration,
    removes: Mapping[str, float],
) -> pl.DataFrame:
    """Turn hazard ratios into effects, under an assumption that is written into every row.

    A hazard ratio says how much more often persons leave after a path than others do. Of the risk in excess,
    ``(1 - risk) - (1 - risk) ** ratio`` over the horizon, an action is *assumed* to remove a share. Nothing in the data
    says so: start with a low share, hold some persons out, and replace the assumption by
    :func:`effects_from_holdout`.

    Parameters
    ----------
    hazards : DataFrame
        Contract HAZARDS, such as ``PathHazard(...).summary`` of patterns named as the moments.
    actions : sequence of Action
        Each is combined with those of its moments that have a row in ``hazards``.
    risk : float
        Probability (0 to 1) that a person without the path leaves within the horizon.
    horizon : duration
        For which ``risk`` holds.
    removes : mapping of str to float
        For each action the share (0 to 1) of the excess that it is assumed to remove.

    Returns
    -------
    polars.DataFrame
        ``moment``, ``action``, ``effect`` (reduction of the probability of leaving; negative where the path goes with
        staying), ``low``, ``high`` (from the interval of the ratio only, which knows nothing of the assumption),
        ``basis``.

    Raises
    ------
    ArgumentError
        If a share is missing or out of range.

    Examples
    --------
    >>> hazards = pl.DataFrame({"term": ["no renewal"], "hazard_ratio": [3.0], "lower": [2.0], "upper": [4.0]})
    >>> call = Action("call", "phone", ("no renewal",), within="2d")
    >>> table = effects_from_hazards(hazards, [call], risk=0.1, horizon="90d", removes={"call": 0.2})
    >>> table.row(0)[2:5]
    (0.0342, 0.018, 0.04878)
    >>> table["basis"].item()
    'associational: hazard ratio 3 (2 to 4); assumed that acting removes 20% of the excess risk in 90d'
    """
    if not 0 <= risk <= 1:
        raise ArgumentError.at(f"risk is {risk}", where="effects_from_hazards", hint="Give a probability")
    span = format_duration(to_us(horizon, "horizon"))
    table = taken(hazards, "effects_from_hazards", texts=["term"], numbers=["hazard_ratio", "lower", "upper"])
    rows: list[tuple[str, str, float, float, float, str]] = []
    ratios = {str(term): (ratio, lower, upper) for term, ratio, lower, upper in table.iter_rows()}
    for action in actions:
        share = removes.get(action.name, -1.0)
        if not 0 <= share <= 1:
            raise ArgumentError.at(
                f"the share that {action.name!r} removes is {removes.get(action.name, 'missing')}",
                where="effects_from_hazards, removes",
                hint="Give a share from 0 to 1; lower is safer",
            )
        for moment in (moment for moment in action.moments if moment in ratios):
            effect, low, high = (round(share * ((1 - risk) - (1 - risk) ** ratio), 12) for ratio in ratios[moment])
            shown = "{:.3g} ({:.3g} to {:.3g})".format(*ratios[moment])
            basis = (
                f"associational: hazard ratio {shown}; "
                f"assumed that acting removes {share:.0%} of the excess risk in {span}"
            )
            rows.append((moment, action.name, effect, low, high, basis))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def effects_from_holdout(decisions: pl.DataFrame, outcomes: pl.DataFrame, *, level: float = 0.95) -> pl.DataFrame:
    """Measure effects: who left of those acted on, beside who left of those drawn to be left alone.

    Everybody counts as drawn (by intention to treat), reached or not, and with the first decision only, so that
    persons are independent of each other. Nothing else tells what acting changes.

    Parameters
    ----------
    decisions : DataFrame
        What :func:`cjm.decide` returned with a holdout, of one or several days.
    outcomes : DataFrame
        ``person``, ``left`` (Boolean: whether the value was lost within a time that is the same for all); a row a
        person. Persons without a row are left out.
    level : float
        Of the intervals.

    Returns
    -------
    polars.DataFrame
        ``moment``, ``action``, ``effect`` (share of those left alone who left, less that of those acted on), ``low``,
        ``high`` (Newcombe), ``basis``, ``acted``, ``acted_left``, ``held_out``, ``held_out_left``; a row for each
        moment and action with both groups; sorted by moment, action.

    Raises
    ------
    InputError
        If a table lacks a column, or has a person twice in ``outcomes``.

    References
    ----------
    Newcombe (1998), Interval estimation for the difference between independent proportions, Statistics in Medicine
    17, method 10.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> decisions = pl.DataFrame({"person": range(8), "rank": 1, "moment": "m", "action": "call",
    ...     "decision": ["act"] * 4 + ["hold out"] * 4, "decided_at": datetime(2026, 1, 1, tzinfo=UTC)})
    >>> outcomes = pl.DataFrame({"person": range(8), "left": [True] + [False] * 4 + [True] * 3})
    >>> effects_from_holdout(decisions, outcomes).select("effect", "basis").row(0)
    (0.5, 'randomised holdout: 1 of 4 acted on and 3 of 4 left alone left')
    """
    where = "effects_from_holdout"
    table = taken(
        decisions, where, keys=["person", "rank"], texts=["moment", "action", "decision"], times=["decided_at"],
        open=["rank"],
    )  # fmt: skip
    known = taken(outcomes, f"{where}, outcomes", keys=["person"], flags=["left"])
    if known["person"].is_duplicated().any():
        raise InputError.at("a person has several rows", where=f"{where}, outcomes", hint="Keep one row a person")
    drawn = table.filter(pl.col("rank") == 1).sort("decided_at", maintain_order=True).unique("person", keep="first")
    held = pl.col("decision") == "hold out"
    groups = (
        drawn.join(known, on="person", how="inner")
        .group_by("moment", "action")
        .agg(
            acted=(~held).sum().cast(pl.Int64),
            acted_left=(~held & pl.col("left")).sum().cast(pl.Int64),
            held_out=held.sum().cast(pl.Int64),
            held_out_left=(held & pl.col("left")).sum().cast(pl.Int64),
        )
        .filter(pl.col("acted") > 0, pl.col("held_out") > 0)
        .sort("moment", "action")
    )
    alone_left, alone, acted_left, acted = (
        groups[name].to_numpy().astype(np.float64) for name in ("held_out_left", "held_out", "acted_left", "acted")
    )
    low, high = newcombe(alone_left, alone, acted_left, acted, level)
    return groups.with_columns(
        effect=pl.Series(alone_left / alone - acted_left / acted),
        low=pl.Series(low),
        high=pl.Series(high),
        basis=pl.format(
            "randomised holdout: {} of {} acted on and {} of {} left alone left",
            "acted_left", "acted", "held_out_left", "held_out",
        ),
    ).select(*_SCHEMA, "acted", "acted_left", "held_out", "held_out_left")  # fmt: skip
