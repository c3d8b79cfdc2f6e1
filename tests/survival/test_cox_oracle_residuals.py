"""Residuals and tests of the whole model against R, in ../shared/oracle (not part of the repository)."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cjm.statistics import benjamini_hochberg
from cjm.survival import ConvergenceWarning, cox
from cjm.survival._screen import _adjusted

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "survival"
pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason="the folder ../shared/oracle/survival is not there")
DAYS = {"stop": "time", "event": "status"}
LUNG = ["age", "sex", "ph.ecog"]


def csv(name):
    return pl.read_csv(ORACLE / f"{name}.csv", infer_schema_length=None)


def known(name):
    return json.loads((ORACLE / f"{name}.json").read_text())


def close(found, expected):
    np.testing.assert_allclose(np.asarray(found, dtype=float), np.asarray(expected, dtype=float), rtol=0, atol=1e-9)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize(
    ("name", "options"),
    [("test1", DAYS), ("test2", {"start": "start", "stop": "stop", "event": "event"}),
     ("weighted", {**DAYS, "weights": "wt"})],
)  # fmt: skip
def test_residuals_of_the_small_examples(name, options, ties):
    expected = known("validate")[f"{name}_{ties}"]
    fit = cox(csv(f"validate_{name}"), covariates=["x"], ties=ties, **options)
    close(fit.residuals()["residual"], expected["martingale"])
    close(fit.residuals("score")["x"], expected["score"])
    close(fit.residuals("schoenfeld")["x"], expected["schoenfeld"])


def test_residuals_of_lung():
    expected = known("lung")
    frame = csv("lung")
    fit = cox(frame, covariates=LUNG, **DAYS)
    close(fit.residuals("martingale")["residual"], expected["martingale"])
    close(fit.residuals("deviance")["residual"], expected["deviance"])
    close(fit.residuals("score").drop("row").to_numpy(), expected["score"])
    close(fit.residuals("dfbeta").drop("row").to_numpy(), expected["dfbeta"])
    found = fit.residuals("schoenfeld")
    close(found["time"], expected["schoenfeld_time"])
    close(found.drop("row", "time").to_numpy(), expected["schoenfeld"])
    missing = frame.with_row_index("row").filter(pl.any_horizontal(pl.col(LUNG).is_null()))["row"]
    assert not set(missing) & set(fit.residuals()["row"])


TESTED = [
    ("rossi", "efron", "rossi", {"stop": "week", "event": "arrest",
     "covariates": ["fin", "age", "race", "wexp", "mar", "paro", "prio"]}),
    ("lung", "cox", "lung", {**DAYS, "covariates": LUNG}),
    ("lung", "cox_strata_sex", "lung", {**DAYS, "covariates": ["age", "ph.ecog"], "strata": "sex"}),
    ("lung", "cox_cluster_inst", "lung", {**DAYS, "covariates": LUNG, "cluster": "inst"}),
    ("aml", "cox", "aml", {**DAYS, "covariates": ["x"]}),
    ("stanford_heart", "heart_efron", "heart",
     {"start": "start", "stop": "stop", "event": "event", "covariates": ["age", "surgery", "year", "transplant"]}),
]  # fmt: skip


@pytest.mark.parametrize(("file", "name", "table", "options"), TESTED, ids=[f"{case[0]}-{case[1]}" for case in TESTED])
def test_whole_model_tests_and_ranks(file, name, table, options):
    expected = known(file)[name]
    fit = cox(csv(table), **options)
    close(fit.coef, list(expected["coef"].values()))
    close(fit.tests["chi2"], [expected["lr_test"], expected["wald_test"], expected["score_test"]])
    if "zph_rank" in expected:
        close(fit.check(transform="rank")["chi2"], expected["zph_rank"]["chisq"])


def test_death_after_mgus():
    expected = known("mgus2")["cause_specific_death"]
    frame = csv("mgus2").with_columns(event=pl.col("ev") == 2)
    fit = cox(frame, stop="etime", event="event", covariates=["age", "sexm", "mspike"])
    close(fit.coef, list(expected["coef"].values()))
    close(fit.se, list(expected["se"].values()))
    close(fit.loglik, [expected["loglik_null"], expected["loglik"]])


def test_the_infinite_example_is_warned_of():
    """With exact ties R walks off to 26; as separate times within the tie the same data have no finite estimate."""
    frame = csv("validate_test1")
    events = frame.filter(pl.col("status") == 1)
    first = events.filter(pl.col("x") == 1)
    apart = pl.concat([first, frame.filter(pl.col("status") == 0).with_columns(x=pl.lit(0).cast(frame.schema["x"]))])
    with pytest.warns(ConvergenceWarning, match="may be infinite"):
        cox(apart, covariates=["x"], **DAYS)


def test_mantel_byar_is_the_score_test():
    expected = known("stanford_heart")
    frame = csv("stanford_tmerge")
    fit = cox(frame, start="tstart", stop="tstop", event="death", covariates=["trt"], ties="breslow")
    score = fit.tests.filter(pl.col("test") == "score")["chi2"][0]
    assert score == pytest.approx(expected["mantel_byar_score_test_breslow"], abs=1e-9)


def test_adjusted_p_values():
    expected = known("multiple_testing")
    p = np.array(expected["p"])
    close(benjamini_hochberg(p), expected["BH"])
    close(_adjusted(p, len(p), "bh"), expected["BH"])
    close(_adjusted(p, len(p), "by"), expected["BY"])
