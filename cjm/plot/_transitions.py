"""The transition graph: touchpoints as boxes, what follows what as arrows, read from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from cjm.errors import ArgumentError
from cjm.plot._arrows import Arrow, Box, draw_graph
from cjm.plot._frames import COUNT, HIDDEN, NAME, NO_ROWS, SHARE, SPAN, measured
from cjm.plot._heat import share_text
from cjm.plot._picture import WIDTH, Picture, finished, inner_width
from cjm.plot._svg import Drawing, channel_of, message, touchpoint_colours
from cjm.plot._words import brief, duration, known_as, number, percent, plural

__all__ = ["draw_transitions", "heaviest", "key_of", "transitions"]

_TOP, _MOST = 24, 200
# What an arrow is labelled with: the first of these that the frame has.
_TIMES = {
    "time_p50": "the time within which half of the steps were taken",
    "time_mean": "the mean time",
    "time_p25": "the time within which a quarter of the steps were taken",
    "time_p75": "the time within which three quarters of the steps were taken",
}


def transitions(frame: pl.DataFrame, *, top: int = _TOP, width: int = WIDTH) -> Picture:
    r"""Draw what follows what as a graph.

    Parameters
    ----------
    frame : polars.DataFrame
        What :func:`cjm.transitions` returns.
    top : int
        Arrows to draw, at most 200: those with the highest counts. A note says which share of all transitions they
        are.
    width : int
        Width in pixels.

    Returns
    -------
    Picture
        Boxes are touchpoints, coloured by channel; an arrow is as wide as its count, labelled with its share of all
        that followed the same source, and the time if the frame has one. Boxes stand so that most arrows lead from
        left to right: by trophic levels of the counts [1]_.

    Raises
    ------
    ArgumentError
        If the frame lacks a column or holds several groups, or ``top`` is not from 1 to 200.

    References
    ----------
    .. [1] MacKay, Johnson and Sansom (2020), How directed is a directed network?, Royal Society Open Science 7.

    Examples
    --------
    >>> import polars as pl
    >>> from cjm import plot
    >>> frame = pl.DataFrame({"source": ["web:home", "web:home"], "target": ["web:cart", "web:help"],
    ...                       "count": [30, 10], "share": [0.75, 0.25]})
    >>> plot.transitions(frame, top=1).description
    'An arrow from each of 1 touchpoint to what followed; 1 of 2 arrows, 75.0\xa0% of 40 transitions.'
    """
    if not isinstance(top, int) or isinstance(top, bool) or not 1 <= top <= _MOST:
        raise ArgumentError.at(f"must be a whole number from 1 to {_MOST}, not {top!r}", where="top=")
    room = inner_width(width)
    columns = {"source": NAME, "target": NAME, "count": COUNT}
    optional = {"share": SHARE, "persons": COUNT, **dict.fromkeys(_TIMES, SPAN)}
    found = measured(frame, "transitions", columns, ["source", "target"], optional=optional)
    rows, group, title = found.frame, found.groups[0], "What follows what"
    known = rows.filter(pl.col("count") > 0)
    if not known.height:
        why = NO_ROWS if not rows.height else "All figures are hidden: too few persons."
        return finished(message(why, room), title, why, group=group)
    shown = heaviest(known, top)
    drawing = draw_transitions(known, room, top=top)
    whole, part = int(known["count"].sum()), int(shown["count"].sum())
    covered = f"{number(shown.height)} of {plural(known.height, 'arrow')}, "
    covered += f"{percent(part / whole)} of {plural(whole, 'transition')}"
    notes = [f"{covered}. {key_of(shown)}"]
    if shown.height < known.height:
        notes.append(f"Each of the other arrows stands for {number(shown['count'][-1])} transitions or fewer.")
    masked = rows["count"].null_count()
    if masked:
        notes.append(f"{plural(masked, 'arrow')} {HIDDEN}: too few persons.")
    description = (
        f"An arrow from each of {plural(shown['source'].n_unique(), 'touchpoint')} to what followed; {covered}."
    )
    return finished(Drawing(drawing.width, drawing.height, drawing.marks, notes), title, description, group=group)


def heaviest(rows: pl.DataFrame, top: int) -> pl.DataFrame:
    """Return the rows that are drawn."""
    return rows.sort(["count", "source", "target"], descending=[True, False, False]).head(top)


def key_of(rows: pl.DataFrame) -> str:
    """Say how to read width and labels of the arrows."""
    time = _time_of(rows)
    labels = ["the share of what followed the source"] if "share" in rows.columns else []
    labels += [_TIMES[time]] if time else []
    return "Arrows are as wide as their count" + (f"; labels: {', and '.join(labels)}." if labels else ".")


def _time_of(rows: pl.DataFrame) -> str | None:
    return next((name for name in _TIMES if name in rows.columns and rows[name].null_count() < rows.height), None)


def draw_transitions(rows: pl.DataFrame, width: float, *, top: int) -> Drawing:
    """Draw the heaviest rows of ``source, target, count`` and, if there, ``share`` and times.

    Channels have the same colours whatever ``top`` is.
    """
    time = _time_of(rows)
    arrows = [
        Arrow(row["source"], row["target"], row["count"], _label(row, time), _said(row, time))
        for row in heaviest(rows, top).iter_rows(named=True)
    ]
    names = list(dict.fromkeys(name for arrow in arrows for name in (arrow.source, arrow.target)))
    ordered = heaviest(rows, rows.height)
    ends = pl.concat([ordered["source"].to_frame("name"), ordered["target"].to_frame("name")])
    colours = touchpoint_colours(channel_of(name) for name in ends["name"].unique(maintain_order=True))
    return draw_graph([Box(name, _about(name, arrows)) for name in names], arrows, width, colours)


def _label(row: dict[str, Any], time: str | None) -> list[str]:
    parts = [] if row.get("share") is None else [f"{share_text(row['share'])} %"]
    if time and isinstance(row[time], timedelta):
        parts.append(brief(row[time]))
    return parts


def _said(row: dict[str, Any], time: str | None) -> str:
    said = f"{known_as(row['source'])} → {known_as(row['target'])}: {plural(row['count'], 'time')}"
    if row.get("share") is not None:
        said += f", {percent(row['share'])} of what followed"
    if row.get("persons") is not None:
        said += f", {plural(row['persons'], 'person')}"
    if time and isinstance(row[time], timedelta):
        said += f", {_TIMES[time]}: {duration(row[time])}"
    return said


def _about(name: str, arrows: Sequence[Arrow]) -> str:
    came = sum(arrow.count for arrow in arrows if arrow.target == name)
    went = sum(arrow.count for arrow in arrows if arrow.source == name)
    return f"{known_as(name)}: arrows shown bring {number(came)} and take {number(went)}"
