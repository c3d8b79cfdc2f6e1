"""Newton's method with step-halving, and the checks on what it finds."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cjm.errors import InputError

__all__ = [
    "ConvergenceWarning",
    "Maximum",
    "check_information",
    "maximise",
    "maximise_penalised",
    "score_tests",
    "solve_symmetric",
]

FloatArray = npt.NDArray[np.float64]
Evaluate = Callable[[FloatArray], tuple[float, FloatArray, FloatArray]]

_STEPS = 60
_HALVINGS = 30
_SINGULAR = 1e-10


class ConvergenceWarning(UserWarning):
    """A fit ended, but one of its coefficients may be infinite or not exact."""


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where a search ended: coefficients, log-likelihood and information there, notes on the search.

    ``first`` holds log-likelihood, gradient and information at zero, where it began.
    """

    beta: FloatArray
    loglik: float
    information: FloatArray
    first: tuple[float, FloatArray, FloatArray]
    notes: list[str]


def maximise(evaluate: Evaluate, terms: Sequence[str], *, decrement: float = 1e-12) -> Maximum:
    """Find the maximum of a concave log-likelihood.

    Parameters
    ----------
    evaluate : callable
        From coefficients to log-likelihood, gradient and information matrix. Covariates should be of unit scale.
    terms : sequence of str
        Names of the coefficients.
    decrement : float
        Stop once gradient' information^-1 gradient is below this; the step that it belongs to is still taken.

    Raises
    ------
    InputError
        If a term is a linear combination of the terms before it.

    Warns
    -----
    ConvergenceWarning
        If a coefficient still moves when the likelihood does not (it is infinite: the covariate separates those with
        events from those without), or if the search did not end.
    """
    beta = np.zeros(len(terms))
    first = evaluate(beta)
    loglik, gradient, information = first
    check_information(information, terms)
    for _ in range(_STEPS):
        step = solve_symmetric(information, gradient)
        gain = float(gradient @ step)
        if not np.isfinite(gain):
            break
        for _ in range(_HALVINGS):
            trial = evaluate(beta + step)
            if np.isfinite(trial[0]) and trial[0] >= loglik - 1e-10 * (1 + abs(loglik)):
                break
            step = step / 2
        beta = beta + step
        loglik, gradient, information = trial
        if gain < decrement:
            return Maximum(beta, loglik, information, first, _infinite(step, terms))
    note = "The search for the maximum did not end; do not trust the coefficients"
    warnings.warn(note, ConvergenceWarning, stacklevel=4)
    return Maximum(beta, loglik, information, first, [note])


def maximise_penalised(evaluate: Evaluate, penalty: float, l1_ratio: float, deaths: float, terms: int) -> Maximum:
    """Find the maximum of a concave log-likelihood less an elastic net.

    Newton steps, whose quadratic model is maximised by coordinate descent.

    ``penalty`` is that of the log-likelihood over ``deaths``, on coefficients times the square root of their
    information over ``deaths`` at zero. The search ends when the conditions of a maximum hold to 1e-10.

    References
    ----------
    Lee, Sun and Saunders (2014), Proximal Newton-type methods for minimizing composite functions, SIAM J. Optim. 24.
    """
    from cjm.kernels.elastic_net import descend

    beta = np.zeros(terms)
    first = evaluate(beta)
    loglik, gradient, information = first
    size = np.sqrt(np.maximum(np.diag(information), 0.0) / deaths)
    lasso, ridge = penalty * l1_ratio * deaths * size, penalty * (1 - l1_ratio) * deaths * size**2

    def objective(value: float, at: FloatArray) -> float:
        return value - float(lasso @ np.abs(at)) - float(ridge @ at**2) / 2

    notes = []
    for _ in range(_STEPS):
        slope = gradient - ridge * beta
        fault = np.where(beta == 0, np.maximum(np.abs(slope) - lasso, 0.0), np.abs(slope - lasso * np.sign(beta)))
        if float((fault / np.maximum(size, 1e-300)).max()) <= 1e-10 * deaths:
            break
        step = descend(information, gradient, beta, lasso, ridge, 10_000, 1e-13) - beta
        before = objective(loglik, beta)
        for _ in range(_HALVINGS):
            trial = evaluate(beta + step)
            if np.isfinite(trial[0]) and objective(trial[0], beta + step) >= before - 1e-12 * (1 + abs(before)):
                break
            step = step / 2
        beta = beta + step
        loglik, gradient, information = trial
    else:
        notes.append("The search for the maximum did not end; do not trust the coefficients")
        warnings.warn(notes[0], ConvergenceWarning, stacklevel=4)
    return Maximum(beta, loglik, information, first, notes)


def _infinite(step: FloatArray, terms: Sequence[str]) -> list[str]:
    walking = [term for term, moved in zip(terms, np.abs(step), strict=True) if moved > 1e-3]
    if not walking:
        return []
    note = (
        f"The coefficient of {', '.join(map(repr, walking))} may be infinite: all or no events fall on one side of it. "
        "Its interval and p value mean nothing; leave it out, give it more data, or shrink it (penalty=)"
    )
    warnings.warn(note, ConvergenceWarning, stacklevel=5)
    return [note]


def check_information(information: FloatArray, terms: Sequence[str]) -> None:
    """Raise for the first term that carries no information beyond the terms before it (Cholesky, in order)."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.cholesky import factor

    size = np.sqrt(np.maximum(np.diag(information), 0.0))
    still = np.flatnonzero(size <= _SINGULAR * max(1.0, float(size.max())))
    if len(still):
        raise InputError.at(
            f"{terms[still[0]]!r} does not vary among those at risk when events happen",
            where="covariates",
            hint="Leave it out",
        )
    _, place = factor(as_array(information / np.outer(size, size), np.float64), _SINGULAR)
    if place >= 0:
        raise InputError.at(
            f"{terms[place]!r} is a linear combination of {', '.join(map(repr, terms[:place]))}",
            where="covariates",
            hint="Leave one of them out",
        )


def solve_symmetric(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Return the solution of ``matrix @ x == right`` for a positive definite matrix, else that of least length."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.cholesky import factor, solve

    lower, place = factor(as_array(matrix, np.float64), 0.0)
    if place >= 0:
        return np.asarray(np.linalg.pinv(matrix, hermitian=True) @ right, dtype=np.float64)
    found = solve(lower, as_array(right.reshape(len(matrix), -1), np.float64))
    return np.asarray(found.reshape(right.shape))


def score_tests(gradient: FloatArray, cross: FloatArray, square: FloatArray, information: FloatArray) -> FloatArray:
    """Return the score statistics of added terms, one by one and (last) all together.

    NaN for a term that adds nothing to the fitted ones, and then for all together.

    Parameters
    ----------
    gradient : ndarray, shape (p,)
        Of the added terms, at the fitted coefficients of the ``p`` terms there were.
    cross, square, information : ndarray, shape (p, p)
        Information between the fitted and the added terms, of the added, and of the fitted terms.
    """
    rest = square - cross.T @ np.linalg.solve(information, cross)
    varies = np.diag(rest) > 1e-12 * np.diag(square)
    single = np.divide(gradient**2, np.diag(rest), out=np.full(len(gradient), np.nan), where=varies)
    if not varies.all():
        return np.append(single, np.nan)
    return np.append(single, gradient @ np.linalg.pinv(rest, hermitian=True) @ gradient)
