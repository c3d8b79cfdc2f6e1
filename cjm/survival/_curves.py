"""Kaplan-Meier curves and the log-rank test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError
from cjm.statistics import normal_quantile
from cjm.survival._design import FloatArray, IntArray, groups, require
from cjm.survival._subjects import Subjects

__all__ = ["kaplan_meier", "logrank", "logrank_test", "survival_curves"]


def survival_curves(subjects: Subjects, *, by: str | None = None, level: float = 0.95) -> pl.DataFrame:
    """Kaplan-Meier curves: the share of persons who have not churned by a time since time zero.

    Those who entered late count from their entry on. Competing ends are treated as censoring, so that 1 - survival is
    the chance of churn in a world without them.

    Parameters
    ----------
    subjects : Subjects
    by : str, optional
        Attribute of the subjects that was known at entry; a curve for each value. A path is none: whoever completed it
        had to stay long enough to do so. Use :class:`PathHazard` for paths.
    level : float
        Of the pointwise interval, on the scale of the logarithm (Greenwood), cut at 1.

    Returns
    -------
    polars.DataFrame
        [``by``], ``time`` (days: every exit), ``at_risk``, ``events``, ``censored``, ``survival``, ``lower``, ``upper``
        (null once survival is 0), and, with ``by``, ``logrank_p`` of all groups together.

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
    frame = subjects.frame
    entry, exit_, churned = _columns(frame)
    if by is None:
        return kaplan_meier(entry, exit_, churned, level=level)
    require(frame, [by], where="survival_curves(by=...)")
    group, found = groups(frame, [by])
    curves = [
        kaplan_meier(entry[group == place], exit_[group == place], churned[group == place], level=level).select(
            pl.lit(found[by][place], dtype=found.schema[by]).alias(by), pl.all()
        )
        for place in range(found.height)
    ]
    p = logrank_test(entry, exit_, churned, group).p
    return pl.concat(curves).with_columns(logrank_p=pl.lit(p))


def logrank(subjects: Subjects, *, by: str) -> pl.DataFrame:
    """Test whether groups of subjects churn at the same rate, with late entry taken into account.

    Parameters
    ----------
    subjects : Subjects
    by : str
        Attribute that was known at entry.

    Returns
    -------
    polars.DataFrame
        ``group``, ``n``, ``observed``, ``expected`` (churned persons, if all groups had one hazard), and, the same in
        all rows, ``chi2``, ``df``, ``p``.

    References
    ----------
    Mantel (1966), Evaluation of survival data and two new rank order statistics, Cancer Chemotherapy Reports 50. Agrees
    with R's ``survdiff``.

    Examples
    --------
    >>> from cjm.survival._example import example
    >>> logrank(example(), by="plan").select("group", "n", "observed").rows()
    [('basic', 3, 2), ('plus', 3, 1)]
    """
    frame = subjects.frame
    require(frame, [by], where="logrank(by=...)")
    group, found = groups(frame, [by])
    test = logrank_test(*_columns(frame), group)
    return pl.DataFrame(
        {
            "group": found[by],
            "n": np.bincount(group),
            "observed": test.observed,
            "expected": test.expected,
        }
    ).with_columns(chi2=pl.lit(test.chi2), df=pl.lit(test.df, dtype=pl.Int64), p=pl.lit(test.p))


@dataclass(frozen=True)
class LogRank:
    """Observed and expected events a group, and the test."""

    observed: IntArray
    expected: FloatArray
    variance: FloatArray
    chi2: float
    df: int
    p: float


def kaplan_meier(
    entry: FloatArray, exit: FloatArray, event: npt.NDArray[np.bool_], *, level: float = 0.95
) -> pl.DataFrame:
    """Return the Kaplan-Meier table of rows at risk in (entry, exit]; columns as :func:`survival_curves`."""
    times = np.unique(exit)
    place = np.searchsorted(times, exit)
    events = np.bincount(place, weights=event, minlength=len(times)).astype(np.int64)
    censored = np.bincount(place, minlength=len(times)) - events
    risk = _at_risk(entry, exit, times)
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod((risk - events) / risk)
        error = np.sqrt(np.cumsum(events / (risk * (risk - events))))
        width = normal_quantile(level) * error
        lower = survival * np.exp(-width)
        upper = np.minimum(survival * np.exp(width), 1.0)
    gone = survival == 0
    return pl.DataFrame(
        {
            "time": times,
            "at_risk": risk,
            "events": events,
            "censored": censored,
            "survival": survival,
            "lower": np.where(gone, np.nan, lower),
            "upper": np.where(gone, np.nan, upper),
        }
    ).with_columns(pl.col("lower", "upper").fill_nan(None))


def logrank_test(entry: FloatArray, exit: FloatArray, event: npt.NDArray[np.bool_], group: IntArray) -> LogRank:
    """Compare the hazards of groups ``0, 1, ...``; groups that were never at risk at an event do not count."""
    from scipy.special import chdtrc

    size = int(group.max()) + 1
    times = np.unique(exit[event])
    observed = np.bincount(group, weights=event, minlength=size).astype(np.int64)
    deaths = np.bincount(np.searchsorted(times, exit[event]), minlength=len(times)).astype(np.float64)
    risk = np.column_stack([_at_risk(entry[group == g], exit[group == g], times) for g in range(size)]).astype(
        np.float64
    )
    total = risk.sum(axis=1)
    share = risk / total[:, None]
    expected = deaths @ share
    spread = np.where(total > 1, deaths * (total - deaths) / np.maximum(total - 1, 1), 0.0)
    variance = np.diag(spread @ share) - share.T @ (share * spread[:, None])
    counted = np.flatnonzero(expected > 0)
    if len(counted) < 2:
        return LogRank(observed, expected, variance, float("nan"), 0, float("nan"))
    free = counted[:-1]
    excess = (observed - expected)[free]
    chi2 = float(excess @ np.linalg.pinv(variance[np.ix_(free, free)], hermitian=True) @ excess)
    return LogRank(observed, expected, variance, chi2, len(free), float(chdtrc(len(free), chi2)))


def _at_risk(entry: FloatArray, exit: FloatArray, times: FloatArray) -> IntArray:
    """Count the rows with entry < time <= exit."""
    begun = np.searchsorted(np.sort(entry), times, side="left")
    ended = np.searchsorted(np.sort(exit), times, side="left")
    return np.asarray(begun - ended, dtype=np.int64)


def _columns(frame: pl.DataFrame) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Return entry, exit (days since time zero) and churned."""
    if frame.is_empty():
        raise ArgumentError.at("there are no subjects", where="survival_curves")
    return frame["entry_days"].to_numpy(), frame["duration"].to_numpy(), frame["churned"].to_numpy()
