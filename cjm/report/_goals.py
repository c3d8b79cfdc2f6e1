"""The section on journeys towards goals: how they ended, how soon, and which goals ran at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from cjm.report._charts import Picture
from cjm.report._goal_bars import STATES, draw_goals
from cjm.report._section import (
    Col,
    Section,
    Table,
    Tables,
    has,
    shares,
    small,
    spans,
    table,
    with_bounds,
)
from cjm.report._text import NONE, duration, interval, number, percent, persons, plural, short

__all__ = ["goals", "people_of"]

_LABEL = "Journeys towards goals"
_NAME, _HEAD = 60, 30
_DRAWN, _CROSSED, _TOLD = 12, 8, 3


def goals(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Say how journeys towards goals ended, and which goals persons followed at the same time."""
    if not has(tables, "goal_journeys"):
        return None
    hide = run.get("hide_below", 10)
    frame = _by_goal(tables["goal_journeys"], hide)
    known = frame.filter(pl.col("persons") >= hide)
    if not known.height:
        said = f"Fewer than {hide} persons had journeys towards any one goal, so none is shown"
        return Section("goals", _LABEL, f"{said}.", telling=False)
    happened = [state for state in STATES if (known[f"{state} persons"] > 0).any()]
    drawn = known.head(_DRAWN)
    caption = "Each bar is all journeys towards a goal, by how they ended; open ones were under way when the data end."
    if sum(drawn[state].null_count() for state in STATES):
        caption += f" Gaps: fewer than {hide} persons."
    if frame.height > drawn.height:
        caption += f" {drawn.height} of {plural(frame.height, 'goal')}: those with most journeys."
    picture = Picture(
        lambda width: draw_goals(drawn.to_dicts(), width).bare(),
        f"A bar for each of {plural(drawn.height, 'goal')}, divided by how the journeys towards it ended.",
        caption,
    )
    shown = [_table(frame, happened, hide)]
    text = _soon(known)
    if has(tables, "goal_overlap"):
        told, crossed = _overlap(tables["goal_overlap"], known["goal"].to_list(), hide)
        text += told
        shown += crossed
    return Section("goals", _LABEL, f"{_title(known, hide)}.", tuple(text), (picture,), tuple(shown))


def people_of(journeys: pl.DataFrame) -> pl.DataFrame:
    """Count, for each goal, its journeys, the persons who had them, and both by state.

    Parameters
    ----------
    journeys : polars.DataFrame
        Contract JOURNEYS.

    Returns
    -------
    polars.DataFrame
        One row a goal, those with most journeys first: ``goal``, ``journeys``, ``persons``, ``half`` (the median time
        to reach it), and for each state a column of its name and another, ``... persons``.
    """
    columns = [pl.len().alias("journeys"), pl.col("person").n_unique().alias("persons")]
    for state in STATES:
        so = pl.col("state") == state
        columns += [so.sum().alias(state), pl.col("person").filter(so).n_unique().alias(f"{state} persons")]
    return (
        journeys.with_columns(pl.col("goal").cast(pl.String).fill_null("(none)"), pl.col("state").cast(pl.String))
        .group_by("goal")
        .agg(*columns, pl.col("duration").filter(pl.col("state") == "reached").median().alias("half"))
        .sort(["journeys", "goal"], descending=[True, False])
    )


def _by_goal(journeys: pl.DataFrame, hide: int) -> pl.DataFrame:
    """Add what is told of each goal; what speaks of a few persons only is null."""
    from cjm.statistics import wilson

    frame = people_of(journeys).with_columns(over=pl.col("journeys") - pl.col("open"))
    frame = frame.with_columns(
        pl.when(~small(f"{state} persons", hide), ~small("persons", hide)).then(state).alias(state) for state in STATES
    )
    low, high = wilson(frame["reached"].cast(pl.Float64).to_numpy(), frame["over"].to_numpy())
    rate = pl.when(pl.col("over") > 0).then(pl.col("reached") / pl.col("over"))
    return frame.with_columns(
        rate.alias("rate"),
        pl.Series("low", low).fill_nan(None),
        pl.Series("high", high).fill_nan(None),
        pl.when(pl.col("reached").is_not_null()).then("half").alias("half"),
        pl.when(~small("persons", hide)).then("journeys").alias("journeys"),
    )


