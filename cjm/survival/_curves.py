"""Kaplan-Meier and Nelson-Aalen curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError
from cjm.statistics import normal_quantile
from cjm.survival._counts import TimeRows, time_rows
from cjm.survival._design import FloatArray, IntArray, groups, require
from cjm.survival._logrank import logrank_test
from cjm.survival._subjects import Subjects

__all__ = ["Interval", "cumulative_hazard", "grouped", "kaplan_meier", "survival_curves", "survival_table", "times_of"]

Interval = Literal["log", "log-log", "plain"]


def survival_curves(
    subjects: Subjects, *, by: str | None = None, level: float = 0.95, interval: Interval = "log"
) -> pl.DataFrame:
    """Kaplan-Meier curves: the share of persons who have not churned by a time since time zero.

    Those who entered late count from their entry on. Competing ends are treated as censoring, so that 1 - survival is
    the chance of churn in a world without them; :func:`cumulative_incidence` is the chance in this one.

    Parameters
    ----------
    subjects : Subjects
    by : str, optional
        Attribute of the subjects that was known at entry; a curve for each value. A path is none: whoever completed it
        had to stay long enough to do so. Use :func:`landmark`, :func:`simon_makuch` or :class:`PathHazard` for paths.
    level : float
        Of the pointwise interval (Greenwood).
    interval : {"log", "log-log", "plain"}
        The scale on which the interval is symmetric: the logarithm of survival, the logarithm of the cumulative
        hazard, or survival itself; cut at 0 and 1.

    Returns
    -------
    polars.DataFrame
        [``by``], ``time`` (days: every exit), ``at_risk``, ``events``, ``censored``, ``survival``, ``lower``, ``upper``
        (null once survival is 0), and, with ``by``, ``logrank_p`` of all groups together.

    Raises
    ------
    ArgumentError
        For an unknown column or interval, or if there are no subjects.

    References
    ----------
    Kaplan and Meier (1958), Nonparametric estimation from incomplete observations, JASA 53. Agrees with R's
    ``survfit``.

    Examples
    --------
    >>> from cjm.survival._example import example
    >>> survival_curves(example()).columns
    ['time', 'at_risk', 'events', 'censored', 'survival', 'lower', 'upper']
    """
    if interval not in ("log", "log-log", "plain"):
        raise ArgumentError.unknown(
            "interval", interval, ["log", "log-log", "plain"], where="survival_curves(interval=...)"
        )
    entry, exit_, churned = times_of(subjects, where="survival_curves")
    group, found = grouped(subjects.frame, by, where="survival_curves(by=...)")
    rows = time_rows(entry, exit_, churned, group)
    table = survival_table(rows, level=level, interval=interval)
    if by is None:
        return table.drop("group")
    p = logrank_test(rows).p
    return table.select(found[by][table["group"]].alias(by), pl.exclude("group")).with_columns(logrank_p=pl.lit(p))


def cumulative_hazard(subjects: Subjects, *, by: str | None = None, level: float = 0.95) -> pl.DataFrame:
    """Nelson-Aalen curves: how much hazard of churn has piled up by a time since time zero.

    The slope of the curve is the rate at which those still there leave: a straight line says that it does not change.

    Parameters
    ----------
    subjects : Subjects
    by : str, optional
        Attribute of the subjects that was known at entry; a curve for each value.
    level : float
        Of the pointwise interval, on the scale of the logarithm.

    Returns
    -------
    polars.DataFrame
        [``by``], ``time`` (days: every exit), ``at_risk``, ``events``, ``censored``, ``cumulative_hazard``, ``se``,
        ``lower``, ``upper`` (null before the first churn).

    References
    ----------
    Aalen (1978), Nonparametric inference for a family of counting processes, Annals of Statistics 6.

    Examples
    --------
    >>> from cjm.survival._example import example
    >>> cumulative_hazard(example())["cumulative_hazard"].round(3).to_list()[:2]
    [0.167, 0.367]
    """
    entry, exit_, churned = times_of(subjects, where="cumulative_hazard")
    group, found = grouped(subjects.frame, by, where="cumulative_hazard(by=...)")
    rows = time_rows(entry, exit_, churned, group)
    parts = []
    hazard, variance = np.zeros(rows.groups), np.zeros(rows.groups)
    for counts in rows.blocks():
        risk = np.maximum(counts.at_risk, 1)  # where nobody is at risk nobody leaves
        total = hazard + np.cumsum(counts.events / risk, axis=0)
        spread = variance + np.cumsum(counts.events / risk.astype(np.float64) ** 2, axis=0)
        hazard, variance = total[-1], spread[-1]
        parts.append(_tall(counts.times, counts.at_risk, counts.ended, cumulative_hazard=total, se=np.sqrt(spread)))
    table = pl.concat(parts).sort("group", "time")
    width = (normal_quantile(level) * pl.col("se") / pl.col("cumulative_hazard")).exp()
    table = table.with_columns(
        lower=(pl.col("cumulative_hazard") / width).fill_nan(None),
        upper=(pl.col("cumulative_hazard") * width).fill_nan(None),
    )
    if by is None:
        return table.drop("group")
    return table.select(found[by][table["group"]].alias(by), pl.exclude("group"))


def kaplan_meier(
    entry: FloatArray,
    exit: FloatArray,
    event: npt.NDArray[np.bool_],
    *,
    level: float = 0.95,
    interval: Interval = "log",
) -> pl.DataFrame:
    """Return the Kaplan-Meier table of rows at risk in (entry, exit]; columns as :func:`survival_curves`."""
    return survival_table(time_rows(entry, exit, event), level=level, interval=interval).drop("group")


def survival_table(rows: TimeRows, *, level: float = 0.95, interval: Interval = "log") -> pl.DataFrame:
    """Return the Kaplan-Meier tables of all groups: ``group`` (a number), then as :func:`survival_curves`."""
    z = normal_quantile(level)
    parts = []
    survival, variance = np.ones(rows.groups), np.zeros(rows.groups)
    for counts in rows.blocks():
        risk, events = np.maximum(counts.at_risk, 1), counts.events
        steps = (risk - events) / risk
        steps[0] *= survival
        curve = np.cumprod(steps, axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = variance + np.cumsum(events / (risk * (risk - events).astype(np.float64)), axis=0)
            lower, upper = _band(curve, np.sqrt(spread), z, interval)
        survival, variance = curve[-1], spread[-1]
        gone = curve == 0
        lower[gone] = upper[gone] = np.nan
        parts.append(_tall(counts.times, counts.at_risk, counts.ended, survival=curve, lower=lower, upper=upper))
    table = pl.concat(parts) if len(parts) > 1 else parts[0]
    return table.sort("group", "time").with_columns(pl.col("lower", "upper").fill_nan(None))


def _band(curve: FloatArray, error: FloatArray, z: float, interval: Interval) -> tuple[FloatArray, FloatArray]:
    """Return the interval of a survival curve; ``error`` is that of its logarithm."""
    if interval == "log":
        width = np.exp(z * error)
        return curve / width, np.minimum(curve * width, 1.0)
    if interval == "plain":
        return np.maximum(curve - z * error * curve, 0.0), np.minimum(curve + z * error * curve, 1.0)
    log = np.where(curve < 1, np.log(curve), -1.0)  # where nobody left yet, the error is 0 and the interval the point
    width = np.where(curve < 1, np.exp(z * error / log), 1.0)
    return curve ** (1 / width), curve**width


def _tall(times: FloatArray, at_risk: IntArray, ended: IntArray, **columns: FloatArray) -> pl.DataFrame:
    """Return a row a group and time at which somebody of the group went."""
    group, time = np.nonzero(ended.any(axis=2).T)
    censored, events = ended[time, group, 0], ended[time, group, 1]
    return pl.DataFrame(
        {
            "group": group,
            "time": times[time],
            "at_risk": at_risk[time, group],
            "events": events,
            "censored": censored + ended[time, group, 2:].sum(axis=1),
            **{name: values[time, group] for name, values in columns.items()},
        }
    )


def times_of(subjects: Subjects, *, where: str) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Return entry, exit (days since time zero) and churned."""
    frame = subjects.frame
    if frame.is_empty():
        raise ArgumentError.at("there are no subjects", where=where)
    return frame["entry_days"].to_numpy(), frame["duration"].to_numpy(), frame["churned"].to_numpy()


def grouped(
    frame: pl.DataFrame, by: str | Sequence[str] | None, *, where: str
) -> tuple[IntArray, pl.DataFrame]:
    """Return the number of each row's group, and the groups in order."""
    columns = [] if by is None else [by] if isinstance(by, str) else list(by)
    require(frame, columns, where=where)
    return groups(frame, columns)
