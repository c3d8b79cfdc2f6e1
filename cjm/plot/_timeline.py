"""Events and persons over time: a panel a channel, each on its own scale from zero."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

import polars as pl

from cjm.plot._axes import count_ticks, period_name, tick_label, time_ticks
from cjm.plot._frames import COUNT, GROUP, HIDDEN, NO_ROWS, WHEN, measured
from cjm.plot._picture import WIDTH, Picture, finished, inner_width
from cjm.plot._svg import COLOURS, GRID, INK, QUIET, Drawing, line, message, name_text, rect, tag, text, tip
from cjm.plot._words import day, number, plural, text_width

__all__ = ["OTHER", "Curve", "Panel", "draw_panels", "is_in_panel", "largest", "local", "points_of", "timeline"]

OTHER = "(other)"
_PANELS, _HOVERED, _KEY = 8, 120, 22
_AXIS, _BETWEEN, _HEAD, _BODY, _FOOT = 40, 26, 40, 84, 26
Point = tuple[datetime, int | None]


@dataclass(frozen=True)
class Curve:
    """One line of a panel: a figure a period, None where it is hidden."""

    name: str
    points: Sequence[Point]
    colour: str
    filled: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """A name with its figures in words, and the lines below them."""

    name: str
    figures: str
    curves: Sequence[Curve]


def timeline(frame: pl.DataFrame, *, width: int = WIDTH) -> Picture:
    """Draw events and persons over time, a panel a channel or other group.

    Parameters
    ----------
    frame : polars.DataFrame
        What :func:`cjm.timeline` returns, by channel or by anything else.
    width : int
        Width in pixels.

    Returns
    -------
    Picture
        A panel a group, each on its own scale from zero, events as an area and persons as a dashed line. A period
        without a row counts as zero. A masked figure leaves a gap. Of more than eight groups, the smallest are put
        together.

    Raises
    ------
    ArgumentError
        If the frame lacks a column.

    Examples
    --------
    >>> import polars as pl
    >>> from datetime import datetime
    >>> from cjm import plot
    >>> frame = pl.DataFrame({"period": [datetime(2025, 1, 6), datetime(2025, 1, 13)], "channel": ["web", "web"],
    ...                       "events": [40, 60], "persons": [10, 12]})
    >>> plot.timeline(frame).title
    'Events and persons a week by channel'
    """
    room = inner_width(width)
    columns = {"period": WHEN, "events": COUNT, "persons": COUNT}
    found = measured(frame, "timeline", columns, ["period"], groups=True)
    rows = found.frame.drop_nulls("period")
    by = f" by {found.by}" if found.by else ""
    if not rows.height:
        return finished(message(NO_ROWS, room), f"Events and persons{by}", NO_ROWS)
    periods = sorted({local(value) for value in rows["period"]})
    unit = period_name(periods)
    names = largest(rows, GROUP, _PANELS)
    panels = [_panel(rows, name, names, colour, periods) for name, colour in zip(names, COLOURS, strict=False)]
    drawing = draw_panels(panels, room)
    about = f"{day(periods[0])} to {day(periods[-1])}" if len(periods) > 1 else day(periods[0])
    scales = ", each panel on its own scale from zero" if len(panels) > 1 else ""
    said = f"Events and persons a {unit}, {about}{scales}."
    notes = [f"{said} The first and the last {unit} may be cut by the ends of the data."]
    together = len(found.groups) - len(names) + 1
    if together > 1:
        notes.append(f"{OTHER}: the {together} smallest groups together, without persons.")
    masked = rows["events"].null_count() + rows["persons"].null_count()
    if masked:
        notes.append(f"{plural(masked, 'figure')} {HIDDEN}: too few persons. The lines have gaps there.")
    marks = [*_key(), tag("g", *drawing.marks, transform=f"translate(0 {_KEY})")]
    whole = Drawing(drawing.width, drawing.height + _KEY, marks, notes)
    description = f"{plural(len(panels), 'panel')}; most events: {panels[0].name}, {panels[0].figures}."
    return finished(whole, f"Events and persons a {unit}{by}", description)


def _panel(rows: pl.DataFrame, name: str, names: list[str], colour: str, periods: list[datetime]) -> Panel:
    """Return the lines of a group; persons of several groups together are not known."""
    one = rows.filter(is_in_panel(GROUP, name, names))
    curves = [Curve("events", points_of(one, "events", periods), colour, filled=True)]
    if one[GROUP].n_unique() == 1:
        curves.append(Curve("persons", points_of(one, "persons", periods), colour, dashed=True))
    return Panel(name or "all", plural(int(one["events"].sum()), "event"), curves)


def largest(rows: pl.DataFrame, column: str, most: int) -> list[str]:
    """Return the names with most ``events``; of more than ``most``, the last place is that of all others."""
    sums = rows.group_by(column).agg(pl.col("events").sum()).sort(["events", column], descending=[True, False])
    names: list[str] = sums[column].to_list()
    return names if len(names) <= most else [*names[: most - 1], OTHER]


def is_in_panel(column: str, name: str, names: Sequence[str]) -> pl.Expr:
    """Say which rows belong to a panel: those of its name, and those of no panel to the last one."""
    own = pl.col(column) == name
    return own | pl.col(column).is_in(names).not_() if name == OTHER else own


def points_of(rows: pl.DataFrame, column: str, periods: Sequence[datetime]) -> list[Point]:
    """Return the figure of each period: the sum of its rows, zero without a row, None if one of them is hidden."""
    figures: dict[datetime, int | None] = dict.fromkeys(periods, 0)
    for when, count in rows.select("period", column).iter_rows():
        before = figures[local(when)]
        figures[local(when)] = None if count is None or before is None else before + count
    return _over_holes(list(figures.items()))


def _over_holes(points: list[Point]) -> list[Point]:
    """Bring the line down to zero where periods are missing in every channel."""
    steps = sorted(later - earlier for (earlier, _), (later, _) in itertools.pairwise(points))
    if not steps:
        return points
    step, whole = steps[len(steps) // 2], []
    for point, (following, _) in zip(points, [*points[1:], (points[-1][0], None)], strict=True):
        whole.append(point)
        if following - point[0] > 1.6 * step:
            whole += [(point[0] + step, 0), (following - step, 0)]
    return whole


def local(when: Any) -> datetime:
    """Return the reading of the clock where the period begins."""
    return when.replace(tzinfo=None) if isinstance(when, datetime) else datetime.combine(when, time())


def _key() -> list[str]:
    return [
        line(0, 8, 20, 8, INK, stroke_width="2"),
        text(26, 12, "events", size=11.5, fill=QUIET),
        line(82, 8, 102, 8, INK, stroke_width="2", stroke_dasharray="3 3"),
        text(108, 12, "persons", size=11.5, fill=QUIET),
    ]


def draw_panels(panels: Sequence[Panel], width: float) -> Drawing:
    """Draw the panels in two columns where there is room; their time axes are the same."""
    across = 2 if width >= 600 and len(panels) > 1 else 1
    inner = (width - (across - 1) * _BETWEEN) / across
    tall = _HEAD + _BODY + _FOOT
    times = [when for panel in panels for curve in panel.curves for when, _ in curve.points]
    low, high = min(times), max(times)
    marks = [
        tag(
            "g",
            *_drawn(panel, inner, low, high),
            transform=f"translate({index % across * (inner + _BETWEEN):.1f} {index // across * (tall + 10)})",
        )
        for index, panel in enumerate(panels)
    ]
    return Drawing(width, -(-len(panels) // across) * (tall + 10) - 10, marks)


def _drawn(panel: Panel, width: float, low: datetime, high: datetime) -> list[str]:
    span = max((high - low) / timedelta(seconds=1), 1e-6)
    plane = width - _AXIS - 8
    top = max([count for curve in panel.curves for _, count in curve.points if count is not None] + [1])
    ground = _HEAD + _BODY

    def x_of(when: datetime) -> float:
        return _AXIS + plane * ((when - low) / timedelta(seconds=1) / span if high > low else 0.5)

    def y_of(count: float) -> float:
        return ground - _BODY * count / top

    marks = [name_text(0, 12, panel.name, width), text(0, 27, panel.figures, size=11.5, fill=QUIET)]
    for tick in [0, *count_ticks(top, 4)]:
        marks.append(line(_AXIS, y_of(tick), width - 8, y_of(tick), GRID if tick else "#c3c9ce"))
        marks.append(text(_AXIS - 6, y_of(tick) + 4, tick_label(tick, top), size=11, fill=QUIET, anchor="end"))
    clock = any(when.time() != time() for curve in panel.curves for when, _ in curve.points)
    for when, label in time_ticks(low, high, max(2, int(plane / 66)), clock=clock):
        x, half = x_of(when), text_width(label, 11) / 2
        marks.append(line(x, ground, x, ground + 4, "#c3c9ce"))
        marks.append(text(min(max(x, half), width - half), ground + 17, label, size=11, fill=QUIET, anchor="middle"))
    for curve in panel.curves:
        marks += _line_of(curve, x_of, y_of, ground)
    return marks + _hovers(panel, x_of, plane)


def _line_of(curve: Curve, x_of: Any, y_of: Any, ground: float) -> list[str]:
    runs: list[list[tuple[float, float]]] = [[]]
    for when, count in curve.points:
        if count is None:
            runs.append([])
        else:
            runs[-1].append((x_of(when), y_of(count)))
    marks = []
    for run in filter(None, runs):
        path = "L".join(f"{x:.1f},{y:.1f}" for x, y in run)
        if curve.filled and len(run) > 1:
            area = f"M{run[0][0]:.1f},{ground}L{path}L{run[-1][0]:.1f},{ground}Z"
            marks.append(tag("path", d=area, fill=curve.colour, fill_opacity="0.14"))
        if len(run) > 1:
            dash = "3 3" if curve.dashed else None
            look: dict[str, str | None] = {"stroke_width": "1.8", "stroke_linejoin": "round", "stroke_dasharray": dash}
            marks.append(tag("path", d=f"M{path}", fill="none", stroke=curve.colour, **look))
        else:
            shade = "#fff" if curve.dashed else curve.colour
            marks.append(tag("circle", cx=run[0][0], cy=run[0][1], r=3, fill=shade, stroke=curve.colour))
    return marks


def _hovers(panel: Panel, x_of: Any, plane: float) -> list[str]:
    """Return one unseen mark a period, with its figures for the pointer."""
    figures: dict[datetime, list[str]] = {}
    for curve in panel.curves:
        for when, count in curve.points:
            figures.setdefault(when, []).append(f"{curve.name}: {HIDDEN if count is None else number(count)}")
    if len(figures) > _HOVERED:
        return []
    half = plane / max(len(figures) - 1, 1) / 2
    marks = []
    for when, said in sorted(figures.items()):
        left, right = max(x_of(when) - half, _AXIS), min(x_of(when) + half, _AXIS + plane)
        words = f"{day(when, hour=when.time() != time())} · {', '.join(said)}"
        marks.append(rect(left, _HEAD, right - left, _BODY, "#fff", tip(words), fill_opacity="0"))
    return marks