def _title(known: pl.DataFrame, hide: int) -> str:
    """Say what share of the journeys that are over reached the goal: of the largest with figures, others briefly."""
    told = known.filter(pl.col("rate").is_not_null())
    if not told.height:
        row = known.row(0, named=True)
        goal = _quoted(row["goal"])
        if not row["over"]:
            return f"{plural(row['journeys'], 'journey')} towards {goal} began, and none is over yet"
        return f"Fewer than {hide} persons reached {goal}, of {number(row['persons'])} who set out"
    row, *others = told.head(1 + _TOLD).to_dicts()
    said = interval(row["low"], row["high"])
    title = (
        f"Of {plural(row['over'], 'journey')} towards {_quoted(row['goal'])} that are over, "
        f"{percent(row['rate'])} reached it ({number(row['reached'])}{f'; {said}' if said else ''})"
    )
    if others:
        title += "; " + ", ".join(f"{_quoted(other['goal'])} {percent(other['rate'])}" for other in others)
    return title


def _quoted(goal: str) -> str:
    return f"“{short(goal, _NAME)}”"


def _soon(known: pl.DataFrame) -> list[str]:
    told = known.filter(pl.col("half").is_not_null()).head(1 + _TOLD).to_dicts()
    if not told:
        return []
    said = ", ".join(f"{duration(row['half'])} for {_quoted(row['goal'])}" for row in told)
    return [f"Half of the journeys that reached their goal took no longer than {said}."]


def _table(frame: pl.DataFrame, happened: list[str], hide: int) -> Table:
    said = [
        pl.Series(
            state, [_ended(*row, hide=hide) for row in frame.select(state, f"{state} persons", "journeys").rows()]
        )
        for state in happened
    ]
    size = [_size(*row, hide=hide) for row in frame.select("journeys", "persons").iter_rows()]
    shown = with_bounds(frame, "low", "high").with_columns(*said, pl.Series("size", size))
    columns = [
        Col("goal", "goal", lambda goal: short(goal, _NAME), note="size"),
        shares("rate", "reached, of those over"),
        Col("interval", "95 % interval", str, True, look="w"),
        spans("half", "half of these within"),
        *(Col(state, state, str, True, look="w") for state in happened),
    ]
    return table("How journeys towards goals ended (shares are of all, open ones too)", shown, columns, open=True)


def _size(journeys: int | None, people: int, *, hide: int) -> str:
    if journeys is None:
        return f"{persons(people, hide)} persons"
    each = f", {number(journeys / people)} each" if journeys > people else ""
    return f"{plural(journeys, 'journey')} of {plural(people, 'person')}{each}"


def _ended(count: int | None, people: int, journeys: int | None, *, hide: int) -> str:
    """Return how many journeys ended in one way, and their share of all."""
    if journeys is None:
        return NONE
    if count is None:
        return f"{persons(people, hide)} persons"
    return f"{number(count)} ({percent(count / journeys)})" if count else "0"


def _overlap(frame: pl.DataFrame, order: list[str], hide: int) -> tuple[list[str], list[Table]]:
    """Say which goals ran at the same time, and cross the largest."""
    frame = frame.with_columns(pl.col("goal_a", "goal_b").cast(pl.String).fill_null("(none)"))
    crossed = order[:_CROSSED]
    if len(crossed) < 2:
        return [], []
    met = {(a, b): count for a, b, count in frame.select("goal_a", "goal_b", "persons").iter_rows()}
    rows = [
        {"goal": goal, **{str(place): _met(met, goal, other, hide) for place, other in enumerate(crossed)}}
        for goal in crossed
    ]
    columns = [Col("goal", "goal", lambda goal: short(goal, _NAME))]
    columns += [Col(str(place), short(other, _HEAD), str, True, look="w") for place, other in enumerate(crossed)]
    few = f", of the {len(crossed)} goals with most journeys" if len(crossed) < len(order) else ""
    shown = table(
        f"Persons on the way to two goals at once{few} (where a goal meets itself: with two such journeys at once)",
        pl.DataFrame(rows),
        columns,
    )
    apart = frame.filter((pl.col("goal_a") != pl.col("goal_b")) & (pl.col("persons") >= hide))
    if not apart.height:
        return [], [shown]
    top = apart.sort(["persons", "goal_a", "goal_b"], descending=[True, False, False]).row(0, named=True)
    mean = f"; their journeys shared {duration(top['overlap_mean'])} on average" if top["overlap_mean"] else ""
    names = f"{_quoted(top['goal_a'])} and to {_quoted(top['goal_b'])}"
    which = "" if apart.height == 1 else ", more than to any other two goals"
    return [f"{number(top['persons'])} persons were on the way to {names} at once{which}{mean}."], [shown]


def _met(met: Mapping[tuple[str, str], int | None], goal: str, other: str, hide: int) -> str:
    count = met.get((goal, other), met.get((other, goal)))
    return NONE if count is None else persons(count, hide)
