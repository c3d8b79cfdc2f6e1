"""Cox fits against R's coxph, in ../shared/oracle (not part of the repository)."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cjm.survival import cox

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "survival"
pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason="the folder ../shared/oracle/survival is not there")

ROSSI = ["fin", "age", "race", "wexp", "mar", "paro", "prio"]
LUNG = ["age", "sex", "ph.ecog"]
BLADDER = ["rx", "size", "number"]


def csv(name):
    return pl.read_csv(ORACLE / f"{name}.csv", infer_schema_length=None)


def stanford():
    frame = csv("stanford_tmerge")
    product = [(pl.col("trt") * pl.col(name)).alias(f"trt:{name}") for name in ("age", "surgery")]
    return frame.with_columns(product).with_columns(pl.col("trt:age").alias("age:trt"))


def stanford_base():
    return csv("stanford_base").with_columns(ever=pl.col("txtime").is_not_null())


def landmark():
    frame = csv("stanford_base").filter(pl.col("futime") >= 30)
    return frame.with_columns(tx30=(pl.col("txtime") <= 30).fill_null(False))


def mgus(cause):
    frame = csv("mgus2").with_columns(event=pl.col("ev") == cause)
    return frame.with_columns(exit_age=pl.col("age") + pl.col("etime") / 12).filter(pl.col("mspike").is_not_null())


def wlw():
    each = {
        f"{name}:strata(enum)enum={enum}": pl.col(name) * (pl.col("enum") == enum)
        for name in BLADDER
        for enum in (2, 3, 4)
    }
    return csv("bladder").with_columns(**each)


WLW = [*BLADDER, *(f"{name}:strata(enum)enum={enum}" for name in BLADDER for enum in (2, 3, 4))]
START_STOP = {"start": "start", "stop": "stop", "event": "event"}
TMERGE = {"start": "tstart", "stop": "tstop", "event": "death"}
WEEK = {"stop": "week", "event": "arrest"}
DAYS = {"stop": "time", "event": "status"}
MODEL6 = ["age", "trt", "surgery", "year", "age:trt"]

CASES = [
    ("rossi", "efron", lambda: csv("rossi"), {**WEEK, "covariates": ROSSI}),
    ("rossi", "breslow", lambda: csv("rossi"), {**WEEK, "covariates": ROSSI, "ties": "breslow"}),
    (
        "rossi",
        "strata_wexp",
        lambda: csv("rossi"),
        {**WEEK, "covariates": [name for name in ROSSI if name != "wexp"], "strata": "wexp"},
    ),
    ("rossi", "robust", lambda: csv("rossi"), {**WEEK, "covariates": ROSSI, "cluster": "id"}),
    (
        "rossi",
        "employed",
        lambda: csv("rossi_person_week"),
        {**START_STOP, "event": "arrest", "covariates": [*ROSSI, "employed"]},
    ),
    (
        "rossi",
        "employed_lag1",
        lambda: csv("rossi_person_week"),
        {**START_STOP, "event": "arrest", "covariates": [*ROSSI, "employed_lag1"]},
    ),
    ("lung", "cox", lambda: csv("lung"), {**DAYS, "covariates": LUNG}),
    ("lung", "cox_cluster_inst", lambda: csv("lung"), {**DAYS, "covariates": LUNG, "cluster": "inst"}),
    ("lung", "cox_strata_sex", lambda: csv("lung"), {**DAYS, "covariates": ["age", "ph.ecog"], "strata": "sex"}),
    (
        "lung",
        "cox_weighted_efron",
        lambda: csv("lung").with_columns(w=pl.col("id") % 3 + 1),
        {**DAYS, "covariates": ["age", "sex"], "weights": "w"},
    ),
    (
        "lung",
        "cox_weighted_breslow",
        lambda: csv("lung").with_columns(w=pl.col("id") % 3 + 1),
        {**DAYS, "covariates": ["age", "sex"], "weights": "w", "ties": "breslow"},
    ),
    (
        "stanford_heart",
        "heart_efron",
        lambda: csv("heart").rename({"transplant": "transplant1"}),
        {**START_STOP, "covariates": ["age", "surgery", "year", "transplant1"]},
    ),
    (
        "stanford_heart",
        "heart_strata_surgery",
        lambda: csv("heart").rename({"transplant": "transplant1"}),
        {**START_STOP, "covariates": ["age", "year", "transplant1"], "strata": "surgery"},
    ),
    ("stanford_heart", "kp_model6_breslow", stanford, {**TMERGE, "covariates": MODEL6, "ties": "breslow"}),
    ("stanford_heart", "kp_model6_efron", stanford, {**TMERGE, "covariates": MODEL6}),
    ("stanford_heart", "m_trt_breslow", stanford, {**TMERGE, "covariates": ["trt"], "ties": "breslow"}),
    (
        "stanford_heart",
        "m_trt_age_surgery",
        stanford,
        {**TMERGE, "covariates": ["trt", "age", "surgery", "trt:age", "trt:surgery"], "ties": "breslow"},
    ),
    (
        "stanford_heart",
        "naive_ever_transplant_immortal",
        stanford_base,
        {"stop": "futime", "event": "fustat", "covariates": ["ever"], "ties": "breslow"},
    ),
    (
        "stanford_heart",
        "landmark_30",
        landmark,
        {"stop": "futime", "event": "fustat", "covariates": ["tx30"], "ties": "breslow"},
    ),
    ("recurrent", "andersen_gill", lambda: csv("bladder2"), {**START_STOP, "covariates": BLADDER, "cluster": "id"}),
    (
        "recurrent",
        "pwp_total_time",
        lambda: csv("bladder2"),
        {**START_STOP, "covariates": BLADDER, "cluster": "id", "strata": "enum"},
    ),
    (
        "recurrent",
        "pwp_gap",
        lambda: csv("bladder2").with_columns(gap=pl.col("stop") - pl.col("start")),
        {"stop": "gap", "event": "event", "covariates": BLADDER, "cluster": "id", "strata": "enum"},
    ),
    (
        "recurrent",
        "wlw_common",
        lambda: csv("bladder"),
        {"stop": "stop", "event": "event", "covariates": BLADDER, "cluster": "id", "strata": "enum"},
    ),
    (
        "recurrent",
        "wlw_interaction",
        wlw,
        {"stop": "stop", "event": "event", "covariates": WLW, "cluster": "id", "strata": "enum"},
    ),
    (
        "mgus2",
        "cause_specific_pcm",
        lambda: mgus(1),
        {"stop": "etime", "event": "event", "covariates": ["age", "sexm", "mspike"]},
    ),
    (
        "mgus2",
        "left_truncated_age_scale",
        lambda: mgus(1).filter(pl.col("etime") > 0),
        {"start": "age", "stop": "exit_age", "event": "event", "covariates": ["sexm", "mspike"]},
    ),
    *(
        ("validate", f"{name}_{ties}", lambda file=file: csv(file), {**columns, "covariates": ["x"], "ties": ties})
        for name, file, columns in (
            ("test1", "validate_test1", DAYS),
            ("test2", "validate_test2", START_STOP),
            ("weighted", "validate_weighted", {**DAYS, "weights": "wt"}),
        )
        for ties in ("efron", "breslow")
    ),
]


@pytest.mark.parametrize(("file", "name", "frame", "options"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES])
def test_cox_agrees_with_r(file, name, frame, options):
    expected = json.loads((ORACLE / f"{file}.json").read_text())[name]
    fit = cox(frame(), **options)
    assert len(fit.terms) == 1 or list(fit.terms) == list(expected["coef"])
    np.testing.assert_allclose(fit.coef, list(expected["coef"].values()), rtol=0, atol=1e-9)
    np.testing.assert_allclose(fit.covariance, expected["vcov"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.model_covariance)), list(expected["se"].values()), rtol=0, atol=1e-9)
    np.testing.assert_allclose(fit.loglik, [expected["loglik_null"], expected["loglik"]], rtol=0, atol=1e-9)
    assert fit.events == expected["nevent"]
    assert fit.robust == ("cluster" in options)
    if fit.robust:
        np.testing.assert_allclose(fit.se, list(expected["robust_se"].values()), rtol=0, atol=1e-9)
    for transform in ("km", "identity", "log"):
        if f"zph_{transform}" in expected:
            test = fit.check(transform=transform)
            assert test["term"].to_list() == [*fit.terms, "GLOBAL"]
            assert test["df"].to_list() == expected[f"zph_{transform}"]["df"]
            np.testing.assert_allclose(test["chi2"], expected[f"zph_{transform}"]["chisq"], rtol=0, atol=1e-9)
            np.testing.assert_allclose(test["p"], expected[f"zph_{transform}"]["p"], rtol=0, atol=1e-9)
    hazard = expected.get("basehaz_uncentered")
    if hazard is not None:
        strata = hazard["strata"] or [""] * len(hazard["time"])
        known = {(str(s), t): h for s, t, h in zip(strata, hazard["time"], hazard["hazard"], strict=True)}
        base = fit.baseline(at=dict.fromkeys(fit.terms, 0.0))
        label = (
            [f"{base.columns[0]}={value}" for value in base[base.columns[0]]]
            if hazard["strata"]
            else [""] * base.height
        )
        for key, time, found in zip(label, base["time"], base["cumulative_hazard"], strict=True):
            assert found == pytest.approx(known[key, time], abs=1e-9, rel=1e-9)
