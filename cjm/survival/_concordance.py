"""How well a score orders persons by when they churned."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import DAY_US, Duration, to_us
from cjm.errors import ArgumentError, InputError
from cjm.statistics import normal_quantile
from cjm.survival._counts import TimeRows, time_rows
from cjm.survival._design import FloatArray, numbers, require

__all__ = ["Weighting", "columns_of", "concordance", "concordance_of", "staying_observed"]

Weighting = Literal["harrell", "uno", "early"]
BoolArray = npt.NDArray[np.bool_]

_WEIGHTINGS: tuple[Weighting, ...] = ("harrell", "uno", "early")


def concordance(
    frame: pl.DataFrame,
    *,
    time: str,
    event: str,
    risk: str,
    until: Duration | None = None,
    level: float = 0.95,
) -> pl.DataFrame:
    """Return the share of pairs in which the person with the higher risk churned first.

    A pair counts where one churned while the other was still there, or was last seen at that very time; two who churned
    at one time are no pair. Pairs with equal risk count half. 0.5 is chance, 1 is perfect order.

    Parameters
    ----------
    frame : polars.DataFrame
        A row a person.
    time : str
        Column of days until churn or the end of observation.
    event : str
        Column that says whether it was churn: Boolean, or 0 and 1.
    risk : str
        Column of the score: the higher, the sooner churn is expected.
    until : duration, optional
        Only churn up to then counts; needed for ``uno`` where the last persons are followed by few.
    level : float
        Of the interval.

    Returns
    -------
    polars.DataFrame
        A row a weighting: ``weighting`` (``harrell``: each pair counts the same; ``uno``: by the chance that it was
        seen, so that the result does not depend on who was censored when; ``early``: pairs at early times count more,
        by survival), ``concordance``, ``se``, ``lower``, ``upper``, ``concordant``, ``discordant``, ``tied`` (weighted
        numbers of pairs). Null where there is no pair.

    Raises
    ------
    ArgumentError
        For an unknown column.
    InputError
        For a missing value, or an event that is not 0 or 1.

    Notes
    -----
    The weight of Uno is 1 / G(t-)^2, with G the Kaplan-Meier curve of being observed, in which churn at a time comes
    before censoring at it; the error is the infinitesimal jackknife with the weights as given. Both as R's
    ``concordance`` (``timewt="n/G2"``).

    References
    ----------
    Harrell, Lee and Mark (1996), Multivariable prognostic models, Statistics in Medicine 15; Uno, Cai, Pencina,
    D'Agostino and Wei (2011), On the C-statistics for evaluating overall adequacy of risk prediction procedures with
    censored survival data, Statistics in Medicine 30.

    Examples
    --------
    >>> people = pl.DataFrame({"days": [3, 5, 8, 9], "left": [1, 1, 0, 1], "score": [0.9, 0.2, 0.4, 0.1]})
    >>> concordance(people, time="days", event="left", risk="score").select("weighting", "concordance").row(0)
    ('harrell', 0.8)
    """
    days, left, score = columns_of(frame, time, event, risk, where="concordance")
    if until is not None:
        limit = to_us(until, "until") / DAY_US
        left &= days <= limit
        days = np.minimum(days, limit)
    rows = [(name, *concordance_of(days, left, score, name, level=level)) for name in _WEIGHTINGS]
    names = ["concordance", "se", "lower", "upper", "concordant", "discordant", "tied"]
    schema = {"weighting": pl.String} | dict.fromkeys(names, pl.Float64)
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col(pl.Float64).fill_nan(None))


def concordance_of(
    time: FloatArray, event: BoolArray, score: FloatArray, weighting: Weighting, *, level: float = 0.95
) -> tuple[float, ...]:
    """Return concordance, its error and interval, and the weighted numbers of pairs: concordant, discordant, tied."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.survival_scores import concordant_pairs

    rows = time_rows(np.full(len(time), -np.inf), time, event)
    totals, influence = np.zeros(3), np.empty((len(time), 2))
    concordant_pairs(
        as_array(np.argsort(score), np.int32),
        as_array(score, np.float64),
        as_array(2 * rows.last + ~event, np.int32),
        as_array(np.repeat(_weights(rows, weighting), 2), np.float64),
        totals,
        influence,
    )
    pairs = float(totals.sum())
    if pairs == 0:
        return (*[float("nan")] * 4, 0.0, 0.0, 0.0)
    share = float(totals[0] + totals[2] / 2) / pairs
    se = float(np.sqrt((((influence[:, 0] - share * influence[:, 1]) / pairs) ** 2).sum()))
    width = normal_quantile(level) * se
    return share, se, max(share - width, 0.0), min(share + width, 1.0), *totals.tolist()


def _weights(rows: TimeRows, weighting: Weighting) -> FloatArray:
    cells = rows.cells
    if weighting == "harrell":
        return np.ones(len(rows.times))
    if weighting == "uno":
        seen = staying_observed(rows)
        return np.asarray(np.divide(1.0, seen**2, out=np.zeros(len(seen)), where=seen > 0))
    survival = np.cumprod((cells.at_risk - cells.events) / cells.at_risk)
    return np.asarray(len(rows.last) * np.concatenate(([1.0], survival[:-1])) / cells.at_risk)


def staying_observed(rows: TimeRows) -> FloatArray:
    """Return the chance to be observed until just before each time (churn at a time comes before censoring at it)."""
    cells = rows.cells
    events = cells.gone - cells.ended[:, 0]
    left = np.maximum(cells.at_risk - events, 1)
    curve = np.cumprod((left - cells.ended[:, 0]) / left)
    return np.concatenate(([1.0], curve[:-1]))


def columns_of(
    frame: pl.DataFrame, time: str, event: str, risk: str, *, where: str
) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Return days, whether churn ended them, and the score."""
    require(frame, [time, event, risk], where=where)
    if frame.is_empty():
        raise ArgumentError.at("the frame has no rows", where=where)
    for name in (time, event, risk):
        missing = frame[name].null_count() + (int(frame[name].is_nan().sum()) if frame[name].dtype.is_float() else 0)
        if missing:
            raise InputError.at(
                f"{missing} values are missing", where=f"{where}, column {name!r}", hint="Leave these persons out"
            )
    ended = numbers(frame, event)
    if not np.isin(ended, (0.0, 1.0)).all():
        raise InputError.at("an event is true or false, 1 or 0", where=f"{where}, column {event!r}")
    return numbers(frame, time), ended == 1.0, numbers(frame, risk)
