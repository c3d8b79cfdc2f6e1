"""PathHazard with churn by silence: the regression against R, and worlds whose truth is known."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from survival_worlds import DAY, journeys_of_arrays, silent_world

import cjm
from cjm.survival import Churn, PathHazard, cox, subjects
from cjm.survival._rows import event_rows, first_numbers
from cjm.survival._silence import fit_silence

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "survival"
GAP = Churn.inactive("45d")


@pytest.mark.skipif(not ORACLE.is_dir(), reason="the folder ../shared/oracle/survival is not there")
def test_regression_agrees_with_r():
    expected = json.loads((ORACLE / "rossi.json").read_text())["cloglog_person_week"]
    frame = pl.read_csv(ORACLE / "rossi_person_week.csv", infer_schema_length=None)
    terms = list(expected["coef"])
    week = frame["stop"].to_numpy()
    fit = fit_silence(
        frame.select(terms).cast(pl.Float64).to_numpy(),
        frame["arrest"].to_numpy() == 1,
        week,
        frame["id"].to_numpy(),
        week,
        terms,
    )
    np.testing.assert_allclose(fit.coef, list(expected["coef"].values()), rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.model_covariance)), list(expected["se"].values()), rtol=0, atol=1e-8)
    assert -2 * fit.loglik == pytest.approx(expected["deviance"], abs=1e-7)


def test_robust_errors_follow_the_sandwich():
    """Against the full model with a column an intercept."""
    rng = np.random.default_rng(3)
    rows = 600
    stratum, person = rng.integers(0, 3, rows), rng.integers(0, 200, rows)
    x = rng.normal(size=(rows, 1))
    silent = rng.uniform(size=rows) < 1 - np.exp(-np.exp(-1 + 0.5 * x[:, 0] + 0.3 * stratum))
    fit = fit_silence(x, silent, stratum, person, np.ones(rows, dtype=int), ["x"])
    full = np.column_stack([x, stratum[:, None] == np.arange(3)])
    beta = np.zeros(4)
    for _ in range(50):
        hazard = np.exp(full @ beta)
        odds = hazard / np.expm1(hazard)
        slope = np.where(silent, odds, -hazard)
        bread = np.linalg.inv(full.T @ (full * (hazard * odds)[:, None]))
        beta = beta + bread @ (full.T @ slope)
    meat = np.zeros((200, 4))
    np.add.at(meat, person, full * slope[:, None])
    robust = bread @ meat.T @ meat @ bread
    assert fit.coef[0] == pytest.approx(beta[0], abs=1e-9)
    assert fit.covariance[0, 0] == pytest.approx(robust[0, 0], rel=1e-8)
    assert fit.model_covariance[0, 0] == pytest.approx(bread[0, 0], rel=1e-8)


def test_rows_are_the_events_that_were_watched_for_the_gap():
    journeys = journeys_of_arrays(
        [1, 1, 1, 1, 2, 2, 3, 4], [0, 3, 3, 20, 1, 26, 22, 30], ["use", "use", "p", "use", "use", "use", "use", "use"]
    )
    people = subjects(journeys, Churn.inactive("10d"))
    rows = event_rows(journeys, people.frame, people.churn.gap)
    found = list(
        zip(people.frame["person"].to_numpy()[rows.subject], rows.time // DAY, rows.number, rows.silent, strict=True)
    )
    # person 1 is gone 10 days after day 3 (the return counts no more); 3 was not watched for 10 days
    assert found == [(1, 0, 1, False), (1, 3, 2, True), (2, 1, 1, True)]


def test_rows_do_not_depend_on_buckets(tmp_path):
    journeys = silent_world(1, 200)
    journeys.write(tmp_path / "store", bucket_events=300)
    stored = cjm.open_journeys(tmp_path / "store")
    assert sum(1 for _ in stored.buckets()) > 2
    people = subjects(journeys, GAP)
    whole, parts = (event_rows(given, people.frame, people.churn.gap) for given in (journeys, stored))
    for name in ("subject", "time", "number", "silent"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    assert len(whole.time) > 500


def test_pools_of_event_numbers_hold_enough_churn():
    number = np.repeat(np.arange(1, 8), 10)
    silent = np.zeros(70, dtype=bool)
    silent[[0, 1, 2, 3, 4, 10, 20, 21, 22, 23, 24, 60]] = True
    assert first_numbers(number, silent).tolist() == [1, 2]
    assert first_numbers(number, np.zeros(70, dtype=bool)).tolist() == [1]


def log_ratios(replicates, effect="onward", **world):
    coefs, z = [], []
    for seed in range(replicates):
        journeys = silent_world(seed, 1500, **world)
        people = subjects(journeys, GAP)
        row = PathHazard(patterns={"p": "a:p"}, effect=effect).fit(journeys, people).summary.row(0, named=True)
        coefs.append(row["coef"])
        z.append(row["z"])
    return np.array(coefs), np.array(z)


@pytest.mark.parametrize("unequal", [False, True])
@pytest.mark.parametrize("effect", ["onward", "event"])
def test_a_path_that_means_nothing_has_no_effect(unequal, effect):
    coefs, z = log_ratios(12, effect, unequal=unequal)
    assert abs(coefs.mean()) < 3 * coefs.std(ddof=1) / np.sqrt(len(coefs))
    assert abs(coefs.mean()) < 0.12
    assert (np.abs(z) > 1.96).sum() <= 4


def test_a_path_that_doubles_leaving_from_then_on_is_found():
    coefs, _ = log_ratios(8, onward=2.0)
    assert coefs.mean() == pytest.approx(np.log(2.05), abs=0.12)


def test_a_path_that_triples_leaving_at_that_event_is_found():
    coefs, _ = log_ratios(8, "event", once=3.0)
    assert coefs.mean() == pytest.approx(np.log(3.1), abs=0.2)


def test_the_fixed_column_that_is_not_offered_would_mislead():
    journeys = silent_world(1, 1500)
    people = subjects(journeys, GAP)
    seen = journeys.frame.filter(pl.col("touchpoint") == "a:p").collect()["person"].unique()
    naive = people.frame.with_columns(ever=pl.col("person").is_in(seen.implode()))
    assert cox(naive, stop="duration", event="churned", covariates=["ever"]).summary["hazard_ratio"][0] < 0.6


def test_curves_predictions_and_file(tmp_path):
    journeys = silent_world(2, 1500, onward=2.0)
    people = subjects(journeys, GAP)
    model = PathHazard(patterns={"p": "a:p"}).fit(journeys, people)
    curves = model.curves()
    assert curves.columns == ["term", "exposed", "time", "survival"]
    assert curves.filter("exposed")["time"].to_list() == [float(n) for n in range(1, curves.height // 2 + 1)]
    assert curves.filter(pl.col("exposed"))["survival"][5] < curves.filter(~pl.col("exposed"))["survival"][5]
    found = model.predict(journeys, people)
    assert found["person"].to_list() == people.frame.filter(pl.col("end") == "censored")["person"].to_list()
    ratios = found["hazard_ratio"].unique().sort()
    assert ratios.len() == 2
    assert ratios[1] / ratios[0] == pytest.approx(model.summary["hazard_ratio"][0])
    assert 0.03 < found["risk"].mean() < 0.2
    model.save(tmp_path / "model.json")
    assert PathHazard.load(tmp_path / "model.json").predict(journeys, people).equals(found)
    assert any("nothing follows within 45d" in note for note in model.notes)
