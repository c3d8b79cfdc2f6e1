"""PathHazard with churn that is an event: rows against a plain reading, honest worlds, what comes out."""

import json
import warnings
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from survival_worlds import cancelling_world, journeys_of_arrays

from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError, CjmError, InputError
from cjm.survival import Churn, ConvergenceWarning, PathHazard, cox, subjects
from cjm.survival._rows import completions, path_rows

QUIT = Churn.event("a:quit")
START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number):
    return START + timedelta(days=number)


def occurrences_of(rows):
    return pl.DataFrame(
        [(name, person, day(at), day(at), timedelta(0)) for name, person, at in rows],
        schema=dict(CONTRACTS["OCCURRENCES"].columns),
        orient="row",
    )


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 8), st.booleans()), min_size=1, max_size=6),
    st.lists(st.tuples(st.sampled_from(["p", "q"]), st.integers(0, 7), st.integers(0, 12)), max_size=15),
)
@settings(max_examples=150, deadline=None)
def test_rows_follow_the_rules(persons, found):
    frame = pl.DataFrame(
        [
            (who, day(entry), day(entry + length), float(length), out, "x", 0.0)
            for who, (entry, length, out) in enumerate(persons)
        ],
        schema={**CONTRACTS["SUBJECTS"].columns, "entry_days": pl.Float64},
        orient="row",
    )
    rows = path_rows(frame, completions(frame, occurrences_of(found), ["p", "q"]))
    mine = []
    for who, (entry, length, out) in enumerate(persons):
        first = {
            name: min((at for label, person, at in found if (label, person) == (name, who)), default=99)
            for name in "pq"
        }
        cuts = sorted({entry, entry + length, *(at for at in first.values() if entry < at < entry + length)})
        for start, stop in pairwise(cuts):
            ends = stop == entry + length
            mine.append(
                (who, start - entry, stop - entry, out and ends, [float(first[name] <= start) for name in "pq"])
            )
    theirs = zip(rows.subject, rows.start, rows.stop, rows.churned, rows.x.tolist(), strict=True)
    assert [tuple(row) for row in theirs] == mine


def fitted(seed=1, persons=3000, ratio=2.0, **options):
    journeys, plans = cancelling_world(seed, persons, ratio=ratio)
    people = subjects(journeys, QUIT, persons=plans)
    return journeys, people, PathHazard(patterns={"p": "a:p"}, **options).fit(journeys, people)


def test_a_path_that_means_nothing_has_no_effect_but_a_fixed_column_says_it_has():
    journeys, people, model = fitted(ratio=1.0, covariates=["plan"])
    path, plan = model.summary.rows(named=True)
    assert abs(path["z"]) < 2.5
    assert plan["coef"] == pytest.approx(np.log(1.5), abs=3 * plan["se"])
    seen = set(journeys.frame.filter(pl.col("touchpoint") == "a:p").collect()["person"])
    naive = people.frame.with_columns(ever=pl.col("person").is_in(list(seen)))
    ever = cox(naive, stop="duration", event="churned", covariates=["ever"]).summary.row(0, named=True)
    assert ever["hazard_ratio"] < 0.6
    assert ever["z"] < -8


def test_a_path_that_doubles_the_hazard_is_found():
    _, _, model = fitted()
    CONTRACTS["HAZARDS"].validate(model.summary)
    path = model.summary.row(0, named=True)
    assert path["coef"] == pytest.approx(np.log(2), abs=3 * path["se"])
    assert path["se"] < 0.08
    assert model.check()["term"].to_list() == ["p", "GLOBAL"]
    assert model.check()["p"][0] > 0.001


