"""Whether predicted risks came true: order, size and use, on persons who took no part in the fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cjm.durations import DAY_US, Duration, to_us
from cjm.errors import ArgumentError, InputError
from cjm.statistics import normal_quantile
from cjm.survival._concordance import BoolArray, columns_of, concordance_of, staying_observed
from cjm.survival._counts import time_rows
from cjm.survival._design import FloatArray, IntArray
from cjm.survival._incidence import incidence_of

__all__ = ["NO_PROMISE", "Score", "Validation", "area", "calibration_table", "score_table", "validate"]

Score = tuple[str, float | None, float | None, float | None, str]
"""Measure, value, both ends of its interval, meaning."""

NO_PROMISE = "A high risk is no promise that acting helps: that takes a randomised holdout"


@dataclass(frozen=True, eq=False)
class Validation:
    """How predicted risks compare with what happened; made by :func:`validate`.

    Attributes
    ----------
    scores : polars.DataFrame
        ``measure``, ``value``, ``lower``, ``upper`` (null where there is no interval), ``meaning``. Measures:
        ``harrell`` and ``uno`` (concordance up to the horizon), ``auc`` (of those who churned within it against those
        who did not), ``brier`` (mean squared error of the risk), ``brier_null`` (of giving everybody the same
        risk), ``explained`` (1 - brier / brier_null), ``expected`` and ``observed`` (share that churns within the
        horizon, predicted and Aalen-Johansen), ``ratio`` (observed / expected).
    calibration : polars.DataFrame
        A row a group of persons of like risk, from low to high: ``group``, ``persons``, ``risk_from``, ``risk_to``,
        ``predicted`` (mean risk), ``churned`` (within the horizon, as far as seen), ``observed`` (Aalen-Johansen at the
        horizon), ``lower``, ``upper``.
    horizon : float
        Days.
    level : float
    notes : tuple of str
    """

    scores: pl.DataFrame
    calibration: pl.DataFrame
    horizon: float
    level: float
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        values = dict(self.scores.select("measure", "value").iter_rows())
        said = ", ".join(f"{name} {values[name]:.3f}" for name in ("auc", "brier", "ratio") if values[name] is not None)
        return f"Validation({int(self.calibration['persons'].sum()):,} persons within {self.horizon:g} days: {said})"


def validate(
    frame: pl.DataFrame,
    *,
    time: str,
    event: str,
    risk: str,
    horizon: Duration,
    competing: str | None = None,
    groups: int = 10,
    level: float = 0.95,
) -> Validation:
    """Compare predicted risks with what happened within a horizon.

    Persons who were not seen for the whole horizon stand in with the weight they would have had: each known outcome is
    weighted by one over the chance to have been observed until then.

    Parameters
    ----------
    frame : polars.DataFrame
        A row a person: those for whom a risk was predicted, none of whom took part in the fit.
    time : str
        Column of days from the prediction until churn or the end of observation.
    event : str
        Column that says whether it was churn: Boolean, or 0 and 1.
    risk : str
        Column of the predicted chance of churn within the horizon.
    horizon : duration
    competing : str, optional
        Column that says whether observation ended in something that rules churn out.
    groups : int
        How many groups of like risk ``calibration`` has (fewer where many risks are equal).
    level : float
        Of the intervals.

    Returns
    -------
    Validation

    Raises
    ------
    ArgumentError
        For an unknown column.
    InputError
        For a missing value, a risk that is not between 0 and 1, or if nobody was seen for the whole horizon.

    References
    ----------
    Graf, Schmoor, Sauerbrei and Schumacher (1999), Assessment and comparison of prognostic classification schemes for
    survival data, Statistics in Medicine 18; Uno, Cai, Tian and Wei (2007), Evaluating prediction rules for t-year
    survivors with censored regression models, JASA 102; Blanche, Dartigues and Jacqmin-Gadda (2013), Estimating and
    comparing time-dependent areas under receiver operating characteristic curves, Statistics in Medicine 32 (competing
    ends).

    Examples
    --------
    >>> people = pl.DataFrame({"days": [3, 20, 40, 40], "left": [1, 1, 0, 0], "risk": [0.6, 0.3, 0.4, 0.1]})
    >>> found = validate(people, time="days", event="left", risk="risk", horizon="30d", groups=2)
    >>> found.calibration.select("persons", "predicted", "observed").rows()
    [(2, 0.2, 0.5), (2, 0.5, 0.5)]
    """
    days, left, score = columns_of(frame, time, event, risk, where="validate")
    if not ((score >= 0) & (score <= 1)).all():
        raise InputError.at("a risk lies outside 0 and 1", where=f"validate, column {risk!r}")
    other = np.zeros(len(days), dtype=bool)
    if competing is not None:
        other = columns_of(frame, time, competing, risk, where="validate")[1]
    if (left & other).any():
        raise ArgumentError.at("some persons both churned and ended otherwise", where="validate(competing=...)")
    limit = to_us(horizon, "horizon") / DAY_US
    ending = np.where(days > limit, 0, np.where(left, 1, np.where(other, 2, 0)))
    known = (days >= limit) | (ending > 0)
    days = np.minimum(days, limit)
    if not known.any():
        raise InputError.at("nobody's outcome is known", where="validate(horizon=...)", hint="Take a shorter horizon")
    rows = time_rows(np.full(len(days), -np.inf), days, ending)
    weight = np.zeros(len(days))
    weight[known] = 1 / staying_observed(rows)[rows.last[known]]
    happened = ending == 1
    share = float((weight * happened).sum() / weight.sum())
    brier, null = (float((weight * (happened - guess) ** 2).sum() / len(days)) for guess in (score, share))
    z = normal_quantile(level)
    low, observed, high = _observed(days, ending, limit, z)
    expected = float(score.mean())
    # who ended otherwise never churns: they outlive everybody
    order = (np.where(ending == 2, limit, days), happened, score)
    scores: list[Score] = [
        ("harrell", *_first(concordance_of(*order, "harrell", level=level)), "share of pairs in the right order"),
        ("uno", *_first(concordance_of(*order, "uno", level=level)), "the same, but for who was censored when"),
        ("auc", *area(score, happened, weight, z), "chance that one who churned had the higher risk"),
        ("brier", brier, None, None, "mean squared error of the risk"),
        ("brier_null", null, None, None, "mean squared error of one risk for all"),
        ("explained", 1 - brier / null if null else None, None, None, "1 - brier / brier_null"),
        ("expected", expected, None, None, "mean predicted risk"),
        ("observed", observed, low, high, "share that churned (Aalen-Johansen)"),
    ]
    if expected:
        ratio = (observed / expected, low / expected, high / expected)
        scores.append(("ratio", *ratio, "observed / expected: above 1, risks are too low"))
    lost = int((~known).sum())
    notes = (
        f"{len(days)} persons, of whom {int(happened.sum())} were seen to churn within {limit:g} days; {lost} were not "
        "seen for so long: those who were stand in for them",
        NO_PROMISE,
    )

    def seen(ours: BoolArray) -> tuple[int, float, float, float]:
        return int(happened[ours].sum()), *_observed(days[ours], ending[ours], limit, z)

    return Validation(score_table(scores), calibration_table(score, groups, seen), limit, level, notes)


def score_table(scores: Sequence[Score]) -> pl.DataFrame:
    """Return the scores as a frame."""
    schema = {"measure": pl.String, "value": pl.Float64, "lower": pl.Float64, "upper": pl.Float64, "meaning": pl.String}
    return pl.DataFrame(scores, schema=schema, orient="row").with_columns(pl.col(pl.Float64).fill_nan(None))


def _first(found: tuple[float, ...]) -> tuple[float, float, float]:
    """Return the value and its interval of what :func:`concordance_of` returns."""
    return found[0], found[2], found[3]


def area(
    score: FloatArray, happened: BoolArray, weight: FloatArray, z: float, person: IntArray | None = None
) -> tuple[float, float, float]:
    """Return the weighted area under the ROC curve and its interval (infinitesimal jackknife, weights as given).

    With ``person`` (its number, a row) the interval allows for dependence between the rows of a person.
    """
    case, other = happened & (weight > 0), ~happened & (weight > 0)
    if not case.any() or not other.any():
        return float("nan"), float("nan"), float("nan")

    def below(these: BoolArray, those: BoolArray) -> FloatArray:
        """Return for each of ``these`` the weight of ``those`` with a lower score, plus half of that with the same."""
        order = np.argsort(score[those], kind="stable")
        total = np.concatenate(([0.0], np.cumsum(weight[those][order])))
        left, right = (np.searchsorted(score[those][order], score[these], side=side) for side in ("left", "right"))
        return np.asarray((total[left] + total[right]) / 2)

    cases, others = float(weight[case].sum()), float(weight[other].sum())
    beaten = below(case, other) / others
    value = float((weight[case] * beaten).sum() / cases)
    parts = np.zeros(len(score))
    parts[case] = weight[case] * (beaten - value) / cases
    parts[other] = weight[other] * (1 - below(other, case) / cases - value) / others
    if person is not None:
        parts = np.asarray(np.bincount(person, weights=parts), dtype=np.float64)
    width = z * float(np.sqrt((parts**2).sum()))
    return value, max(value - width, 0.0), min(value + width, 1.0)


def _observed(days: FloatArray, ending: IntArray, limit: float, z: float) -> tuple[float, float, float]:
    """Return the lower end, the value and the upper end of the share that churned; NaN if not followed so far."""
    if not (ending == 1).any():
        return 0.0, 0.0, float("nan")
    rows = time_rows(np.full(len(days), -np.inf), days, ending)
    incidence, se = incidence_of(rows, 1)
    share, error = float(incidence[-1]), float(se[-1])
    if rows.times[-1] < limit and rows.cells.ended[-1, 0]:
        return float("nan"), float("nan"), float("nan")
    if not 0 < share < 1:
        return share, share, share
    width = z * error / (share * np.log(share))
    return float(share ** np.exp(-width)), share, float(share ** np.exp(width))


def calibration_table(
    score: FloatArray, groups: int, seen: Callable[[BoolArray], tuple[int, float, float, float]]
) -> pl.DataFrame:
    """Return predicted and observed in groups of like risk.

    ``seen`` returns of a group how many churned, and the lower end, the value and the upper end of the share observed.
    """
    edges = np.unique(np.quantile(score, np.arange(1, groups) / groups, method="inverted_cdf"))
    group = np.searchsorted(edges, score, side="left")
    rows = []
    for number, place in enumerate(np.unique(group), 1):
        ours = group == place
        churned, low, share, high = seen(ours)
        risks = score[ours]
        rows.append((number, len(risks), risks.min(), risks.max(), risks.mean(), churned, share, low, high))
    names = ["group", "persons", "risk_from", "risk_to", "predicted", "churned", "observed", "lower", "upper"]
    counts = ("group", "persons", "churned")
    schema = {name: pl.Int64 if name in counts else pl.Float64 for name in names}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col(pl.Float64).fill_nan(None))
