"""The section on how long customers stay: survival curves, and who is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from cjm.plot._survival import draw_curves
from cjm.report._charts import Picture
from cjm.report._section import Col, Section, Table, Tables, groups, has, shares, table
from cjm.report._text import (
    INTERVAL,
    NBSP,
    NONE,
    PER_CENT,
    clean,
    duration,
    interval,
    p_compared,
    percent,
    plural,
    short,
)

__all__ = ["ends_where", "floor_of", "least", "round_days", "state_at", "survival"]

_NAME = 60
_LEAST = 0.05
_ROUNDS = (1, 2, 3, 5, 7, 14, 21, 30, 45, 60, 90, 120, 150, 180, 240, 300, 365, 450, 540, 730, 1095, 1460)


def survival(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Draw the survival curves, and say who is in them."""
    if not has(tables, "curves"):
        return None
    hide = run.get("hide_below", 10)
    gap = float(run.get("gap_days") or 0)
    frame = (
        tables["curves"]
        .with_columns(pl.col("group").cast(pl.String).fill_null("all"))
        .sort(["group", "time"], maintain_order=True)
        .with_columns(pl.col("lower", "upper").fill_nan(None), least=least(hide))
    )
    seen = frame.filter(pl.col("at_risk") >= pl.col("least"))
    by_group = (
        frame.group_by("group")
        .agg(pl.col("at_risk").max().alias("persons"), pl.col("events").sum(), pl.col("time").max())
        .sort(["persons", "group"], descending=[True, False])
    )
    shown = [name for name in by_group["group"] if name in set(seen["group"])][:6]
    if not shown:
        said = f"Every group has fewer than {hide} persons at risk, so no curve is drawn"
        return Section("survival", "Survival curves", f"{said}.", (), (), _audit(tables, hide), telling=False)
    followed = seen.filter(pl.col("group").is_in(shown)).group_by("group").agg(pl.col("time").max())["time"]
    marks = round_days(gap, min(followed.to_list()))
    at = marks[-1]
    there = [(name, state_at(frame, name, at)) for name in shown]
    there.sort(key=lambda item: -item[1]["survival"])
    title = f"After {duration(at)}, {_still(*there[0], first=True)}"
    if len(there) > 1:
        title += f", {_still(*there[-1], first=False)}"
    text = []
    if "logrank_p" in frame.columns and frame["logrank_p"].drop_nulls().len():
        p = p_compared(frame["logrank_p"].drop_nulls()[0])
        text.append(f"Log-rank test over {plural(by_group.height, 'group')}: {p}.")
    low = floor_of(seen.filter(pl.col("group").is_in(shown)))
    parts = [seen.filter(pl.col("group") == name) for name in shown]
    names = [clean(name) if len(shown) > 1 or name != "all" else "" for name in shown]
    caption = (
        "Share still customers by days since the start, and below it how many were at risk. Kaplan-Meier curves with "
        f"95 % bands. {ends_where(hide)}"
    )
    if gap:
        caption += f" Leaving shows as a silence of {duration(gap)}, so nobody can leave before that."
    caption += f" The vertical axis starts at {percent(low)}." if low > 0 else ""
    caption += f" The {len(shown)} largest of {by_group.height} groups." if by_group.height > len(shown) else ""
    summary = by_group.with_columns(
        *(
            pl.Series(f"at {index}", [_cell(state_at(frame, name, mark)) for name in by_group["group"]], pl.String)
            for index, mark in enumerate(marks)
        )
    )
    columns = [
        Col("group", "group", lambda name: short(name, 40), look="k"),
        groups("persons", "most at risk", hide),
        groups("events", "left", hide),
        *(Col(f"at {index}", f"after {duration(mark)}", str, True, look="w") for index, mark in enumerate(marks)),
    ]
    picture = Picture(
        lambda width: draw_curves(parts, names, width, low).bare(),
        f"Falling step curves for {plural(len(shown), 'group')}.",
        caption,
    )
    shown_tables = (table("Still customers, with 95 % intervals", summary, columns, open=True), *_audit(tables, hide))
    return Section("survival", "Survival curves", f"{title}.", tuple(text), (picture,), shown_tables)


def _audit(tables: Tables, hide: int) -> tuple[Table, ...]:
    if not has(tables, "audit"):
        return ()
    columns = [
        Col("measure", "measure"),
        groups("count", "count", hide),
        shares("share", "share"),
        Col("meaning", "what it means"),
    ]
    return (table("Who is in the survival analysis", tables["audit"], columns),)


def _still(name: str, row: Mapping[str, Any], *, first: bool) -> str:
    said = interval(row["lower"], row["upper"])
    if not first:
        return f"{percent(row['survival'])} of {_who(name)}{f' ({said.removeprefix(INTERVAL)})' if said else ''}"
    return f"{percent(row['survival'])} of {_who(name)} were still customers{f' ({said})' if said else ''}"


def _who(name: str) -> str:
    """Say whom a group holds: its label is a plain value, or ``premium: true`` where the value alone says nothing."""
    if name == "all":
        return "all"
    return f"those with {short(name, _NAME)}" if ": " in name else f"group {short(name, _NAME)}"


def _cell(row: Mapping[str, Any]) -> str:
    """Return a share and its interval; each stays on one line."""
    if row["at_risk"] < row["least"]:
        return NONE
    said = interval(row["lower"], row["upper"]).removeprefix(INTERVAL).removesuffix(PER_CENT)
    return f"{percent(row['survival'])} ({said.replace(' ', NBSP)})" if said else percent(row["survival"])


def round_days(gap: float, longest: float) -> list[float]:
    """Return up to three round numbers of days after ``gap`` and within ``longest``."""
    rounds = [float(mark) for mark in _ROUNDS if gap < mark <= longest] or [float(longest)]
    wanted = [gap + (longest - gap) * part for part in (0.25, 0.5, 1)]
    return sorted({max((mark for mark in rounds if mark <= limit), default=rounds[0]) for limit in wanted})


def state_at(frame: pl.DataFrame, group: str, time: float) -> dict[str, Any]:
    """Return the state of a curve at a time: its last row up to then, or the start."""
    rows = frame.filter(pl.col("group") == group)
    upto = rows.filter(pl.col("time") <= time)
    if upto.height:
        state = upto.row(-1, named=True)
        later = rows.filter(pl.col("time") > time)
        state["at_risk"] = (
            later["at_risk"][0]
            if later.height and state["time"] < time
            else state["at_risk"]
            if state["time"] == time
            else 0
        )
        return state
    return {"survival": 1.0, "lower": None, "upper": None, "at_risk": rows["at_risk"][0], "least": rows["least"][0]}


def least(hide: int, *keys: str) -> pl.Expr:
    """Return how many at risk a curve needs: beyond a handful it is noise, and a step of it is a person."""
    return pl.max_horizontal(pl.lit(hide), _LEAST * pl.col("at_risk").max().over(*keys, "group"))


def ends_where(hide: int) -> str:
    """Say where curves end."""
    share = percent(_LEAST).replace(".0", "")
    return f"A curve ends where fewer than {hide}, or fewer than {share} of the most that its group had, are at risk."


def floor_of(rows: pl.DataFrame) -> float:
    """Start the axis at zero, or just below the lowest band where all curves stay high."""
    lowest = rows.select(pl.min_horizontal("survival", "lower").min()).item()
    return 0.0 if lowest is None or lowest < 0.6 else max(0.0, int(lowest * 20 - 1e-9) / 20 - 0.05)
