"""Curves of those who completed a path and those who had not: from a landmark, or with changing groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import DAY_US, Duration, to_us
from cjm.errors import InputError
from cjm.journeys import Journeys
from cjm.statistics import benjamini_hochberg
from cjm.survival._counts import time_rows
from cjm.survival._curves import survival_table
from cjm.survival._design import FloatArray, IntArray
from cjm.survival._logrank import LogRank, logrank_test
from cjm.survival._path_times import PathTimes, Patterns, path_times, reasons
from cjm.survival._subjects import Subjects

__all__ = ["PathCurves", "landmark", "simon_makuch", "state_rows"]

Rows = tuple[FloatArray, FloatArray, npt.NDArray[np.bool_], IntArray]


@dataclass(frozen=True, eq=False)
class PathCurves:
    """Curves by path; made by :func:`landmark` or :func:`simon_makuch`.

    Attributes
    ----------
    frame : polars.DataFrame
        ``path``, ``completed`` (Boolean), ``time`` (days since time zero: every exit), ``at_risk``, ``events``,
        ``censored``, ``survival``, ``lower``, ``upper`` (null once survival is 0).
    test : polars.DataFrame
        A row a path: ``path``, ``persons`` (with the path behind them at some time at risk), ``days`` (at risk
        thereafter), ``churned`` (meanwhile), ``expected`` (if their hazard were that of all at the same time),
        ``chi2``, ``p`` (log-rank), ``q`` (adjusted over the paths, Benjamini-Hochberg).
    notes : tuple of str
        What is compared, and what was assumed.
    """

    frame: pl.DataFrame
    test: pl.DataFrame
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"PathCurves({', '.join(self.test['path'])})"


def landmark(
    subjects: Subjects,
    journeys: Journeys,
    patterns: Patterns,
    *,
    at: Duration = "30d",
    level: float = 0.95,
    allow_bias: bool = False,
) -> PathCurves:
    """Kaplan-Meier curves from a landmark on: those who had completed a path by then, and those who had not.

    Only persons still at risk at the landmark count, and only what they had done by then; who completes the path later
    stays where they are. So nobody has a path for having stayed, at the price of those who left before.

    Parameters
    ----------
    subjects : Subjects
    journeys : Journeys
    patterns : Pattern, str, mapping of str to these, or sequence of these
    at : duration
        The landmark, since time zero.
    level : float
        Of the pointwise intervals.
    allow_bias : bool
        Go on with churn by silence.

    Returns
    -------
    PathCurves

    Raises
    ------
    ArgumentError
        For churn by silence, or subjects with several spells.
    InputError
        If nobody churned, or nobody was at risk at the landmark.

    References
    ----------
    Anderson, Cain and Gelber (1983), Analysis of survival by tumor response, Journal of Clinical Oncology 1.

    Examples
    --------
    >>> from cjm.survival._example import example, example_journeys
    >>> found = landmark(example(), example_journeys(), {"help": "web:help"}, at="6d")
    >>> found.test.select("path", "persons", "churned").row(0)
    ('help', 2, 2)
    """
    days = to_us(at, "at") / DAY_US
    times = path_times(journeys, subjects, patterns, where="landmark", allow_bias=allow_bias)
    there = (times.entry <= days) & (times.exit > days)
    if not there.any():
        raise InputError.at(f"nobody was at risk {days:g} days after time zero", where="landmark(at=...)")
    begin, size = np.full(int(there.sum()), days), int(there.sum())
    late = int((times.entry > days).sum())
    gone = len(there) - size - late
    rows = (
        (begin, times.exit[there], times.churned[there], (first[there] <= days).astype(np.int64))
        for first in times.first.T
    )
    notes = [
        f"From a landmark: {size} persons at risk {days:g} days after time zero, by what they had done by then",
        f"{gone} persons had left by then and {late} came under observation later; they do not count",
    ]
    return _curves(times, rows, (*reasons(subjects, allow_bias), *notes), level)


def simon_makuch(
    subjects: Subjects,
    journeys: Journeys,
    patterns: Patterns,
    *,
    start: Duration = "0d",
    level: float = 0.95,
    allow_bias: bool = False,
) -> PathCurves:
    """Kaplan-Meier curves with changing groups: a person moves to the other curve when they complete the path.

    Neither curve follows a fixed set of persons: at each time it multiplies the chances to stay of those who are in the
    group then. The test is that of Mantel and Byar. Where few are in a group at first, its curve may drop by chance:
    begin later (``start``).

    Parameters
    ----------
    subjects : Subjects
    journeys : Journeys
    patterns : Pattern, str, mapping of str to these, or sequence of these
    start : duration
        Since time zero; who left before does not count.
    level : float
        Of the pointwise intervals.
    allow_bias : bool
        Go on with churn by silence.

    Returns
    -------
    PathCurves

    Raises
    ------
    ArgumentError
        For churn by silence, or subjects with several spells.
    InputError
        If nobody churned, or nobody was at risk after ``start``.

    References
    ----------
    Simon and Makuch (1984), A non-parametric graphical representation of the relationship between survival and the
    occurrence of an event, Statistics in Medicine 3; Mantel and Byar (1974), Evaluation of response-time data involving
    transient states, JASA 69.

    Examples
    --------
    >>> from cjm.survival._example import example, example_journeys
    >>> found = simon_makuch(example(), example_journeys(), {"help": "web:offer -> web:help"})
    >>> found.test.select("path", "persons", "days", "churned").row(0)
    ('help', 2, 65.0, 1)
    """
    begin = to_us(start, "start") / DAY_US
    times = path_times(journeys, subjects, patterns, where="simon_makuch", allow_bias=allow_bias)
    if not (times.exit > begin).any():
        raise InputError.at(f"nobody was at risk after {begin:g} days", where="simon_makuch(start=...)")
    notes = ["Groups change: a person counts as without the path until it is complete, and as with it from then on"]
    if begin:
        notes.append(f"Survival is from {begin:g} days after time zero on, of those still at risk then")
    rows = (state_rows(times, path, begin) for path in range(len(times.names)))
    return _curves(times, rows, (*reasons(subjects, allow_bias), *notes), level)


def state_rows(times: PathTimes, path: int, begin: float = 0.0) -> Rows:
    """Return entry, exit, churned and group (1 once the path is complete) of time at risk after ``begin``."""
    entry, exit_, first = np.maximum(times.entry, begin), times.exit, times.first[:, path]
    before = (entry < np.minimum(first, exit_)) & (entry < exit_)
    after = np.maximum(entry, first) < exit_
    return (
        np.concatenate((entry[before], np.maximum(entry, first)[after])),
        np.concatenate((np.minimum(exit_, first)[before], exit_[after])),
        np.concatenate((times.churned[before] & (exit_ <= first)[before], times.churned[after])),
        np.repeat([0, 1], [int(before.sum()), int(after.sum())]),
    )


def _curves(times: PathTimes, parts: Iterable[Rows], notes: tuple[str, ...], level: float) -> PathCurves:
    curves, tests = [], []
    for name, (entry, exit_, churned, group) in zip(times.names, parts, strict=True):
        rows = time_rows(entry, exit_, churned, group)
        table = survival_table(rows, level=level)
        curves.append(
            table.select(pl.lit(name).alias("path"), (pl.col("group") == 1).alias("completed"), pl.exclude("group"))
        )
        ours = group == 1
        if not ours.any():
            tests.append((name, 0, 0.0, 0, 0.0, None, None))
            continue
        test: LogRank = logrank_test(rows)
        days = float((exit_ - entry)[ours].sum())
        figures = (None, None) if test.df == 0 else (test.chi2, test.p)
        tests.append((name, int(ours.sum()), days, int(churned[ours].sum()), float(test.expected[1]), *figures))
    schema = {"path": pl.String, "persons": pl.Int64, "days": pl.Float64, "churned": pl.Int64, "expected": pl.Float64}
    frame = pl.DataFrame(tests, schema={**schema, "chi2": pl.Float64, "p": pl.Float64}, orient="row")
    q = benjamini_hochberg(frame["p"].fill_null(float("nan")).to_numpy())
    return PathCurves(pl.concat(curves), frame.with_columns(pl.Series("q", q).fill_nan(None)), notes)
