"""The marks that pictures are made of, written as SVG: every text and attribute is escaped here and nowhere else."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from cjm.plot._words import fit, text_width

__all__ = [
    "COLOURS",
    "FONT",
    "GREY",
    "GRID",
    "INK",
    "PALE",
    "QUIET",
    "SPECIAL",
    "Drawing",
    "channel_of",
    "line",
    "message",
    "mixed",
    "name_text",
    "palette",
    "rect",
    "svg",
    "tag",
    "text",
    "tip",
    "touchpoint_colours",
    "wrapped",
]

# Dark enough on white to be read as text; neighbours differ in lightness too, for the colour-blind.
COLOURS = ("#1f5f8b", "#c4561b", "#007f73", "#a65fab", "#5f4700", "#2f3380", "#b03a5b", "#47727a")
GREY, INK, QUIET, GRID, PALE = "#8b9299", "#22282e", "#5b646d", "#e6e9ec", "#eef1f3"
# The fonts of the picture are measured when it is drawn: Liberation Sans has the measures of Arial and Helvetica.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
# What stands in the place of a touchpoint.
SPECIAL = ("(start)", "(other)", "(end)")
_SIGNS = "…→↵\ufffd"  # what cleaning and cutting put into names


@dataclass(frozen=True)
class Drawing:
    """Marks on a plane of this size, and sentences to stand below them."""

    width: float
    height: float
    marks: Sequence[str]
    notes: Sequence[str] = ()

    def bare(self) -> str:
        """Return the marks alone, for a page that has words of its own around them."""
        return svg(self.width, self.height, *self.marks)


def svg(width: float, height: float, *marks: str, **attributes: str) -> str:
    """Return a whole picture."""
    return tag(
        "svg",
        *marks,
        xmlns="http://www.w3.org/2000/svg",
        width=width,
        height=height,
        viewBox=f"0 0 {_form(width)} {_form(height)}",
        font_family=FONT,
        **attributes,
    )


def tag(name: str, *inner: str, **attributes: str | float | None) -> str:
    """Return an element; ``_`` in the name of an attribute becomes ``-``, and one that is None is left out."""
    said = "".join(
        f' {key.replace("_", "-")}="{escape(_form(value))}"' for key, value in attributes.items() if value is not None
    )
    return f"<{name}{said}>{''.join(inner)}</{name}>" if inner else f"<{name}{said}/>"


def _form(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: float = 12,
    fill: str = INK,
    anchor: str | None = None,
    weight: str | None = None,
    halo: bool = False,
) -> str:
    """Return a line of text at its base line; with ``halo`` it can be read on top of other marks."""
    around = {"paint_order": "stroke", "stroke": "#fff", "stroke_width": "3", "stroke_linejoin": "round"}
    return tag(
        "text",
        escape(words),
        x=x,
        y=y,
        font_size=size,
        fill=fill,
        text_anchor=anchor,
        font_weight=weight,
        **(around if halo else {}),
    )


def name_text(
    x: float, y: float, name: str, room: float, *, size: float = 12, fill: str = INK, halo: bool = False
) -> str:
    """Return a cleaned name from the data, cut to its room.

    Letters of which neither width nor height can be foreseen (wide signs, piled accents) are drawn in a frame that
    cuts what goes beyond it.
    """
    shown = fit(name, room, size)
    if all(_foreseen(char) for char in shown):
        return text(x, y, shown, size=size, fill=fill, halo=halo)
    inner = text(0, size, shown, size=size, fill=fill, halo=halo)
    return tag("svg", inner, x=x, y=y - size, width=max(room, 1), height=1.4 * size, overflow="hidden")


def _foreseen(char: str) -> bool:
    return (char < "\u0530" and unicodedata.category(char)[0] != "M") or char in _SIGNS


def rect(x: float, y: float, width: float, height: float, fill: str, *inner: str, **more: str | float | None) -> str:
    """Return a rectangle; ``inner`` is its :func:`tip`, if any."""
    return tag("rect", *inner, x=x, y=y, width=width, height=height, fill=fill, **more)


def line(x1: float, y1: float, x2: float, y2: float, stroke: str, **more: str | float | None) -> str:
    """Return a straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=stroke, **more)


def tip(words: str) -> str:
    """Return what is shown while the pointer rests on a mark, and read out in its place."""
    return tag("title", escape(words))


def wrapped(words: str, room: float, size: float) -> list[str]:
    """Break text into lines of at most ``room`` pixels; a word that is longer is cut."""
    lines: list[str] = []
    for word in words.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(fit(word, room, size))
    return lines


def message(words: str, width: float) -> Drawing:
    """Return a picture that says why there is nothing to draw."""
    lines = wrapped(words, width, 13)
    return Drawing(
        width,
        18 * len(lines) + 8,
        [text(0, 18 * row + 15, said, size=13, fill=QUIET) for row, said in enumerate(lines)],
    )


def mixed(share: float, *stops: str) -> str:
    """Return the colour at ``share`` (0 to 1) of the way along the stops.

    Examples
    --------
    >>> mixed(0.5, "#000000", "#ffffff"), mixed(0.75, "#000000", "#000000", "#ff0000")
    ('#808080', '#800000')
    """
    place = min(max(share, 0.0), 1.0) * (len(stops) - 1)
    low = min(int(place), len(stops) - 2)
    ends = [[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in stops[low : low + 2]]
    return "#" + "".join(f"{round(a + (b - a) * (place - low)):02x}" for a, b in zip(*ends, strict=True))


def palette(names: Sequence[str]) -> dict[str, str]:
    """Return a colour a name, in the order given; names beyond the palette are grey."""
    return {name: COLOURS[index] if index < len(COLOURS) else GREY for index, name in enumerate(names)}


def touchpoint_colours(kinds: Iterable[str]) -> dict[str, str]:
    """Return a colour for each kind of touchpoint; what stands in the place of one is grey."""
    real = [kind for kind in dict.fromkeys(kinds) if kind not in SPECIAL]
    return palette(real) | dict.fromkeys(SPECIAL, GREY)


def channel_of(touchpoint: str) -> str:
    """Return the part of a touchpoint that gives it its colour; of several joined by arrows, that of the last.

    Examples
    --------
    >>> channel_of("web:home"), channel_of("web:home -> store:visit"), channel_of("(end)")
    ('web', 'store', '(end)')
    """
    return touchpoint.rpartition(" -> ")[2].lstrip('"').partition(":")[0]
