"""For which groups a path matters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cjm.errors import ArgumentError, InputError
from cjm.journeys import Journeys
from cjm.statistics import benjamini_hochberg
from cjm.survival._cox import cox
from cjm.survival._design import FloatArray, encode, groups, require
from cjm.survival._path_curves import state_rows
from cjm.survival._path_times import Patterns, one_name, path_times
from cjm.survival._subjects import Subjects
from cjm.survival._when import wald_equal

__all__ = ["who"]

_LEVELS = 20


def who(
    subjects: Subjects,
    journeys: Journeys,
    pattern: Patterns,
    *,
    by: str | Sequence[str],
    adjust: Sequence[str] = (),
    level: float = 0.95,
    allow_bias: bool = False,
) -> pl.DataFrame:
    """Say how much a path raises the hazard of churn in each group, and whether groups differ in that.

    A group with a higher ratio is not one in which acting helps more: both are differences between persons who had the
    path and persons who had not. Look at ``heterogeneity_q`` before looking at single groups; some group always has the
    highest ratio.

    Parameters
    ----------
    subjects : Subjects
    journeys : Journeys
    pattern : Pattern, str, or mapping of its name to one of these
    by : str or sequence of str
        Attributes of the subjects, each with at most 20 values; each is looked at by itself.
    adjust : sequence of str
        Attributes that enter the model as covariates, with one coefficient in all groups.
    level : float
        Of the intervals.
    allow_bias : bool
        Go on with churn by silence.

    Returns
    -------
    polars.DataFrame
        A row a value of an attribute: ``attribute``, ``group`` (text; null for a missing value), ``persons``,
        ``exposed`` (persons with the path behind them at some time at risk), ``days`` (at risk thereafter), ``churned``
        (meanwhile), ``expected`` (at the hazard of those of the group without the path: churned / ratio),
        ``hazard_ratio``, ``lower``, ``upper``, ``p`` (null where nobody churned after the path, or all who churned had
        it), and, the same in all rows of an attribute, ``heterogeneity_p`` (that the ratio is the same in all groups;
        null with fewer than two ratios) and ``heterogeneity_q`` (adjusted over the attributes, Benjamini-Hochberg).

    Raises
    ------
    ArgumentError
        For churn by silence, several patterns, unknown attributes, or an attribute with too many values.
    InputError
        If nobody churned, or nobody at risk completed the path.

    Notes
    -----
    A Cox model an attribute: each value has a baseline hazard and a coefficient of the path of its own. Differences are
    tested by Wald's test.

    References
    ----------
    Wang, Lagakos, Ware, Hunter and Drazen (2007), Statistics in medicine: reporting of subgroup analyses in clinical
    trials, NEJM 357.

    Examples
    --------
    >>> from cjm.survival._example import example, example_journeys
    >>> found = who(example(), example_journeys(), {"help": "web:offer -> web:help"}, by="plan")
    >>> found.select("group", "persons", "exposed", "churned").rows()
    [('basic', 3, 2, 1), ('plus', 3, 0, 0)]
    """
    name = one_name(pattern, where="who")
    attributes = [by] if isinstance(by, str) else list(by)
    require(subjects.frame, [*attributes, *adjust], where="who")
    times = path_times(journeys, subjects, pattern, where="who", allow_bias=allow_bias)
    order = np.arange(len(times.entry))
    entry, exit_, churned, exposed = state_rows(times, 0)
    before, after = times.entry < np.minimum(times.first[:, 0], times.exit), times.first[:, 0] < times.exit
    subject = np.concatenate((order[before], order[after]))
    if not exposed.any():
        raise InputError.at("no subject completed the path while at risk", where="who")
    parts = []
    for attribute in attributes:
        number, found = groups(subjects.frame, [attribute])
        if found.height > _LEVELS:
            raise ArgumentError.at(
                f"{attribute!r} has {found.height} values",
                where="who(by=...)",
                hint=f"Cut it into at most {_LEVELS} groups, as with pl.Series.cut",
            )
        design = encode(subjects.frame, [column for column in adjust if column != attribute])
        group = number[subject]
        size = found.height
        deaths = np.zeros((2, size), dtype=np.int64)
        np.add.at(deaths, (exposed[churned], group[churned]), 1)
        told = np.flatnonzero((deaths > 0).all(axis=0))
        kept = (exposed == 0) | (deaths[1, group] > 0)  # after the path nobody left: the ratio is 0
        table = pl.DataFrame(
            {
                "__start": entry[kept],
                "__stop": exit_[kept],
                "__churned": churned[kept],
                "__stratum": group[kept],
                **{f"{name}, {place}": (exposed * (group == place))[kept].astype(np.float64) for place in told},
                **dict(zip(design.terms, design.x[subject[kept]].T, strict=True)),
            }
        )
        ratios, hetero = _ratios(table, [f"{name}, {place}" for place in told], list(design.terms), level)
        wide = np.full((5, size), np.nan)
        wide[:, told] = ratios
        days = np.bincount(group, weights=(exit_ - entry) * exposed, minlength=size)
        columns = {
            "persons": np.bincount(number, minlength=size),
            "exposed": np.bincount(group[exposed == 1], minlength=size),
            "days": days,
            "churned": deaths[1],
            **dict(zip(("expected", "hazard_ratio", "lower", "upper", "p"), wide, strict=True)),
        }
        parts.append(
            pl.DataFrame(columns).select(
                pl.lit(attribute).alias("attribute"),
                found[attribute].cast(pl.String).alias("group"),
                pl.all(),
                pl.lit(hetero, dtype=pl.Float64).alias("heterogeneity_p"),
            )
        )
    tests = [part["heterogeneity_p"].fill_null(float("nan"))[0] for part in parts]
    adjusted = benjamini_hochberg(tests)
    table = pl.concat([part.with_columns(heterogeneity_q=pl.lit(q)) for part, q in zip(parts, adjusted, strict=True)])
    return table.with_columns(pl.col(pl.Float64).fill_nan(None))


def _ratios(
    table: pl.DataFrame, terms: list[str], covariates: list[str], level: float
) -> tuple[FloatArray, float | None]:
    """Return expected, ratio, lower, upper and p of each term, and p of the test that all are the same."""
    if not terms:
        return np.empty((5, 0)), None
    result = cox(
        table,
        start="__start",
        stop="__stop",
        event="__churned",
        covariates=[*terms, *covariates],
        strata="__stratum",
        level=level,
    )
    size = len(terms)
    figures = result.summary.head(size).select("events", "hazard_ratio", "lower", "upper", "p").to_numpy().T.copy()
    figures[0] /= figures[1]
    return figures, wald_equal(result.coef[:size], result.covariance[:size, :size])
