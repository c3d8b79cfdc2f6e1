"""The whole line on a simulated world of 20,000 customers finds the truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl
import pytest

import cjm
from cjm.datasets import World, simulate
from cjm.job._dilution import dilution

CHURN = cjm.Churn.event("account:cancelled")


@dataclass(frozen=True)
class Line:
    """A world and what the library makes of it."""

    world: World
    people: cjm.Identities
    journeys: cjm.Journeys
    customers: pl.DataFrame
    subjects: Any
    patterns: dict[str, cjm.Pattern]
    model: Any


@cache
def line(linkable: float) -> Line:
    world = simulate(persons=20_000, days=180, seed=7, linkable=linkable)
    people = cjm.stitch(world.log)
    journeys = cjm.build_journeys(world.log, people)
    numbers = people.map.filter(pl.col("kind") == "customer").select(pl.col("id").alias("customer"), number="person")
    customers = (
        world.persons.join(numbers.unique(), on="customer")
        .select(pl.col("number").alias("person"), "premium", "entry", "customer")
        .sort("person")
    )
    subjects = cjm.subjects(journeys, CHURN, persons=customers.drop("customer"))
    patterns = {
        term: cjm.Pattern.parse(text)
        for term, text in world.truth.hazards.drop_nulls("pattern").select("term", "pattern").rows()
    }
    model = cjm.PathHazard(patterns=patterns, covariates=["premium"]).fit(journeys, subjects)
    return Line(world, people, journeys, customers, subjects, patterns, model)


def true_hazards(found: Line) -> dict[str, float]:
    return dict(found.world.truth.hazards.select("term", "hazard_ratio").rows())


def with_evidence(found: Line) -> pl.DataFrame:
    return found.world.truth.identities.filter("has_evidence")


@pytest.mark.parametrize("linkable", [1.0, 0.8])
def test_identities(linkable: float) -> None:
    found = line(linkable)
    result = cjm.evaluate_identities(found.people.map, with_evidence(found))
    assert result["pairwise_f1"][0] >= 0.98
    customers = found.people.map.filter(pl.col("kind") == "customer")
    assert customers["person"].n_unique() == customers["id"].n_unique()


def test_intervals_cover_the_truth_where_every_identifier_has_evidence() -> None:
    found = line(1.0)
    summary = found.model.summary
    for term, truth in true_hazards(found).items():
        row = summary.row(by_predicate=pl.col("term") == term, named=True)
        assert row["lower"] <= truth <= row["upper"], (term, row)
    effects = {row["term"]: row for row in summary.iter_rows(named=True)}
    assert effects["risk"]["lower"] > 1
    assert effects["protective"]["upper"] < 1


def test_leaving_the_confounder_out_shifts_the_risk() -> None:
    found = line(1.0)
    alone = cjm.PathHazard(patterns=found.patterns).fit(found.journeys, found.subjects).summary
    risk = pl.col("term") == "risk"
    assert alone.filter(risk)["coef"][0] < found.model.summary.filter(risk)["coef"][0]


def test_occurrences_are_those_that_happened() -> None:
    found = line(1.0)
    seen = cjm.find(found.journeys, found.patterns, occurrence="first").join(
        found.customers.select("person", "customer"), on="person"
    )
    truth = found.world.truth.occurrences
    # the risk path is followed by a login at once; of the others, part lies further back than a replay reaches
    for term, share in {"risk": 0.97, "protective": 0.90, "harmless": 0.90}.items():
        happened = truth.filter(pl.col("pattern") == term).select("customer", "end")
        both = seen.filter(pl.col("pattern") == term).join(happened, on="customer", suffix="_true")
        assert both.height >= share * happened.height
        assert (both["end"] == both["end_true"]).mean() >= share - 0.05


def test_without_stitching_the_risk_path_is_mostly_missed() -> None:
    found = line(1.0)
    alone = cjm.build_journeys(found.world.log, person="customer")
    risk = {"risk": found.patterns["risk"]}
    seen = cjm.find(found.journeys, risk, occurrence="first").height
    missed = 1 - cjm.find(alone, risk, occurrence="first").height / seen
    assert missed > 0.7


def test_the_planted_paths_rank_first_in_contrast() -> None:
    found = line(1.0)
    early, outcome = cjm.survival.early_window(found.journeys, found.subjects, window="60d")
    outcome = outcome.filter(pl.col("person").is_in(early.arrays.person))
    mined = cjm.mine_sequences(early, min_support=0.01, max_length=3, max_gap="7d")
    ranked = cjm.contrast(early, mined, outcome, max_gap="7d")
    more, fewer = ranked.filter(pl.col("difference") > 0), ranked.filter(pl.col("difference") < 0)
    assert more["pattern"][0].to_list() == ["web:view_offer", "store:visit"]
    assert fewer["pattern"][0].to_list() == ["email:opened_tips", "app:setup_done"]
    assert ranked["pattern"][0].to_list() == ["web:view_offer", "store:visit"]
    assert ranked["q"][0] < 0.001
    assert fewer["q"][0] < 0.05


def test_unlinked_identifiers_may_hide_paths_and_the_scenario_says_what_that_would_mean() -> None:
    """With 80 % of the cookies linkable a ratio of 3 shows somewhat smaller; the scenario leads beyond the truth."""
    found = line(0.8)
    truth = true_hazards(found)["risk"]
    numbers = found.people.map.group_by("person").agg(pl.col("kind").eq("customer").any())
    anonymous = numbers.filter(~pl.col("kind")).select("person")
    bound = dilution(found.journeys, found.patterns, found.model.summary, anonymous, found.subjects.frame.height)
    row = bound.row(by_predicate=pl.col("term") == "risk", named=True)
    happened = found.world.truth.occurrences.filter(pl.col("pattern") == "risk").height
    assert row["hidden_max"] >= happened - row["exposed"] > 0
    assert row["hazard_ratio"] < row["hazard_ratio_corrected"]
    summary = found.model.summary.row(by_predicate=pl.col("term") == "risk", named=True)
    assert summary["lower"] <= truth <= summary["upper"] * row["hazard_ratio_corrected"] / row["hazard_ratio"]
