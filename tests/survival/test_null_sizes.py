"""How often meaningless paths look meaningful at the 5 % level, and how often intervals cover what was planted."""

import numpy as np
import polars as pl
import pytest
from survival_worlds import journeys_of_arrays

import cjm
from cjm.datasets import simulate
from cjm.survival import Churn, PathHazard, screen, subjects

LABELS = [f"p{j}" for j in range(10)]
PATHS = {name: f"a:{name}" for name in LABELS}
QUIET = Churn.inactive("45d")


def silent(seed, persons=1000, *, unequal):
    """Customers leave for good after each event with chance 0.05, whatever it was; half of the events have a label."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(1.5, 0.15 / 1.5, persons) + 0.03 if unequal else np.full(persons, 0.12)
    wait = np.cumsum(rng.exponential(1 / rate[:, None], (persons, 119)), axis=1)
    time = rng.uniform(0, 180, (persons, 1)) + np.concatenate((np.zeros((persons, 1)), wait), axis=1)
    leaves = rng.uniform(size=time.shape) < 0.05
    seen = (np.cumsum(leaves, axis=1) - leaves == 0) & (time < 365)
    names = rng.choice([*LABELS, "use"], size=time.shape, p=[0.05] * 10 + [0.5])
    person, _ = np.nonzero(seen)
    return journeys_of_arrays(np.append(person, persons), np.append(time[seen], 365.0), np.append(names[seen], "use"))


def leaving(seed, persons=800):
    """Customers cancel with a hazard that falls with tenure; labels come at times that have nothing to do with it."""
    rng = np.random.default_rng(seed)
    joined = rng.uniform(0, 60, persons)
    quits = joined + 60 * rng.weibull(0.7, persons)
    labels = joined[:, None] + rng.exponential(80, (persons, len(LABELS)))
    who, which = np.nonzero(labels < np.minimum(quits, 180)[:, None])
    left = np.flatnonzero(quits < 180)
    number = np.concatenate((np.arange(persons), who, left, [persons]))
    days = np.concatenate((joined, labels[who, which], quits[left], [180.0]))
    names = np.concatenate((["join"] * persons, np.array(LABELS)[which], ["quit"] * len(left), ["end"]))
    return journeys_of_arrays(number, days, names)


def share_below(p):
    values = np.concatenate([column.drop_nulls().to_numpy() for column in p])
    assert len(values) > 350
    return float((values <= 0.05).mean())


@pytest.mark.parametrize("unequal", [False, True])
@pytest.mark.parametrize("effect", ["onward", "event"])
def test_size_with_silence(effect, unequal):
    models, screens = [], []
    for seed in range(40):
        journeys = silent(seed, unequal=unequal)
        people = subjects(journeys, QUIET)
        models.append(PathHazard(patterns=PATHS, effect=effect).fit(journeys, people).summary["p"])
        screens.append(screen(people, journeys, PATHS, effect=effect)["p"])
    assert 0.03 <= share_below(models) <= 0.07
    assert 0.03 <= share_below(screens) <= 0.07


def test_size_with_cancellations():
    models, screens = [], []
    for seed in range(40):
        journeys = leaving(seed)
        people = subjects(journeys, Churn.event("a:quit"), persons=journeys.persons.select("person").collect())
        models.append(PathHazard(patterns=PATHS).fit(journeys, people).summary["p"])
        screens.append(screen(people, journeys, PATHS)["p"])
    assert 0.03 <= share_below(models) <= 0.07
    assert 0.03 <= share_below(screens) <= 0.07


def test_intervals_cover_what_was_planted():
    """40 worlds of the simulator, four terms each: 95 % intervals cover in about 95 %."""
    covered = []
    for seed in range(40):
        world = simulate(1000, days=120, seed=seed, linkable=1.0)
        people = cjm.stitch(world.log)
        journeys = cjm.build_journeys(world.log, people)
        customers = people.with_person(world.persons, "customer").select("person", "premium", "entry")
        found = subjects(journeys, Churn.event("account:cancelled"), persons=customers)
        truth = world.truth.hazards
        paths = dict(truth.drop_nulls("pattern").select("term", "pattern").iter_rows())
        model = PathHazard(patterns=paths, covariates=["premium"]).fit(journeys, found)
        table = truth.select("term", truth="hazard_ratio").join(model.summary, on="term")
        inside = (pl.col("lower") <= pl.col("truth")) & (pl.col("truth") <= pl.col("upper"))
        covered += table.drop_nulls("coef").select(inside).to_series().to_list()
    assert len(covered) > 150
    assert 0.91 <= np.mean(covered) <= 0.99
