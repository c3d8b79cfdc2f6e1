"""What a policy would have been worth, told from decisions that another one made."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError, InputError
from cjm.moments._holdout import draws
from cjm.moments._input import taken
from cjm.statistics import normal_quantile

__all__ = ["off_policy_value"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_FOLDS = 5
_DOUBT = 5.0  # standard errors of the mean weight


@dataclass(frozen=True)
class _Logged:
    """Decisions as arrays: codes of person, action and stratum, rewards, weights, and the policy's probabilities."""

    person: IntArray
    action: IntArray
    stratum: IntArray
    fold: IntArray
    reward: FloatArray
    weight: FloatArray
    policy: FloatArray  # (decisions, actions)


def off_policy_value(
    log: pl.DataFrame,
    policy: pl.Expr | Mapping[str, pl.Expr | float],
    *,
    strata: Sequence[str] = (),
    predictions: Mapping[str, str] | None = None,
    level: float = 0.95,
) -> pl.DataFrame:
    """Estimate the mean reward that a policy would have brought on the occasions that are on record.

    Parameters
    ----------
    log : DataFrame
        A row a decision: ``person``, ``action`` (what was done, doing nothing included), ``propensity`` (with which
        probability it was drawn, given what was known: above 0, at most 1), ``reward`` (larger is better), and columns
        that the policy or the strata name.
    policy : Polars expression, or mapping of str to expression or number
        The action that would be taken, as an expression over the columns of the log; or the probability of each action
        (those not named have none). It may look at nothing that was not known when the decision was made.
    strata : sequence of str
        Columns by which the doubly robust estimate predicts rewards: means by stratum and action, each decision
        predicted from the other four fifths of the persons. None: means by action.
    predictions : mapping of str to str, optional
        Instead: for each action the column with its predicted reward, from a model that has not seen the decision.
    level : float
        Of the intervals.

    Returns
    -------
    polars.DataFrame
        A row an ``estimator``:

        - ``logged``: the mean reward of what was done, for comparison,
        - ``ips``: inverse propensity; unbiased if propensities are right, noisy where weights are large,
        - ``snips``: the same over the sum of the weights; usually the better of the two, biased by an amount that goes
          with 1/n; not moved by a constant added to every reward,
        - ``dr``: doubly robust, right if the propensities or the predictions are; its residuals are centred already and
          are not normalised,

        with ``value``, ``se``, ``low``, ``high``; ``gain`` over ``logged``, ``gain_low``, ``gain_high`` (of the same
        persons, so narrower than the two intervals suggest); ``decisions``, ``persons``, ``effective`` (as many
        decisions of equal weight would tell as much), ``mean_weight`` (close to 1 if the propensities are right and
        all that the policy does was tried), ``max_weight``. Errors are clustered by person.

    Raises
    ------
    InputError
        If a column is missing or of a wrong type, a propensity is out of range, or there are no decisions.
    ArgumentError
        If the policy takes an action that was never taken, its probabilities do not add up to 1, or no decision on
        record agrees with it.

    Warns
    -----
    UserWarning
        If the mean weight is more than 5 standard errors from 1.

    References
    ----------
    Horvitz and Thompson (1952), JASA 47; Swaminathan and Joachims (2015), The self-normalized estimator for
    counterfactual learning, NIPS; Dudik, Langford and Li (2011), Doubly robust policy evaluation and learning, ICML.

    Examples
    --------
    >>> log = pl.DataFrame({"person": [1, 2, 3, 4], "action": ["call", "call", "wait", "wait"],
    ...                     "propensity": 0.5, "reward": [9.0, 7.0, 4.0, 2.0]})
    >>> off_policy_value(log, pl.lit("call")).select("estimator", "value", "gain").rows()
    [('logged', 5.5, 0.0), ('ips', 8.0, 2.5), ('snips', 8.0, 2.5), ('dr', 7.75, 2.25)]
    """
    where = "off_policy_value"
    table = taken(log, where, keys=["person"], texts=["action"], numbers=["propensity", "reward"])
    if table.is_empty():
        raise InputError.at("there are no decisions", where=where)
    wrong = table.filter(~((pl.col("propensity") > 0) & (pl.col("propensity") <= 1)) | ~pl.col("reward").is_finite())
    if wrong.height:
        raise InputError.at(
            f"{wrong.height:,} rows have a propensity that is not above 0 and at most 1, or a reward that is no number",
            where=where,
            hint="The propensity is the probability with which the action on record was drawn",
        )
    actions = table["action"].unique().sort().to_list()
    chance = _policy(log, policy, actions)
    code = table["action"].cast(pl.Enum(actions)).to_physical().cast(pl.Int64).to_numpy()
    rows = np.arange(len(code))
    weight = chance[rows, code] / table["propensity"].to_numpy()
    if not weight.any():
        raise ArgumentError.at(
            "no decision on record agrees with the policy", where=where, hint="What was never tried cannot be valued"
        )
    logged = _Logged(
        person=_codes(table.select("person")),
        action=code,
        stratum=_codes(log.select(strata)) if strata else np.zeros(len(code), dtype=np.int64),
        fold=(draws(table["person"], "off_policy_value") * _FOLDS).astype(np.int64),
        reward=table["reward"].to_numpy(),
        weight=weight,
        policy=chance,
    )
    predicted = _means(logged) if predictions is None else _given(log, predictions, actions)
    return _table(logged, predicted, level)


