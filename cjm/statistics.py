"""Intervals, adjustments and splits that several verbs share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["benjamini_hochberg", "in_first_part", "newcombe", "normal_quantile", "wilson"]

FloatArray = npt.NDArray[np.float64]


def normal_quantile(level: float) -> float:
    """Return z such that a standard normal lies within (-z, z) with probability ``level``."""
    from scipy.special import ndtri

    return float(ndtri(0.5 + level / 2))


def wilson(successes: npt.ArrayLike, trials: npt.ArrayLike, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return the Wilson score interval of a rate; NaN where there was no trial.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22.

    Examples
    --------
    >>> low, high = wilson([5], [10])
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.2366], [0.7634])
    """
    n = np.asarray(trials, dtype=np.float64)
    z2 = normal_quantile(level) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.asarray(successes, dtype=np.float64) / n
        centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
        half = np.sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def newcombe(
    successes: npt.ArrayLike,
    trials: npt.ArrayLike,
    other_successes: npt.ArrayLike,
    other_trials: npt.ArrayLike,
    level: float = 0.95,
) -> tuple[FloatArray, FloatArray]:
    """Return the interval of the first rate less the second, of independent groups; NaN where one had no trial.

    References
    ----------
    Newcombe (1998), Interval estimation for the difference between independent proportions, Statistics in Medicine
    17, method 10.

    Examples
    --------
    >>> low, high = newcombe([56], [70], [48], [80])
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0524], [0.3339])
    """
    low, high = wilson(successes, trials, level)
    other_low, other_high = wilson(other_successes, other_trials, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.asarray(successes, dtype=np.float64) / np.asarray(trials, dtype=np.float64)
        other = np.asarray(other_successes, dtype=np.float64) / np.asarray(other_trials, dtype=np.float64)
    difference = rate - other
    return (
        difference - np.sqrt((rate - low) ** 2 + (other_high - other) ** 2),
        difference + np.sqrt((high - rate) ** 2 + (other - other_low) ** 2),
    )


def benjamini_hochberg(p: npt.ArrayLike) -> FloatArray:
    """Return the p values adjusted for the false discovery rate; NaN stays NaN and counts as no test.

    References
    ----------
    Benjamini and Hochberg (1995), Controlling the false discovery rate, JRSS B 57.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.02, 0.04]).round(4).tolist()
    [0.03, 0.03, 0.04]
    """
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    scaled = values[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def in_first_part(persons: npt.NDArray[np.int64], share: float, seed: int = 0) -> npt.NDArray[np.bool_]:
    """Tell which persons belong to the first part of a split, by a hash of their numbers alone.

    Examples
    --------
    >>> in_first_part(np.arange(6), 0.5).tolist()
    [False, False, False, True, True, True]
    """
    # numbers may be consecutive where they are the user's own: mix them (Steele et al. 2014, SplitMix64)
    mixed = persons.astype(np.uint64) + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53 < share
