"""How often meaningless paths look meaningful at the 5 % level, and how often intervals cover what was planted.

    python benchmarks/survival_sizes.py --replicates 100 --persons 1000

The tests do the same for fewer worlds. Every test is made in worlds in which nothing means anything: its share of p
values of at most 0.05 should lie between 3 and 7 %, and the range beside it says what chance allows for so many tests
(taken as independent, which tests of one world are not quite). It ends with an error if a share lies outside both.
Worlds are seeded.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "survival"))

from survival_worlds import cancelling_world, silent_world
from test_null_sizes import PATHS, QUIET, leaving, silent

import cjm
from cjm.datasets import simulate
from cjm.survival import Churn, PathHazard, gray, landmark, logrank, screen, simon_makuch, subjects, when, who

QUIT = Churn.event("a:quit")
Found = Iterator[list[float]]


def people_of(journeys: cjm.Journeys, persons: pl.DataFrame | None = None) -> cjm.Subjects:
    """Return the subjects of a world in which customers cancel."""
    return subjects(journeys, QUIT, persons=journeys.persons.select("person").collect() if persons is None else persons)


def silence(replicates: int, persons: int, *, unequal: bool, effect: str, screened: bool) -> Found:
    """Yield the p values of ten labels that events have by chance."""
    for seed in range(replicates):
        journeys = silent(seed, persons, unequal=unequal)
        found = subjects(journeys, QUIET)
        if screened:
            yield screen(found, journeys, PATHS, effect=effect)["p"].drop_nulls().to_list()
        else:
            yield PathHazard(patterns=PATHS, effect=effect).fit(journeys, found).summary["p"].drop_nulls().to_list()


def cancellations(replicates: int, persons: int, test: Callable[[cjm.Subjects, cjm.Journeys], list[float]]) -> Found:
    """Yield what a test says of ten labels that come at any time, where the hazard falls with tenure."""
    for seed in range(replicates):
        journeys = leaving(seed, persons)
        yield test(people_of(journeys), journeys)


def plans(replicates: int, persons: int, test: Callable[[cjm.Subjects, cjm.Journeys], list[float]]) -> Found:
    """Yield what a test says of a meaningless path, or of a group drawn by lot."""
    for seed in range(replicates):
        journeys, given = cancelling_world(seed, persons)
        lot = pl.Series("lot", np.random.default_rng(seed).integers(0, 3, given.height))
        yield test(people_of(journeys, given.with_columns(lot)), journeys)


def family(control: str) -> Callable[[cjm.Subjects, cjm.Journeys], list[float]]:
    """Return the smallest adjusted p value of a screen of ten labels, which is at most 0.05 in 5 % of worlds."""
    return lambda found, journeys: [screen(found, journeys, PATHS, control=control, draws=400)["q"].min()]


def moved_away(found: cjm.Subjects, journeys: cjm.Journeys) -> list[float]:
    """Return the p value of Gray's test where the path ends observation, too."""
    ends = subjects(journeys, QUIT, persons=found.frame.select("person", "lot"), competing={"path": "a:p"})
    return [gray(ends, by="lot")["p"][0]]


def planted_silence(replicates: int, persons: int, *, effect: str) -> Found:
    """Yield whether the interval covers the ratio of the hazards of silence; who stays is rarely silent, too."""
    times = 3.0 if effect == "event" else 2.0
    stays_silent = np.exp(-0.12 * 45)
    plain, raised = (np.log1p(-(left + (1 - left) * stays_silent)) for left in (0.05, 0.05 * times))
    truth = raised / plain
    for seed in range(replicates):
        journeys = silent_world(seed, persons, **{"once" if effect == "event" else "onward": times})
        model = PathHazard(patterns={"p": "a:p"}, effect=effect).fit(journeys, subjects(journeys, QUIET))
        row = model.summary.row(0, named=True)
        yield [float(row["lower"] <= truth <= row["upper"])]


def planted_cancellations(replicates: int, persons: int) -> Found:
    """Yield whether intervals cover what the simulator planted: two paths, one that means nothing, and a covariate."""
    for seed in range(replicates):
        world = simulate(persons, days=180, seed=seed, linkable=1.0)
        people = cjm.stitch(world.log)
        journeys = cjm.build_journeys(world.log, people)
        customers = people.with_person(world.persons, "customer").select("person", "premium", "entry")
        found = subjects(journeys, Churn.event("account:cancelled"), persons=customers)
        truth = world.truth.hazards
        paths = dict(truth.drop_nulls("pattern").select("term", "pattern").iter_rows())
        model = PathHazard(patterns=paths, covariates=["premium"]).fit(journeys, found)
        table = truth.select("term", truth="hazard_ratio").join(model.summary.drop_nulls("coef"), on="term")
        yield table.select(pl.col("truth").is_between("lower", "upper").cast(pl.Float64)).to_series().to_list()


