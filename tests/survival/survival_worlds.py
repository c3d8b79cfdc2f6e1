"""Worlds whose truth is known: when customers act, which of their events is the path, and when they leave."""

import numpy as np
import polars as pl

from cjm.contracts import TIME
from cjm.journeys import journeys_from_frame
from cjm.survival._counts import time_rows
from cjm.survival._curves import survival_table

DAY = 86_400_000_000


def journeys_of_arrays(person, days, names):
    """Make journeys of arrays: person numbers, days (floats), touchpoints ``a:<name>``."""
    frame = pl.DataFrame({"person": person, "time": (np.asarray(days) * DAY).astype(np.int64), "event": names})
    frame = frame.select("person", pl.col("time").cast(TIME), pl.lit("a").alias("channel"), "event")
    return journeys_from_frame(frame, gap=1)


def silent_world(seed, persons, *, onward=1.0, once=1.0, unequal=False, days=365.0):
    """Customers act at random and leave for good after each event with chance 0.05, unseen.

    One event in ten is ``a:p``. The chance of leaving is multiplied by ``once`` at such an event, and by ``onward`` at
    the first such event and all later ones. With ``unequal``, customers differ in how often they act.
    """
    rng = np.random.default_rng(seed)
    rate = rng.gamma(1.5, 0.15 / 1.5, persons) + 0.03 if unequal else np.full(persons, 0.12)
    most = 120
    time = rng.uniform(0, days / 2, (persons, 1)) + np.concatenate(
        (np.zeros((persons, 1)), np.cumsum(rng.exponential(1 / rate[:, None], (persons, most - 1)), axis=1)), axis=1
    )
    is_p = rng.uniform(size=(persons, most)) < 0.1
    chance = 0.05 * np.where(is_p, once, 1.0) * np.where(np.logical_or.accumulate(is_p, axis=1), onward, 1.0)
    leaves = rng.uniform(size=(persons, most)) < chance
    alive = np.cumsum(leaves, axis=1) - leaves == 0
    seen = alive & (time < days)
    person, _ = np.nonzero(seen)
    names = np.where(is_p[seen], "p", "use")
    # one more person marks the end of the log
    return journeys_of_arrays(np.append(person, persons), np.append(time[seen], days), np.append(names, "use"))


def cancelling_world(seed, persons, *, ratio=1.0, days=200.0):
    """Customers join, complete ``a:p`` at some time if they are still there, and cancel with a constant hazard.

    The hazard is multiplied by ``ratio`` from ``a:p`` on. Returns the journeys and each person's plan.
    """
    rng = np.random.default_rng(seed)
    joined = rng.uniform(0, days / 2, persons)
    path = rng.exponential(60, persons)
    plan = rng.integers(0, 2, persons)
    hazard = 0.01 * np.where(plan == 1, 1.5, 1.0)
    budget = rng.exponential(1, persons)
    quits = np.where(budget < hazard * path, budget / hazard, path + (budget - hazard * path) / (hazard * ratio))
    number = np.arange(persons)
    kept_path = (path < quits) & (joined + path < days)
    kept_quit = joined + quits < days
    person = np.concatenate((number, number[kept_path], number[kept_quit], [persons]))
    time = np.concatenate((joined, (joined + path)[kept_path], (joined + quits)[kept_quit], [days]))
    names = np.repeat(["join", "p", "quit", "use"], [persons, kept_path.sum(), kept_quit.sum(), 1])
    frame = pl.DataFrame({"person": number, "plan": pl.Series(plan).replace_strict({0: "basic", 1: "plus"})})
    return journeys_of_arrays(person, time, names), frame


def kaplan_meier(entry, exit, event):
    """Return the curve of one group at risk in (entry, exit]."""
    return survival_table(time_rows(entry, exit, event)).drop("group")
