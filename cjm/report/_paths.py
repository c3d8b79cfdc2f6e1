"""Sections on paths: the flow of first steps, the funnel, frequent sequences."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import polars as pl

from cjm.durations import to_us
from cjm.errors import ArgumentError
from cjm.plot._flow import draw_flow
from cjm.plot._frames import GROUP
from cjm.plot._funnel import draw_funnel
from cjm.report._charts import WIDE, Picture
from cjm.report._section import (
    Col,
    Section,
    Table,
    Tables,
    blank_small,
    counts,
    groups,
    has,
    shares,
    spans,
    table,
    total,
    with_bounds,
)
from cjm.report._text import (
    capital,
    clean,
    duration,
    interval,
    number,
    part,
    path,
    percent,
    persons,
    plural,
    ratio,
    short,
)

__all__ = ["flow", "funnel", "one_touchpoint", "sequences"]

_NAME = 60
_SPECIAL = ("(other)", "(end)")
_STEPS, _NEXT = 12, 4
_TIMES = ("time_p25", "time_p50", "time_p75")


def one_touchpoint(tables: Tables) -> bool:
    """Say whether all events are of the same touchpoint: there is then nothing to tell about their order."""
    names: set[str] = set()
    for name in ("flow", "transitions"):
        if has(tables, name):
            ends = tables[name].select(pl.col("source", "target").cast(pl.String))
            names |= set(ends["source"]) | set(ends["target"])
    return len(names - {"(end)"}) == 1


def flow(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Draw the flow over the first steps, and list the paths most taken."""
    if not has(tables, "flow") and not has(tables, "variants"):
        return None
    hide = run.get("hide_below", 10)
    title, text, pictures, shown = "", [], [], []
    if has(tables, "flow"):
        links = (
            tables["flow"]
            .with_columns(pl.col("source", "target").cast(pl.String))
            .sort(["step", "persons", "source", "target"], descending=[False, True, False, False])
        )
        title = _flow_title(links, hide)
        seen = links.filter(pl.col("persons") >= hide)
        if seen.height:
            picture = Picture(
                lambda width: _draw_flow(links, width, hide),
                "Ribbons from each touchpoint to the one that followed, as wide as the number of paths.",
                "Ribbons are as wide as the number of paths; percentages are of all paths in the first column. "
                "(other) joins smaller touchpoints; (end) means that nothing followed. "
                + (f"Ribbons of fewer than {hide} paths are left out. " if seen.height < links.height else "")
                + "At most five steps are drawn, on a narrow screen three.",
            )
            pictures.append(picture)
        columns = [
            counts("step", "step"),
            Col("source", "from"),
            Col("target", "to"),
            groups("persons", "paths", hide),
        ]
        shown.append(table("The flow, step by step", links, columns))
    if has(tables, "variants"):
        paths = tables["variants"]
        top = paths.row(0, named=True)
        share = f" ({percent(top['share'])} of all paths)" if (top["count"] or 0) >= hide else ""
        said = f"The path taken most often is {path(top['path'])}: {persons(top['count'], hide)}{share}"
        if title:
            text.append(f"{said}.")
        title = title or said
        columns = [
            Col("path", "path", path),
            counts("length", "steps"),
            groups("count", "how many", hide),
            shares("share", "of all paths", bar=True),
            shares("coverage", "together with those above"),
        ]
        safe = blank_small(paths, "count", hide, ["share", "coverage"])
        shown.append(table("Paths by how many share them", safe, columns, open=not pictures))
    return Section("paths", "Top paths", f"{title}.", tuple(text), tuple(pictures), tuple(shown))


def _draw_flow(links: pl.DataFrame, width: int, hide: int) -> str:
    wide = width == WIDE
    return draw_flow(links, width, columns=5 if wide else 3, names=7 if wide else 5, hide_below=hide).bare()


