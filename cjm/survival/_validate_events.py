"""Whether events were the last before a silence as often as predicted, for persons who took no part in the fit."""

from __future__ import annotations

import numpy as np
import polars as pl

from cjm.durations import DAY_US
from cjm.errors import InputError
from cjm.statistics import normal_quantile
from cjm.survival._concordance import BoolArray
from cjm.survival._design import FloatArray, IntArray
from cjm.survival._validate import NO_PROMISE, Score, Validation, area, calibration_table, score_table

__all__ = ["validate_events"]


def validate_events(
    person: IntArray, silent: BoolArray, risk: FloatArray, *, gap: int, groups: int, level: float
) -> Validation:
    """Compare the risk that an event is the last before a silence with whether it was.

    Only events that were observed for the whole gap are given, so nobody is censored. Events of a person are not
    independent; intervals allow for that (a sum of contributions of persons, as of clusters).

    Parameters
    ----------
    person : ndarray of int64, shape (events,)
        Number of the event's person, from 0.
    silent : ndarray of bool
    risk : ndarray of float64
    gap : int
        Microseconds.
    groups, level
        As for :func:`validate`.

    References
    ----------
    Obuchowski (1997), Nonparametric analysis of clustered ROC curve data, Biometrics 53; Cochran (1977), Sampling
    techniques, 3rd ed., section 6.3 (a ratio of sums over clusters).
    """
    if not len(risk):
        raise InputError.at("no event was observed for as long as the silence", where="validate(test)")
    z = normal_quantile(level)
    share = float(silent.mean())
    brier, null = float(((silent - risk) ** 2).mean()), share * (1 - share)
    expected = float(risk.mean())
    low, _, high = _share(person, silent, z)
    scores: list[Score] = [
        ("auc", *area(risk, silent, np.ones(len(risk)), z, person), "chance that an event that was the last had the "
         "higher risk"),
        ("brier", brier, None, None, "mean squared error of the risk"),
        ("brier_null", null, None, None, "mean squared error of one risk for all"),
        ("explained", 1 - brier / null if null else None, None, None, "1 - brier / brier_null"),
        ("expected", expected, None, None, "mean predicted risk"),
        ("observed", share, low, high, "share of events that were the last"),
        ("ratio", share / expected, low / expected, high / expected, "observed / expected: above 1, risks are too low"),
    ]  # fmt: skip
    notes = (
        f"{len(risk)} events of {len(np.unique(person))} persons, of which {int(silent.sum())} were the last before a "
        f"silence of {gap / DAY_US:g} days; events that were not observed for so long do not count",
        "Intervals allow for several events of a person",
        NO_PROMISE,
    )

    def seen(ours: BoolArray) -> tuple[int, float, float, float]:
        return int(silent[ours].sum()), *_share(person[ours], silent[ours], z)

    table = calibration_table(risk, groups, seen).rename({"persons": "events"})
    edges = table["risk_to"].to_numpy()
    group = np.searchsorted(edges, risk, side="left")
    persons = [len(np.unique(person[group == place])) for place in range(len(edges))]
    column = pl.Series("persons", persons, pl.Int64)
    return Validation(score_table(scores), table.insert_column(1, column), gap / DAY_US, level, notes)


def _share(person: IntArray, silent: BoolArray, z: float) -> tuple[float, float, float]:
    """Return the lower end, the value and the upper end of a share of events; on the scale of log odds."""
    share = float(silent.mean())
    if not 0 < share < 1:
        return float("nan"), share, float("nan")
    se = float(np.sqrt((np.bincount(person, weights=silent - share) ** 2).sum())) / len(silent)
    width = z * se / (share * (1 - share))
    odds = share / (1 - share)
    low, high = (float(1 / (1 + np.exp(side) / odds)) for side in (width, -width))
    return min(low, share), share, max(high, share)  # without width the last bit could differ
