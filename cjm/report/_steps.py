"""Sections on single steps: what follows what, and where paths are at each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from cjm.plot._step_matrix import draw_step_matrix
from cjm.plot._transitions import draw_transitions, heaviest, key_of
from cjm.report._charts import WIDE, Picture
from cjm.report._section import Col, Section, Tables, blank_small, counts, groups, has, shares, spans, table, total
from cjm.report._text import number, part, percent, plural, short

__all__ = ["step_matrix", "transitions"]

_NAME = 60
_ENDS = ("(start)", "(end)")
_ARROWS, _ARROWS_NARROW = 24, 12
_STEPS_NARROW = 6
_TIMES = ("time_p25", "time_p50", "time_p75", "time_mean")


def transitions(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Draw and list what follows what."""
    if not has(tables, "transitions"):
        return None
    hide = run.get("hide_below", 10)
    frame = (
        tables["transitions"]
        .with_columns(pl.col("source", "target").cast(pl.String))
        .sort(["count", "source", "target"], descending=[True, False, False], nulls_last=True)
    )
    top = frame.row(0, named=True)
    known = (top.get("persons", hide) or 0) >= hide and top["count"] is not None
    whole = total(frame, "count")
    if "persons" in frame.columns:
        frame = blank_small(frame, "persons", hide, ["count", "share", *_TIMES])
    title = f"The step taken most often leads from {short(top['source'], _NAME)} to {short(top['target'], _NAME)}"
    if known:
        title += f": {number(top['count'])} times"
    if known and top.get("share") is not None:
        title += f", {percent(top['share'])} of all that followed {short(top['source'], _NAME)}"
    columns = [
        Col("source", "from"),
        Col("target", "to"),
        counts("count", "times", bar=True),
        shares("share", "of what followed"),
        groups("persons", "persons", hide),
        spans("time_p25", "time, a quarter within"),
        spans("time_p50", "half within"),
        spans("time_p75", "three quarters within"),
        spans("time_mean", "on average"),
    ]
    return Section(
        "transitions",
        "What follows what",
        f"{title}.",
        (),
        _graph(frame.filter(pl.col("count") > 0), frame.height, whole),
        (table("Steps from one touchpoint to the next", frame, columns),),
    )


def _graph(known: pl.DataFrame, of: int, whole: int) -> tuple[Picture, ...]:
    """Draw the steps taken most often, where at least two can be drawn."""
    if known.height < 2:
        return ()
    shown = heaviest(known, _ARROWS)
    caption = (
        f"{key_of(shown)} The {shown.height} steps taken most often of {number(of)}, "
        f"{percent(total(shown, 'count') / max(whole, 1))} of all; on a narrow screen, "
        f"{min(shown.height, _ARROWS_NARROW)}."
    )
    picture = Picture(
        lambda width: draw_transitions(known, width, top=_ARROWS if width == WIDE else _ARROWS_NARROW).bare(),
        f"Boxes joined by {plural(shown.height, 'arrow')}, from each touchpoint to those that followed.",
        caption,
    )
    return (picture,)


def step_matrix(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Draw and list where paths are at each step."""
    if not has(tables, "step_matrix"):
        return None
    hide = run.get("hide_below", 10)
    frame = tables["step_matrix"].with_columns(pl.col("touchpoint").cast(pl.String))
    frame = frame.sort(["step", "persons", "touchpoint"], descending=[False, True, False], nulls_last=True)
    drawn, frame = frame, blank_small(frame, "persons", hide, ["share"])
    aligned = frame.filter(pl.col("step") == 0)
    there = frame.filter((pl.col("step") == 1) & ~pl.col("touchpoint").is_in(_ENDS)).drop_nulls("share")
    after = f"One step after {short(aligned['touchpoint'][0], _NAME)}" if aligned.height else "At step 1"
    if there.height:
        top = there.row(0, named=True)
        said = part(top["persons"], top["of"], "paths", hide)
        title = f"{after}, {said} were at {short(top['touchpoint'], _NAME)}, more than anywhere else"
    else:
        title = f"{after}, no touchpoint was shared by {hide} paths"
    columns = [
        counts("step", "step"),
        Col("touchpoint", "touchpoint"),
        groups("persons", "paths", hide),
        groups("of", "of", hide),
        shares("share", "share", bar=True),
    ]
    caption = f"Per cent of paths at each step; darker is more; hidden: fewer than {hide}. (end): the path is over."
    if aligned.height:
        caption += " Step 0, framed, is where the paths were aligned."
    caption += f" On a narrow screen, {_STEPS_NARROW} steps." if frame["step"].n_unique() > _STEPS_NARROW else ""
    picture = Picture(
        lambda width: draw_step_matrix(drawn if width == WIDE else _nearest(drawn), width, hide_below=hide).bare(),
        f"A square for each of {plural(frame['touchpoint'].n_unique(), 'touchpoint')} and each step.",
        caption,
    )
    shown = (table("Where paths are at each step", frame, columns),)
    return Section("steps", "Step by step", f"{title}.", (), (picture,), shown)


def _nearest(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the first steps, or those around step 0."""
    steps: list[int] = frame["step"].unique().to_list()
    near = sorted(steps, key=lambda step: (abs(step), step))[:_STEPS_NARROW]
    return frame.filter(pl.col("step").is_in(near))