def line(what: str, found: Found, *, planted: bool = False) -> bool:
    """Print a row; return whether the share is as it should be, or chance may have moved it."""
    begun = time.process_time()
    values = np.concatenate([np.array(part, dtype=np.float64) for part in found])
    share = float(values.mean() if planted else (values <= 0.05).mean())
    wanted, low, high = (0.95, 0.91, 0.99) if planted else (0.05, 0.03, 0.07)
    width = 1.96 * np.sqrt(wanted * (1 - wanted) / len(values))
    chance = max(wanted - width, 0.0), min(wanted + width, 1.0)
    inside = low <= share <= high
    cells = [what, f"{len(values):,}", f"{share:.1%}", f"{chance[0]:.1%} to {chance[1]:.1%}", "yes" if inside else "no"]
    print(f"| {' | '.join(cells)} | {time.process_time() - begun:.0f} |", flush=True)
    return inside or chance[0] <= share <= chance[1]


def main() -> None:
    """Print the tables; end with an error if a share is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=100)
    parser.add_argument("--persons", type=int, default=1000)
    given = parser.parse_args()
    warnings.simplefilter("error", RuntimeWarning)
    size = given.replicates, given.persons
    cores = len(os.sched_getaffinity(0))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {cores} cores, Python {sys.version.split()[0]}\n")
    print("| test, in worlds where nothing means anything | tests | p of at most 0.05 | by chance | 3 to 7 % | CPU s |")
    print("|---|--:|--:|--:|---|--:|")
    good = []
    for unequal in (False, True):
        rates = "customers differ in activity" if unequal else "all alike"
        for effect in ("onward", "event"):
            for screened in (False, True):
                name = f"{'screen' if screened else 'PathHazard'}, silence, {effect}, {rates}"
                good.append(line(name, silence(*size, unequal=unequal, effect=effect, screened=screened)))
    at_once: dict[str, Callable[[cjm.Subjects, cjm.Journeys], list[float]]] = {
        "PathHazard": lambda found, journeys: PathHazard(patterns=PATHS).fit(journeys, found).summary["p"].to_list(),
        "screen": lambda found, journeys: screen(found, journeys, PATHS)["p"].to_list(),
        "landmark": lambda found, journeys: landmark(found, journeys, PATHS, at="20d").test["p"].to_list(),
        "simon_makuch": lambda found, journeys: simon_makuch(found, journeys, PATHS, start="5d").test["p"].to_list(),
    }
    good += [line(f"{name}, cancellations", cancellations(*size, test)) for name, test in at_once.items()]
    for control in ("bh", "max-t"):
        worlds = cancellations(5 * size[0], size[1], family(control))
        good.append(line(f"screen, cancellations, any of ten by {control}", worlds))
    path = {"p": "a:p"}
    alone: dict[str, Callable[[cjm.Subjects, cjm.Journeys], list[float]]] = {
        "PathHazard.check, constant ratio": lambda found, journeys: [
            PathHazard(patterns=path).fit(journeys, found).check()["p"][0]
        ],
        "when, the same ratio at all times": lambda found, journeys: [
            when(found, journeys, path, horizon="60d").constant_p or 1.0
        ],
        "who, the same ratio in three groups": lambda found, journeys: [
            who(found, journeys, path, by=["lot"])["heterogeneity_p"][0]
        ],
        "logrank, three groups by lot": lambda found, journeys: [logrank(found, by="lot")["p"][0]],
        "gray, three groups by lot, path as a competing end": moved_away,
    }
    good += [line(name, plans(5 * size[0], size[1], test)) for name, test in alone.items()]
    print("\n| what was planted | intervals | cover it | by chance | 91 to 99 % | CPU s |\n|---|--:|--:|--:|---|--:|")
    for effect in ("onward", "event"):
        good.append(line(f"silence, {effect}", planted_silence(*size, effect=effect), planted=True))
    good.append(line("the simulator, four terms, 40 worlds", planted_cancellations(40, 4 * size[1]), planted=True))
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