def test_exposed_and_events_count_what_lies_after_the_path():
    person = [1, 1, 1, 2, 2, 3, 3, 4, 5, 5, 5, 6, 6]
    names = ["join", "p", "quit", "join", "quit", "join", "p", "join", "join", "quit", "p", "join", "use"]
    days = [0, 5, 9, 0, 7, 0, 3, 0, 0, 4, 6, 0, 10]
    journeys = journeys_of_arrays(person, days, names)
    people = subjects(journeys, QUIT)
    model = PathHazard(patterns={"p": "a:p", "never": "a:use -> a:p"}).fit(journeys, people)
    assert model.summary.select("term", "exposed", "events").rows() == [("p", 2, 1), ("never", 0, 0)]
    assert model.summary["coef"].null_count() == 1
    assert "'never' was completed by nobody at risk" in model.notes


def test_churn_and_path_at_one_instant_is_no_exposure():
    journeys = journeys_of_arrays([1, 1, 1, 2, 2], [0, 5, 5, 0, 9], ["join", "p", "quit", "join", "p"])
    with pytest.raises(InputError, match="completed any of the paths"):
        PathHazard(patterns="a:p -> a:quit").fit(journeys, subjects(journeys, QUIT))


def test_nobody_churned():
    journeys = journeys_of_arrays([1, 1, 2, 2], [0, 5, 0, 9], ["join", "p", "join", "p"])
    never = Churn.table(pl.DataFrame({"person": [99], "time": [day(1)]}))
    with pytest.raises(InputError, match="none of 2 subjects churned"):
        PathHazard(patterns="a:p").fit(journeys, subjects(journeys, never))


def test_a_table_of_times_gives_what_the_event_gives():
    journeys, people, model = fitted(persons=500)
    times = journeys.frame.filter(pl.col("touchpoint") == "a:quit").select("person", "time").collect()
    again = subjects(journeys, Churn.table(times), persons=people.frame.select("person", "plan"))
    assert_frame_equal(again.frame, people.frame)
    other = PathHazard(patterns={"p": "a:p"}).fit(journeys, again)
    assert_frame_equal(other.summary, model.summary)


def test_curves_are_powers_of_each_other():
    _, _, model = fitted(persons=800, strata="plan")
    curves = model.curves()
    assert curves.columns == ["plan", "term", "exposed", "time", "survival"]
    wide = curves.pivot(on="exposed", index=["plan", "time"], values="survival")
    ratio = np.log(wide["true"].to_numpy()) / np.log(wide["false"].to_numpy())
    np.testing.assert_allclose(ratio, model.summary["hazard_ratio"][0], rtol=1e-9)


def test_prediction_knows_only_the_past_and_matches_the_baseline():
    journeys, people, model = fitted(covariates=["plan"])
    at = "1970-04-11"  # day 100
    found = model.predict(journeys, people, at=at, horizon="30d")
    start = datetime(1970, 1, 1, tzinfo=UTC)
    there = people.frame.filter(
        (pl.col("entry") <= start + timedelta(days=100)) & (pl.col("exit") > start + timedelta(days=100))
    )
    assert found["person"].to_list() == there["person"].to_list()
    done = set(
        journeys.frame.filter(
            (pl.col("touchpoint") == "a:p") & (pl.col("time") <= start + timedelta(days=100))
        ).collect()["person"]
    )
    coef = dict(model.summary.select("term", "coef").iter_rows())
    log_ratio = [
        coef["p"] * (p in done) + coef["plan=plus"] * (plan == "plus")
        for p, plan in there.select("person", "plan").iter_rows()
    ]
    offset = np.log(found["hazard_ratio"].to_numpy()) - np.array(log_ratio)
    np.testing.assert_allclose(offset, offset[0], atol=1e-9)
    happened = (there["churned"] & (there["exit"] <= start + timedelta(days=130))).mean()
    assert found["risk"].mean() == pytest.approx(happened, abs=0.03)
    assert found["risk"].is_between(0, 1).all()
    with pytest.raises(ArgumentError, match="later than the end"):
        model.predict(journeys, people, at="1999-01-01")
    later = model.predict(journeys, people, horizon="60d")
    assert later["person"].to_list() == people.frame.filter(pl.col("end") == "censored")["person"].to_list()
    assert later["risk"].mean() > found["risk"].mean()


