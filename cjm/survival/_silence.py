"""Event-level hazards: the chance that an event is the last before a long silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cjm.errors import InputError
from cjm.survival._design import FloatArray, IntArray
from cjm.survival._newton import maximise, score_tests
from cjm.survival._sums import gram, linear

__all__ = ["SilenceFit", "fit_silence"]


@dataclass(frozen=True, eq=False)
class SilenceFit:
    """Coefficients of a complementary log-log regression with an intercept a stratum.

    Attributes
    ----------
    coef, means : ndarray, shape (terms,)
    covariance : ndarray, shape (terms, terms)
        Robust to any dependence inside a person.
    model_covariance : ndarray, shape (terms, terms)
    intercepts : ndarray, shape (strata,)
        Log of the cumulative hazard of an event at the means; minus infinity where nobody churned.
    loglik : float
    check : ndarray, shape (terms + 1,)
        Score statistics of each term times the logarithm of the event number, and of all.
    notes : list of str
    """

    coef: FloatArray
    means: FloatArray
    covariance: FloatArray
    model_covariance: FloatArray
    intercepts: FloatArray
    loglik: float
    check: FloatArray
    notes: list[str]


def fit_silence(
    x: FloatArray,
    silent: npt.NDArray[np.bool_],
    stratum: IntArray,
    person: IntArray,
    number: IntArray,
    terms: Sequence[str],
) -> SilenceFit:
    """Fit P(silent) = 1 - exp(-exp(intercept of the stratum + x coef)); exp(coef) is a hazard ratio.

    The intercepts are eliminated at every step (their block of the information matrix is diagonal), so thousands of
    strata cost no more than a few.

    References
    ----------
    Prentice and Gloeckler (1978), Regression analysis of grouped survival data, Biometrics 34.
    """
    strata = int(stratum.max()) + 1
    count = np.bincount(stratum, minlength=strata)
    churned = np.bincount(stratum, weights=silent, minlength=strata)
    telling = (churned > 0) & (churned < count)
    rows = telling[stratum]
    if not rows.any():
        raise InputError.at(
            "no stratum has both events that were the last and events that were not", where="PathHazard.fit"
        )
    notes = []
    if not rows.all():
        notes.append(
            f"{int((~rows).sum())} events lie in strata where none or all of them were the last; they tell nothing"
        )
    means, spread = x[rows].mean(axis=0), x[rows].std(axis=0)
    spread = np.where(spread > 1e-12 * (1 + np.abs(means)), spread, 1.0)
    part = _Part((x[rows] - means) / spread, silent[rows], stratum[rows], strata)
    log_hazard = np.zeros(strata)
    with np.errstate(divide="ignore", invalid="ignore"):
        start = np.log(-np.log1p(-churned / count))
    log_hazard[telling] = start[telling]

    def evaluate(beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        part.profile(beta, log_hazard)
        return part.pieces(beta, log_hazard)

    best = maximise(evaluate, terms, decrement=1e-18)
    beta = best.beta
    loglik, _, information = evaluate(beta)
    inverse = np.linalg.pinv(information, hermitian=True)
    _, dense = np.unique(person[rows], return_inverse=True)
    meat = gram(part.influence(beta, log_hazard, dense))
    rescale = np.outer(spread, spread)
    return SilenceFit(
        coef=beta / spread,
        means=means,
        covariance=inverse @ meat @ inverse / rescale,
        model_covariance=inverse / rescale,
        intercepts=np.where(telling, log_hazard, np.where(churned > 0, np.inf, -np.inf)),
        loglik=loglik,
        check=part.trend(beta, log_hazard, np.log(number[rows])),
        notes=[*notes, *best.notes],
    )


class _Part:
    """The rows that tell something, and the sums over them."""

    def __init__(self, x: FloatArray, silent: npt.NDArray[np.bool_], stratum: IntArray, strata: int) -> None:
        self.x, self.silent, self.stratum, self.strata = x, silent, stratum, strata

    def by_stratum(self, values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(self.stratum, weights=values, minlength=self.strata), dtype=np.float64)

    def derivatives(self, beta: FloatArray, log_hazard: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Return log-likelihood, and per row its derivative and expected information in the linear predictor."""
        hazard = np.exp(np.clip(linear(self.x, beta) + log_hazard[self.stratum], -700, 30))
        odds = hazard / np.expm1(hazard)  # hazard * P(not silent) / P(silent)
        loglik = float(np.where(self.silent, np.log(-np.expm1(-hazard)), -hazard).sum())
        return loglik, np.where(self.silent, odds, -hazard), hazard * odds

    def profile(self, beta: FloatArray, log_hazard: FloatArray) -> None:
        """Move the intercepts to their maximum at ``beta``, in place: one-dimensional, concave problems."""
        for _ in range(50):
            _, slope, weight = self.derivatives(beta, log_hazard)
            down = self.by_stratum(weight)
            step = np.divide(self.by_stratum(slope), down, out=np.zeros(self.strata), where=down > 0)
            log_hazard += np.clip(step, -2.0, 2.0)
            if float(np.abs(step).max()) < 1e-12:
                return

    def centred(self, x: FloatArray, weight: FloatArray) -> FloatArray:
        """Return ``x`` less its weighted mean in each stratum: the effect of the intercepts taken out."""
        down = self.by_stratum(weight)
        down[down == 0] = 1.0
        means = np.column_stack([self.by_stratum(weight * column) / down for column in x.T])
        return np.asarray(x - means[self.stratum])

    def pieces(self, beta: FloatArray, log_hazard: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        loglik, slope, weight = self.derivatives(beta, log_hazard)
        x = self.centred(self.x, weight)
        return loglik, (slope[:, None] * x).sum(axis=0), gram(x, weight)

    def influence(self, beta: FloatArray, log_hazard: FloatArray, person: IntArray) -> FloatArray:
        """Return the gradient by person."""
        _, slope, weight = self.derivatives(beta, log_hazard)
        parts = self.centred(self.x, weight) * slope[:, None]
        return np.column_stack([np.bincount(person, weights=column) for column in parts.T])

    def trend(self, beta: FloatArray, log_hazard: FloatArray, g: FloatArray) -> FloatArray:
        """Return score statistics of ``x`` times ``g``."""
        _, slope, weight = self.derivatives(beta, log_hazard)
        x = self.centred(self.x, weight)
        added = self.centred(self.x * (g - g.mean())[:, None], weight)
        gradient = (slope[:, None] * added).sum(axis=0)
        return score_tests(gradient, gram(x, weight, added), gram(added, weight), gram(x, weight))
