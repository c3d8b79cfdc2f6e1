"""What the planted paths do: their first completions and the churn that follows, exactly as the hazards say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from cjm.datasets._design import CODES, DAY, DESIGN, PATHS, PlantedPath
from cjm.datasets._happen import Clock, Rows
from cjm.datasets._people import FOREVER, People

__all__ = ["churn_times", "first_completion"]

Ints = npt.NDArray[np.int64]


def first_completion(rows: Rows, path: PlantedPath, persons: int) -> tuple[Ints, Ints]:
    """Return, for each person, the start and the end of the first completion of a path (``FOREVER`` for none).

    A row of the last step completes the path if a row of the first step lies before it, by at most the window. The
    latest such row is the start. ``rows`` are sorted by person and time.
    """
    key = rows.person * FOREVER + rows.time
    starts, ends = key[rows.code == CODES[path.first]], key[rows.code == CODES[path.last]]
    latest = np.searchsorted(starts, ends) - 1
    ends, latest = ends[latest >= 0], latest[latest >= 0]
    before = starts[latest]
    complete = (ends - before <= path.seconds) & (ends // FOREVER == before // FOREVER)
    ends, before = ends[complete], before[complete]
    person, first = np.unique(ends // FOREVER, return_index=True)
    start, end = np.full(persons, FOREVER), np.full(persons, FOREVER)
    start[person], end[person] = before[first] % FOREVER, ends[first] % FOREVER
    return start, end


def churn_times(rng: np.random.Generator, people: People, clock: Clock, completed: Mapping[str, Ints]) -> Ints:
    """Draw when each person leaves (``FOREVER`` if not within the period).

    The hazard is constant between entry and the first completions, so the cumulative hazard is a broken line and its
    inverse at a standard exponential draw is the time of churn. Visitors cannot leave: they never joined.
    """
    entry = np.minimum(people.entry, clock.end)
    logs = np.array([np.log(path.hazard_ratio) for path in PATHS])
    changes = np.clip(np.stack([completed[path.term] for path in PATHS]), entry, clock.end)
    order = np.argsort(changes, axis=0, kind="stable")
    log_hazard = np.log(DESIGN.hazard_a_day / DAY) + np.log(DESIGN.premium_hazard_ratio) * people.premium
    left = rng.exponential(size=len(people))
    churn = np.full(len(people), np.inf)
    since = entry
    edges = np.vstack([np.take_along_axis(changes, order, 0), np.full(len(people), clock.end)])
    effects = np.vstack([logs[order], np.zeros(len(people))])
    for until, effect in zip(edges, effects, strict=True):  # one piece after another, over all persons at once
        hazard = np.exp(log_hazard)
        inside = np.isinf(churn) & (left <= hazard * (until - since))
        churn[inside] = since[inside] + left[inside] / hazard[inside]
        left = left - hazard * (until - since)
        since, log_hazard = until, log_hazard + effect
    # whole seconds, later than the instant that acts and than the rows of a registration
    whole = np.maximum(np.ceil(np.where(np.isinf(churn), FOREVER, churn)).astype(np.int64), people.entry + 2)
    whole = np.where(whole < clock.end, clock.unambiguous(np.minimum(whole, clock.end)), FOREVER)
    return np.where((whole < clock.end) & (np.arange(len(people)) < people.customers), whole, FOREVER)