@pytest.mark.parametrize("dtype", [pl.String, pl.Enum(["plus", "basic"]), pl.Date])
def test_save_and_load(tmp_path, dtype):
    journeys, plans = cancelling_world(1, 500)
    if dtype == pl.Date:
        plans = plans.with_columns(plan=pl.col("plan").replace_strict({"basic": START.date(), "plus": day(1).date()}))
    people = subjects(journeys, QUIT, persons=plans.with_columns(pl.col("plan").cast(dtype), age=pl.col("person") % 7))
    model = PathHazard(patterns={"p": "a:p"}, covariates=["age"], strata="plan").fit(journeys, people)
    model.save(tmp_path / "model.json")
    json.loads((tmp_path / "model.json").read_text())
    again = PathHazard.load(tmp_path / "model.json")
    for table in (lambda m: m.summary, lambda m: m.check(), lambda m: m.predict(journeys, people)):
        assert_frame_equal(table(again), table(model))
    assert again.curves()["survival"].equals(model.curves()["survival"])
    assert again.predict(journeys, people)["risk"].null_count() == 0
    assert again.notes == model.notes
    (tmp_path / "model.json").write_text("{}")
    for name in ("model.json", "none.json"):
        with pytest.raises(InputError, match="no saved model"):
            PathHazard.load(tmp_path / name)


def test_missing_covariates_leave_persons_out_and_predictions_null():
    journeys, plans = cancelling_world(1, 500)
    holes = plans.with_columns(plan=pl.when(pl.col("person") >= 50).then("plan"))
    people = subjects(journeys, QUIT, persons=holes)
    model = PathHazard(patterns={"p": "a:p"}, covariates=["plan"]).fit(journeys, people)
    without = subjects(journeys, QUIT, persons=plans.filter(pl.col("person") >= 50))
    assert_frame_equal(
        model.summary, PathHazard(patterns={"p": "a:p"}, covariates=["plan"]).fit(journeys, without).summary
    )
    found = model.predict(journeys, people)
    assert found.filter(pl.col("risk").is_null())["person"].max() < 50 <= found.drop_nulls()["person"].min()


def test_a_path_nobody_completed():
    journeys, plans = cancelling_world(1, 50)
    with pytest.raises(InputError, match="completed any of the paths"):
        PathHazard(patterns="a:quit -> a:p").fit(journeys, subjects(journeys, QUIT, persons=plans))


def test_a_path_nobody_leaves_after_is_warned_of(tmp_path):
    journeys = journeys_of_arrays(
        [1, 1, 2, 2, 3, 3, 4, 4, 5, 5], [0, 4, 0, 5, 0, 1, 0, 2, 0, 9],
        ["join", "quit", "join", "quit", "join", "p", "join", "p", "join", "use"],
    )  # fmt: skip
    model = PathHazard(patterns={"p": "a:p"})
    with pytest.warns(ConvergenceWarning, match="'p' may be infinite"):
        model.fit(journeys, subjects(journeys, QUIT))
    model.save(tmp_path / "model.json")


def test_parameters():
    model = PathHazard(patterns=["a:p"])
    assert model.set_params(strata="plan") is model
    assert type(model)(**model.get_params()).get_params() == model.get_params()
    with pytest.raises(ArgumentError, match="strata"):
        model.set_params(stratum="plan")
    with pytest.raises(CjmError, match="not fitted"):
        _ = model.summary


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patterns": {}}, "no patterns"),
        ({"patterns": {"plan": "a:p"}, "covariates": ["plan"]}, "both a path and a covariate"),
        ({"patterns": "a:p", "covariates": ["plam"]}, "plan"),
        ({"patterns": "a:p", "effect": "event"}, "churn by silence"),
        ({"patterns": "a:p", "effect": "onwards"}, "onward"),
        ({"patterns": "a:pp"}, "a:p"),
    ],
)
def test_wrong_calls_say_what_is_wrong(options, words):
    journeys, plans = cancelling_world(1, 50)
    people = subjects(journeys, QUIT, persons=plans)
    with warnings.catch_warnings(), pytest.raises(ArgumentError, match=words):
        PathHazard(**options).fit(journeys, people)
