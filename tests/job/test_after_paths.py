"""What a run says of the time after the clearest paths, and of predicted risks."""

import polars as pl
import pytest

import cjm
from cjm.datasets import simulate
from cjm.job._after_paths import after_paths, came_true, the_other_half, usual_window
from cjm.patterns import Pattern
from cjm.survival import landmark, when

PATHS = {
    "risk": Pattern.parse("web:view_offer -> store:visit within 3d"),
    "loyal": Pattern.parse("email:opened_tips -> app:setup_done within 7d"),
    "nothing": Pattern.parse("web:product -> web:cart within 1h"),
}


@pytest.fixture(scope="module")
def world():
    made = simulate(4_000, days=180, seed=5)
    people = cjm.stitch(made.log)
    journeys = cjm.build_journeys(made.log, people)
    customers = people.with_person(made.persons, "customer").select("person", "premium", "entry")
    return journeys, cjm.subjects(journeys, cjm.Churn.event("account:cancelled"), persons=customers)


def measured(journeys, subjects, where="everyone"):
    model = cjm.PathHazard(patterns=PATHS, covariates=("premium",)).fit(journeys, subjects)
    return model.summary.with_columns(pl.lit(where).alias("tested_on"))


def follow(journeys, subjects, hazards, **more):
    given = {"covariates": ["premium"], "window": "50d", "smallest": 10, **more}
    return after_paths(journeys, subjects, hazards, PATHS, **given)


def test_clear_paths_are_followed_and_others_are_not(world):
    tables, notes = follow(*world, measured(*world))
    assert notes == []
    assert tables["when"]["term"].to_list() == ["risk"]
    assert set(tables["path_tests"]["term"]) == {"risk", "loyal"}
    journeys, subjects = world
    horizon = tables["when"]["horizon"][0]
    found = when(subjects, journeys, {"risk": PATHS["risk"]}, horizon=f"{horizon:g}d", adjust=["premium"])
    row = tables["when"].row(0, named=True)
    assert row["excess"] == found.excess["excess"][-1] > 0
    assert (row["act_by"], row["act_by_lower"], row["act_by_upper"]) == (found.act_by, *found.act_by_interval)
    assert row["churned"] == found.frame["churned"][:-1].sum()
    assert tables["when_stretches"].drop("term").equals(found.frame)
    curves = landmark(subjects, journeys, {"risk": PATHS["risk"]}, at="50d")
    ours = tables["path_curves"].filter(pl.col("term") == "risk").drop("term")
    assert ours.equals(curves.frame.drop("path"))
    assert tables["path_tests"]["landmark"].unique().to_list() == [50.0]


def test_a_path_is_followed_where_its_ratio_was_measured(world):
    tables, _ = follow(*world, measured(*world, "the other half"))
    journeys, subjects = the_other_half(*world)
    found = landmark(subjects, journeys, {"risk": PATHS["risk"]}, at="50d")
    ours = tables["path_tests"].filter(pl.col("term") == "risk")
    assert ours["persons"].to_list() == found.test["persons"].to_list()
    seen = set(journeys.arrays.person) & set(world[1].frame["person"])
    assert seen == set(subjects.frame["person"])
    assert 0 < tables["when"]["persons"][0] < follow(*world, measured(*world))[0]["when"]["persons"][0]


def test_too_few_unclear_and_silent_are_left_alone(world):
    hazards = measured(*world)
    assert follow(*world, hazards, smallest=10**6) == ({}, [])
    assert follow(*world, hazards.with_columns(q=pl.lit(0.06))) == ({}, [])
    assert follow(*world, hazards.filter(pl.col("term") == "premium")) == ({}, [])
    journeys, _ = world
    silent = cjm.subjects(journeys, cjm.Churn.inactive("30d"))
    assert follow(journeys, silent, hazards, covariates=[]) == ({}, [])


def test_a_landmark_after_everybody_left_is_a_note(world):
    tables, notes = follow(*world, measured(*world), window="4000d")
    assert len(notes) == 1
    assert "nobody was at risk" in notes[0]
    assert set(tables) == {"when", "when_excess", "when_stretches"}


def test_risks_are_judged_on_persons_kept_out_of_the_fit(world):
    journeys, subjects = world
    model = cjm.PathHazard(patterns=PATHS, covariates=("premium",))
    tables, notes = came_true(journeys, subjects, model, smallest=10)
    assert notes == []
    kept = tables["calibration"]["persons"].sum()
    assert 0 < kept < 0.55 * subjects.frame.height
    assert tables["calibration"]["horizon"].unique().to_list() == [30.0]
    assert tables["calibration"]["churned"].min() >= 10
    assert set(tables["validation"]["measure"]) >= {"auc", "brier", "expected", "observed"}
    alone = subjects.filter(pl.col("person") == subjects.frame.filter("churned")["person"][0])
    tables, notes = came_true(journeys, alone, model, smallest=10)
    assert tables == {}
    assert notes[0].startswith("Whether predicted risks come true could not be seen")


def test_the_usual_window_is_at_least_a_day(world):
    _, subjects = world
    assert 30 <= int(usual_window(subjects)[:-1]) <= 60
    brief = subjects.frame.with_columns(exit=pl.col("entry") + pl.duration(hours=1))
    assert usual_window(cjm.survival.Subjects(brief, subjects.churn, subjects.end, (), pl.DataFrame())) == "1d"
