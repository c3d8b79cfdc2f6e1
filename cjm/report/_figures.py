"""The section on key figures: those that matter first, each with what it means and what it is a share of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from cjm.report._goals import people_of
from cjm.report._section import Col, Section, Table, Tables, has, table
from cjm.report._text import NONE, bounds, clean, duration, interval, number, percent, persons, short, thing, words

__all__ = ["key_figures"]

_NAME, _ROWS = 60, 60
_NAMES = {
    "first_value_time_median": "Time to first value, median",
    "session_pause_median": "Pause between sessions, median",
    "session_length_median": "Length of a session, median",
    "goal_journeys": "Journeys",
    "completion_time_median": "Completion time, median",
}
# What each figure means, where its name does not say it; {} is what it is about.
_MEANS = {
    "first_value_rate": "persons who got to a first value{}; those who came late had less time for it",
    "first_value_time_median": "from the first event of a person, of those who got there",
    "cancellation_rate": "persons who cancelled{}, of all, known or not",
    "contacts_per_person": "events that mean effort{}",
    "returning_rate": "persons with more than one session",
    "bounce_rate": "sessions of a single event",
    "multichannel_rate": "persons seen on more than one channel",
    "stickiness": "of the persons seen within 30 days, those who came on the last of these days, on average",
    "daily_active_persons": "persons seen on a day, on average",
    "weekly_active_persons": "persons seen within 7 days, on average",
    "monthly_active_persons": "persons seen within 30 days, on average",
    "session_pause_median": "from the end of a session to the next",
    "session_length_median": "of sessions with more than one event",
    "switches_per_session": "changes from one channel to another",
    "completion_rate": "of the journeys that are over",
    "completion_time_median": "of the journeys that reached the goal",
    "switches_per_journey": "changes from one channel to another",
}
# How a rate is said in a sentence.
_SAID = {
    "first_value_rate": "of persons got to a first value",
    "cancellation_rate": "of persons cancelled",
    "returning_rate": "of persons came back for another session",
    "bounce_rate": "of sessions had a single event",
    "multichannel_rate": "of persons were seen on more than one channel",
    "completion_rate": "of journeys that are over reached their goal",
}
_FIRST = (
    "persons",
    "sessions",
    "first_value_rate",
    "first_value_time_median",
    "cancellation_rate",
    "returning_rate",
    "bounce_rate",
    "contacts_per_person",
    "sessions_per_person",
)
_FURTHER = (
    "events",
    "events_per_session",
    "session_length_median",
    "session_pause_median",
    "daily_active_persons",
    "weekly_active_persons",
    "monthly_active_persons",
    "stickiness",
    "channels_per_person",
    "multichannel_rate",
    "switches_per_session",
)
_REACHED = ("completion_rate", "completion_time_median")
_GOAL = ("goal_journeys", *_REACHED, "switches_per_journey", "contacts_per_journey")
_OWN = {*_FIRST, *_FURTHER, *_GOAL}
_SHARES = {"share", "rate", "%", "percent", "proportion", "fraction"}
_SECONDS = {"seconds": 1, "s": 1, "minutes": 60, "min": 60, "hours": 3600, "h": 3600}
_DAYS = {"day", "days"}
_SET = re.compile(r'("(?:[^"\\]|\\.)*")|[{}]|(, )')
Row = dict[str, Any]


def key_figures(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """List the key figures, each with what it is a share of; figures of goals under their goal."""
    if not has(tables, "kpis"):
        return None
    hide = run.get("hide_below", 10)
    people = {}
    if has(tables, "goal_journeys"):
        counted = people_of(tables["goal_journeys"]).select("goal", "persons", "reached persons")
        people = {goal: counts for goal, *counts in counted.iter_rows()}
    rows = [_row(given, people, hide) for given in tables["kpis"].iter_rows(named=True)]
    towards = [row for row in rows if row["goal"]]
    further = _ordered([row for row in rows if row["kpi"] in _FURTHER], _FURTHER)
    main = _ordered([row for row in rows if not row["goal"] and row["kpi"] not in _FURTHER], _FIRST)
    if not main:
        main, further = further, []
    lead = next((row for row in [*main, *rows] if row["rate"]), (main or rows)[0])
    shown = [_table("Key figures", main, open=True)] if main else []
    shown += [_table("More on sessions, activity and channels", further)] if further else []
    if towards:
        shown.append(_table("Journeys towards goals", _headed(towards), open=not main))
    return Section("kpis", "Key figures", f"{lead['title']}.", (), (), tuple(shown))


def _ordered(rows: list[Row], order: Sequence[str]) -> list[Row]:
    """Return the rows in this order, and those that are not in it behind them as they came."""
    return sorted(rows, key=lambda row: order.index(row["kpi"]) if row["kpi"] in order else len(order))


def _headed(rows: list[Row]) -> list[Row]:
    """Name each goal in the first of its rows."""
    before = [None, *(row["goal"] for row in rows)]
    return [
        row if row["goal"] == goal else {**row, "name": f"{row['name']} towards “{row['goal']}”"}
        for row, goal in zip(rows, before, strict=False)
    ]


def _table(caption: str, rows: list[Row], *, open: bool = False) -> Table:
    columns = [
        Col("name", "key figure", str, note="means"),
        Col("value", "value", str, True),
        Col("counted", "counted", str, True),
        Col("of", "of", str, True),
        Col("interval", "95 % interval", str, True),
    ]
    return table(caption, pl.DataFrame(rows), columns, open=open, cap=_ROWS)


def _row(given: Row, people: Mapping[str, Sequence[int]], hide: int) -> Row:
    """Return the words of a figure; one that speaks of a few persons only is kept back."""
    kpi, unit, about = str(given["kpi"]), str(given.get("unit")).lower(), given.get("about")
    above, below = given.get("numerator"), given.get("denominator")
    goal = about if kpi in _GOAL else None
    whole, reached = people.get(str(goal), (hide, hide))
    is_share = unit in _SHARES
    # the sum above a figure of the user's own need not count anybody
    counts = above is not None and (is_share or kpi in _OWN)
    few = [whole, above if counts else below, *([reached] if kpi in _REACHED else [])]
    is_few = any(count is not None and 0 < count < hide for count in few)
    value = NONE if is_few else _figure(given["value"], unit)
    low, high = (None if is_few else given.get(name) for name in ("low", "high"))
    # a count need not be told twice
    counted = None if below is None else above
    name = _NAMES.get(kpi) or words(kpi)
    title = f"{value} {_SAID[kpi]}" if kpi in _SAID and not is_few else f"{name}: {value}"
    title += f" “{short(goal, _NAME)}”" if goal else ""
    if is_share and below and not is_few:
        said = interval(low, high)
        title += f" ({number(above)} of {number(below)}{f'; {said}' if said else ''})"
    return {
        "kpi": kpi,
        "goal": short(goal, _NAME) if goal else "",
        "name": name,
        "means": _means(kpi, unit, None if goal else about),
        "value": value if not is_few or below is not None else f"fewer than {hide}",
        "counted": f"fewer than {hide}" if is_few and counted is not None else number(counted),
        "of": NONE if is_few and (goal or above is None) else persons(below, hide),
        "interval": NONE
        if low is None or high is None
        else bounds(low, high)
        if is_share
        else f"{number(low)} to {number(high)}",
        "rate": is_share and not is_few,
        "title": title,
    }


def _means(kpi: str, unit: str, about: str | None) -> str:
    """Say what a figure is; of one that is not ours, at least its unit."""
    plain = unit in {*_SHARES, *_SECONDS, *_DAYS, "count", "none"}
    said = _MEANS.get(kpi) or ("" if kpi in _OWN or plain else short(unit, _NAME))
    return said.replace("{}", f" ({short(_any_of(about), 160)})" if about else "")


def _any_of(touchpoints: str) -> str:
    """Return the touchpoints that a figure is about in words.

    Examples
    --------
    >>> _any_of("{store:purchase, web:checkout}"), _any_of('web:"a, b"')
    ('store:purchase or web:checkout', 'web:"a, b"')
    """
    return _SET.sub(lambda found: found[1] or (" or " if found[2] else ""), clean(touchpoints))


def _figure(value: Any, unit: str) -> str:
    if unit in _SHARES:
        return percent(value)
    if isinstance(value, timedelta) or unit in _DAYS:
        return duration(value)
    if unit in _SECONDS and value is not None:
        return duration(timedelta(seconds=value * _SECONDS[unit]))
    return thing(value)
