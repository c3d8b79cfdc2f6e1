"""Gray's test: R's cmprsk, the formulas of the paper over dense tables, and its size."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from survival_worlds import cancelling_world

from cjm.errors import ArgumentError
from cjm.survival import Churn, gray, logrank, subjects
from cjm.survival._counts import time_rows
from cjm.survival._gray import gray_test

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "survival"
needs_oracle = pytest.mark.skipif(not ORACLE.is_dir(), reason="the folder ../shared/oracle/survival is not there")


@needs_oracle
@pytest.mark.parametrize("end", [1, 2])
def test_it_agrees_with_r(end):
    expected = json.loads((ORACLE / "mgus2.json").read_text())["gray_test"]["table"][end - 1]
    frame = pl.read_csv(ORACLE / "mgus2.csv", infer_schema_length=None)
    ending = frame["ev"].to_numpy()
    ending = np.where(ending == 0, 0, np.where(ending == end, 1, 2))
    group = (frame["sex"] == "M").cast(pl.Int64).to_numpy()
    time = frame["etime"].cast(pl.Float64).to_numpy()
    test = gray_test(time_rows(np.full(len(time), -np.inf), time, ending, group))
    assert [test.chi2, test.p, test.df] == pytest.approx(expected, rel=1e-9)


def naive(time, ending, group):
    """Score and covariance as in Gray (1988), with the factors for ties of cmprsk."""
    size = group.max() + 1
    times = np.unique(time)
    risk = np.array([[((time >= t) & (group == r)).sum() for r in range(size)] for t in times], dtype=float)
    died = np.array([[[((time == t) & (group == r) & (ending == j)).sum() for r in range(size)] for j in (1, 2)]
                     for t in times], dtype=float)  # fmt: skip
    inside = risk > 0
    step = np.where(inside, 1 - died.sum(axis=1) / np.where(inside, risk, 1), 1.0)
    after = np.cumprod(step, axis=0)
    before = np.vstack((np.ones(size), after[:-1]))
    own = np.where(inside, before * died[:, 0] / np.where(inside, risk, 1), 0)
    incidence = np.vstack((np.zeros(size), np.cumsum(own, axis=0)[:-1]))
    h = np.where(inside, risk / np.where(before > 0, before, 1), 0)
    pooled_step = died[:, 0].sum(axis=1) / h.sum(axis=1)
    pooled = np.minimum(np.cumsum(pooled_step), 1)
    pooled_before = np.concatenate(([0], pooled[:-1]))
    jump = np.where(pooled_before < 1 - 1e-12, pooled_step / np.maximum(1 - pooled_before, 1e-12), 0)
    r_all = h * (1 - incidence)
    expected = died[:, 0].sum(axis=1)[:, None] * r_all / r_all.sum(axis=1)[:, None]
    score = (died[:, 0] - expected).sum(axis=0)
    variance = np.zeros((size, size))
    for r in range(size):
        a = h * ((np.arange(size) == r) - (h[:, r] / h.sum(axis=1))[:, None])
        c = np.cumsum(a * jump[:, None], axis=0)
        for k, _ in enumerate(times):
            if risk[k, r] == 0:
                continue
            n1, n2 = died[k, 0].sum(), died[k, 1, r]
            left = (1 - pooled[k]) / after[k, r] if after[k, r] > 0 else None
            if n1:
                tie = 1 - (n1 - 1) / (h[k].sum() * before[k, r] - 1) if n1 > 1 else 1
                part = a[k] + (1 if left is None else 1 - left) * (c[-1] - c[k])
                variance += tie * pooled_step[k] / h[k, r] * np.outer(part, part)
            if n2 and left is not None:
                tie = 1 - (n2 - 1) / (risk[k, r] - 1) if n2 > 1 else 1
                part = left * (c[-1] - c[k])
                variance += tie * n2 / h[k, r] ** 2 * np.outer(part, part)
    return died[:, 0].sum(axis=0), expected.sum(axis=0), variance, score


ROWS = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=30)


@given(ROWS.filter(lambda rows: any(row[1] == 1 for row in rows)), st.sampled_from([1.0, 0.3]))
@settings(max_examples=100, deadline=None)
def test_it_follows_the_paper(rows, unit):
    time, ending, group = (np.array(column) for column in zip(*rows, strict=True))
    group = np.unique(group, return_inverse=True)[1]
    time = time * unit
    found = gray_test(time_rows(np.full(len(time), -np.inf), time, ending, group))
    observed, expected, variance, score = naive(time, ending, group)
    np.testing.assert_allclose(found.observed, observed)
    np.testing.assert_allclose(found.expected, expected, atol=1e-9)
    np.testing.assert_allclose(found.variance, variance, atol=1e-9)
    assert found.expected.sum() == pytest.approx(observed.sum())
    if found.df == 1 and len(observed) == 2:
        assert found.chi2 == pytest.approx(score[0] ** 2 / variance[0, 0])


def test_without_competing_ends_and_censoring_it_is_about_the_log_rank_test():
    rng = np.random.default_rng(1)
    time, group = rng.exponential(1 + rng.integers(0, 2, 2000) * 0.2, 2000), rng.integers(0, 2, 2000)
    test = gray_test(time_rows(np.zeros(2000), time, np.ones(2000, dtype=int), group))
    from cjm.survival._logrank import logrank_test

    plain = logrank_test(time_rows(np.zeros(2000), time, np.ones(2000, dtype=int), group))
    np.testing.assert_allclose(test.expected, plain.expected)
    assert test.chi2 == pytest.approx(plain.chi2, rel=0.02)


def test_size_where_groups_differ_in_censoring_and_in_other_ends():
    """One incidence in both groups, though group 1 is censored earlier; 600 worlds at the 5 % level."""
    p = []
    for seed in range(600):
        rng = np.random.default_rng(seed)
        group = rng.integers(0, 2, 150)
        ending, time = rng.choice([1, 2], 150, p=[0.4, 0.6]), rng.exponential(1, 150)
        lost = rng.uniform(0, np.where(group == 1, 2, 6))
        ending, time = np.where(lost < time, 0, ending), np.minimum(lost, time)
        p.append(gray_test(time_rows(np.zeros(150), time, ending, group)).p)
    assert 0.03 <= np.mean(np.array(p) <= 0.05) <= 0.07


def test_a_lower_share_may_go_with_a_higher_rate():
    """Group 1 cancels at a higher rate, but most of it moves away first."""
    rng = np.random.default_rng(2)
    group = np.repeat([0, 1], 1500)
    cancel, move = rng.exponential(np.where(group == 1, 60, 90)), rng.exponential(np.where(group == 1, 15, 400))
    ending = np.where(cancel < move, 1, 2)
    test = gray_test(time_rows(np.zeros(3000), np.minimum(cancel, move), ending, group))
    assert test.observed[1] < test.expected[1]
    assert test.p < 1e-6


def test_subjects_by_plan():
    journeys, plans = cancelling_world(3, 800)
    found = subjects(journeys, Churn.event("a:quit"), persons=plans, competing={"path": "a:p"})
    table = gray(found, by="plan")
    assert table["observed"].sum() == found.frame["churned"].sum()
    assert gray(found, by="plan", end="path")["observed"].sum() == (found.frame["end"] == "path").sum()
    assert table["n"].to_list() == logrank(found, by="plan")["n"].to_list()
    assert table["p"].n_unique() == 1
    within = gray(found, by="plan", strata="plan")
    assert within["df"].to_list() == [0, 0]
    assert within["observed"].to_list() == pytest.approx(within["expected"].to_list())
    with pytest.raises(ArgumentError, match="path"):
        gray(found, by="plan", end="pathh")
    with pytest.raises(ArgumentError, match="plan"):
        gray(found, by="plam")
    late = pl.DataFrame({"person": plans["person"], "plan": plans["plan"]})
    early = found.frame.select("person", time=pl.col("entry") - pl.duration(days=3))
    entered = subjects(journeys, Churn.event("a:quit"), persons=late, origin=early)
    with pytest.raises(ArgumentError, match="entered late"):
        gray(entered, by="plan")
