"""Gray's test: whether groups end in the same way to the same share, where other ends keep that from happening."""

from __future__ import annotations

import numpy as np
import polars as pl

from cjm.errors import ArgumentError
from cjm.survival._counts import Cells, TimeRows, time_rows
from cjm.survival._curves import times_of
from cjm.survival._design import FloatArray, IntArray, groups, names_of, require
from cjm.survival._logrank import LogRank, sums_tested
from cjm.survival._subjects import Subjects

__all__ = ["gray", "gray_test"]

_WHERE = "gray"


def gray(subjects: Subjects, *, by: str, end: str = "churn", strata: str | list[str] | None = None) -> pl.DataFrame:
    """Test whether the cumulative incidence of an end is the same in all groups.

    The test that goes with :func:`cumulative_incidence`: it compares the shares that end so. :func:`logrank` compares
    the rates among those still there; a group may have the higher rate and the lower share, if it ends otherwise first.

    Parameters
    ----------
    subjects : Subjects
        All observed from time zero on.
    by : str
        Attribute that was known at entry.
    end : str
        ``"churn"`` or a competing end.
    strata : str or list of str, optional
        Attributes; persons are compared with those of the same values only.

    Returns
    -------
    polars.DataFrame
        ``group``, ``n``, ``observed``, ``expected`` (ends of that kind, if all groups had one incidence), and, the same
        in all rows, ``chi2``, ``df``, ``p``.

    Raises
    ------
    ArgumentError
        For an unknown column or end, or subjects that entered late, for whom the test is not made.

    References
    ----------
    Gray (1988), A class of K-sample tests for comparing the cumulative incidence of a competing risk, Annals of
    Statistics 16. Agrees with ``cuminc`` of R's cmprsk.

    Examples
    --------
    >>> from cjm.survival._example import example
    >>> gray(example(), by="plan").select("group", "n", "observed").rows()
    [('basic', 3, 2.0), ('plus', 3, 1.0)]
    """
    entry, exit_, _ = times_of(subjects, where=_WHERE)
    frame = subjects.frame
    require(frame, [by, *names_of(strata)], where=_WHERE)
    known = sorted(set(frame["end"].unique()) - {"censored"} | {"churn"})
    if end not in known:
        raise ArgumentError.unknown("end", end, known, where=f"{_WHERE}(end=...)")
    if (entry > 0).any():
        raise ArgumentError.at(
            f"{int((entry > 0).sum())} of {len(entry)} subjects entered late; Gray's test needs all from time zero on",
            where=_WHERE,
            hint="Leave them out with subjects.filter(pl.col('entry_days') == 0), or compare rates with logrank",
        )
    group, found = groups(frame, [by])
    other = pl.col("end") != "censored"
    ending = frame.select(pl.when(pl.col("end") == end).then(1).when(other).then(2).otherwise(0)).to_series().to_numpy()
    rows = time_rows(entry, exit_, ending, group)
    test = gray_test(rows, None if strata is None else groups(frame, names_of(strata))[0])
    return pl.DataFrame(
        {
            "group": found[by],
            "n": np.bincount(rows.group, minlength=rows.groups),
            "observed": test.observed,
            "expected": test.expected,
        }
    ).with_columns(chi2=pl.lit(test.chi2), df=pl.lit(test.df, dtype=pl.Int64), p=pl.lit(test.p))


def gray_test(rows: TimeRows, stratum: IntArray | None = None) -> LogRank:
    """Compare the incidences of ending 1 in the groups; endings above it compete with it."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.gray import gray_sums

    def add(cells: Cells, *sums: FloatArray) -> None:
        other = cells.ended[:, 2:].sum(axis=1)
        counts = (as_array(count, np.int64) for count in (cells.at_risk, cells.events, other, cells.gone))
        gray_sums(cells.time, cells.group, *counts, *sums)

    return sums_tested(rows, stratum, add)
