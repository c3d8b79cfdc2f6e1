"""Kaplan-Meier and Nelson-Aalen curves."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError
from cjm.statistics import normal_quantile
from cjm.survival._counts import TimeRows, time_rows
from cjm.survival._design import FloatArray, IntArray, groups, names_of, require
from cjm.survival._logrank import logrank_test
from cjm.survival._subjects import Subjects

__all__ = ["Interval", "cumulative_hazard", "grouped", "survival_curves", "survival_table", "times_of"]

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
    table, sums = _table(time_rows(entry, exit_, churned, group))
    table = table.with_columns(cumulative_hazard=sums[:, 2], se=np.sqrt(sums[:, 3]))
    width = (normal_quantile(level) * pl.col("se") / pl.col("cumulative_hazard")).exp()
    table = table.with_columns(
        lower=(pl.col("cumulative_hazard") / width).fill_nan(None),
        upper=(pl.col("cumulative_hazard") * width).fill_nan(None),
    )
    if by is None:
        return table.drop("group")
    return table.select(found[by][table["group"]].alias(by), pl.exclude("group"))


def survival_table(rows: TimeRows, *, level: float = 0.95, interval: Interval = "log") -> pl.DataFrame:
    """Return the Kaplan-Meier tables of all groups: ``group`` (a number), then as :func:`survival_curves`."""
    table, sums = _table(rows)
    survival = sums[:, 0]
    lower, upper = _band(survival, np.sqrt(sums[:, 1]), normal_quantile(level), interval)
    gone = survival == 0
    lower[gone] = upper[gone] = np.nan
    return table.with_columns(survival=survival, lower=lower, upper=upper).with_columns(
        pl.col("lower", "upper").fill_nan(None)
    )


def _band(curve: FloatArray, error: FloatArray, z: float, interval: Interval) -> tuple[FloatArray, FloatArray]:
    """Return the interval of a survival curve; ``error`` is that of its logarithm."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if interval == "log":
            return curve * np.exp(-z * error), np.minimum(curve * np.exp(z * error), 1.0)
        if interval == "plain":
            return np.maximum(curve - z * error * curve, 0.0), np.minimum(curve + z * error * curve, 1.0)
        ratio = np.where(curve < 1, z * error / np.log(curve), 0.0)  # nobody left yet: the interval is the point
        return curve ** np.exp(-ratio), curve ** np.exp(ratio)


def _table(rows: TimeRows) -> tuple[pl.DataFrame, FloatArray]:
    """Return group, time and counts where somebody went, and the sums of the kernel beside them."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.survival_tables import curves

    cells = rows.cells
    cells = cells.take(np.flatnonzero(cells.gone))
    sums = np.empty((len(cells.time), 4))
    curves(cells.group, as_array(cells.at_risk, np.int64), as_array(cells.events, np.int64), sums)
    counts = {"at_risk": cells.at_risk, "events": cells.events, "censored": cells.gone - cells.events}
    return pl.DataFrame({"group": cells.group, "time": rows.times[cells.time], **counts}), sums


def times_of(subjects: Subjects, *, where: str) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Return entry, exit (days since time zero) and churned."""
    frame = subjects.frame
    if frame.is_empty():
        raise ArgumentError.at("there are no subjects", where=where)
    return frame["entry_days"].to_numpy(), frame["duration"].to_numpy(), frame["churned"].to_numpy()


def grouped(frame: pl.DataFrame, by: str | None, *, where: str) -> tuple[IntArray, pl.DataFrame]:
    """Return the number of each row's group, and the groups in order; without ``by``, a single one."""
    columns = names_of(by)
    require(frame, columns, where=where)
    return groups(frame, columns)
