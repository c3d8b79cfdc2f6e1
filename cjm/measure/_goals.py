"""Journeys towards goals: when they run, how they end, what belongs to them, and which run at the same time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cjm.contracts import CONTRACTS, TIME
from cjm.durations import DAY_US
from cjm.journeys import Journeys
from cjm.measure._goal import Goal, check_goals
from cjm.measure._instances import STATES, Instances, instances_of
from cjm.measure._rates import check_level, check_mask, interval, masked, share
from cjm.ragged import IntArray, offsets_of_sorted

__all__ = ["goal_events", "goal_journeys", "goal_overlap"]


def goal_journeys(journeys: Journeys, goals: Goal | Sequence[Goal]) -> pl.DataFrame:
    """List the journeys of every person towards one or more goals.

    Parameters
    ----------
    journeys : Journeys
    goals : Goal or sequence of Goal
        Made by :func:`cjm.goal`, which says when a journey begins and how it ends.

    Returns
    -------
    polars.DataFrame
        Contract JOURNEYS, one row a journey, sorted by person, start, goal and key: ``person``, ``journey`` (numbered
        from 0 in this order), ``goal``, ``start``, ``end`` (null while open), ``state`` (``"reached"``,
        ``"abandoned"``, ``"timed out"`` or ``"open"``), ``events``, ``duration`` (from start to end; null while open),
        and ``key`` (text) if a goal has one.

    Raises
    ------
    ArgumentError
        For no goals, two of one name, or a touchpoint or key that does not occur, with the nearest that does.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-02T10:00Z"],
    ...                       "what": ["cart", "purchase", "cart"], "who": ["a", "a", "a"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> checkout = cjm.goal("checkout", start="web:cart", end="web:purchase")
    >>> cjm.goal_journeys(journeys, checkout).select("journey", "state", "events", "duration").rows()
    [(0, 'reached', 2, datetime.timedelta(seconds=300)), (1, 'open', 1, None)]
    """
    chosen = check_goals(goals)
    found = pl.concat(_sorted(bucket, _instances(bucket, chosen)) for bucket in journeys.buckets())
    columns = [*CONTRACTS["JOURNEYS"].columns, *(["key"] if any(goal.key is not None for goal in chosen) else [])]
    state = pl.Series(STATES, dtype=pl.String).gather(found["state"])
    end = pl.when(pl.col("state") != "open").then(pl.col("end"))
    return (
        found.with_columns(state.alias("state"), pl.int_range(pl.len(), dtype=pl.Int64).alias("journey"))
        .with_columns(end.alias("end"), (end - pl.col("start")).alias("duration"))
        .select(columns)
    )


def goal_events(journeys: Journeys, goals: Goal | Sequence[Goal]) -> pl.DataFrame:
    """List the events of each journey towards one or more goals: an event is there once for each journey it is in.

    Parameters
    ----------
    journeys : Journeys
    goals : Goal or sequence of Goal
        Made by :func:`cjm.goal`.

    Returns
    -------
    polars.DataFrame
        One row a journey and event, in the order of both: ``journey`` (as numbered by :func:`goal_journeys` for the
        same goals), ``goal``, ``person``, ``time``, ``channel``, ``event``, ``touchpoint``, ``session``, and ``step``
        (place of the event in the journey, from 1).

    Raises
    ------
    ArgumentError
        As for :func:`goal_journeys`.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-02T10:00Z"],
    ...                       "what": ["cart", "purchase", "cart"], "who": ["a", "a", "a"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> checkout = cjm.goal("checkout", start="web:cart", end="web:purchase")
    >>> cjm.goal_events(journeys, checkout).select("journey", "touchpoint", "step").rows()
    [(0, 'web:cart', 1), (0, 'web:purchase', 2), (1, 'web:cart', 1)]
    """
    chosen = check_goals(goals)
    parts = []
    before = 0
    for bucket in journeys.buckets():
        parts.append(_events(bucket, chosen, before))
        if parts[-1].height:
            before = int(parts[-1]["journey"][-1]) + 1
    return pl.concat(parts)


def goal_overlap(
    journeys: Journeys, goals: Goal | Sequence[Goal], *, level: float = 0.95, min_persons: int = 0
) -> pl.DataFrame:
    """Count which goals a person follows at the same time.

    Two journeys overlap if they share an instant: one that starts with the event that ends the other overlaps with it
    for no time at all. Open journeys run to the end of the data (``journeys.end``).

    Parameters
    ----------
    journeys : Journeys
    goals : Goal or sequence of Goal
        Made by :func:`cjm.goal`.
    level : float
        Confidence level of the interval, between 0 and 1.
    min_persons : int
        Figures of pairs of goals about fewer persons than this become null.

    Returns
    -------
    polars.DataFrame
        One row for each two goals, and for each goal with itself, sorted: ``goal_a``, ``goal_b``, ``persons`` who had
        journeys towards both at once, ``pairs`` of journeys that overlap, ``journeys`` towards ``goal_a`` that overlap
        with one towards ``goal_b``, ``of`` (all journeys towards ``goal_a``), ``share`` = journeys / of with its
        Wilson interval ``low``, ``high``, and ``overlap_mean``, the mean time that a pair has in common (cut to whole
        microseconds; null without pairs).

    Raises
    ------
    ArgumentError
        As for :func:`goal_journeys`, or for a bad ``level`` or ``min_persons``.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-01T10:15Z"],
    ...                       "what": ["cart", "search", "purchase"], "who": ["a", "a", "a"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> buy = cjm.goal("buy", start="web:cart", end="web:purchase")
    >>> find = cjm.goal("find", start="web:search", end="web:purchase")
    >>> cjm.goal_overlap(journeys, [buy, find]).select("goal_a", "goal_b", "pairs", "of", "overlap_mean").row(1)
    ('buy', 'find', 1, 1, datetime.timedelta(seconds=600))
    """
    check_level(level)
    check_mask(min_persons)
    chosen = sorted(check_goals(goals), key=lambda goal: goal.name)
    size = len(chosen)
    met = np.zeros((5, size, size), dtype=np.int64)
    of = np.zeros(size, dtype=np.int64)
    for bucket in journeys.buckets():
        found = _instances(bucket, chosen)
        met += _overlaps(list(found.values()))
        of += [len(instances.owner) for instances in found.values()]
    persons, overlapping, meetings, days, rest = met
    rows = []
    for a in range(size):
        for b in range(a, size):
            pairs = int(meetings[a, b]) // (2 if a == b else 1)
            time = sum(int(days[x, y]) * DAY_US + int(rest[x, y]) for x, y in {(a, b), (b, a)})
            figures = (int(persons[a, b]), pairs, int(overlapping[a, b]), int(of[a]), time // pairs if pairs else None)
            rows.append((chosen[a].name, chosen[b].name, *figures))
    schema = {"goal_a": pl.String, "goal_b": pl.String} | dict.fromkeys(
        ("persons", "pairs", "journeys", "of", "overlap_mean"), pl.Int64
    )
    table = pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("overlap_mean").cast(pl.Duration("us")))
    table = table.with_columns(
        share(table["journeys"], table["of"]).alias("share"), *interval(table, "journeys", "of", level)
    )
    hidden = ["persons", "pairs", "journeys", "share", "low", "high", "overlap_mean"]
    return masked(table, min_persons, ["persons"], hidden).select(
        "goal_a", "goal_b", "persons", "pairs", "journeys", "of", "share", "low", "high", "overlap_mean"
    )


def _instances(bucket: Journeys, goals: Sequence[Goal]) -> dict[str, Instances]:
    return {goal.name: instances_of(bucket, goal) for goal in goals}


def _sorted(bucket: Journeys, found: dict[str, Instances]) -> pl.DataFrame:
    """Return one row a journey by person, start, goal and key; ``first``: place of its events in all ``rows``."""
    frames = []
    before = 0
    for name, instances in found.items():
        columns = {
            "person": pl.Series(bucket.arrays.person[instances.owner]),
            "goal": pl.Series([name], dtype=pl.String).new_from_index(0, len(instances.owner)),
            "start": pl.Series(instances.start).cast(TIME),
            "end": pl.Series(instances.end).cast(TIME),
            "state": pl.Series(instances.state),
            "events": pl.Series(np.diff(instances.offsets)),
            "key": instances.key,
            "first": pl.Series(instances.offsets[:-1] + before),
        }
        before += len(instances.rows)
        frames.append(pl.DataFrame(columns))
    return pl.concat(frames).sort("person", "start", "goal", "key", maintain_order=True)


def _events(bucket: Journeys, goals: Sequence[Goal], before: int) -> pl.DataFrame:
    """Return the events of the journeys in one bucket, which are numbered from ``before`` on."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.instances import ranges

    found = _instances(bucket, goals)
    listed = _sorted(bucket, found)
    offsets = as_array(np.concatenate(([0], np.cumsum(listed["events"].to_numpy()))), np.int64)
    first, one = (as_array(start, np.int64) for start in (listed["first"].to_numpy(), np.ones(listed.height)))
    rows = np.concatenate([instances.rows for instances in found.values()])[ranges(first, offsets)]
    journey = np.repeat(np.arange(listed.height), np.diff(offsets))
    arrays = bucket.arrays
    code = pl.Series(arrays.code[rows])
    return pl.DataFrame(
        {
            "journey": pl.Series(journey + before, dtype=pl.Int64),
            "goal": listed["goal"].gather(journey),
            "person": listed["person"].gather(journey),
            "time": pl.Series(arrays.time[rows]).cast(TIME),
            **{name: bucket.touchpoints[name].gather(code) for name in ("channel", "event", "touchpoint")},
            "session": pl.Series(arrays.session[rows]),
            "step": pl.Series(ranges(one, offsets)),
        }
    )


def _overlaps(found: Sequence[Instances]) -> IntArray:
    """Return what :func:`cjm.kernels.instances.overlaps` counts in one bucket, goals in the order given."""
    from cjm.kernels import instances as kernels
    from cjm.kernels._jit import as_array

    goal = np.repeat(np.arange(len(found)), [len(instances.owner) for instances in found])
    owner, start, end = (
        np.concatenate([getattr(instances, name) for instances in found]) for name in ("owner", "start", "end")
    )
    order = np.lexsort((start, owner))
    goal, owner, start, end = goal[order], owner[order], start[order], end[order]
    counted: IntArray = kernels.overlaps(
        as_array(offsets_of_sorted(owner), np.int64),
        as_array(goal, np.int64),
        as_array(start, np.int64),
        as_array(end, np.int64),
        as_array(np.lexsort((end, owner)), np.int64),
        len(found),
    )
    return counted
