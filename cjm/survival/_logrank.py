"""Log-rank tests: all groups together, within strata, and pair by pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from cjm.errors import ArgumentError
from cjm.statistics import benjamini_hochberg
from cjm.survival._counts import Cells, TimeRows, time_rows
from cjm.survival._design import FloatArray, IntArray, groups, names_of, require
from cjm.survival._subjects import Subjects

__all__ = ["LogRank", "Weights", "logrank", "logrank_pairs", "logrank_test", "pairs_test", "sums_tested"]

Weights = Literal["equal", "early", "gehan", "tarone-ware"]

_SMALL = 1e-9
_WEIGHTS = ("equal", "early", "gehan", "tarone-ware")  # in the order of the kernel


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
    from cjm.kernels.survival_ranks import group_sums

    def add(cells: Cells, *sums: FloatArray) -> None:
        group_sums(cells.time, cells.group, *_counts(cells), _WEIGHTS.index(weights), *sums)

    return sums_tested(rows, stratum, add)


def sums_tested(rows: TimeRows, stratum: IntArray | None, add: Callable[..., None]) -> LogRank:
    """Test whether observed less expected is zero in all groups.

    ``add`` adds to observed, expected and their covariance, given before them the cells of one stratum by time.
    """
    from scipy.special import chdtrc

    from cjm.kernels.survival_ranks import quadratic_form

    observed, expected = np.zeros(rows.groups), np.zeros(rows.groups)
    variance = np.zeros((rows.groups, rows.groups))
    for part in _strata(rows, stratum):
        cells = part.cells
        found = (np.zeros_like(observed), np.zeros_like(expected), np.zeros_like(variance))
        add(cells.take(np.argsort(cells.time, kind="stable")), *found)
        for total, added in zip((observed, expected, variance), found, strict=True):
            total += added
    chi2, df = quadratic_form(variance.copy(), observed - expected, _SMALL)
    if df == 0:
        return LogRank(observed, expected, variance, float("nan"), 0, float("nan"))
    return LogRank(observed, expected, variance, chi2, df, float(chdtrc(df, chi2)))


def pairs_test(
    rows: TimeRows, weights: Weights = "equal", stratum: IntArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return observed less expected events of the first group of each pair, and the variance of that."""
    from cjm.kernels.survival_ranks import pair_sums

    pairs = rows.groups * (rows.groups - 1) // 2
    excess, variance = np.zeros(pairs), np.zeros(pairs)
    for part in _strata(rows, stratum):
        cells = part.cells
        offsets = np.searchsorted(cells.group, np.arange(rows.groups + 1))
        pair_sums(cells.time, offsets, *_counts(cells), _WEIGHTS.index(weights), excess, variance)
    return excess, variance


def _counts(cells: Cells) -> tuple[IntArray, IntArray, IntArray]:
    """Return the numbers at risk, that churned, and that ended in any way."""
    from cjm.kernels._jit import as_array

    at_risk, events, gone = (as_array(counts, np.int64) for counts in (cells.at_risk, cells.events, cells.gone))
    return at_risk, events, gone


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


def _holm(p: FloatArray) -> FloatArray:
    """Return p values adjusted by Holm's procedure; NaN stays NaN and counts as no test."""
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted
