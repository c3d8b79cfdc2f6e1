"""Cox fits against the definition, against lifelines, and under changes that must not matter."""

import warnings
from math import exp, log

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError, InputError
from cjm.survival import ConvergenceWarning, cox
from cjm.survival._covariates import Covariates
from cjm.survival._likelihood import Likelihood
from cjm.survival._risk import RiskSets


def random_rows(seed, rows=400, ties=True):
    """Draw start/stop rows whose event depends on x and y."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 20, rows) if ties else rng.uniform(0, 20, rows)
    length = 1 + (rng.integers(0, 10, rows) if ties else rng.uniform(0, 10, rows))
    x, y = rng.normal(50, 3, rows), rng.integers(0, 2, rows)
    event = rng.uniform(size=rows) < 1 / (1 + np.exp(-0.3 * (x - 50) + y))
    return pl.DataFrame(
        {"id": np.arange(rows) // 2, "start": start, "stop": start + length, "event": event, "x": x, "y": y,
         "group": rng.integers(0, 3, rows), "w": rng.integers(1, 4, rows)}
    )  # fmt: skip


def plain_loglik(rows, beta, efron):
    """Log partial likelihood of (start, stop, event, x, weight, stratum) rows as in the textbook."""
    total = 0.0
    for stratum in {row[5] for row in rows}:
        ours = [row for row in rows if row[5] == stratum]
        for time in {row[1] for row in ours if row[2]}:
            risk = sum(row[4] * exp(beta * row[3]) for row in ours if row[0] < time <= row[1])
            dead = [row for row in ours if row[2] and row[1] == time]
            tied = sum(row[4] * exp(beta * row[3]) for row in dead)
            weight = sum(row[4] for row in dead)
            total += sum(row[4] * beta * row[3] for row in dead)
            for j in range(len(dead)):
                total -= weight / len(dead) * log(risk - (j / len(dead) * tied if efron else 0))
    return total


ROWS = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(1, 4), st.booleans(), st.integers(-2, 2), st.integers(1, 3), st.integers(0, 1)
    ),
    min_size=1,
    max_size=15,
).filter(lambda rows: any(row[2] for row in rows))


@pytest.mark.parametrize("seed", range(5))
def test_covariates_in_parts_are_those_in_one(seed):
    rng = np.random.default_rng(seed)
    size, terms = int(rng.integers(1, 40)), 6
    columns = [(rng.random(size) < share).astype(float) for share in (0.0, 0.1, 0.2, 0.9)]
    columns += [rng.normal(size=size), np.where(rng.random(size) < 0.1, 2.0, 0.0)]
    rows = rng.permutation(size)[: size // 2 + 1].astype(np.int32)
    person, died = rng.integers(0, size, size), rng.random(size) < 0.3
    given = (columns.__getitem__, terms, rows, np.ones(len(rows)), person, died)
    whole = Covariates.build(*given)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cjm.survival._covariates._LEAST", 1)
        patch.setattr("cjm.survival._covariates._ROWS", 3)
        parts = Covariates.build(*given)
    for name in ("at", "ones", "dense", "order", "centre", "spread", "means", "exposure"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    for j, column in enumerate(columns):
        there = column != 0
        assert whole.exposure[j].tolist() == [len(set(person[there].tolist())), int(died[there].sum())]
    for i, row in enumerate(rows):
        ones = whole.order[whole.ones[whole.at[i] : whole.at[i + 1]]]
        assert all(columns[j][row] == 1 for j in ones)


@given(ROWS, st.floats(-1, 1), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_likelihood_gradient_and_information_follow_the_definition(rows, beta, efron, few):
    rows = [(start, start + length, *rest) for start, length, *rest in rows]
    start, stop, event, x, weight, stratum = (np.array(column) for column in zip(*rows, strict=True))
    sets = RiskSets.build(start.astype(float), stop.astype(float), event, stratum, weight.astype(float))
    everyone = np.arange(len(rows))
    covariates = Covariates.build(lambda j: x.astype(float), 1, sets.row, sets.weight, everyone, event)
    likelihood = Likelihood(sets, covariates, efron)
    spread, centre = covariates.spread[0], covariates.centre[0]
    with pytest.MonkeyPatch.context() as patch:
        if not few:  # walk over the event times, in ranges of a few rows
            patch.setattr("cjm.survival._likelihood._TABLE", 0)
            patch.setattr("cjm.survival._risk._ROWS_A_TASK", 3)
            patch.setattr("cjm.survival._likelihood._ROWS_A_TASK", 3)
        scan = likelihood.scan(np.array([beta * spread]))
        scores = likelihood.group_scores(np.array([beta * spread]), everyone)
    step = 1e-5
    shifted = [(*row[:3], row[3] - centre, *row[4:]) for row in rows]
    low, middle, high = (plain_loglik(shifted, beta + shift, efron) for shift in (-step, 0, step))
    assert scan.loglik == pytest.approx(middle, abs=1e-9)
    assert scan.score[0] * spread == pytest.approx((high - low) / (2 * step), abs=1e-4)
    assert scan.information[0, 0] * spread**2 == pytest.approx(-(high - 2 * middle + low) / step**2, abs=1e-2, rel=1e-3)
    assert scores[:, 0].sum() == pytest.approx(scan.score[0], abs=1e-9)
    assert scores[:, 1].sum() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("few", [True, False])
def test_a_step_so_far_out_that_risks_vanish_is_no_error(few, monkeypatch):
    # at time 2 the row with the whole risk of time 3 begins: what stays is lost in rounding
    start, stop, event = np.array([2.0, 0.0, 1.5]), np.array([3.0, 2.0, 3.0]), np.array([True, True, False])
    sets = RiskSets.build(start, stop, event, None, None)
    x = np.array([0.5, -0.5, -0.5])
    covariates = Covariates.build(lambda j: x, 1, sets.row, sets.weight, np.arange(3), event)
    if not few:
        monkeypatch.setattr("cjm.survival._likelihood._TABLE", 0)
    likelihood = Likelihood(sets, covariates, True)
    assert np.isfinite(likelihood.scan(np.array([1.0])).loglik)
    assert likelihood.scan(np.array([1_000.0])).loglik == -np.inf


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_agrees_with_lifelines_on_right_censored_data(ties):
    from lifelines import CoxPHFitter

    frame = random_rows(1, ties=ties == "efron")
    fit = cox(frame, stop="stop", event="event", covariates=["x", "y"], strata="group")
    pandas = frame.select("stop", "event", "x", "y", "group").to_pandas()
    peer = CoxPHFitter().fit(pandas, "stop", "event", strata=["group"], fit_options={"precision": 1e-12})
    np.testing.assert_allclose(fit.coef, peer.params_.to_numpy(), atol=1e-7)
    np.testing.assert_allclose(fit.se, peer.standard_errors_.to_numpy(), atol=1e-7)
    assert fit.loglik[1] == pytest.approx(peer.log_likelihood_, abs=1e-8)


def test_agrees_with_lifelines_on_start_stop_rows():
    from lifelines import CoxTimeVaryingFitter

    frame = random_rows(2).with_row_index("row")
    fit = cox(frame, start="start", stop="stop", event="event", covariates=["x", "y"])
    pandas = frame.select("row", "start", "stop", "event", "x", "y").to_pandas()
    peer = CoxTimeVaryingFitter().fit(pandas, id_col="row", event_col="event", fit_options={"precision": 1e-12})
    np.testing.assert_allclose(fit.coef, peer.params_.to_numpy(), atol=1e-7)
    np.testing.assert_allclose(fit.se, peer.standard_errors_.to_numpy(), atol=1e-7)


OPTIONS = {"start": "start", "stop": "stop", "event": "event", "covariates": ["x", "y"], "cluster": "id"}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda frame: frame.sample(fraction=1, shuffle=True, seed=3), id="order of rows"),
        pytest.param(lambda frame: frame.with_columns(pl.col("start", "stop") + 1000), id="another time zero"),
        pytest.param(
            lambda frame: pl.concat([
                frame.with_columns(stop=pl.col("start") + 0.5, event=pl.lit(False)),
                frame.with_columns(start=pl.col("start") + 0.5),
            ]),
            id="rows cut in two",
        ),
        pytest.param(lambda frame: frame.with_columns(pl.col("x") + 1e6), id="another zero of a covariate"),
    ],
)  # fmt: skip
def test_what_must_not_matter(change):
    frame = random_rows(4).with_columns(pl.col("start", "stop").cast(pl.Float64))
    before, after = cox(frame, **OPTIONS), cox(change(frame), **OPTIONS)
    np.testing.assert_allclose(after.coef, before.coef, atol=1e-8)
    np.testing.assert_allclose(after.covariance, before.covariance, atol=1e-8)
    np.testing.assert_allclose(after.loglik, before.loglik, atol=1e-7)


def test_weights_are_copies_under_breslow():
    frame = random_rows(5)
    options = {**OPTIONS, "ties": "breslow", "cluster": None}
    copies = frame.select(pl.all().repeat_by("w")).explode(pl.all())
    weighted = cox(frame, weights="w", **options)
    np.testing.assert_allclose(weighted.coef, cox(copies, **options).coef, atol=1e-10)


def test_summary_keeps_its_contract_and_counts_the_exposed():
    frame = pl.DataFrame(
        {"who": ["a", "a", "b", "c", "d", "e"], "stop": [2, 5, 4, 3, 6, 7], "start": [0, 2, 0, 0, 0, 0],
         "event": [0, 1, 1, 1, 1, 0], "path": [0, 1, 0, 0, 1, 0], "plan": ["x", "x", "y", "x", "y", "x"]}
    )  # fmt: skip
    fit = cox(frame, start="start", stop="stop", event="event", covariates=["path", "plan"], cluster="who")
    CONTRACTS["HAZARDS"].validate(fit.summary)
    assert fit.summary.select("term", "exposed", "events").rows() == [("path", 2, 2), ("plan=y", 2, 2)]
    assert "plan is compared with 'x'" in fit.notes
    hazard = fit.summary.row(0, named=True)
    assert hazard["hazard_ratio"] == pytest.approx(exp(hazard["coef"]))
    assert log(hazard["upper"] / hazard["lower"]) == pytest.approx(2 * 1.959963984540054 * hazard["se"])


def test_missing_values_are_left_out_and_counted():
    frame = random_rows(6)
    holes = pl.concat([frame, frame.head(7).with_columns(x=pl.lit(None, dtype=pl.Float64))])
    fit = cox(holes, **OPTIONS)
    assert fit.coef.tolist() == cox(frame, **OPTIONS).coef.tolist()
    assert "7 of 407 rows have a missing value and are left out" in fit.notes


def test_a_separating_covariate_is_warned_of():
    frame = pl.DataFrame({"stop": [1, 2, 3, 4, 5, 6], "event": [1, 1, 1, 0, 0, 0], "x": [1, 1, 1, 0, 0, 0]})
    with pytest.warns(ConvergenceWarning, match="'x' may be infinite"):
        fit = cox(frame, stop="stop", event="event", covariates=["x"])
    assert any("infinite" in note for note in fit.notes)


@pytest.mark.parametrize(
    ("change", "options", "error", "words"),
    [
        (lambda f: f.with_columns(event=pl.lit(False)), {}, InputError, "no events"),
        (lambda f: f.with_columns(event=pl.lit(2)), {}, InputError, "1 or 0"),
        (
            lambda f: f.with_columns(z=2 * pl.col("x") - pl.col("y")),
            {"covariates": ["x", "y", "z"]},
            InputError,
            "'z' is a linear",
        ),
        (lambda f: f.with_columns(z=pl.lit(3)), {"covariates": ["x", "z"]}, InputError, "'z' does not vary"),
        (lambda f: f.with_columns(start=pl.col("stop")), {}, InputError, "do not end after they start"),
        (lambda f: f.with_columns(w=pl.lit(0)), {"weights": "w"}, InputError, "above zero"),
        (lambda f: f, {"covariates": ["xx"]}, ArgumentError, "xx"),
        (lambda f: f, {"covariates": []}, ArgumentError, "no covariates"),
        (lambda f: f, {"ties": "exact"}, ArgumentError, "efron"),
        (lambda f: f.with_columns(x=pl.lit([1])), {}, InputError, "number, a Boolean or text"),
    ],
)
def test_errors_say_what_is_wrong(change, options, error, words):
    with pytest.raises(error, match=words):
        cox(change(random_rows(7)), **{**OPTIONS, **options})


def test_a_walk_off_the_cliff_is_halved():
    """Newton's full step overshoots here; the fit must still be the maximum."""
    rng = np.random.default_rng(8)
    x = np.concatenate((np.full(200, 0.0), [60.0, 70.0]))
    frame = pl.DataFrame({"stop": rng.permutation(202) + 1, "event": np.ones(202, dtype=int), "x": x})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = cox(frame, stop="stop", event="event", covariates=["x"])
    rows = [(-1, stop, True, value, 1, 0) for stop, value in frame.select("stop", "x").iter_rows()]
    best = plain_loglik(rows, float(fit.coef[0]), True)
    assert all(plain_loglik(rows, float(fit.coef[0]) + shift, True) <= best + 1e-9 for shift in (-1e-3, 1e-3))


def test_baseline_by_stratum():
    frame = random_rows(9)
    fit = cox(frame, start="start", stop="stop", event="event", covariates=["x"], strata="group")
    base = fit.baseline()
    assert base.columns == ["group", "time", "cumulative_hazard"]
    for group in (0, 1, 2):
        part = frame.filter(pl.col("group") == group)
        times = part.filter("event")["stop"].unique().sort().to_list()
        own = base.filter(pl.col("group") == group)
        assert own["time"].to_list() == times
        assert own["cumulative_hazard"].is_sorted()
    assert_frame_equal(fit.baseline(at={"x": float(fit.means[0])}), base)
    with pytest.raises(ArgumentError, match="term"):
        fit.baseline(at={"z": 1.0})


def test_the_test_of_proportional_hazards():
    frame = random_rows(10)
    fit = cox(frame, start="start", stop="stop", event="event", covariates=["x"])
    assert fit.check().columns == ["term", "chi2", "df", "p"]
    with pytest.raises(ArgumentError, match="identity"):
        fit.check(transform="identify")
    early = frame.with_columns(pl.col("start", "stop") - 20)
    with pytest.raises(ArgumentError, match="no logarithm"):
        cox(early, start="start", stop="stop", event="event", covariates=["x"]).check(transform="log")
    # one event time leaves nothing to compare
    one = pl.DataFrame({"stop": [1, 1, 1, 2], "event": [1, 1, 0, 0], "x": [0, 1, 0, 1]})
    assert cox(one, stop="stop", event="event", covariates=["x"]).check()["p"].null_count() == 2


def test_threads_do_not_change_a_bit():
    import os
    import subprocess
    import sys

    code = (
        "import numpy as np, polars as pl; from cjm.survival import cox; g = np.random.default_rng(0);"
        "f = pl.DataFrame({f'x{j}': g.normal(size=20000) for j in range(8)})"
        ".with_columns(t=pl.Series(g.integers(1, 99, 20000)), e=pl.Series(g.uniform(size=20000) < .5));"
        "r = cox(f, stop='t', event='e', covariates=[f'x{j}' for j in range(8)]);"
        "print(r.coef.tobytes().hex(), r.covariance.tobytes().hex())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads, "POLARS_MAX_THREADS": threads},
            capture_output=True, text=True, check=True,
        ).stdout
        for threads in ("1", "4")
    }  # fmt: skip
    assert len(outputs) == 1
