"""The bridges to lifelines."""

import numpy as np
import polars as pl
import pytest
from survival_worlds import cancelling_world, kaplan_meier, silent_world

from cjm.errors import ArgumentError, CjmError
from cjm.survival import Churn, PathHazard, parametric, subjects


@pytest.fixture(scope="module")
def world():
    journeys, plans = cancelling_world(2, 800, ratio=2.0)
    return journeys, subjects(journeys, Churn.event("a:quit"), origin="a:join", persons=plans)


@pytest.mark.parametrize("strata", [None, "plan"])
def test_lifelines_finds_the_same_on_the_same_rows(world, strata):
    journeys, people = world
    covariates = [] if strata else ["plan"]
    model = PathHazard(patterns={"p": "a:p"}, covariates=covariates, strata=strata)
    model.fit(journeys, people, verify="lifelines")
    assert any("Verified: lifelines agrees on 800 persons" in note for note in model.notes)
    theirs = model.to_lifelines()
    for term, coef in theirs.params_.items():
        assert model.summary.row(by_predicate=pl.col("term") == term, named=True)["coef"] == pytest.approx(
            coef, abs=1e-7
        )
    few = model.to_lifelines(persons=300, seed=1)
    assert few.params_["p"] != theirs.params_["p"]


def test_what_differs_is_an_error(world, monkeypatch):
    from cjm.survival import _lifelines

    monkeypatch.setattr(_lifelines, "_AGREE", -1.0)
    with pytest.raises(CjmError, match="lifelines gives"):
        PathHazard(patterns={"p": "a:p"}).fit(*world, verify="lifelines")


def test_what_there_is_no_bridge_for(world, tmp_path):
    journeys, people = world
    with pytest.raises(ArgumentError, match="library"):
        PathHazard(patterns={"p": "a:p"}).fit(journeys, people, verify="scikit-survival")
    events = silent_world(1, 300)
    silent = PathHazard(patterns={"p": "a:p"}).fit(events, subjects(events, Churn.inactive("45d")))
    with pytest.raises(ArgumentError, match="silence"):
        silent.to_lifelines()
    PathHazard(patterns={"p": "a:p"}).fit(journeys, people).save(tmp_path / "model.json")
    with pytest.raises(CjmError, match="Fit it again"):
        PathHazard.load(tmp_path / "model.json").to_lifelines()


@pytest.mark.parametrize("model", ["weibull", "log-normal", "log-logistic", "spline", "cure"])
def test_parametric_curves_follow_kaplan_meier(world, model):
    _, people = world
    covariates = ["plan"] if model == "spline" else []
    found = parametric(people, model=model, covariates=covariates)
    entry, exit_, churned = (people.frame[name].to_numpy() for name in ("entry_days", "duration", "churned"))
    curve = kaplan_meier(entry, exit_, churned)
    days = [20.0, 60.0, 100.0]
    mine = found.survival(days)
    for day, share in mine.iter_rows():
        assert share == pytest.approx(curve.filter(pl.col("time") <= day)["survival"][-1], abs=0.08)
    assert np.isfinite(found.aic)
    assert found.summary.columns == ["parameter", "term", "coef", "se", "lower", "upper", "p"]


def test_covariates_and_formulas(world):
    _, people = world
    plain = parametric(people, covariates=["plan"]).summary
    formula = parametric(people, formula="C(plan)").summary
    effect = plain.filter(pl.col("term") == "plan=plus")["coef"][0]
    assert effect < 0
    assert formula.filter(pl.col("term").str.contains("plus"))["coef"][0] == pytest.approx(effect, abs=1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "gompertz"}, "gompertz"),
        ({"model": "cure", "covariates": ["plan"]}, "takes no covariates"),
        ({"model": "spline"}, "needs covariates"),
        ({"covariates": ["pln"]}, "plan"),
    ],
)
def test_wrong_calls_say_what_is_wrong(world, options, words):
    with pytest.raises(ArgumentError, match=words):
        parametric(world[1], **options)
