"""Log-rank tests: all groups together, within strata, and pair by pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from cjm.errors import ArgumentError
from cjm.statistics import benjamini_hochberg
from cjm.survival._counts import TimeRows, time_rows
from cjm.survival._design import FloatArray, IntArray, groups, names_of, require
from cjm.survival._subjects import Subjects
from cjm.survival._sums import gram

__all__ = ["LogRank", "Weights", "logrank", "logrank_pairs", "logrank_test", "pairs_test"]

Weights = Literal["equal", "early", "gehan", "tarone-ware"]

_SMALL = 1e-9
_WEIGHTS = ("equal", "early", "gehan", "tarone-ware")


@dataclass(frozen=True)
class LogRank:
    """Observed and expected events a group (weighted, if the test is), their covariance, and the test."""

    observed: FloatArray
    expected: FloatArray
    variance: FloatArray
    chi2: float
    df: int
    p: float


def logrank(
    subjects: Subjects, *, by: str, weights: Weights = "equal", strata: str | list[str] | None = None
) -> pl.DataFrame:
    """Test whether groups of subjects churn at the same rate, with late entry taken into account.

    Parameters
    ----------
    subjects : Subjects
    by : str
        Attribute that was known at entry.
    weights : {"equal", "early", "gehan", "tarone-ware"}
        What a churn counts: the same at all times, or more the earlier it is: by the Kaplan-Meier curve of all just
        before it (Peto and Peto; R's ``rho=1``), the number at risk, its square root.
    strata : str or list of str, optional
        Attributes; persons are compared with those of the same values only.

    Returns
    -------
    polars.DataFrame
        ``group``, ``n``, ``observed``, ``expected`` (churned persons, if all groups had one hazard; both weighted with
        ``weights``), and, the same in all rows, ``chi2``, ``df``, ``p``.

    Raises
    ------
    ArgumentError
        For an unknown column or weight.

    References
    ----------
    Mantel (1966), Evaluation of survival data and two new rank order statistics, Cancer Chemotherapy Reports 50;
    Harrington and Fleming (1982), A class of rank test procedures for censored survival data, Biometrika 69. Agrees
    with R's ``survdiff``.

    Examples
    --------
    >>> from cjm.survival._example import example
    >>> logrank(example(), by="plan").select("group", "n", "observed").rows()
    [('basic', 3, 2.0), ('plus', 3, 1.0)]
    """
    rows, found, stratum = _rows(subjects, by, weights, strata, where="logrank")
    test = logrank_test(rows, weights, stratum)
    return pl.DataFrame(
        {
            "group": found[by],
            "n": np.bincount(rows.group, minlength=rows.groups),
            "observed": test.observed,
            "expected": test.expected,
        }
    ).with_columns(chi2=pl.lit(test.chi2), df=pl.lit(test.df, dtype=pl.Int64), p=pl.lit(test.p))


def logrank_pairs(
    subjects: Subjects, *, by: str, weights: Weights = "equal", strata: str | list[str] | None = None
) -> pl.DataFrame:
    """Test each pair of groups, and adjust for the number of pairs.

    Parameters
    ----------
    subjects, by, weights, strata
        As for :func:`logrank`.

    Returns
    -------
    polars.DataFrame
        ``group``, ``other``, ``excess`` (churned persons of ``group`` above what the hazard of both together would
        give; weighted with ``weights``), ``chi2``, ``p``, ``q`` (adjusted over all pairs, Benjamini-Hochberg),
        ``holm`` (adjusted so that the chance of even one false finding is kept).

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6.

    Examples
    --------
    >>> from cjm.survival._example import example
    >>> logrank_pairs(example(), by="plan").select("group", "other").rows()
    [('basic', 'plus')]
    """
    rows, found, stratum = _rows(subjects, by, weights, strata, where="logrank_pairs")
    excess, variance = pairs_test(rows, weights, stratum)
    from scipy.special import chdtrc

    first, second = np.triu_indices(rows.groups, k=1)
    chi2 = np.divide(excess**2, variance, out=np.full(len(excess), np.nan), where=variance > 0)
    p = chdtrc(1, chi2)
    columns = {"excess": excess, "chi2": chi2, "p": p, "q": benjamini_hochberg(p), "holm": _holm(p)}
    return pl.DataFrame(
        {"group": found[by][first], "other": found[by][second], **columns},
    ).with_columns(pl.col("chi2", "p", "q", "holm").fill_nan(None))


def logrank_test(rows: TimeRows, weights: Weights = "equal", stratum: IntArray | None = None) -> LogRank:
    """Compare the hazards of the groups; those that were never at risk at an event do not count."""
    from scipy.special import chdtrc

    size = rows.groups
    observed, expected = np.zeros(size), np.zeros(size)
    variance = np.zeros((size, size))
    for part in _strata(rows, stratum):
        survival = 1.0
        for counts in part.blocks():
            deaths = counts.events.sum(axis=1)
            died = np.flatnonzero(deaths)
            risk, events, d = counts.at_risk[died], counts.events[died], deaths[died].astype(np.float64)
            total = risk.sum(axis=1).astype(np.float64)
            after = survival * np.cumprod((total - d) / total)
            weight = _weight(weights, np.concatenate(([survival], after[:-1])), total)
            survival = float(after[-1]) if len(after) else survival
            share = risk / total[:, None]
            observed += (weight[:, None] * events).sum(axis=0)
            expected += ((weight * d)[:, None] * share).sum(axis=0)
            spread = weight**2 * np.where(total > 1, d * (total - d) / np.maximum(total - 1, 1), 0.0)
            variance += np.diag((spread[:, None] * share).sum(axis=0)) - gram(share, spread)
    df = int(np.linalg.matrix_rank(variance, tol=_SMALL * float(np.diag(variance).max()), hermitian=True))
    if df == 0:
        return LogRank(observed, expected, variance, float("nan"), 0, float("nan"))
    excess = observed - expected
    chi2 = float(excess @ np.linalg.pinv(variance, hermitian=True, rcond=_SMALL) @ excess)
    return LogRank(observed, expected, variance, chi2, df, float(chdtrc(df, chi2)))


def pairs_test(
    rows: TimeRows, weights: Weights = "equal", stratum: IntArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return observed less expected events of the first group of each pair, and the variance of that."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.survival_tables import pair_sums

    pairs = rows.groups * (rows.groups - 1) // 2
    excess, variance = np.zeros(pairs), np.zeros(pairs)
    for part in _strata(rows, stratum):
        survival = np.ones(pairs)
        for counts in part.blocks():
            at_risk, events = as_array(counts.at_risk, np.int64), as_array(counts.events, np.int64)
            pair_sums(at_risk, events, _WEIGHTS.index(weights), survival, excess, variance)
    return excess, variance


def _rows(
    subjects: Subjects, by: str, weights: Weights, strata: str | list[str] | None, *, where: str
) -> tuple[TimeRows, pl.DataFrame, IntArray | None]:
    frame = subjects.frame
    if frame.is_empty():
        raise ArgumentError.at("there are no subjects", where=where)
    if weights not in _WEIGHTS:
        raise ArgumentError.unknown("weights", weights, _WEIGHTS, where=f"{where}(weights=...)")
    require(frame, [by, *names_of(strata)], where=where)
    group, found = groups(frame, [by])
    entry, exit_ = frame["entry_days"].to_numpy(), frame["duration"].to_numpy()
    rows = time_rows(entry, exit_, frame["churned"].to_numpy(), group)
    return rows, found, None if strata is None else groups(frame, names_of(strata))[0]


def _strata(rows: TimeRows, stratum: IntArray | None) -> list[TimeRows]:
    return [rows] if stratum is None else [rows.take(stratum == place) for place in range(int(stratum.max()) + 1)]


def _weight(name: Weights, before: FloatArray, total: FloatArray) -> FloatArray:
    if name == "early":
        return before
    if name == "gehan":
        return total
    return np.sqrt(total) if name == "tarone-ware" else np.ones(len(total))


def _holm(p: FloatArray) -> FloatArray:
    """Return p values adjusted by Holm's procedure; NaN stays NaN and counts as no test."""
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted
