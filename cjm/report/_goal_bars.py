"""The picture of how journeys towards goals ended: a bar a goal, divided by state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cjm.plot._svg import COLOURS, GREY, INK, PALE, QUIET, Drawing, name_text, rect, text, tip
from cjm.plot._words import known_as, number, percent, plural, text_width
from cjm.report._charts import WIDE

__all__ = ["STATES", "draw_goals"]

# Told apart by lightness alone, too: from dark to nearly white.
STATES = {"reached": COLOURS[0], "abandoned": "#cf7a45", "timed out": "#efc4a3", "open": PALE}
_TALL, _APART = 20, 46


def draw_goals(rows: Sequence[Mapping[str, Any]], width: float) -> Drawing:
    """Draw a bar a row: ``goal``, ``journeys``, ``rate``, and for each state its count, null if hidden."""
    marks, x = [], 0.0
    for state in STATES:
        if not any(row[state] for row in rows):
            continue
        marks += [_box(x, 2, 12, 12, state), text(x + 17, 12, state, size=11.5, fill=QUIET)]
        x += 17 + text_width(state, 11.5) + 16
    y = 36.0
    for row in rows:
        figures = plural(row["journeys"], "journey")
        if width >= WIDE and row["rate"] is not None:
            figures += f"; of those over, {percent(row['rate'])} reached it"
        room = width - text_width(figures, 12) - 14
        marks.append(name_text(0, y, known_as(row["goal"]), room, size=12.5))
        marks.append(text(width, y, figures, size=12, fill=QUIET, anchor="end"))
        marks += _bar(row, y + 6, width)
        y += _APART
    return Drawing(width, y - _APART + 6 + _TALL + 2, marks)


def _bar(row: Mapping[str, Any], y: float, width: float) -> list[str]:
    marks, done = [], 0
    scale = width / row["journeys"]
    # what is hidden is left blank, all of it at the end
    for state in STATES:
        count = row[state]
        if not count:
            continue
        x, wide = scale * done, scale * count
        share = percent(count / row["journeys"])
        said = f"{known_as(row['goal'])}, {state}: {number(count)} of {number(row['journeys'])} ({share})"
        marks.append(_box(x, y, max(wide - 1.5, 0.75), _TALL, state, tip(said)))
        if text_width(share, 11.5) + 10 <= wide:
            fill = "#fff" if state == "reached" else INK
            marks.append(text(x + 6, y + 14.5, share, size=11.5, fill=fill))
        done += count
    return marks


def _box(x: float, y: float, width: float, height: float, state: str, *inner: str) -> str:
    # an edge keeps the palest one visible on white
    edge = {"stroke": GREY, "stroke_width": "0.6"} if state == "open" else {}
    return rect(x, y, width, height, STATES[state], *inner, rx="1.5", **edge)
