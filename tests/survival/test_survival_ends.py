"""Nelson-Aalen, Aalen-Johansen, restricted means, weighted and stratified log-rank tests: R and plain loops."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from survival_worlds import kaplan_meier

from cjm.survival._counts import time_rows
from cjm.survival._curves import survival_table
from cjm.survival._incidence import incidence_of
from cjm.survival._logrank import logrank_test, pairs_test
from cjm.survival._means import restricted_mean_of

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "survival"
needs_oracle = pytest.mark.skipif(not ORACLE.is_dir(), reason="the folder ../shared/oracle/survival is not there")


def oracle(name):
    return json.loads((ORACLE / f"{name}.json").read_text())


def csv(name):
    return pl.read_csv(ORACLE / f"{name}.csv", infer_schema_length=None)


def rows_of(frame, stop, event, by=None):
    group = None if by is None else frame[by].rank("dense").cast(pl.Int64).to_numpy() - 1
    exit_ = frame[stop].cast(pl.Float64).to_numpy()
    return time_rows(np.full(len(exit_), -np.inf), exit_, frame[event].to_numpy(), group)


@needs_oracle
@pytest.mark.parametrize(("name", "interval"), [("km", "log"), ("km_plain", "plain"), ("km_loglog", "log-log")])
def test_every_scale_of_the_interval_agrees_with_r(name, interval):
    expected = oracle("lung")[name]
    found = survival_table(rows_of(csv("lung"), "time", "status"), interval=interval)
    for column, theirs in {"survival": "surv", "lower": "lower", "upper": "upper"}.items():
        assert found[column].to_list() == pytest.approx(expected[theirs], abs=1e-11)


@needs_oracle
def test_intervals_of_rossi_agree_with_r():
    expected = oracle("rossi")["km_fin"]
    found = survival_table(rows_of(csv("rossi"), "week", "arrest", "fin"), interval=expected["conf_type"])
    assert found["lower"].to_list() == pytest.approx(expected["lower"], abs=1e-11)
    assert found["upper"].to_list() == pytest.approx(expected["upper"], abs=1e-11)


@needs_oracle
def test_nelson_aalen_agrees_with_r():
    from cjm.survival._curves import _table

    expected = oracle("lung")["nelson_aalen"]
    _, sums = _table(rows_of(csv("lung"), "time", "status"))
    assert sums[:, 2].tolist() == pytest.approx(expected["cumhaz"], abs=1e-11)
    assert np.sqrt(sums[:, 3]).tolist() == pytest.approx(expected["std.chaz"], abs=1e-11)


@needs_oracle
def test_aalen_johansen_agrees_with_r():
    frame, expected = csv("mgus2"), oracle("mgus2")
    rows = rows_of(frame, "etime", "ev")
    for wanted, name in ((1, "pcm"), (2, "death")):
        place = expected["aj_all"]["states"].index(name)
        incidence, se = incidence_of(rows, wanted)
        assert rows.times.tolist() == expected["aj_all"]["time"]
        assert incidence.tolist() == pytest.approx([row[place] for row in expected["aj_all"]["pstate"]], abs=1e-11)
        assert se.tolist() == pytest.approx([row[place] for row in expected["aj_all"]["std.err"]], abs=1e-11)
        at = np.searchsorted(rows.times, expected["aj_at"]["time"], side="right") - 1
        assert incidence[at].tolist() == pytest.approx([row[place] for row in expected["aj_at"]["pstate"]], abs=1e-11)
        assert se[at].tolist() == pytest.approx([row[place] for row in expected["aj_at"]["se"]], abs=1e-11)
        by_sex = [incidence_of(rows_of(frame.filter(pl.col("sex") == sex), "etime", "ev"), wanted) for sex in "FM"]
        for found, theirs in ((0, "pstate"), (1, "std.err")):
            both = np.concatenate([pair[found] for pair in by_sex]).tolist()
            assert both == pytest.approx([row[place] for row in expected["aj_sex"][theirs]], abs=1e-11)


@needs_oracle
def test_days_lost_to_each_end_agree_with_r():
    frame, expected = csv("mgus2"), oracle("mgus2")
    for sexes, name in (("FM", "rmt_all"), ("F", "rmt_sex"), ("M", "rmt_sex")):
        rows = rows_of(frame.filter(pl.col("sex").is_in(list(sexes))), "etime", "ev")
        until = sum(row[2] for row in expected["rmt_all"]["table"])
        means = dict(zip(expected[name]["rows"], (row[2] for row in expected[name]["table"]), strict=True))
        for wanted, end in ((1, "pcm"), (2, "death")):
            incidence, _ = incidence_of(rows, wanted)
            lost = float((np.diff(np.minimum(np.append(rows.times, np.inf), until)) * incidence).sum())
            key = end if name == "rmt_all" else f"sex={sexes}, {end}"
            assert lost == pytest.approx(means[key], abs=1e-9)


@needs_oracle
def test_one_minus_kaplan_meier_overstates():
    expected = oracle("mgus2")["one_minus_km_biased"]
    frame = csv("mgus2").with_columns(pcm=(pl.col("ev") == 1).cast(pl.Int64))
    rows = rows_of(frame, "etime", "pcm")
    at = np.searchsorted(rows.times, expected["time"], side="right") - 1
    biased = 1 - survival_table(rows)["survival"].to_numpy()[at]
    assert biased.tolist() == pytest.approx(expected["value"], abs=1e-11)
    true, _ = incidence_of(rows_of(frame, "etime", "ev"), 1)
    assert (biased > 1.2 * true[at]).all()


@needs_oracle
def test_restricted_means_and_medians_agree_with_r():
    frame = csv("lung")
    for expected in oracle("lung")["rmst"]:
        for place, sex in enumerate((1, 2)):
            median, mean, se = restricted_mean_of(
                rows_of(frame.filter(pl.col("sex") == sex), "time", "status"), expected["tau"]
            )
            assert median == expected["median"][place]
            assert mean == pytest.approx(expected["rmean"][place], abs=1e-9)
            assert se == pytest.approx(expected["se"][place], abs=1e-9)


@needs_oracle
def test_weighted_and_stratified_tests_agree_with_r():
    frame = csv("lung")
    early = logrank_test(rows_of(frame, "time", "status", "sex"), "early")
    strata = csv("lung").drop_nulls("ph.ecog")
    within = logrank_test(rows_of(strata, "time", "status", "sex"), stratum=strata["ph.ecog"].cast(pl.Int64).to_numpy())
    for test, name in ((early, "peto_rho1_sex"), (within, "logrank_sex_strata_ecog")):
        expected = oracle("lung")[name]
        for found, theirs in ((test.observed, "obs"), (test.expected, "exp")):
            wanted = np.array(expected[theirs], dtype=float)
            np.testing.assert_allclose(found, wanted if wanted.ndim == 1 else wanted.sum(axis=1), rtol=0, atol=1e-11)
        np.testing.assert_allclose(test.variance, expected["var"], rtol=0, atol=1e-11)
        assert (test.chi2, test.p) == pytest.approx((expected["chisq"], expected["p"]), abs=1e-11)


ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 6), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=25
)
MORE = st.sampled_from([1.0, 0.37])


def arrays(rows, unit):
    entry, length, ending, group = (np.array(column) for column in zip(*rows, strict=True))
    return entry * unit, (entry + length) * unit, ending, group


@given(ROWS, MORE)
@settings(max_examples=100, deadline=None)
def test_incidences_follow_their_definition(rows, unit):
    entry, exit_, ending, _ = arrays(rows, unit)
    table = time_rows(entry, exit_, ending)

    def run(weights):
        survival, incidence, found = 1.0, 0.0, []
        for time in sorted(set(exit_.tolist())):
            risk = sum(w for e, x, w in zip(entry, exit_, weights, strict=True) if e < time <= x)
            wanted = sum(w for x, how, w in zip(exit_, ending, weights, strict=True) if x == time and how == 1)
            any_end = sum(w for x, how, w in zip(exit_, ending, weights, strict=True) if x == time and how > 0)
            incidence += survival * wanted / risk
            survival *= 1 - any_end / risk
            found.append(incidence)
        return np.array(found)

    incidence, se = incidence_of(table, 1)
    np.testing.assert_allclose(incidence, run(np.ones(len(entry))), atol=1e-12)
    survivors = survival_table(time_rows(entry, exit_, ending > 0))["survival"].to_numpy()
    step = 1e-6
    slopes = []
    for i in range(len(entry)):
        up, down = np.ones(len(entry)), np.ones(len(entry))
        up[i] += step
        down[i] -= step
        slopes.append((run(up) - run(down)) / (2 * step))
    wanted = np.sqrt((np.array(slopes) ** 2).sum(axis=0))
    alive = survivors > 1e-9  # from there on the error has no meaning
    np.testing.assert_allclose(se[alive], wanted[alive], atol=1e-7)


@given(ROWS, MORE, st.sampled_from(["equal", "early", "gehan", "tarone-ware"]))
@example([(0, 1, 1, 0), (1, 1, 0, 0), (1, 1, 1, 1)], 1.0, "early")  # all at risk churn, and others come later
@settings(max_examples=100, deadline=None)
def test_ranks_follow_their_definition(rows, unit, weights):
    entry, exit_, ending, group = arrays(rows, unit)
    event = ending == 1

    def slow(kept):
        survival = 1.0
        size = int(group.max()) + 1
        excess, variance = np.zeros(size), np.zeros((size, size))
        for time in sorted(set(exit_[event & kept].tolist())):
            here = kept & (entry < time) & (exit_ >= time)
            risk = np.array([(here & (group == g)).sum() for g in range(size)], dtype=float)
            died = np.array([(here & event & (exit_ == time) & (group == g)).sum() for g in range(size)], dtype=float)
            n, d = risk.sum(), died.sum()
            weight = {"equal": 1.0, "early": survival, "gehan": n, "tarone-ware": np.sqrt(n)}[weights]
            excess += weight * (died - d * risk / n)
            if n > 1:
                share = risk / n
                spread = weight**2 * d * (n - d) / (n - 1)
                variance += spread * (np.diag(share) - np.outer(share, share))
            survival *= 1 - d / n
        return excess, variance

    everyone = np.ones(len(entry), dtype=bool)
    table = time_rows(entry, exit_, event, group)
    test = logrank_test(table, weights)
    excess, variance = slow(everyone)
    np.testing.assert_allclose(test.observed - test.expected, excess, atol=1e-9)
    np.testing.assert_allclose(test.variance, variance, atol=1e-9)
    assert test.df == np.linalg.matrix_rank(variance, tol=1e-8)
    if test.df:
        assert test.chi2 == pytest.approx(excess @ np.linalg.pinv(variance, rcond=1e-8) @ excess, abs=1e-8)
    strata = logrank_test(table, weights, stratum=(entry > 2).astype(np.int64))
    parts = [slow(entry > 2), slow(entry <= 2)]
    np.testing.assert_allclose(strata.variance, parts[0][1] + parts[1][1], atol=1e-9)
    found = pairs_test(table, weights)
    for place, (a, b) in enumerate(zip(*np.triu_indices(table.groups, 1), strict=True)):
        excess, variance = slow((group == a) | (group == b))
        assert found[0][place] == pytest.approx(excess[a], abs=1e-9)
        assert found[1][place] == pytest.approx(variance[a, a], abs=1e-9)


@given(ROWS, st.floats(0.5, 12))
@settings(max_examples=60, deadline=None)
def test_the_restricted_mean_is_the_area(rows, until):
    entry, exit_, ending, _ = arrays(rows, 1.0)
    table = time_rows(np.zeros(len(entry)), exit_, ending == 1)
    curve = kaplan_meier(np.zeros(len(entry)), exit_.astype(float), ending == 1)
    times, survival = curve["time"].to_numpy(), curve["survival"].to_numpy()
    _, mean, _ = restricted_mean_of(table, until)
    if times[-1] < until and survival[-1] > 0:
        assert np.isnan(mean)
        return
    grid = np.linspace(0, until, 20_001)
    at = np.searchsorted(times, grid, side="right") - 1
    values = np.where(at >= 0, survival[np.maximum(at, 0)], 1.0)
    assert mean == pytest.approx(values.mean() * until, abs=2 * until / 1e4 * (len(times) + 1))


def test_lists_of_cells_give_what_full_tables_give(monkeypatch):
    from cjm.survival import _counts

    rng = np.random.default_rng(3)
    entry, group, ending = rng.integers(0, 20, 500), rng.integers(0, 7, 500), rng.integers(0, 3, 500)
    exit_ = entry + rng.integers(1, 30, 500)
    dense = time_rows(entry.astype(float), exit_.astype(float), ending, group).cells
    monkeypatch.setattr(_counts, "_DENSE", 0)
    listed = time_rows(entry.astype(float), exit_.astype(float), ending, group).cells
    for name in ("group", "time", "at_risk", "ended"):
        np.testing.assert_array_equal(getattr(dense, name), getattr(listed, name))
