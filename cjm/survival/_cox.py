"""The Cox model on (start, stop] rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl

from cjm.errors import ArgumentError
from cjm.survival._design import FloatArray
from cjm.survival._newton import maximise, maximise_penalised, score_tests, solve_symmetric
from cjm.survival._prepare import Problem, prepare
from cjm.survival._summary import check_table, fit_tests, hazard_table
from cjm.survival._sums import gram

__all__ = ["CoxResult", "cox"]

Transform = Literal["km", "identity", "rank", "log"]
Residuals = Literal["martingale", "deviance", "score", "schoenfeld", "dfbeta"]


@dataclass(frozen=True, eq=False)
class CoxResult:
    """A fitted Cox model; made by :func:`cox`.

    Attributes
    ----------
    terms : tuple of str
    coef, se : ndarray, shape (terms,)
        Log hazard ratios and their standard errors, robust ones if ``robust``.
    covariance, model_covariance : ndarray, shape (terms, terms)
        Of ``coef``: as ``se`` says, and from the information matrix alone; NaN if the fit is penalised.
    loglik : tuple of float
        Log partial likelihood without covariates, and at the maximum.
    robust : bool
        Whether the errors allow for dependence inside clusters.
    means : ndarray, shape (terms,)
        Weighted means of the covariates over rows that are at risk at some event.
    summary : polars.DataFrame
        Contract HAZARDS. ``exposed`` counts the clusters (without ``cluster``, the rows) whose covariate is not zero
        in some row, ``events`` the events in such rows; ``q`` is ``p`` adjusted over the terms (Benjamini-Hochberg).
    tests : polars.DataFrame
        Whether any term matters: ``test`` (``likelihood ratio``, ``wald``, ``score``), ``chi2``, ``df``, ``p``; the
        Wald test uses ``covariance``. No rows if the fit is penalised.
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
    tests: pl.DataFrame
    rows: int
    events: int
    notes: tuple[str, ...]
    _problem: Problem = field(repr=False)

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
        covariates, sets = self._problem.likelihood.covariates, self._problem.likelihood.sets
        shift = float((np.array(list(values.values())) - covariates.by_term(covariates.centre)) @ self.coef)
        hazard = self._problem.likelihood.scan(self._beta).hazard * np.exp(shift)
        table = pl.DataFrame({"stratum": sets.stratum, "time": sets.times, "cumulative_hazard": hazard})
        table = table.with_columns(pl.col("cumulative_hazard").cum_sum().over("stratum"))
        strata = self._problem.strata
        if not strata.width:
            return table.drop("stratum")
        return pl.concat([strata[table["stratum"]], table.drop("stratum")], how="horizontal")

    def check(self, *, transform: Transform = "km") -> pl.DataFrame:
        """Test proportional hazards: whether terms interact with a function of time.

        A small ``p`` says that the hazard ratio changes with time, so that ``hazard_ratio`` is an average. With very
        many events every real model is refused: look at the size of the change as well.

        Parameters
        ----------
        transform : {"km", "identity", "rank", "log"}
            The function of time: 1 - Kaplan-Meier just before it, time itself, its rank among the ends of all rows, its
            logarithm.

        Returns
        -------
        polars.DataFrame
            ``term`` (the last row is ``GLOBAL``), ``chi2``, ``df``, ``p``; nulls if the fit is penalised.

        References
        ----------
        Grambsch and Therneau (1994), Proportional hazards tests and diagnostics based on weighted residuals,
        Biometrika 81; the exact score test of R ``survival`` 3.
        """
        likelihood = self._problem.likelihood
        if transform not in ("km", "identity", "rank", "log"):
            raise ArgumentError.unknown("transform", transform, ["km", "identity", "rank", "log"], where="check")
        if transform == "log" and likelihood.sets.times.min() <= 0:
            raise ArgumentError.at("there are events at or before time 0, which have no logarithm", where="check")
        if np.isnan(self.covariance).all():
            return check_table(self.terms, np.full(len(self.terms) + 1, np.nan))
        g = likelihood.sets.time_function(transform)
        scans = [likelihood.scan(self._beta, scale=g**power) for power in (0, 1, 2)]
        chi2 = score_tests(scans[1].score, scans[1].information, scans[2].information, scans[0].information)
        single = likelihood.covariates.by_term(chi2[:-1])
        return check_table(self.terms, np.append(single, chi2[-1]))

    def residuals(self, kind: Residuals = "martingale") -> pl.DataFrame:
        """Return residuals by row.

        Parameters
        ----------
        kind : {"martingale", "deviance", "score", "schoenfeld", "dfbeta"}
            Observed less expected events; the same made more symmetric; contribution to the gradient; covariates of an
            event less their mean among those at risk; about how much the row moves each coefficient.

        Returns
        -------
        polars.DataFrame
            ``row`` (of the frame that was fitted, rows without missing values) and ``residual``, or a column a term;
            ``schoenfeld`` has the rows with an event, by stratum and ``time``, which is its second column.
        """
        kinds = ("martingale", "deviance", "score", "schoenfeld", "dfbeta")
        if kind not in kinds:
            raise ArgumentError.unknown("kind", kind, kinds, where="residuals")
        likelihood, problem = self._problem.likelihood, self._problem
        covariates, sets = likelihood.covariates, likelihood.sets
        kept = np.arange(self.rows, dtype=np.int64) if problem.kept is None else problem.kept
        back = np.argsort(covariates.order)
        spread = covariates.by_term(covariates.spread)
        if kind == "schoenfeld":
            found = likelihood.schoenfeld(self._beta)[:, back] * spread / sets.weight[sets.event][:, None]
            table = pl.DataFrame({"row": kept[sets.row[sets.event]], "time": sets.times[sets.last[sets.event]]})
            table = table.hstack(pl.DataFrame(found, schema=list(self.terms)))
            return table[np.lexsort((table["row"].to_numpy(), sets.last[sets.event]))]
        scores = likelihood.group_scores(self._beta, np.arange(self.rows, dtype=np.int64))
        weight = np.ones(self.rows) if problem.weight is None else problem.weight
        if kind in ("score", "dfbeta"):
            found = scores[:, back] * spread
            found = found / weight[:, None] if kind == "score" else found @ self.model_covariance
            return pl.DataFrame({"row": kept}).hstack(pl.DataFrame(found, schema=list(self.terms)))
        residual = scores[:, -1] / weight
        if kind == "deviance":
            died = problem.died
            logs = np.log(np.where(died, died - residual, 1.0))
            residual = np.sign(residual) * np.sqrt(np.maximum(-2 * (residual + logs), 0.0))
        return pl.DataFrame({"row": kept, "residual": residual})

    @property
    def _beta(self) -> FloatArray:
        covariates = self._problem.likelihood.covariates
        return covariates.by_place(self.coef) * covariates.spread


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
    penalty: float = 0.0,
    l1_ratio: float = 0.0,
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
    penalty, l1_ratio : float
        With a penalty above zero, the maximum of ``loglik / events - penalty * (l1_ratio * sum |b| + (1 - l1_ratio) / 2
        * sum b^2)`` is found instead (elastic net; 0: ridge, 1: lasso). ``b`` is a coefficient times the root of the
        variance of its covariate among those at risk, averaged over the events, so that neither units nor the way in
        which rows are cut matter. Such coefficients are shrunken, and have no errors.
    level : float
        Of the intervals.

    Returns
    -------
    CoxResult

    Raises
    ------
    ArgumentError
        For an unknown column, or an argument that cannot be meant.
    InputError
        If there are no events, a row does not end after its start, or a covariate is a combination of others.

    Warns
    -----
    ConvergenceWarning
        If a coefficient has no finite estimate.

    Notes
    -----
    Rare indicators (at most a quarter of ones) are kept as the places of their ones, so fifty paths cost little more
    room than the rows they are completed in. Results do not depend on the number of threads.

    References
    ----------
    Cox (1972), Regression models and life-tables, JRSS B 34; Efron (1977), JASA 72; Therneau and Grambsch (2000),
    Modeling Survival Data; Simon, Friedman, Hastie and Tibshirani (2011), Regularization paths for Cox's proportional
    hazards model via coordinate descent, J. Stat. Software 39. Agrees with R's ``coxph``.

    Examples
    --------
    >>> rows = pl.DataFrame({"day": [1, 2, 3, 4], "left": [1, 1, 0, 1], "calls": [2, 0, 1, 0]})
    >>> fit = cox(rows, stop="day", event="left", covariates=["calls"])
    >>> fit.summary["term"].to_list(), fit.coef.round(3).tolist()
    (['calls'], [0.974])
    """
    if not (penalty >= 0 and np.isfinite(penalty)) or not 0 <= l1_ratio <= 1:
        raise ArgumentError.at(
            f"penalty is {penalty}, l1_ratio {l1_ratio}", where="cox", hint="Give zero or more, and a share from 0 to 1"
        )
    problem = prepare(
        frame, stop=stop, event=event, covariates=covariates, start=start, ties=ties, strata=strata, weights=weights,
        cluster=cluster, where="cox",
    )  # fmt: skip
    terms = problem.design.terms
    compressed = problem.likelihood.covariates
    spread = compressed.by_term(compressed.spread)
    if penalty > 0:
        best = maximise_penalised(problem.evaluate, penalty, l1_ratio, problem.deaths, len(terms))
        inverse = covariance = np.full((len(terms), len(terms)), np.nan)
        found = [f"Coefficients are shrunken (penalty {penalty:g}, l1_ratio {l1_ratio:g}) and have no errors"]
    else:
        best = maximise(problem.evaluate, terms)
        inverse = covariance = solve_symmetric(best.information, np.eye(len(terms)))
        found = []
        if problem.cluster is not None:
            scores = problem.likelihood.group_scores(compressed.by_place(best.beta), problem.cluster)
            covariance = inverse @ compressed.by_term(gram(np.ascontiguousarray(scores[:, :-1]))) @ inverse
    rescale = np.outer(spread, spread)
    coef = best.beta / spread
    return CoxResult(
        terms=terms,
        coef=coef,
        covariance=covariance / rescale,
        model_covariance=inverse / rescale,
        loglik=(best.first[0], best.loglik),
        robust=cluster is not None and penalty == 0,
        means=compressed.by_term(compressed.means),
        summary=hazard_table(terms, coef, np.sqrt(np.diag(covariance)) / spread, *compressed.exposure.T, level=level),
        tests=fit_tests(best, covariance) if penalty == 0 else fit_tests(None, covariance),
        rows=len(problem.died),
        events=int(problem.died.sum()),
        notes=(*problem.notes, *found, *best.notes),
        _problem=problem,
    )
