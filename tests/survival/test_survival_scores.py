"""Concordance, validation, holdout: R, slow definitions, and worlds of known risk."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from survival_worlds import cancelling_world

from cjm.errors import ArgumentError, InputError
from cjm.survival import Churn, PathHazard, concordance, holdout, subjects, validate

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "survival"
needs_oracle = pytest.mark.skipif(not ORACLE.is_dir(), reason="the folder ../shared/oracle/survival is not there")


@needs_oracle
def test_concordance_agrees_with_r():
    expected = json.loads((ORACLE / "lung.json").read_text())
    frame = pl.read_csv(ORACLE / "lung.csv", infer_schema_length=None).drop_nulls("ph.ecog")
    score = sum(pl.col(name) * value for name, value in expected["cox"]["coef"].items())
    found = concordance(frame.with_columns(score=score.round(12)), time="time", event="status", risk="score")
    for name, theirs in (("harrell", "harrell"), ("uno", "uno"), ("early", "S")):
        row = found.row(by_predicate=pl.col("weighting") == name, named=True)
        wanted = expected[f"concordance_{theirs}"]
        assert (row["concordance"], row["se"]) == pytest.approx((wanted["concordance"], wanted["se"]), abs=1e-11)
        counts = wanted["count"]
        for mine, r in (("concordant", "concordant"), ("discordant", "discordant"), ("tied", "tied.x")):
            assert row[mine] == pytest.approx(counts[r], rel=1e-12)


@needs_oracle
def test_concordance_with_many_ties_agrees_with_r():
    expected = json.loads((ORACLE / "aml.json").read_text())["cox"]
    frame = pl.read_csv(ORACLE / "aml.csv").with_columns(score=(pl.col("x") == "Nonmaintained").cast(pl.Float64))
    row = concordance(frame, time="time", event="status", risk="score").row(0, named=True)
    assert row["concordance"] == pytest.approx(expected["concordance"], abs=1e-11)
    assert row["se"] == pytest.approx(expected["concordance_se"], abs=1e-11)


ROWS = st.lists(st.tuples(st.integers(1, 8), st.booleans(), st.integers(0, 4)), min_size=1, max_size=25)


@given(ROWS, st.sampled_from([1.0, 0.3]))
@settings(max_examples=120, deadline=None)
def test_concordance_follows_its_definition(rows, unit):
    days, left, score = (np.array(column) for column in zip(*rows, strict=True))
    days = days * unit
    frame = pl.DataFrame({"days": days, "left": left, "score": score.astype(float)})
    found = concordance(frame, time="days", event="left", risk="score")

    def observed(time):
        chance = 1.0
        for at in sorted({t for t in days.tolist() if t < time}):
            here = (days >= at).sum() - ((days == at) & left).sum()
            chance *= 1 - ((days == at) & ~left).sum() / max(here, 1)
        return chance

    for name in ("harrell", "uno"):
        pairs = np.zeros(3)
        for i in range(len(days)):
            for j in range(len(days)):
                if left[i] and (days[j] > days[i] or (days[j] == days[i] and not left[j])):
                    weight = 1.0 if name == "harrell" else observed(days[i]) ** -2
                    pairs[0 if score[i] > score[j] else 1 if score[i] < score[j] else 2] += weight
        row = found.row(by_predicate=pl.col("weighting") == name, named=True)
        assert [row["concordant"], row["discordant"], row["tied"]] == pytest.approx(pairs.tolist(), abs=1e-9)
        if pairs.sum():
            assert row["concordance"] == pytest.approx((pairs[0] + pairs[2] / 2) / pairs.sum())
        else:
            assert row["concordance"] is None


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 2), st.integers(0, 10)), min_size=2, max_size=30),
    st.integers(3, 9),
)
@settings(max_examples=120, deadline=None)
def test_validation_follows_its_definitions(rows, horizon):
    days, ending, risk = (np.array(column) for column in zip(*rows, strict=True))
    risk = risk / 10
    frame = pl.DataFrame({"days": days, "left": ending == 1, "other": ending == 2, "risk": risk})
    cut, how = np.minimum(days, horizon), np.where(days > horizon, 0, ending)
    known = (days >= horizon) | (how > 0)
    call = {"time": "days", "event": "left", "risk": "risk", "competing": "other", "horizon": f"{horizon}d"}
    if not known.any():
        with pytest.raises(InputError, match="outcome"):
            validate(frame, **call)
        return

    def observed(time):
        chance = 1.0
        for at in range(1, int(time)):
            here = (cut >= at).sum() - ((cut == at) & (how > 0)).sum()
            chance *= 1 - ((cut == at) & (how == 0)).sum() / max(here, 1)
        return chance

    weight = np.array([1 / observed(t) if k else 0.0 for t, k in zip(cut, known, strict=True)])
    left = how == 1
    values = dict(validate(frame, **call).scores.select("measure", "value").iter_rows())
    assert values["brier"] == pytest.approx((weight * (left - risk) ** 2).sum() / len(days))
    pairs, right = 0.0, 0.0
    for i in np.flatnonzero(left & known):
        for j in np.flatnonzero(~left & known):
            pairs += weight[i] * weight[j]
            right += weight[i] * weight[j] * (1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0)
    assert values["auc"] == (pytest.approx(right / pairs) if pairs else None)
    assert values["expected"] == pytest.approx(risk.mean())
    table = validate(frame, groups=3, **call).calibration
    assert table["persons"].sum() == len(days)
    assert table["churned"].sum() == left.sum()
    assert (table["predicted"] * table["persons"]).sum() == pytest.approx(risk.sum())


def test_true_risks_are_called_true_and_false_ones_false():
    rng = np.random.default_rng(2)
    rate = rng.gamma(2.0, 0.01, 20_000)
    churn, lost = rng.exponential(1 / rate), rng.exponential(120, len(rate))
    frame = pl.DataFrame({"days": np.minimum(churn, lost), "left": churn <= lost, "risk": 1 - np.exp(-30 * rate)})
    call = {"time": "days", "event": "left", "risk": "risk", "horizon": "30d"}
    good = validate(frame, **call)
    values = {row["measure"]: row for row in good.scores.iter_rows(named=True)}
    assert values["ratio"]["lower"] < 1 < values["ratio"]["upper"]
    assert good.calibration.filter(pl.col("predicted").is_between("lower", "upper")).height >= 8
    truth = (churn[:, None] <= 30).ravel()
    case, other = np.sort(frame["risk"].to_numpy()[~truth]), frame["risk"].to_numpy()[truth]
    area = (np.searchsorted(case, other) / len(case)).mean()
    assert values["auc"]["lower"] < area < values["auc"]["upper"]
    assert values["brier"]["value"] == pytest.approx(((truth - frame["risk"].to_numpy()) ** 2).mean(), abs=0.004)
    bad = validate(frame.with_columns(pl.col("risk") / 2), **call)
    ratio = bad.scores.row(by_predicate=pl.col("measure") == "ratio", named=True)
    assert ratio["lower"] > 1.7
    assert "auc" in repr(good)


def test_a_model_is_validated_on_persons_held_out():
    journeys, plans = cancelling_world(4, 4_000, ratio=3.0)
    train, test = subjects(journeys, Churn.event("a:quit"), origin="a:join", persons=plans).split(0.5)
    model = PathHazard(patterns={"p": "a:p"}, covariates=["plan"]).fit(journeys, train)
    found = model.validate(test, at=datetime(1970, 3, 22, tzinfo=UTC), horizon="30d")
    values = {row["measure"]: row for row in found.scores.iter_rows(named=True)}
    assert values["auc"]["lower"] > 0.55
    # some complete the path meanwhile, which the prediction leaves out: risks come out too low
    assert 0.95 < values["ratio"]["value"] < 1.6
    with pytest.raises(ArgumentError, match="took part"):
        model.validate(train)
    with pytest.raises(ArgumentError, match="inactive 20d"):
        model.validate(subjects(journeys, Churn.inactive("20d"), persons=plans))


def test_what_validation_refuses():
    frame = pl.DataFrame({"days": [3.0, 40.0], "left": [1, 0], "risk": [0.5, 1.5]})
    with pytest.raises(InputError, match="outside 0 and 1"):
        validate(frame, time="days", event="left", risk="risk", horizon="30d")
    with pytest.raises(InputError, match="missing"):
        concordance(frame.with_columns(risk=None), time="days", event="left", risk="risk")
    with pytest.raises(InputError, match="1 or 0"):
        concordance(frame, time="days", event="days", risk="risk")
    with pytest.raises(ArgumentError, match="dayz"):
        concordance(frame, time="dayz", event="left", risk="risk")


def test_a_holdout_has_the_power_it_says():
    people = pl.DataFrame({"person": range(3_000, 0, -1), "risk": np.linspace(0.1, 0.5, 3_000)})
    people = people.with_columns(half=pl.col("risk") > 0.3)
    found = holdout(people, risk="risk", reduction=0.2, strata="half", seed=3)
    plan = found.plan.row(0, named=True)
    assert plan["power"] == pytest.approx(0.8, abs=0.01)
    assert found.frame["person"].is_sorted()
    assert found.frame.equals(holdout(people.sample(fraction=1.0, shuffle=True, seed=1), risk="risk", reduction=0.2,
                                      strata="half", seed=3).frame)  # fmt: skip
    counts = found.frame.group_by("half", "arm").len().sort("half", "arm")["len"].to_list()
    assert sum(counts[::2]) == plan["holdout"]
    assert abs(counts[0] - counts[2]) <= 1
    rng = np.random.default_rng(0)
    risk, alone = found.frame["risk"].to_numpy(), (found.frame["arm"] == "holdout").to_numpy()
    hits = 0
    for _ in range(400):
        left = rng.random(len(risk)) < np.where(alone, risk, risk * 0.8)
        rates, sizes = [left[alone].mean(), left[~alone].mean()], [alone.sum(), (~alone).sum()]
        error = np.sqrt(left.mean() * (1 - left.mean()) * (1 / sizes[0] + 1 / sizes[1]))
        hits += abs(rates[0] - rates[1]) > 1.96 * error
    assert 0.74 < hits / 400 < 0.88


def test_a_holdout_of_a_small_list_says_so():
    found = holdout(pl.DataFrame({"person": range(50)}), risk=0.1, reduction=0.1)
    assert found.plan["holdout"][0] == 25
    assert any("Too few" in note for note in found.notes)
    assert set(holdout(found.frame.drop("arm"), risk=0.1, reduction=0.1, seed=1).frame["arm"]) == {"treated", "holdout"}
    for wrong in ({"reduction": 20}, {"share": 1.0}, {"risk": 0.0}, {"strata": "nothing"}):
        with pytest.raises(ArgumentError):
            holdout(pl.DataFrame({"person": range(50)}), **{"risk": 0.1, "reduction": 0.1, **wrong})
    with pytest.raises(InputError, match="no person"):
        holdout(pl.DataFrame({"person": [1, 1]}), risk=0.1, reduction=0.1)
