"""Kaplan-Meier curves and the log-rank test: against R (../shared/oracle) and against plain loops."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from survival_worlds import kaplan_meier

from cjm.errors import ArgumentError
from cjm.journeys import journeys_from_frame
from cjm.survival import Churn, logrank, subjects, survival_curves
from cjm.survival._counts import time_rows
from cjm.survival._logrank import logrank_test

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "survival"
needs_oracle = pytest.mark.skipif(not ORACLE.is_dir(), reason="the folder ../shared/oracle/survival is not there")
START = datetime(2026, 1, 1, tzinfo=UTC)


def csv(name):
    return pl.read_csv(ORACLE / f"{name}.csv", infer_schema_length=None)


def parts(frame, start, stop, event):
    entry = np.full(frame.height, -np.inf) if start is None else frame[start].cast(pl.Float64).to_numpy()
    return entry, frame[stop].cast(pl.Float64).to_numpy(), frame[event].cast(pl.Boolean).to_numpy()


@needs_oracle
@pytest.mark.parametrize(
    ("file", "name", "stop", "event", "by"),
    [
        ("aml", "km", "time", "status", "x"),
        ("lung", "km", "time", "status", None),
        ("lung", "km_sex", "time", "status", "sex"),
        ("rossi", "km_fin", "week", "arrest", "fin"),
    ],
)
def test_kaplan_meier_agrees_with_r(file, name, stop, event, by):
    expected = json.loads((ORACLE / f"{file}.json").read_text())[name]
    frame = csv(file)
    groups = [frame] if by is None else [part for _, part in sorted(frame.group_by(by), key=lambda pair: str(pair[0]))]
    found = pl.concat([kaplan_meier(*parts(group, None, stop, event)) for group in groups])
    for column, theirs in {"time": "time", "at_risk": "n.risk", "events": "n.event", "censored": "n.censor"}.items():
        assert found[column].to_list() == expected[theirs]
    intervals = {"lower": "lower", "upper": "upper"} if expected["conf_type"] == "log" else {}
    for column, theirs in {"survival": "surv", **intervals}.items():
        assert found[column].to_list() == pytest.approx(expected[theirs], abs=1e-11)


@needs_oracle
def test_kaplan_meier_with_delayed_entry_agrees_with_r():
    expected = json.loads((ORACLE / "mgus2.json").read_text())["left_truncated_km"]
    frame = (
        csv("mgus2").with_columns(exit=(pl.col("age") + pl.col("futime") / 12).round(9)).filter(pl.col("futime") > 0)
    )
    frame = frame.filter(pl.col("exit") > 48)  # the oracle's curve is conditional on survival until then
    for place, sex in enumerate(["F", "M"]):
        curve = kaplan_meier(*parts(frame.filter(pl.col("sex") == sex), "age", "exit", "death"))
        for index, age in enumerate((60, 70, 80, 90)):
            row = curve.filter(pl.col("time") <= age).row(-1, named=True)
            wanted = {
                name: expected[theirs][4 * place + index]
                for name, theirs in (("survival", "surv"), ("lower", "lower"), ("upper", "upper"))
            }
            assert {name: row[name] for name in wanted} == pytest.approx(wanted, abs=1e-11)


@needs_oracle
@pytest.mark.parametrize(
    ("file", "name", "stop", "event", "by"),
    [
        ("aml", "logrank", "time", "status", "x"),
        ("lung", "logrank_sex", "time", "status", "sex"),
        ("rossi", "logrank_fin", "week", "arrest", "fin"),
    ],
)
def test_logrank_agrees_with_r(file, name, stop, event, by):
    expected = json.loads((ORACLE / f"{file}.json").read_text())[name]
    frame = csv(file)
    group = frame[by].cast(pl.String).rank("dense").cast(pl.Int64).to_numpy() - 1
    test = logrank_test(time_rows(*parts(frame, None, stop, event), group))
    assert test.observed.tolist() == expected["obs"]
    np.testing.assert_allclose(test.expected, expected["exp"], rtol=0, atol=1e-11)
    np.testing.assert_allclose(test.variance, expected["var"], rtol=0, atol=1e-11)
    assert test.chi2 == pytest.approx(expected["chisq"], abs=1e-11)
    assert (test.df, test.p) == (expected["df"], pytest.approx(expected["p"], abs=1e-11))


ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 6), st.booleans(), st.integers(0, 2)), min_size=1, max_size=25
)


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_curves_and_test_follow_their_definitions(rows):
    entry, length, event, group = (np.array(column) for column in zip(*rows, strict=True))
    exit_ = entry + length
    survival, variance, found = 1.0, 0.0, []
    for time in sorted(set(exit_.tolist())):
        risk = sum(e < time <= x for e, x in zip(entry, exit_, strict=True))
        died = sum(x == time and d for x, d in zip(exit_, event, strict=True))
        survival *= 1 - died / risk
        variance += died / (risk * (risk - died)) if risk > died else 0.0
        gone = survival == 0
        low = None if gone else survival * np.exp(-1.959963984540054 * np.sqrt(variance))
        found.append((float(time), risk, died, survival, low))
        if gone:
            break
    curve = kaplan_meier(entry.astype(float), exit_.astype(float), event)
    for mine, row in zip(
        found, curve.select("time", "at_risk", "events", "survival", "lower").iter_rows(), strict=False
    ):
        assert row == pytest.approx(mine, abs=1e-12)

    observed = [sum(event[group == g]) for g in range(group.max() + 1)]
    expected = [0.0] * len(observed)
    for time in sorted(set(exit_[event].tolist())):
        risk = [sum((entry < time) & (exit_ >= time) & (group == g)) for g in range(len(observed))]
        died = sum(event & (exit_ == time))
        expected = [old + died * r / sum(risk) for old, r in zip(expected, risk, strict=True)]
    test = logrank_test(time_rows(entry.astype(float), exit_.astype(float), event, group))
    assert test.observed.tolist() == observed
    assert test.expected.tolist() == pytest.approx(expected)
    assert sum(expected) == pytest.approx(sum(observed))


def some_subjects():
    events = [
        (1, 0, "open"),
        (1, 5, "quit"),
        (2, 0, "open"),
        (2, 9, "use"),
        (3, 0, "open"),
        (3, 5, "quit"),
        (4, 1, "open"),
    ]
    frame = pl.DataFrame(
        [(person, START + timedelta(days=day), "a", name) for person, day, name in events],
        schema=["person", "time", "channel", "event"],
        orient="row",
    )
    persons = pl.DataFrame({"person": [1, 2, 3, 4], "segment": ["x", "x", "y", "y"]})
    return subjects(journeys_from_frame(frame, gap=1), Churn.event("a:quit"), persons=persons)


def test_curves_by_group():
    found = survival_curves(some_subjects(), by="segment")
    assert found.columns == [
        "segment",
        "time",
        "at_risk",
        "events",
        "censored",
        "survival",
        "lower",
        "upper",
        "logrank_p",
    ]
    assert found.select("segment", "time", "at_risk", "events", "survival").rows() == [
        ("x", 5.0, 2, 1, 0.5), ("x", 9.0, 1, 0, 0.5), ("y", 5.0, 2, 1, 0.5), ("y", 8.0, 1, 0, 0.5),
    ]  # fmt: skip
    assert found["logrank_p"].n_unique() == 1
    assert found["logrank_p"][0] == pytest.approx(logrank(some_subjects(), by="segment")["p"][0])


def test_unknown_group_names_the_nearest():
    with pytest.raises(ArgumentError, match="segment"):
        survival_curves(some_subjects(), by="segmnt")