def _flow_title(links: pl.DataFrame, hide: int) -> str:
    first = links.filter(pl.col("step") == pl.col("step").min())
    whole = total(first, "persons")
    starts = first.filter(~pl.col("source").is_in(_SPECIAL)).group_by("source").agg(pl.col("persons").sum())
    starts = starts.filter(pl.col("persons") >= hide).sort(["persons", "source"], descending=[True, False])
    if not starts.height:
        return f"{capital(persons(whole, hide))} paths, no first touchpoint shared by {hide} of them"
    source, began = starts.row(0)
    title = f"{part(began, whole, 'paths', hide)} began with {short(source, _NAME)}"
    onward = first.filter(
        (pl.col("source") == source) & ~pl.col("target").is_in(_SPECIAL) & (pl.col("persons") >= hide)
    )
    if onward.height:
        target, went = onward.select("target", "persons").row(0)
        title += f"; most often {short(target, _NAME)} came next ({number(went)} of {number(began)})"
    return title


def funnel(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Say how far persons came along declared steps."""
    if not has(tables, "funnel"):
        return None
    frame = tables["funnel"].with_columns(pl.col("touchpoint").cast(pl.String)).sort("step", maintain_order=True)
    hide = run.get("hide_below", 10)
    limit = _within(run)
    first, last = frame.row(0, named=True), frame.row(-1, named=True)
    if frame.height == 1:
        title = f"{persons(first['persons'], hide)} persons did {short(first['touchpoint'], _NAME)}; no step follows"
    elif last["persons"] is None or 0 < last["persons"] < hide:
        title = (
            f"Fewer than {hide} of {persons(last['of'], hide)} who did {short(first['touchpoint'], _NAME)} came as far "
            f"as {short(last['touchpoint'], _NAME)}{limit}"
        )
    else:
        said = interval(last.get("low"), last.get("high"))
        title = (
            f"{percent(last['rate'])} of those who did {short(first['touchpoint'], _NAME)} came as far as "
            f"{short(last['touchpoint'], _NAME)}{limit} ({number(last['persons'])} of {number(last['of'])}"
            f"{f'; {said}' if said else ''})"
        )
    onward = _onward(tables, hide)
    text = []
    if frame.height > 2:
        gone = frame.with_columns(
            before=pl.col("persons").shift(1),
            lost=pl.col("persons").shift(1) - pl.col("persons"),
            earlier=pl.col("touchpoint").shift(1),
        ).slice(1)
        worst = gone.sort(["lost", "step"], descending=[True, False], nulls_last=True).row(0, named=True)
        if (worst["lost"] or 0) > 0:
            text.append(
                f"Most were lost between {short(worst['earlier'], _NAME)} and {short(worst['touchpoint'], _NAME)}: "
                f"{part(worst['lost'], worst['before'], 'persons', hide)} did not take that step."
                + _went(onward, worst["step"] - 1)
            )
    shown = blank_small(frame.head(_STEPS), "persons", hide, ["rate", "low", "high", "step_rate", *_TIMES, "persons"])
    shown = shown.with_columns(pl.lit("").alias(GROUP))
    picture = Picture(
        lambda width: draw_funnel(shown, width, [""], hidden=f"fewer than {hide}").bare(),
        f"Bars for {plural(shown.height, 'step')} of the funnel, each with the persons that came so far.",
        f"Each bar is the share of the persons at the first step who came so far{limit and f'{limit} of it'}; "
        "the thin line is its 95 % interval."
        + (f" The first {_STEPS} of {frame.height} steps." if frame.height > _STEPS else ""),
    )
    frame = with_bounds(
        blank_small(frame, "persons", hide, ["rate", "low", "high", "step_rate", *_TIMES]), "low", "high"
    )
    columns = [
        counts("step", "step"),
        Col("touchpoint", "touchpoint"),
        groups("persons", "persons", hide),
        groups("of", "of", hide),
        shares("rate", "of the first step"),
        Col("interval", "95 % interval", str, True, look="w"),
        shares("step_rate", "of the step before"),
        spans("time_p25", "time, a quarter within"),
        spans("time_p50", "half within"),
        spans("time_p75", "three quarters within"),
    ]
    shown_next = [_onward_table(onward)] if onward.height else []
    steps = table("The steps of the funnel", frame, columns)
    return Section("funnel", "Funnel", f"{title}.", tuple(text), (picture,), (*shown_next, steps))


def _onward(tables: Tables, hide: int) -> pl.DataFrame:
    """Return, for each step, what was seen next of most of those who took it and not the step after it."""
    if not has(tables, "funnel_next"):
        return pl.DataFrame()
    return (
        tables["funnel_next"]
        .with_columns(pl.col("touchpoint", "next").cast(pl.String))
        .filter(pl.col("persons") >= hide, pl.col("next") != "(other)")
        .sort(["step", "persons", "next"], descending=[False, True, False])
        .group_by("step", maintain_order=True)
        .head(_NEXT)
    )


def _went(onward: pl.DataFrame, step: int) -> str:
    """Say what was seen next of those who took a step and not the one after it."""
    rows = onward.filter(pl.col("step") == step).to_dicts() if onward.height else []
    ended = next((row for row in rows if row["next"] == "(end)"), None)
    went = next((row for row in rows if row["next"] != "(end)"), None)
    said = [f"nothing more was seen of {percent(ended['share'])} of them"] if ended else []
    said += [f"what most often came next was {short(went['next'], _NAME)} ({percent(went['share'])})"] if went else []
    return f" {capital('; '.join(said))}." if said else ""


def _onward_table(onward: pl.DataFrame) -> Table:
    # a step is named at its first row only
    first = pl.col("step") != pl.col("step").shift(1, fill_value=-1)
    left = [f"{number(count)} left" for count in onward["of"]]
    frame = onward.with_columns(pl.Series("left", left)).with_columns(
        pl.when(first).then(name).otherwise(pl.lit("")).alias(name) for name in ("touchpoint", "left")
    )
    columns = [
        Col("touchpoint", "after", lambda name: short(name, _NAME), note="left"),
        Col("next", "seen next", lambda name: "nothing more" if name == "(end)" else short(name, _NAME), look="k"),
        shares("share", "share", bar=True),
        counts("persons", "persons"),
        Col("interval", "95 % interval", str, True),
    ]
    caption = f"Where those who left went next (the {_NEXT} most frequent of each step)"
    return table(caption, with_bounds(frame, "low", "high"), columns, open=True, cap=_NEXT * _STEPS)


def _within(run: Mapping[str, Any]) -> str:
    """Return the time limit of the funnel as it is added to a sentence, or nothing."""
    given = run.get("funnel_within")
    if given is None:
        return ""
    try:
        return f" within {duration(timedelta(microseconds=to_us(given)))}"
    except ArgumentError:
        return f" within {short(given, _NAME)}"


def sequences(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """List frequent sequences and rules."""
    if not has(tables, "sequences") and not has(tables, "rules"):
        return None
    hide = run.get("hide_below", 10)
    title, text, shown = "", [], []
    if has(tables, "sequences"):
        frame = tables["sequences"].sort(["persons", "length"], descending=[True, True], maintain_order=True)
        longer = frame.filter(pl.col("length") > 1)
        top = (longer if longer.height else frame).row(0, named=True)
        steps = short(" then ".join(short(step, _NAME) for step in top["pattern"]), 160)
        share = f" ({percent(top['support'])})" if top["persons"] >= hide else ""
        title = f"{capital(persons(top['persons'], hide))} persons{share} did {steps}"
        title += ", the most frequent sequence of more than one step" if longer.height and frame.height > 1 else ""
        columns = [
            Col("pattern", "sequence", path),
            counts("length", "steps"),
            groups("persons", "persons", hide),
            shares("support", "of all persons", bar=True),
        ]
        frame = blank_small(frame, "persons", hide, ["support"])
        shown.append(table("Frequent sequences (other events may lie between)", frame, columns))
    if has(tables, "rules"):
        rules = tables["rules"].sort(["lift", "support"], descending=[True, True], maintain_order=True)
        top = rules.row(0, named=True)
        said = (
            f"Where {_set(top['antecedent'])} was seen, {_set(top['consequent'])} was seen too "
            f"in {percent(top['confidence'])} of cases, "
            f"{ratio(top['lift'])} times as often as overall"
        )
        if title:
            text.append(f"{said}.")
        title = title or said
        columns = [
            Col("antecedent", "where this is seen", _set),
            Col("consequent", "this is seen too", _set),
            shares("confidence", "in", bar=True),
            Col("lift", "times as often as overall", ratio, True),
            shares("support", "both, of all"),
        ]
        shown.append(table("Touchpoints seen together", rules, columns))
    return Section("sequences", "Frequent sequences", f"{title}.", tuple(text), (), tuple(shown))


def _set(items: list[str]) -> str:
    return short(" and ".join(clean(item) for item in items), 120)
