"""Restricted mean time: days kept within a horizon."""

from __future__ import annotations

import numpy as np
import polars as pl

from cjm.durations import DAY_US, Duration, to_us
from cjm.errors import ArgumentError
from cjm.statistics import normal_quantile
from cjm.survival._counts import TimeRows, median_of, time_rows
from cjm.survival._curves import grouped, times_of
from cjm.survival._subjects import Subjects

__all__ = ["restricted_mean", "restricted_mean_of"]


def restricted_mean(subjects: Subjects, *, until: Duration, by: str | None = None, level: float = 0.95) -> pl.DataFrame:
    """Mean days until churn, counted up to a horizon: the area under the Kaplan-Meier curve.

    Needs no model, and its difference between groups is in days, which a hazard ratio is not.

    Parameters
    ----------
    subjects : Subjects
    until : duration
        Horizon since time zero.
    by : str, optional
        Attribute of the subjects that was known at entry.
    level : float
        Of the intervals.

    Returns
    -------
    polars.DataFrame
        [``by``], ``persons``, ``churned`` (by the horizon), ``median`` (days; null where fewer than half churned),
        ``mean`` (days), ``se``, ``lower``, ``upper``; with ``by``, also ``difference`` (days more than in the first
        group; null there), ``difference_lower``, ``difference_upper``, ``p``. Null for a group that was not followed
        up to the horizon.

    Raises
    ------
    ArgumentError
        For an unknown column or a horizon of zero.

    References
    ----------
    Royston and Parmar (2013), Restricted mean survival time, BMC Medical Research Methodology 13. Agrees with R's
    ``survfit``.

    Examples
    --------
    >>> from cjm.survival._example import example
    >>> restricted_mean(example(), until="40d").select("persons", "churned", "mean").row(0)
    (6, 2, 33.333333333333336)
    """
    days = to_us(until, "until") / DAY_US
    if days == 0:
        raise ArgumentError.at("the horizon is zero", where="restricted_mean(until=...)")
    entry, exit_, churned = times_of(subjects, where="restricted_mean")
    group, found = grouped(subjects.frame, by, where="restricted_mean(by=...)")
    size = int(group.max()) + 1
    figures = np.empty((3, size))
    for place in range(size):
        ours = group == place
        figures[:, place] = restricted_mean_of(time_rows(entry[ours], exit_[ours], churned[ours]), days)
    median, mean, se = figures
    z = normal_quantile(level)
    columns = {
        "persons": np.bincount(group, minlength=size),
        "churned": np.bincount(group, weights=churned & (exit_ <= days), minlength=size).astype(np.int64),
        "median": median,
        "mean": mean,
        "se": se,
        "lower": np.maximum(mean - z * se, 0.0),
        "upper": np.minimum(mean + z * se, days),
    }
    if by is not None:
        from scipy.special import ndtr

        difference, error = mean - mean[0], np.hypot(se, se[0])
        difference[0] = np.nan
        with np.errstate(divide="ignore", invalid="ignore"):
            p = 2 * ndtr(-np.abs(difference / error))
        columns |= {
            "difference": difference,
            "difference_lower": difference - z * error,
            "difference_upper": difference + z * error,
            "p": p,
        }
    table = pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))
    return table if by is None else table.select(found[by], pl.all())


def restricted_mean_of(rows: TimeRows, until: float) -> tuple[float, float, float]:
    """Return median, restricted mean and its standard error in one group; NaN where they are not known."""
    cells = rows.cells
    events, risk = cells.events, cells.at_risk.astype(np.float64)
    curve = np.cumprod((risk - events) / risk)
    median = median_of(rows)
    if rows.times[-1] < until and curve[-1] > 0:
        return median, float("nan"), float("nan")
    seen = rows.times < until
    times, curve = rows.times[seen], curve[seen]
    area = np.diff(np.concatenate(([0.0], times, [until]))) * np.concatenate(([1.0], curve))
    left = np.cumsum(area[::-1])[::-1][1:]  # the area from each time on
    survivors = risk[seen] - events[seen]
    weight = np.divide(events[seen], risk[seen] * survivors, out=np.zeros(len(times)), where=survivors > 0)
    return median, float(area.sum()), float(np.sqrt((left**2 * weight).sum()))
