"""What a policy is worth, told from logged decisions: against a slow oracle and against known truths."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjm.errors import ArgumentError, InputError
from cjm.moments import off_policy_value
from cjm.moments._holdout import draws

ACTIONS = ["a", "b", "wait"]
TARGET = {"a": pl.col("pa"), "b": 0.25, "wait": 0.75 - pl.col("pa")}
rows = st.lists(
    st.fixed_dictionaries(
        {
            "person": st.integers(-3, 4),
            "action": st.sampled_from(ACTIONS),
            "propensity": st.sampled_from([0.1, 0.4, 1.0]),
            "reward": st.integers(-3, 5).map(float),
            "segment": st.sampled_from(["x", 'y "z"', None]),
            "pa": st.sampled_from([0.0, 0.25, 0.75]),
        }
    ),
    min_size=2,
    max_size=25,
)


def slowly(log, z):
    """The three estimates, decision by decision."""
    n = len(log)
    fold = {row["person"]: int(draws(pl.Series([row["person"]]), "off_policy_value")[0] * 5) for row in log}
    actions = sorted({row["action"] for row in log})

    def mean(rows):
        return sum(row["reward"] for row in rows) / len(rows) if rows else None

    def predict(row, action):
        others = [other for other in log if fold[other["person"]] != fold[row["person"]]]
        of_action = [other for other in others if other["action"] == action]
        of_cell = [other for other in of_action if other["segment"] == row["segment"]]
        return next((value for value in (mean(of_cell), mean(of_action), mean(others)) if value is not None), 0.0)

    def chance(row, action):
        return {"a": row["pa"], "b": 0.25, "wait": 0.75 - row["pa"]}[action]

    weights = [chance(row, row["action"]) / row["propensity"] for row in log]
    rewards = [row["reward"] for row in log]
    logged = sum(rewards) / n
    ips = [w * r for w, r in zip(weights, rewards, strict=True)]
    snips = sum(ips) / sum(weights)
    robust = [
        sum(chance(row, action) * predict(row, action) for action in actions)
        + w * (row["reward"] - predict(row, row["action"]))
        for row, w in zip(log, weights, strict=True)
    ]
    influence = {
        "logged": (logged, [r - logged for r in rewards]),
        "ips": (sum(ips) / n, [value - sum(ips) / n for value in ips]),
        "snips": (snips, [w * (r - snips) / (sum(weights) / n) for w, r in zip(weights, rewards, strict=True)]),
        "dr": (sum(robust) / n, [value - sum(robust) / n for value in robust]),
    }
    persons = sorted({row["person"] for row in log})

    def error(parts):
        sums = [sum(part for part, row in zip(parts, log, strict=True) if row["person"] == who) for who in persons]
        return math.sqrt(sum(s * s for s in sums) * len(persons) / (len(persons) - 1)) / n

    found = {}
    for name, (value, parts) in influence.items():
        gain = error([part - base for part, base in zip(parts, influence["logged"][1], strict=True)])
        se = error(parts)
        found[name] = [value, se, value - z * se, value + z * se, value - logged, value - logged - z * gain,
                       value - logged + z * gain]  # fmt: skip
    return found, sum(weights) ** 2 / sum(w * w for w in weights), sum(weights) / n, max(weights)


@pytest.mark.filterwarnings("ignore:the mean weight")
@settings(max_examples=120, deadline=None)
@given(rows)
def test_agrees_with_a_slow_reading(log):
    frame = pl.DataFrame(log)
    seen = set(frame["action"])
    if len({row["person"] for row in log}) < 2 or seen != set(ACTIONS):
        return
    if not any(row["pa"] if row["action"] == "a" else row["action"] == "b" or row["pa"] < 0.75 for row in log):
        with pytest.raises(ArgumentError, match="no decision on record agrees"):
            off_policy_value(frame, TARGET)
        return
    found = off_policy_value(frame, TARGET, strata=["segment"])
    expected, effective, mean, largest = slowly(log, 1.959963984540054)
    assert found["estimator"].to_list() == list(expected)
    for row in found.rows(named=True):
        numbers = [row[name] for name in ("value", "se", "low", "high", "gain", "gain_low", "gain_high")]
        assert numbers == pytest.approx(expected[row["estimator"]], abs=1e-9)
        assert (row["effective"], row["mean_weight"], row["max_weight"]) == pytest.approx((effective, mean, largest))
        assert (row["decisions"], row["persons"]) == (len(log), len({row["person"] for row in log}))


def logged_world(seed, persons=1_500, *, wrong=1.0):
    """Logged decisions of two a person; what an action brings depends on the segment, persons differ.

    Returns the log and the true value of calling exactly the premium customers.
    """
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(persons), 2) + seed * persons
    premium = np.repeat(rng.random(persons) < 0.3, 2)
    liking = np.repeat(rng.normal(0, 0.5, persons), 2)
    chance = np.where(premium, 0.7, 0.2)  # those logged decided by segment too: the plain means of actions mislead
    call = rng.random(len(person)) < chance
    reward = (
        1 + 2 * premium + np.where(call, np.where(premium, 1.5, -0.5), 0.0) + liking + rng.normal(0, 1, len(person))
    )
    propensity = np.where(call, chance, 1 - chance)
    log = pl.DataFrame(
        {
            "person": person,
            "action": np.where(call, "call", "wait"),
            "propensity": np.clip(propensity * wrong, 0, 1),
            "reward": reward,
            "premium": premium,
        }
    )
    return log, 1 + 0.3 * (2 + 1.5)


POLICY = pl.when("premium").then(pl.lit("call")).otherwise(pl.lit("wait"))


def test_intervals_cover_the_true_value_and_gain():
    worlds = 200
    covered = dict.fromkeys(("ips", "snips", "dr"), 0)
    gains = dict(covered)
    errors = {name: [] for name in covered}
    behaviour = 1 + 0.3 * (2 + 0.7 * 1.5) + 0.7 * 0.2 * -0.5
    for seed in range(worlds):
        log, truth = logged_world(seed)
        for row in off_policy_value(log, POLICY, strata=["premium"]).rows(named=True)[1:]:
            covered[row["estimator"]] += row["low"] <= truth <= row["high"]
            gains[row["estimator"]] += row["gain_low"] <= truth - behaviour <= row["gain_high"]
            errors[row["estimator"]].append(row["value"] - truth)
    for name in covered:  # 95 %, four standard errors either way
        assert covered[name] / worlds > 0.95 - 4 * 0.0154, name
        assert gains[name] / worlds > 0.95 - 4 * 0.0154, name
        assert abs(np.mean(errors[name])) < 4 * np.std(errors[name]) / worlds**0.5, name
    assert np.std(errors["dr"]) < np.std(errors["snips"]) < np.std(errors["ips"])


def test_each_half_of_doubly_robust_is_enough():
    log, truth = logged_world(1, persons=40_000)
    right = log.with_columns(
        call=1 + pl.col("premium") * 3.5 - 0.5 * ~pl.col("premium"), wait=1 + pl.col("premium") * 2.0
    )
    poor = log.with_columns(call=pl.lit(9.0), wait=pl.lit(-9.0))
    named = {"call": "call", "wait": "wait"}
    by_propensity = off_policy_value(poor, POLICY, predictions=named).row(3, named=True)
    assert by_propensity["low"] < truth < by_propensity["high"]
    wrong = right.with_columns(pl.col("propensity") * pl.when("premium").then(1.0).otherwise(0.7))
    with pytest.warns(UserWarning, match="the mean weight is"):
        estimates = off_policy_value(wrong, POLICY, predictions=named)
    by_model = estimates.row(3, named=True)
    assert by_model["low"] < truth < by_model["high"]
    assert not estimates["low"][1] < truth < estimates["high"][1]


def test_the_policy_that_was_in_force_is_worth_what_it_brought():
    log, _ = logged_world(3)
    same = {"call": pl.when("premium").then(0.7).otherwise(0.2), "wait": pl.when("premium").then(0.3).otherwise(0.8)}
    found = off_policy_value(log, same, strata=["premium"])
    assert found["mean_weight"].to_list() == pytest.approx([1.0] * 4)
    assert found["value"].to_list()[1:3] == pytest.approx([found["value"][0]] * 2)
    assert found["effective"][0] == pytest.approx(log.height)
    assert found["gain_high"][1] == pytest.approx(0, abs=1e-9)


def test_a_choice_is_a_probability_of_one_and_a_constant_moves_nothing_but_ips():
    log, _ = logged_world(4)
    chosen = off_policy_value(log, POLICY)
    premium = pl.col("premium").cast(pl.Float64)
    assert off_policy_value(log, {"call": premium, "wait": 1 - premium}).equals(chosen)
    shifted = off_policy_value(log.with_columns(pl.col("reward") + 1_000), POLICY)
    moved = (shifted["value"] - chosen["value"]).to_list()
    assert moved[2:] == pytest.approx([1_000] * 2)
    assert moved[1] != pytest.approx(1_000, abs=1)
    always = off_policy_value(log, pl.lit("wait"))
    waited = log.filter(pl.col("action") == "wait")
    assert always["value"][1] == pytest.approx((waited["reward"] / waited["propensity"]).sum() / log.height)


def test_the_holdout_of_decisions_is_a_logged_policy():
    """Acting for all and leaving all alone differ by what the two groups differ by."""
    rng = np.random.default_rng(5)
    person = np.arange(4_000)
    act = draws(pl.Series(person), "spring") >= 0.2
    reward = rng.normal(np.where(act, 3.0, 2.0), 1)
    log = pl.DataFrame(
        {"person": person, "action": np.where(act, "act", "hold out"), "propensity": np.where(act, 0.8, 0.2),
         "reward": reward}
    )  # fmt: skip
    values = [off_policy_value(log, pl.lit(name))["value"][2] for name in ("act", "hold out")]
    assert values == pytest.approx([reward[act].mean(), reward[~act].mean()])


@pytest.mark.parametrize(
    ("policy", "change", "error", "message"),
    [
        (pl.lit("post"), {}, ArgumentError, "takes the action 'post', which was never taken"),
        ({"post": 1.0}, {}, ArgumentError, "takes the action 'post'"),
        ({"call": 0.7}, {}, ArgumentError, "do not add up to 1"),
        ({"call": 1.7, "wait": -0.7}, {}, ArgumentError, "do not add up to 1"),
        (pl.lit(None, pl.String), {}, ArgumentError, "takes no action in"),
        (
            pl.when(pl.col("action") == "wait").then(pl.lit("call")).otherwise(pl.lit("wait")),
            {},
            ArgumentError,
            "agrees",
        ),
        (POLICY, {"propensity": pl.lit(0.0)}, InputError, "not above 0"),
        (POLICY, {"propensity": pl.lit(1.5)}, InputError, "not above 0"),
        (POLICY, {"reward": pl.lit(float("inf"))}, InputError, "reward that is no number"),
        (POLICY, {"reward": pl.lit(None, pl.Float64)}, InputError, "column 'reward' is null"),
        (POLICY, {"person": pl.lit("C1")}, InputError, "see cjm.person_numbers"),
    ],
)
def test_what_cannot_be_valued(policy, change, error, message):
    log, _ = logged_world(1, persons=20)
    with pytest.raises(error, match=message):
        off_policy_value(log.with_columns(**change), policy)


def test_no_decisions_no_predictions():
    log, _ = logged_world(1, persons=20)
    with pytest.raises(InputError, match="there are no decisions"):
        off_policy_value(log.head(0), POLICY)
    with pytest.raises(ArgumentError, match="no prediction for 'wait'"):
        off_policy_value(log, POLICY, predictions={"call": "reward"})
