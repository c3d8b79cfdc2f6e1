"""How the hazard of churn differs by time since a path, and by when one must act."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import DAY_US, Duration, to_us
from cjm.errors import ArgumentError, InputError
from cjm.journeys import Journeys
from cjm.survival._cox import CoxResult, cox
from cjm.survival._design import FloatArray, IntArray, encode, groups, names_of, require
from cjm.survival._path_times import PathTimes, Patterns, one_name, path_times, reasons
from cjm.survival._subjects import Subjects

__all__ = ["When", "wald_equal", "when"]

_STEPS = 6
_GRID = 60
_DRAWS = 1_000


@dataclass(frozen=True, eq=False)
class When:
    """Churn by time since a path; made by :func:`when`.

    Attributes
    ----------
    path : str
    frame : polars.DataFrame
        A row a stretch of time since the path: ``since``, ``until`` (days after it; ``until`` of the last is null: all
        that lies beyond the horizon), ``persons`` (at risk in it), ``days`` (at risk), ``churned``, ``expected`` (at
        the hazard of those without the path, at the same time since time zero), ``hazard_ratio``, ``lower``, ``upper``,
        ``p`` (null where nobody churned or nobody was at risk).
    excess : polars.DataFrame
        ``day`` (since the path), ``excess`` (of 100 persons with the path, how many more have churned by then than
        would have without it), ``lower``, ``upper``, ``share`` (of the excess at the horizon; null if that is not above
        zero).
    act_by : float or None
        Days after the path by which half of the excess within the horizon has happened: who acts later is late for
        half of it. None where the excess at the horizon is not clearly above zero.
    act_by_interval : tuple of float, or None
        Interval of ``act_by``.
    constant_p : float or None
        Test that the hazard ratio is the same in all stretches.
    persons : int
        With the path behind them at some time at risk.
    level : float
    notes : tuple of str
    """

    path: str
    frame: pl.DataFrame
    excess: pl.DataFrame
    act_by: float | None
    act_by_interval: tuple[float, float] | None
    constant_p: float | None
    persons: int
    level: float
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        said = "no clear excess" if self.act_by is None else f"half of the excess within {self.act_by:.1f} days"
        return f"When({self.path!r}, {self.persons:,} persons: {said})"


def when(
    subjects: Subjects,
    journeys: Journeys,
    pattern: Patterns,
    *,
    horizon: Duration = "90d",
    every: Duration | None = None,
    adjust: Sequence[str] = (),
    strata: str | Sequence[str] | None = None,
    level: float = 0.95,
    allow_bias: bool = False,
) -> When:
    """Say how much more often persons churn soon after a path, later, and much later.

    Those with the path behind them are compared with those at risk at the same time since time zero who had not
    completed it. A description: that churn comes soon after a path does not say that acting would prevent it.

    Parameters
    ----------
    subjects : Subjects
    journeys : Journeys
    pattern : Pattern, str, or mapping of its name to one of these
    horizon : duration
        Time since the path within which the excess is counted.
    every : duration, optional
        Length of a stretch; by default a sixth of the horizon.
    adjust : sequence of str
        Attributes of the subjects that enter the model as covariates.
    strata : str or sequence of str, optional
        Attributes; each combination has a baseline hazard of its own.
    level : float
        Of the intervals.
    allow_bias : bool
        Go on with churn by silence.

    Returns
    -------
    When

    Raises
    ------
    ArgumentError
        For churn by silence, several patterns, unknown attributes, or more than 60 stretches.
    InputError
        If nobody at risk completed the path, or nobody at risk had not.

    Notes
    -----
    A Cox model in which the path has a coefficient for each stretch of time since it. Excess: the hazard of those with
    the path less that expected, times the chance to be still there, summed over time since the path, so that those
    whose follow-up ended early do not lower it. Its interval, and that of ``act_by``, come from Poisson draws of the
    churned in each step of the sum, with the expected as given.

    References
    ----------
    Andersen and Keiding (2002), Multi-state models for event history analysis, Statistical Methods in Medical Research
    11.

    Examples
    --------
    >>> from cjm.survival._example import example, example_journeys
    >>> found = when(example(), example_journeys(), {"help": "web:offer -> web:help"}, horizon="40d", every="40d")
    >>> found.frame.select("since", "until", "persons", "days", "churned").rows()
    [(0.0, 40.0, 2, 65.0, 1), (40.0, None, 0, 0.0, 0)]
    """
    name = one_name(pattern, where="when")
    require(subjects.frame, [*adjust, *names_of(strata)], where="when")
    edges = _edges(horizon, every)
    times = path_times(journeys, subjects, pattern, where="when", allow_bias=allow_bias)
    design = encode(subjects.frame, adjust)
    stratum, _ = groups(subjects.frame, names_of(strata))
    complete = np.asarray(~np.isnan(design.x).any(axis=1))
    spans = _Spans(times, complete)
    if not len(spans.subject):
        raise InputError.at("no subject completed the path while at risk", where="when")
    rows = spans.rows(edges)
    lag, subject = rows.lag, rows.subject
    size = len(edges)
    churned = np.bincount(lag[rows.churned & (lag >= 0)], minlength=size)
    told = np.flatnonzero(churned)
    terms = [f"{name}, from day {edges[place]:g}" for place in told]
    kept = (lag < 0) | (churned[lag] > 0)  # a stretch without churn has ratio 0 and tells nothing of the others
    table = pl.DataFrame(
        {
            "__start": rows.start[kept],
            "__stop": rows.stop[kept],
            "__churned": rows.churned[kept],
            "__stratum": stratum[subject[kept]],
            **{term: (lag[kept] == place).astype(np.float64) for place, term in zip(told, terms, strict=True)},
            **dict(zip(design.terms, design.x[subject[kept]].T, strict=True)),
        }
    )
    if not (rows.churned & (lag < 0)).any():
        raise InputError.at("nobody churned without the path, so there is nothing to compare with", where="when")
    result = cox(
        table,
        start="__start",
        stop="__stop",
        event="__churned",
        covariates=[*terms, *design.terms],
        strata="__stratum",
        level=level,
    )
    hazard = _Baseline(result, [*terms, *design.terms])
    shift = np.exp(design.x @ result.coef[len(terms) :])
    after = lag >= 0
    more = hazard.between(stratum[subject[after]], rows.start[after], rows.stop[after]) * shift[subject[after]]
    ratio = np.full((4, size), np.nan)
    ratio[:, told] = result.summary.head(len(told)).select("hazard_ratio", "lower", "upper", "p").to_numpy().T
    frame = pl.DataFrame(
        {
            "since": edges,
            "until": [*edges[1:], None],
            "persons": np.bincount(lag[after], minlength=size),
            "days": np.bincount(lag[after], weights=(rows.stop - rows.start)[after], minlength=size),
            "churned": churned,
            "expected": np.bincount(lag[after], weights=more, minlength=size),
            **dict(zip(("hazard_ratio", "lower", "upper", "p"), ratio, strict=True)),
        }
    ).with_columns(pl.col("hazard_ratio", "lower", "upper", "p").fill_nan(None))
    excess, act_by, interval = _excess(spans, edges[-1], hazard, stratum, shift, level)
    notes = [
        "Compared with persons at the same time since time zero who had not completed the path",
        "A description: whether acting on the path helps takes a randomised holdout",
    ]
    if not complete.all():
        notes.append(f"{int((~complete).sum())} persons with a missing covariate are left out")
    return When(
        name,
        frame,
        excess,
        act_by,
        interval,
        wald_equal(result.coef[: len(told)], result.covariance[: len(told), : len(told)]),
        len(spans.subject),
        level,
        (*reasons(subjects, allow_bias), *notes, *result.notes),
    )


def _edges(horizon: Duration, every: Duration | None) -> FloatArray:
    """Return where stretches begin, days; the last is the horizon."""
    end = to_us(horizon, "horizon")
    step = end / _STEPS if every is None else to_us(every, "every")
    if not 0 < step <= end or end / step > _GRID:
        raise ArgumentError.at(
            f"a horizon of {horizon} is not cut into 1 to {_GRID} stretches of {every}", where="when(every=...)"
        )
    return np.unique(np.append(np.arange(0, end, step), end)) / DAY_US


@dataclass(frozen=True)
class _Rows:
    """(start, stop] rows; ``lag`` is the stretch since the path, -1 before it."""

    subject: IntArray
    start: FloatArray
    stop: FloatArray
    churned: npt.NDArray[np.bool_]
    lag: IntArray


class _Spans:
    """Time at risk before and after the path."""

    def __init__(self, times: PathTimes, complete: npt.NDArray[np.bool_]) -> None:
        self.times, self.first = times, times.first[:, 0]
        self.before = np.flatnonzero(complete & (times.entry < self.first))
        self.subject = np.flatnonzero(complete & (self.first < times.exit))
        self.begin = np.maximum(times.entry, self.first)[self.subject]
        self.end = times.exit[self.subject]
        self.zero = self.first[self.subject]
        self.churned = times.churned[self.subject]

    def rows(self, edges: FloatArray) -> _Rows:
        """Cut the time after the path at ``edges`` days since it."""
        subject, start, stop, lag = [self.before], [self.times.entry[self.before]], [], [np.full(len(self.before), -1)]
        stop.append(np.minimum(self.times.exit, self.first)[self.before])
        churned = [self.times.churned[self.before] & (self.times.exit <= self.first)[self.before]]
        for place, (low, high) in enumerate(zip(edges, [*edges[1:], np.inf], strict=True)):
            begin, end = np.maximum(self.begin, self.zero + low), np.minimum(self.end, self.zero + high)
            some = begin < end
            subject.append(self.subject[some])
            start.append(begin[some])
            stop.append(end[some])
            churned.append((self.churned & (self.end <= self.zero + high))[some])
            lag.append(np.full(int(some.sum()), place))
        return _Rows(*(np.concatenate(parts) for parts in (subject, start, stop, churned, lag)))


class _Baseline:
    """Cumulative hazard of those without the path, of each stratum."""

    def __init__(self, result: CoxResult, terms: Sequence[str]) -> None:
        table = result.baseline(at=dict.fromkeys(terms, 0.0))
        self.parts = {
            stratum: (part["time"].to_numpy(), np.concatenate(([0.0], part["cumulative_hazard"].to_numpy())))
            for (stratum,), part in table.sort("__stratum", "time").group_by("__stratum")
        }

    def between(self, stratum: IntArray, start: FloatArray, stop: FloatArray) -> FloatArray:
        """Return the hazard of (start, stop]; 0 in a stratum in which nobody churned."""
        found = np.zeros(len(start))
        for place, (times, total) in self.parts.items():
            ours = stratum == place
            low, high = (np.searchsorted(times, value[ours], side="right") for value in (start, stop))
            found[ours] = total[high] - total[low]
        return found


def _excess(
    spans: _Spans, horizon: float, hazard: _Baseline, stratum: IntArray, shift: FloatArray, level: float
) -> tuple[pl.DataFrame, float | None, tuple[float, float] | None]:
    """Return the excess by day since the path, and by when half of it has happened."""
    grid = np.linspace(0, horizon, _GRID + 1)
    churned, expected, days = np.zeros(_GRID), np.zeros(_GRID), np.zeros(_GRID)
    for place, (low, high) in enumerate(itertools.pairwise(grid)):
        begin, end = np.maximum(spans.begin, spans.zero + low), np.minimum(spans.end, spans.zero + high)
        some = begin < end
        who = spans.subject[some]
        churned[place] = (spans.churned & (spans.end <= spans.zero + high))[some].sum()
        expected[place] = (hazard.between(stratum[who], begin[some], end[some]) * shift[who]).sum()
        days[place] = (end - begin)[some].sum()
    exposure = np.divide(grid[1] - grid[0], days, out=np.zeros(_GRID), where=days > 0)

    def summed(died: FloatArray) -> FloatArray:
        rate = died * exposure
        there = np.exp(-np.cumsum(rate, axis=-1) + rate / 2)  # at the middle of the step
        return np.asarray(100 * np.cumsum(there * (died - expected) * exposure, axis=-1))

    total = summed(churned)
    draws = summed(np.random.default_rng(0).poisson(churned, (_DRAWS, _GRID)).astype(np.float64))
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    share = total / total[-1] if total[-1] > 0 else np.full(_GRID, np.nan)
    frame = pl.DataFrame(
        {
            "day": grid,
            **{
                key: np.append(0.0, values)
                for key, values in (("excess", total), ("lower", low), ("upper", high), ("share", share))
            },
        }
    ).with_columns(pl.col("share").fill_nan(None))
    if total[-1] <= 0:
        frame = frame.with_columns(share=pl.lit(None, dtype=pl.Float64))
    if low[-1] <= 0:
        return (
            frame.with_columns(share=pl.lit(None, dtype=pl.Float64) if total[-1] <= 0 else pl.col("share")),
            None,
            None,
        )
    halves = _half(grid, draws[draws[:, -1] > 0])
    early, late = np.quantile(halves, [tail, 1 - tail]).tolist()
    return frame, float(_half(grid, total[None, :])[0]), (early, late)


def _half(grid: FloatArray, totals: FloatArray) -> FloatArray:
    """Return, a row, the first day at which the excess has reached half of its last value."""
    curves = np.column_stack((np.zeros(len(totals)), totals))
    half = curves[:, -1] / 2
    place = (curves >= half[:, None]).argmax(axis=1)
    row = np.arange(len(curves))
    before, at = curves[row, place - 1], curves[row, place]
    return np.asarray(grid[place - 1] + (grid[1] - grid[0]) * (half - before) / (at - before))


def wald_equal(coef: FloatArray, covariance: FloatArray) -> float | None:
    """Return p of Wald's test that coefficients are equal; None for fewer than two."""
    from scipy.special import chdtrc

    size = len(coef)
    if size < 2:
        return None
    contrast = np.eye(size)[1:] - np.eye(size)[0]
    found = contrast @ coef
    return float(chdtrc(size - 1, found @ np.linalg.solve(contrast @ covariance @ contrast.T, found)))