def _table(logged: _Logged, predicted: FloatArray, level: float) -> pl.DataFrame:
    n, persons = len(logged.reward), int(logged.person.max()) + 1
    w, r = logged.weight, logged.reward
    direct = (logged.policy * predicted).sum(axis=1)
    robust = direct + w * (r - predicted[np.arange(n), logged.action])
    done = r.mean()
    normal = (w * r).sum() / w.sum()
    estimates = {
        "logged": (done, r - done),
        "ips": ((w * r).mean(), w * r - (w * r).mean()),
        "snips": (normal, w * (r - normal) / w.mean()),
        "dr": (robust.mean(), robust - robust.mean()),
    }
    z = normal_quantile(level)

    def error(influence: FloatArray) -> float:
        clustered = np.bincount(logged.person, influence, persons)
        return float(np.sqrt((clustered**2).sum() * persons / (persons - 1)) / n) if persons > 1 else float("nan")

    doubt = error(w - w.mean())
    if abs(w.mean() - 1) > _DOUBT * doubt + 1e-9:
        warnings.warn(
            f"the mean weight is {w.mean():.3g}, not 1: either the propensities on record are wrong, or the policy "
            "takes actions where they were never tried; do not rely on these values",
            UserWarning,
            stacklevel=3,
        )
    rows = []
    for name, (value, influence) in estimates.items():
        se, gain, gain_se = error(influence), value - done, error(influence - (r - done))
        rows.append((name, value, se, value - z * se, value + z * se, gain, gain - z * gain_se, gain + z * gain_se))
    names = ["estimator", "value", "se", "low", "high", "gain", "gain_low", "gain_high"]
    schema = {name: pl.Float64() for name in names} | {"estimator": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        decisions=pl.lit(n, pl.Int64),
        persons=pl.lit(persons, pl.Int64),
        effective=float(w.sum() ** 2 / (w**2).sum()),
        mean_weight=float(w.mean()),
        max_weight=float(w.max()),
    )


def _policy(log: pl.DataFrame, policy: pl.Expr | Mapping[str, pl.Expr | float], actions: Sequence[str]) -> FloatArray:
    """Return the policy's probability of each action at each decision."""
    where = "off_policy_value, policy"
    if isinstance(policy, pl.Expr):
        choice = log.with_columns(policy.cast(pl.String).alias("choice"))["choice"]
        if choice.null_count():
            raise ArgumentError.at(
                f"it takes no action in {choice.null_count():,} of {len(choice):,} decisions",
                where=where,
                hint="Doing nothing is an action, too: name it as the log does",
            )
        unknown = sorted(set(choice.unique().to_list()) - set(actions))
        columns = [(choice == name).cast(pl.Float64) for name in actions]
    else:
        unknown = sorted(set(policy) - set(actions))
        parts = [policy.get(name, 0.0) for name in actions]
        exprs = [part if isinstance(part, pl.Expr) else pl.lit(float(part)) for part in parts]
        columns = [log.with_columns(expr.cast(pl.Float64).alias("chance"))["chance"] for expr in exprs]
    if unknown:
        raise ArgumentError.at(
            f"it takes the action {unknown[0]!r}, which was never taken",
            where=where,
            hint=f"Known: {', '.join(actions)}",
        )
    chance = np.column_stack([column.to_numpy() for column in columns])
    if not (np.isfinite(chance).all() and (chance >= 0).all() and np.allclose(chance.sum(axis=1), 1, atol=1e-9)):
        raise ArgumentError.at("the probabilities do not add up to 1 everywhere", where=where)
    return chance


def _means(logged: _Logged) -> FloatArray:
    """Return the mean reward of each action in the stratum of each decision, among persons of the other folds.

    A stratum without such a decision falls back to the action, an action to all decisions.
    """
    actions, strata = logged.policy.shape[1], int(logged.stratum.max()) + 1
    shape = (_FOLDS, strata, actions)
    cell = (logged.fold * strata + logged.stratum) * actions + logged.action
    count = np.bincount(cell, minlength=_FOLDS * strata * actions).reshape(shape).astype(np.float64)
    total = np.bincount(cell, logged.reward, _FOLDS * strata * actions).reshape(shape)
    count, total = count.sum(axis=0) - count, total.sum(axis=0) - total
    mean = np.broadcast_to(
        _ratio(total.sum(axis=(1, 2), keepdims=True), count.sum(axis=(1, 2), keepdims=True), 0.0), shape
    )
    mean = _ratio(total.sum(axis=1, keepdims=True), count.sum(axis=1, keepdims=True), mean)
    return _ratio(total, count, mean)[logged.fold, logged.stratum]


def _ratio(total: FloatArray, count: FloatArray, otherwise: FloatArray | float) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / count, otherwise)


def _given(log: pl.DataFrame, predictions: Mapping[str, str], actions: Sequence[str]) -> FloatArray:
    missing = sorted(set(actions) - set(predictions))
    if missing:
        raise ArgumentError.at(
            f"there is no prediction for {missing[0]!r}", where="off_policy_value, predictions", hint="Name its column"
        )
    table = taken(log, "off_policy_value, predictions", numbers=[predictions[name] for name in actions])
    return np.column_stack([table[predictions[name]].to_numpy() for name in actions])


def _codes(columns: pl.DataFrame) -> IntArray:
    return columns.select(pl.struct(pl.all()).rank("dense") - 1).to_series().cast(pl.Int64).to_numpy()
