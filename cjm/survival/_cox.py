"""The Cox model on (start, stop] rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError, InputError
from cjm.survival._design import FloatArray, encode, groups, names_of, numbers, require
from cjm.survival._newton import maximise, score_tests
from cjm.survival._risk import RiskSets, same_times
from cjm.survival._summary import check_table, exposure, hazard_table
from cjm.survival._sums import gram

__all__ = ["CoxResult", "cox"]

Transform = Literal["km", "identity", "log"]


@dataclass(frozen=True, eq=False)
class CoxResult:
    """A fitted Cox model; made by :func:`cox`.

    Attributes
    ----------
    terms : tuple of str
    coef, se : ndarray, shape (terms,)
        Log hazard ratios and their standard errors, robust ones if ``robust``.
    covariance, model_covariance : ndarray, shape (terms, terms)
        Of ``coef``: as ``se`` says, and from the information matrix alone.
    loglik : tuple of float
        Log partial likelihood without covariates, and at the maximum.
    robust : bool
        Whether the errors allow for dependence inside clusters.
    means : ndarray, shape (terms,)
        Weighted means of the covariates over rows that are at risk at some event.
    summary : polars.DataFrame
        Contract HAZARDS. ``exposed`` counts the clusters (without ``cluster``, the rows) whose covariate is not zero
        in some row, ``events`` the events in such rows; ``q`` is ``p`` adjusted over the terms (Benjamini-Hochberg).
    rows, events : int
        Rows used, events among them.
    notes : tuple of str
        What was assumed and what was left out.
    """

    terms: tuple[str, ...]
    coef: FloatArray
    covariance: FloatArray
    model_covariance: FloatArray
    loglik: tuple[float, float]
    robust: bool
    means: FloatArray
    summary: pl.DataFrame
    rows: int
    events: int
    notes: tuple[str, ...]
    _sets: RiskSets = field(repr=False)
    _strata: pl.DataFrame = field(repr=False)

    @property
    def se(self) -> FloatArray:
        """Standard errors of ``coef``."""
        return np.sqrt(np.diag(self.covariance))

    def baseline(self, *, at: Mapping[str, float] | None = None) -> pl.DataFrame:
        """Return the cumulative hazard of one with the given values of terms (default: the means).

        Returns
        -------
        polars.DataFrame
            Columns of ``strata`` if any, ``time`` (event times), ``cumulative_hazard`` (Breslow's or Efron's
            estimate, as the fit).

        Examples
        --------
        >>> rows = pl.DataFrame({"day": [1, 2, 3, 4], "left": [1, 1, 0, 1], "calls": [2, 0, 1, 0]})
        >>> fit = cox(rows, stop="day", event="left", covariates=["calls"])
        >>> fit.baseline(at={"calls": 0}).columns
        ['time', 'cumulative_hazard']
        """
        values = dict(zip(self.terms, self.means.tolist(), strict=True))
        for name, value in (at or {}).items():
            if name not in values:
                raise ArgumentError.unknown("term", name, values, where="baseline(at=...)")
            values[name] = value
        shift = float((np.array(list(values.values())) - self.means) @ self.coef)
        hazard = self._sets.scan(self.coef, self.means).hazard * np.exp(shift)
        table = pl.DataFrame({"stratum": self._sets.stratum, "time": self._sets.times, "cumulative_hazard": hazard})
        table = table.with_columns(pl.col("cumulative_hazard").cum_sum().over("stratum"))
        if not self._strata.width:
            return table.drop("stratum")
        return pl.concat([self._strata[table["stratum"]], table.drop("stratum")], how="horizontal")

    def check(self, *, transform: Transform = "km") -> pl.DataFrame:
        """Test proportional hazards: whether terms interact with a function of time.

        A small ``p`` says that the hazard ratio changes with time, so that ``hazard_ratio`` is an average. With very
        many events every real model is refused: look at the size of the change as well.

        Parameters
        ----------
        transform : {"km", "identity", "log"}
            The function of time: 1 - Kaplan-Meier just before it, time itself, its logarithm.

        Returns
        -------
        polars.DataFrame
            ``term`` (the last row is ``GLOBAL``), ``chi2``, ``df``, ``p``.

        References
        ----------
        Grambsch and Therneau (1994), Proportional hazards tests and diagnostics based on weighted residuals,
        Biometrika 81; the exact score test of R ``survival`` 3.
        """
        if transform not in ("km", "identity", "log"):
            raise ArgumentError.unknown("transform", transform, ["km", "identity", "log"], where="check")
        if transform == "log" and self._sets.times.min() <= 0:
            raise ArgumentError.at("there are events at or before time 0, which have no logarithm", where="check")
        g = self._sets.time_function(transform)
        scans = [self._sets.scan(self.coef, self.means, scale=g**power) for power in (0, 1, 2)]
        chi2 = score_tests(scans[1].score, scans[1].information, scans[2].information, scans[0].information)
        return check_table(self.terms, chi2)


def cox(
    frame: pl.DataFrame,
    *,
    stop: str,
    event: str,
    covariates: Sequence[str],
    start: str | None = None,
    ties: Literal["efron", "breslow"] = "efron",
    strata: str | Sequence[str] | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    level: float = 0.95,
) -> CoxResult:
    """Fit a Cox proportional hazards model to any frame of (start, stop] rows.

    A row is at risk after ``start`` and up to and including ``stop``; its covariates hold over that time. Several rows
    a person make covariates that change in time, delayed entry or repeated events.

    Parameters
    ----------
    frame : polars.DataFrame
    stop : str
        Column of numbers: end of the row, in any one unit of time.
    event : str
        Boolean or 0/1 column: whether the row ends in an event.
    covariates : sequence of str
        Columns of numbers, Booleans, or text (compared with its first level in order).
    start : str, optional
        Column of numbers; without it, rows are at risk from the beginning (right-censored data).
    ties : {"efron", "breslow"}
        Treatment of events at equal times.
    strata : str or sequence of str, optional
        Columns; each combination has a baseline hazard of its own.
    weights : str, optional
        Column of weights (how many such rows there are).
    cluster : str, optional
        Column, usually the person: errors then allow for any dependence inside it. Give it when a person can have
        several events or spells.
    level : float
        Of the intervals.

    Returns
    -------
    CoxResult

    Raises
    ------
    InputError
        If there are no events, a row does not end after its start, or a covariate is a combination of others.

    Warns
    -----
    ConvergenceWarning
        If a coefficient has no finite estimate.

    References
    ----------
    Cox (1972), Regression models and life-tables, JRSS B 34; Efron (1977), JASA 72; Therneau and Grambsch (2000),
    Modeling Survival Data. Agrees with R's ``coxph``.

    Examples
    --------
    >>> rows = pl.DataFrame({"day": [1, 2, 3, 4], "left": [1, 1, 0, 1], "calls": [2, 0, 1, 0]})
    >>> fit = cox(rows, stop="day", event="left", covariates=["calls"])
    >>> fit.summary["term"].to_list(), fit.coef.round(3).tolist()
    (['calls'], [0.974])
    """
    by = names_of(strata)
    used = [stop, event, *covariates, *by, *(name for name in (start, weights, cluster) if name is not None)]
    require(frame, used, where="cox")
    if ties not in ("efron", "breslow"):
        raise ArgumentError.unknown("treatment of ties", ties, ["efron", "breslow"], where="cox(ties=...)")
    if not covariates:
        raise ArgumentError.at("no covariates are given", where="cox", hint="Name at least one column")
    used = list(dict.fromkeys(used))
    complete = frame.select(used).drop_nulls()
    complete = complete.filter(~pl.any_horizontal(pl.col(pl.Float64, pl.Float32).is_nan()))
    notes = [f"Ties: {ties}"]
    if complete.height < frame.height:
        notes.append(f"{frame.height - complete.height} of {frame.height} rows have a missing value and are left out")
    design = encode(complete, covariates)
    notes += [f"{name} is compared with {known[0]!r}" for name, known in design.levels.items() if known]
    weight = numbers(complete, weights) if weights else np.ones(complete.height)
    group, strata_found = groups(complete, by)
    died = _events(complete, event)
    if not died.any():
        raise InputError.at("there are no events, so no hazard can be estimated", where=f"column {event!r}")
    if (weight <= 0).any():
        raise InputError.at("weights must be above zero", where=f"column {weights!r}", hint="Filter such rows out")
    ends = numbers(complete, stop)
    begins = numbers(complete, start) if start else np.full(complete.height, -np.inf)
    begins, ends = same_times(begins, ends)
    wrong = int((begins >= ends).sum())
    if wrong:
        raise InputError.at(
            f"{wrong} of {complete.height} rows do not end after they start", where=f"columns {start!r}, {stop!r}"
        )
    sets = RiskSets.build(design.x, begins, ends, died, group, weight, efron=ties == "efron")
    means, spread = sets.moments()
    scaled = sets.with_x((sets.x - means) / spread)
    zero = np.zeros(len(spread))

    def evaluate(beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        scan = scaled.scan(beta, zero)
        return scan.loglik, scan.score, scan.information

    null = scaled.scan(zero, zero).loglik
    beta, found = maximise(evaluate, design.terms)
    final = scaled.scan(beta, zero)
    inverse = np.linalg.pinv(final.information, hermitian=True)
    covariance = inverse
    person = groups(complete, [cluster])[0] if cluster else np.arange(complete.height)
    if cluster:
        covariance = inverse @ gram(scaled.score_residuals(beta, person)) @ inverse
    rescale = np.outer(spread, spread)
    coef = beta / spread
    counts = exposure(design.x, person, died)
    return CoxResult(
        terms=design.terms,
        coef=coef,
        covariance=covariance / rescale,
        model_covariance=inverse / rescale,
        loglik=(null, final.loglik),
        robust=cluster is not None,
        means=means,
        summary=hazard_table(design.terms, coef, np.sqrt(np.diag(covariance)) / spread, *counts, level=level),
        rows=complete.height,
        events=int(died.sum()),
        notes=(*notes, *found),
        _sets=sets,
        _strata=strata_found,
    )


def _events(frame: pl.DataFrame, event: str) -> npt.NDArray[np.bool_]:
    values = numbers(frame, event)
    if not np.isin(values, (0.0, 1.0)).all():
        raise InputError.at("an event is true or false, 1 or 0", where=f"column {event!r}")
    return np.asarray(values == 1.0)
