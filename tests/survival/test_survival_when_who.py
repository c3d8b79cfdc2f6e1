"""When a path matters and for whom: planted effects, null worlds, and sums done by hand."""

import numpy as np
import polars as pl
import pytest
from survival_worlds import cancelling_world, journeys_of_arrays

from cjm.errors import ArgumentError, InputError
from cjm.journeys import journeys_from_frame
from cjm.survival import Churn, subjects, when, who

CHURN = Churn.event("a:quit")
PATH = {"p": "a:p"}


def fading_world(seed, persons, *, ratio=6.0, lasts=20.0, days=200.0):
    """Customers whose hazard, 0.005 a day, is ``ratio`` times as high for ``lasts`` days after the path."""
    rng = np.random.default_rng(seed)
    joined, path = rng.uniform(0, days / 2, persons), rng.exponential(60, persons)
    hazard = 0.005
    budget = rng.exponential(1, persons) / hazard
    high = path + (budget - path) / ratio
    later = path + lasts + budget - path - ratio * lasts
    quits = np.where(budget < path, budget, np.where(high < path + lasts, high, later))
    number = np.arange(persons)
    with_path, with_quit = (path < quits) & (joined + path < days), joined + quits < days
    person = np.concatenate((number, number[with_path], number[with_quit], [persons]))
    time = np.concatenate((joined, (joined + path)[with_path], (joined + quits)[with_quit], [days]))
    names = np.repeat(["join", "p", "quit", "use"], [persons, with_path.sum(), with_quit.sum(), 1])
    return journeys_of_arrays(person, time, names)


def people_of(journeys, **more):
    return subjects(journeys, CHURN, origin="a:join", **more)


def test_an_effect_that_fades_is_found_where_it_is():
    journeys = fading_world(1, 6_000)
    found = when(people_of(journeys), journeys, PATH, horizon="60d", every="20d")
    ratios = found.frame.select("since", "lower", "upper").rows()
    assert ratios[0][1] < 6 < ratios[0][2]
    for _, low, high in ratios[1:]:
        assert low < 1 < high
    assert found.constant_p < 1e-6
    # in the first twenty days the excess rises nearly evenly, a little faster at first, and then not at all
    assert 7 < found.act_by < 13
    assert found.act_by_interval[0] < found.act_by < found.act_by_interval[1]
    surviving = 1 - np.exp(-0.005 * 6 * 20)
    assert found.excess["excess"][20] == pytest.approx(100 * surviving * 5 / 6, abs=5)
    assert found.excess["share"][-1] == 1.0
    assert "half of the excess within" in repr(found)


def test_figures_are_the_sums_they_say():
    journeys, plans = cancelling_world(3, 400, ratio=2.0)
    people = people_of(journeys, persons=plans)
    found = when(people, journeys, PATH, horizon="40d", every="20d", adjust=["plan"])
    events = journeys.frame.collect()
    done = dict(events.filter(pl.col("event") == "p").select("person", "time").iter_rows())
    persons, days, churned = [0, 0, 0], [0.0, 0.0, 0.0], [0, 0, 0]
    for person, exit_, left in people.frame.select("person", "exit", "churned").iter_rows():
        if person not in done or done[person] >= exit_:
            continue
        stay = (exit_ - done[person]).total_seconds() / 86_400
        for place, (low, high) in enumerate([(0, 20), (20, 40), (40, np.inf)]):
            if stay > low:
                persons[place] += 1
                days[place] += min(stay, high) - low
                churned[place] += left and stay <= high
    assert found.frame["persons"].to_list() == persons
    assert found.frame["churned"].to_list() == churned
    assert found.frame["days"].to_list() == pytest.approx(days)
    assert found.persons == persons[0]
    # the fit balances observed and expected: without ties exactly
    ratio = found.frame["hazard_ratio"].to_numpy()
    assert (found.frame["expected"].to_numpy() * ratio).tolist() == pytest.approx(churned, rel=1e-6)


def test_constant_ratios_are_rarely_called_changing():
    refused = 0
    for seed in range(100):
        journeys, _ = cancelling_world(seed, 300, ratio=1.5)
        refused += when(people_of(journeys), journeys, PATH, horizon="50d", every="25d").constant_p < 0.05
    assert refused <= 11


def test_nothing_is_said_where_there_is_no_excess():
    journeys, _ = cancelling_world(5, 500, ratio=0.4)
    found = when(people_of(journeys), journeys, PATH, horizon="30d")
    assert found.act_by is None
    assert found.act_by_interval is None
    assert found.excess["share"].null_count() == found.excess.height
    assert "no clear excess" in repr(found)


def test_groups_with_and_without_an_effect():
    one, plans = cancelling_world(7, 3_000, ratio=3.0)
    two, _ = cancelling_world(8, 3_000, ratio=1.0)
    rows = pl.concat(
        journeys.frame.select(pl.col("person") + 10_000 * place, "time", "channel", "event").collect()
        for place, journeys in enumerate((one, two))
    )
    journeys = journeys_from_frame(rows, gap=1)
    persons = pl.concat(
        plans.with_columns(pl.col("person") + 10_000 * place, world=pl.lit(name))
        for place, name in enumerate(("risky", "calm"))
    )
    people = people_of(journeys, persons=persons)
    found = who(people, journeys, PATH, by=["world", "plan"], adjust=["plan"])
    assert found["attribute"].to_list() == ["world", "world", "plan", "plan"]
    calm, risky = found.filter(pl.col("attribute") == "world").sort("group").iter_rows(named=True)
    assert calm["lower"] < 1 < calm["upper"]
    assert risky["lower"] < 3 < risky["upper"]
    assert calm["heterogeneity_q"] < 1e-6
    assert found.filter(pl.col("attribute") == "plan")["heterogeneity_p"][0] > 0.01
    frame = people.frame.join(
        rows.filter(pl.col("event") == "p").select("person", done="time"), on="person", how="left"
    ).filter((pl.col("done") < pl.col("exit")) & (pl.col("world") == "calm"))
    assert (calm["exposed"], calm["churned"]) == (frame.height, frame["churned"].sum())
    assert calm["expected"] * calm["hazard_ratio"] == pytest.approx(calm["churned"])


def test_equal_groups_are_rarely_called_different():
    different = 0
    for seed in range(100):
        journeys, plans = cancelling_world(seed, 300, ratio=2.0)
        found = who(people_of(journeys, persons=plans), journeys, PATH, by="plan")
        different += found["heterogeneity_p"][0] < 0.05
    assert different <= 11


def test_what_is_refused():
    journeys, plans = cancelling_world(1, 60)
    people = people_of(journeys, persons=plans.with_columns(number=pl.col("person")))
    silent = subjects(journeys, Churn.inactive("20d"), persons=plans)
    with pytest.raises(ArgumentError, match="silent for so long"):
        when(silent, journeys, PATH)
    with pytest.raises(ArgumentError, match="silent for so long"):
        who(silent, journeys, PATH, by="plan")
    with pytest.raises(ArgumentError, match="2 patterns"):
        when(people, journeys, {"p": "a:p", "q": "a:join"})
    with pytest.raises(ArgumentError, match="60 values|61 values"):
        who(people, journeys, PATH, by="number")
    with pytest.raises(ArgumentError, match="pln"):
        who(people, journeys, PATH, by="pln")
    with pytest.raises(ArgumentError, match="stretches"):
        when(people, journeys, PATH, horizon="90d", every="1d")
    with pytest.raises(InputError, match="completed the path"):
        when(people, journeys, "a:quit -> a:p")
