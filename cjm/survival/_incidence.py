"""Aalen-Johansen curves: the chance of each end, where one end keeps the others from happening."""

from __future__ import annotations

import numpy as np
import polars as pl

from cjm.statistics import normal_quantile
from cjm.survival._counts import TimeRows, time_rows
from cjm.survival._curves import grouped, times_of
from cjm.survival._design import FloatArray
from cjm.survival._subjects import Subjects

__all__ = ["cif", "cumulative_incidence", "incidence_of"]


def cumulative_incidence(subjects: Subjects, *, by: str | None = None, level: float = 0.95) -> pl.DataFrame:
    """Aalen-Johansen curves: the share of persons who have churned, or ended otherwise, by a time since time zero.

    Who moved abroad can no longer cancel. 1 - Kaplan-Meier says what would be if nobody ever moved; this is the share
    that did cancel. The shares of all ends and of those still there add up to 1.

    Parameters
    ----------
    subjects : Subjects
    by : str, optional
        Attribute of the subjects that was known at entry; curves for each value.
    level : float
        Of the pointwise interval, on the scale of log(-log(incidence)).

    Returns
    -------
    polars.DataFrame
        [``by``], ``end`` (``churn``, then the competing ends by name), ``time`` (days: every exit), ``at_risk``,
        ``events`` (of that end), ``incidence``, ``se``, ``lower``, ``upper`` (null before the first event).

    Raises
    ------
    ArgumentError
        For an unknown column, or if there are no subjects.

    References
    ----------
    Aalen and Johansen (1978), An empirical transition matrix for non-homogeneous Markov chains, Scandinavian Journal of
    Statistics 5. The error is the infinitesimal jackknife, as in R's ``survfit``; ties are exact.

    Examples
    --------
    >>> from cjm.survival._example import example
    >>> cumulative_incidence(example()).select("end", "time", "events", "incidence").tail(1).rows()
    [('churn', 80.0, 0, 0.5)]
    """
    entry, exit_, _ = times_of(subjects, where="cumulative_incidence")
    group, found = grouped(subjects.frame, by, where="cumulative_incidence(by=...)")
    ends = ["churn", *sorted(set(subjects.frame["end"].unique()) - {"churn", "censored"})]
    code = {"censored": 0} | {name: place for place, name in enumerate(ends, 1)}
    ending = subjects.frame["end"].replace_strict(code, return_dtype=pl.Int64).to_numpy()
    parts = []
    for place in range(int(group.max()) + 1):
        ours = group == place
        rows = time_rows(entry[ours], exit_[ours], ending[ours])
        for wanted, name in enumerate(ends, 1):
            if wanted >= rows.endings:
                continue  # nobody of this group ended so
            incidence, se = incidence_of(rows, wanted)
            columns = {
                "time": rows.times,
                "at_risk": rows.cells.at_risk,
                "events": rows.cells.ended[:, wanted],
                "incidence": incidence,
                "se": se,
            }
            label = [] if by is None else [pl.lit(found[by][place], dtype=found.schema[by]).alias(by)]
            parts.append(pl.DataFrame(columns).select(*label, pl.lit(name).alias("end"), pl.all()))
    share, z = pl.col("incidence"), normal_quantile(level)
    width = z * pl.col("se") / (share * share.log())
    inside = (share > 0) & (share < 1)
    return pl.concat(parts).with_columns(
        lower=pl.when(inside).then(share ** (-width).exp()), upper=pl.when(inside).then(share ** width.exp())
    )


cif = cumulative_incidence  # the name by which statisticians know it


def incidence_of(rows: TimeRows, wanted: int) -> tuple[FloatArray, FloatArray]:
    """Return, at each time, the cumulative incidence of an ending in one group, and its standard error.

    The influence of a row on the incidence F(t) is a martingale sum C(t) - F(t) B(t); C and B do not depend on t
    but through the upper end of the sum. So the sum of squares over all rows is that of those gone, added up as they
    go, and that of those at risk, which differ only in where they began.
    """
    from cjm.kernels.survival_tables import influence_sums

    size = len(rows.times)
    risk = rows.cells.at_risk.astype(np.float64)
    own, every = rows.cells.ended[:, wanted] / risk, rows.cells.ended[:, 1:].sum(axis=1) / risk
    survival = np.cumprod(1 - every)
    before = np.concatenate(([1.0], survival[:-1]))
    incidence = np.cumsum(before * own)
    a = before / risk
    b = np.divide(a, survival, out=np.zeros(size), where=survival > 0)
    c = incidence * b
    first = np.concatenate(([0.0], np.cumsum(a * own + c * every)))
    second = np.concatenate(([0.0], np.cumsum(b * every)))
    gone, there = np.zeros((size, 3)), np.zeros((size + 1, 6))
    influence_sums(rows.first, rows.last, rows.ending, wanted, first, second, a + c, b, c, gone, there)
    gone = np.cumsum(gone, axis=0)
    number, x, y, xx, xy, yy = np.cumsum(there, axis=0)[1:].T
    u, v = first[1:], second[1:]
    squares = gone[:, 0] + number * u * u - 2 * u * x + xx
    products = gone[:, 1] + number * u * v - u * y - v * x + xy
    others = gone[:, 2] + number * v * v - 2 * v * y + yy
    return incidence, np.sqrt(np.maximum(squares - 2 * incidence * products + incidence**2 * others, 0.0))
