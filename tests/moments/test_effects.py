"""Effects come with where they come from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

import cjm
from cjm.errors import ArgumentError, InputError
from cjm.moments import Action, effects_from_hazards, effects_from_holdout
from cjm.statistics import newcombe

NOW = datetime(2026, 3, 2, tzinfo=UTC)
CALL = Action("call", "phone", ("offer", "unseen"), "2d")
HAZARDS = pl.DataFrame(
    {"term": ["offer", "premium"], "hazard_ratio": [3.0, 0.6], "lower": [2.0, 0.5], "upper": [4.0, 0.7]}
)


def test_the_excess_risk_of_a_constant_hazard():
    daily, ratio, share, days = 0.0012, 3.0, 0.25, 90
    risk = 1 - np.exp(-daily * days)
    with_path = 1 - np.exp(-daily * ratio * days)
    found = effects_from_hazards(HAZARDS, [CALL], risk=risk, horizon="90d", removes={"call": share})
    assert found.select("moment", "action").rows() == [("offer", "call")]
    assert found["effect"].item() == pytest.approx(share * (with_path - risk))
    assert found["low"].item() < found["effect"].item() < found["high"].item()
    assert found["basis"].item() == (
        "associational: hazard ratio 3 (2 to 4); assumed that acting removes 25% of the excess risk in 90d"
    )
    staying = effects_from_hazards(
        HAZARDS, [Action("call", "phone", ("premium",), "2d")], risk=risk, horizon="90d", removes={"call": share}
    )
    assert staying["effect"].item() < 0  # a path that goes with staying is no reason to act
    assert effects_from_hazards(HAZARDS, [], risk=0.1, horizon="1d", removes={}).is_empty()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"risk": 1.2}, "risk is 1.2"),
        ({"removes": {}}, "'call' removes is missing"),
        ({"removes": {"call": 20}}, "'call' removes is 20"),
        ({"horizon": 90}, "A bare number has no unit"),
    ],
)
def test_wrong_assumptions(change, message):
    with pytest.raises(ArgumentError, match=message):
        effects_from_hazards(HAZARDS, [CALL], **{"risk": 0.1, "horizon": "90d", "removes": {"call": 0.2}, **change})


def world(seed, *, effect, persons=4_000):
    """Decide with a holdout, and let acting lower the probability of leaving by ``effect``."""
    rng = np.random.default_rng(seed)
    person = np.arange(persons) + seed * persons
    decisions = cjm.decide(
        pl.DataFrame({"moment": "offer", "person": person, "end": NOW}),
        [CALL],
        at=NOW,
        persons=pl.DataFrame({"person": person, "value": 100.0}),
        effects=pl.DataFrame({"moment": ["offer"], "action": ["call"], "effect": [0.1], "basis": ["guess"]}),
        holdout=0.3,
    )
    acted = decisions["decision"].to_numpy() == "act"
    left = rng.random(persons) < np.where(acted, 0.25 - effect, 0.25)
    return decisions, pl.DataFrame({"person": decisions["person"], "left": left})


def test_a_holdout_measures_what_acting_changes():
    covered = 0
    for seed in range(100):
        decisions, outcomes = world(seed, effect=0.05, persons=1_500)
        row = effects_from_holdout(decisions, outcomes).row(0, named=True)
        covered += row["low"] <= 0.05 <= row["high"]
    assert 88 <= covered <= 100  # of 100 intervals of 95 %


def test_counts_and_interval_are_those_of_the_groups():
    decisions, outcomes = world(1, effect=0.05)
    row = effects_from_holdout(decisions, outcomes, level=0.9).row(0, named=True)
    both = decisions.join(outcomes, on="person")
    acted, held = (both.filter(decision=name)["left"] for name in ("act", "hold out"))
    assert (row["acted"], row["acted_left"]) == (len(acted), acted.sum())
    assert (row["held_out"], row["held_out_left"]) == (len(held), held.sum())
    assert row["effect"] == pytest.approx(held.mean() - acted.mean())
    low, high = newcombe([held.sum()], [len(held)], [acted.sum()], [len(acted)], 0.9)
    assert (row["low"], row["high"]) == (low[0], high[0])
    assert row["basis"].startswith(f"randomised holdout: {acted.sum()} of {len(acted)} acted on")


def test_only_the_first_decision_of_a_person_counts_and_only_who_has_an_outcome():
    decisions, outcomes = world(1, effect=0.05)
    again = decisions.with_columns(pl.col("decided_at") + timedelta(days=1), moment=pl.lit("other"))
    once = effects_from_holdout(decisions, outcomes)
    assert effects_from_holdout(pl.concat([again, decisions]), outcomes).equals(once)
    half = effects_from_holdout(decisions, outcomes.head(2_000))
    assert half.select(pl.sum_horizontal("acted", "held_out")).item() == 2_000
    assert effects_from_holdout(decisions.filter(pl.col("decision") == "act"), outcomes).is_empty()
    with pytest.raises(InputError, match="a person has several rows"):
        effects_from_holdout(decisions, pl.concat([outcomes, outcomes]))


def test_what_was_measured_can_be_decided_with():
    decisions, outcomes = world(1, effect=0.05)
    effects = effects_from_holdout(decisions, outcomes)
    later = cjm.decide(
        pl.DataFrame({"moment": "offer", "person": [1], "end": [NOW]}),
        [CALL],
        at=NOW,
        persons=pl.DataFrame({"person": [1], "value": [100.0]}),
        effects=effects,
    ).row(0, named=True)
    assert (later["effect"], later["effect_low"], later["basis"]) == effects.select("effect", "low", "basis").row(0)
