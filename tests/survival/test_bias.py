"""Biased forms are refused with a reason; asked for all the same, they show the bias they are refused for."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from survival_worlds import cancelling_world, silent_world

from cjm.contracts import TIME
from cjm.errors import ArgumentError
from cjm.survival import Churn, PathHazard, screen, subjects

QUIT, QUIET = Churn.event("a:quit"), Churn.inactive("45d")
PATH = {"p": "a:p"}


def from_last_events(journeys, people, after=0):
    """Churn as a table: those silent at the end, at their last event or some days after it."""
    arrays = journeys.arrays
    last = pl.DataFrame({"person": arrays.person, "time": arrays.time[arrays.offsets[1:] - 1] + after})
    gone = people.frame.filter("churned").select("person")
    return Churn.table(last.join(gone, on="person").with_columns(pl.col("time").cast(TIME)))


def ratio(journeys, people, **options):
    return PathHazard(patterns=PATH, allow_bias=True, **options).fit(journeys, people).summary["hazard_ratio"][0]


def test_a_fixed_property_is_refused():
    journeys, plans = cancelling_world(1, 1500)
    people = subjects(journeys, QUIT, persons=plans)
    with pytest.raises(ArgumentError, match="more time to complete a path.*allow_bias=True"):
        PathHazard(patterns=PATH, effect="ever").fit(journeys, people)
    model = PathHazard(patterns=PATH, effect="ever", allow_bias=True).fit(journeys, people)
    assert model.summary["hazard_ratio"][0] < 0.6
    assert any(note.startswith("BIASED") for note in model.notes)


def test_time_is_refused_for_silence():
    journeys = silent_world(1, 1500)
    people = subjects(journeys, QUIET)
    for options in ({"clock": "time"}, {"effect": "ever"}):
        with pytest.raises(ArgumentError, match="looks protective"):
            PathHazard(patterns=PATH, **options).fit(journeys, people)
    assert ratio(journeys, people, clock="time") < 0.7
    assert ratio(journeys, people, effect="ever", clock="time") < 0.5


@pytest.mark.parametrize("after", [0, 45 * 86_400_000_000])
def test_a_table_of_last_events_is_refused(after):
    journeys = silent_world(1, 800, unequal=True)
    people = subjects(journeys, QUIET)
    table = subjects(journeys, from_last_events(journeys, people, after))
    with pytest.raises(ArgumentError, match="inferred from silence"):
        PathHazard(patterns=PATH).fit(journeys, table)
    with pytest.raises(ArgumentError, match="inferred from silence"):
        screen(table, journeys, PATH)
    assert screen(table, journeys, PATH, allow_bias=True).height == 1
    biased = ratio(journeys, table)
    assert abs(np.log(biased)) > 0.1


def test_a_table_of_cancellations_is_not():
    journeys, plans = cancelling_world(1, 600)
    times = journeys.frame.filter(pl.col("touchpoint") == "a:quit").select("person", "time").collect()
    people = subjects(journeys, Churn.table(times), persons=plans)
    assert PathHazard(patterns=PATH).fit(journeys, people).summary.height == 1
    # nor are times that have nothing to do with events
    rng = np.random.default_rng(0)
    moved = times.with_columns(
        pl.col("time") + pl.Series(rng.integers(1, 10**12, times.height)).cast(pl.Duration("us"))
    )
    later = subjects(journeys, Churn.table(moved), persons=plans)
    assert PathHazard(patterns=PATH).fit(journeys, later).summary.height == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"effect": "event", "clock": "time", "allow_bias": True}, "for churn by silence"),
        ({"penalty": 0.1}, "for the Cox model"),
        ({"cluster": "person"}, "for the Cox model"),
        ({"effect": "ever", "clock": "event"}, 'clock="time"'),
        ({"clock": "events"}, "event"),
    ],
)
def test_what_does_not_go_together(options, words):
    journeys = silent_world(1, 100)
    with pytest.raises(ArgumentError, match=words):
        PathHazard(patterns=PATH, **options).fit(journeys, subjects(journeys, QUIET))


def test_several_spells_are_refused():
    journeys, plans = cancelling_world(1, 100)
    people = subjects(journeys, QUIT, persons=plans)
    twice = replace(people, frame=pl.concat([people.frame, people.frame]).sort("person"))
    with pytest.raises(ArgumentError, match="several spells"):
        PathHazard(patterns=PATH).fit(journeys, twice)


def test_weights_clusters_and_shrinkage_reach_the_model():
    journeys, plans = cancelling_world(2, 600, ratio=2.0)
    plans = plans.with_columns(copies=pl.lit(3.0), house=pl.col("person") // 2)
    people = subjects(journeys, QUIT, persons=plans)
    plain = PathHazard(patterns=PATH, ties="breslow").fit(journeys, people).summary.row(0, named=True)
    tripled = PathHazard(patterns=PATH, ties="breslow", weights="copies").fit(journeys, people).summary
    assert tripled["coef"][0] == pytest.approx(plain["coef"], abs=1e-9)
    assert tripled["se"][0] == pytest.approx(plain["se"] / np.sqrt(3), rel=1e-9)
    grouped = PathHazard(patterns=PATH, cluster="house").fit(journeys, people).summary
    assert grouped["se"][0] == pytest.approx(plain["se"], rel=0.1)
    assert grouped["se"][0] != plain["se"]
    shrunk = PathHazard(patterns=PATH, penalty=0.5).fit(journeys, people).summary
    assert 0 < shrunk["coef"][0] < 0.8 * plain["coef"]


def test_conventions_of_scikit_learn(tmp_path):
    model = PathHazard(patterns=PATH, covariates=("plan",), penalty=0.1, allow_bias=True)
    again = clone(model)
    assert again is not model
    assert again.get_params() == model.get_params()
    assert set(model.get_params()) == set(PathHazard.__init__.__kwdefaults__) | {"patterns"}
    journeys, plans = cancelling_world(2, 200)
    again.fit(journeys, subjects(journeys, QUIT, persons=plans)).save(tmp_path / "model.json")
    assert PathHazard.load(tmp_path / "model.json").get_params()["penalty"] == 0.1
