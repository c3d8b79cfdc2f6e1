"""The squares that the step matrix and the retention triangle are made of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cjm.plot._frames import HIDDEN
from cjm.plot._svg import GREY, INK, QUIET, Drawing, mixed, name_text, rect, text, tip
from cjm.plot._words import percent, text_width

__all__ = ["Cell", "Grid", "draw_grid", "share_text"]

_HEAD, _LEGEND, _LEGEND_WIDTH, _GAP = 40, 30, 250, 2
_BLUES = ("#eef4f8", "#8db8d4", "#1f5f8b")
_GREYS = ("#f1f3f4", "#b4bbc1", "#565e66")
_MASKED = "#f7f5f2"
_SIZES = (11.0, 10.0, 8.5)


@dataclass(frozen=True)
class Cell:
    """One square: where it is, its share (None if hidden), and what the pointer shows."""

    column: int
    row: int
    share: float | None
    said: str


@dataclass(frozen=True)
class Grid:
    """Labels of rows and columns, and the cells that there are.

    Attributes
    ----------
    rows, columns : sequence of str
    cells : sequence of Cell
    x_title : str
        What the columns count.
    sizes : sequence of str
        A figure a row, in a column of its own; may be empty.
    size_title : str
        What ``sizes`` are.
    top : float
        The share that is darkest; greater ones are as dark.
    grey_rows : collection of int
        Rows that are no touchpoint, drawn without colour.
    centre : int, optional
        A column that is marked.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Cell]
    x_title: str
    sizes: Sequence[str] = ()
    size_title: str = ""
    top: float = 1.0
    grey_rows: Collection[int] = ()
    centre: int | None = None


def draw_grid(grid: Grid, width: float) -> Drawing:
    """Draw the squares as large as there is room; the shares are written in them where they fit."""
    size = 12 if width >= 500 else 11
    labels = min(max(text_width(name, size) for name in grid.rows) + 12, 0.34 * width)
    sizes = max((text_width(said, 11) for said in [*grid.sizes, grid.size_title]), default=0) + 14 if grid.sizes else 0
    left = labels + sizes
    wide = min((width - left) / len(grid.columns), 64)
    tall = min(28.0, max(6.0, 900 / len(grid.rows)))
    gap = _GAP if wide >= 8 and tall >= 8 else 0.5
    bottom = _HEAD + tall * len(grid.rows)
    marks = [text(left, 12, grid.x_title, size=11.5, fill=QUIET)]
    if grid.sizes:
        marks.append(text(left - 10, _HEAD - 9, grid.size_title, size=11, fill=QUIET, anchor="end"))
    every = _thin([text_width(name, 11) + 6 for name in grid.columns], wide)
    shift = (grid.centre or 0) % every
    for index, name in enumerate(grid.columns):
        if index % every == shift:
            bold = "600" if index == grid.centre else None
            x = left + wide * (index + 0.5)
            marks.append(text(x, _HEAD - 9, name, size=11, fill=INK if bold else QUIET, anchor="middle", weight=bold))
    every = _thin([15.0], tall)
    for index, name in enumerate(grid.rows):
        if index % every == 0:
            y = _HEAD + tall * (index + 0.5) + 4
            marks.append(name_text(0, y, name, labels - 10, size=size))
            if grid.sizes:
                marks.append(text(left - 10, y, grid.sizes[index], size=11, fill=QUIET, anchor="end"))
    for cell in grid.cells:
        marks += _square(cell, grid, left + wide * cell.column, _HEAD + tall * cell.row, wide, tall, gap)
    if grid.centre is not None:
        x = left + wide * grid.centre
        frame = rect(x - gap / 2, _HEAD - 2, wide, bottom - _HEAD + 4, "none", stroke=INK, stroke_width="1.5")
        marks.append(frame)
    return Drawing(
        width, bottom + _LEGEND, [*marks, *_legend(grid, max(0.0, min(left, width - _LEGEND_WIDTH)), bottom + 12)]
    )


def _square(cell: Cell, grid: Grid, x: float, y: float, wide: float, tall: float, gap: float) -> list[str]:
    masked = cell.share is None
    part = 0.0 if cell.share is None else min(cell.share / grid.top, 1.0)
    shades = _GREYS if cell.row in grid.grey_rows else _BLUES
    fill = _MASKED if masked else mixed(part, *shades)
    marks = [rect(x, y, wide - gap, tall - gap, fill, tip(cell.said))]
    room = wide - gap - 2
    words = share_text(cell.share) if cell.share is not None else HIDDEN if text_width(HIDDEN, 10) <= room else "·"
    size = next((size for size in _SIZES if text_width(words, size) <= room - (size > 10)), None)
    # Figures in some squares only would mislead: there is room for two digits, or for none.
    if size and tall >= 15 and text_width("99", 10) <= room:
        shade = QUIET if masked else "#fff" if part > 0.8 else INK
        at = x + (wide - gap) / 2, y + (tall - gap) / 2 + 4
        marks.append(text(*at, words, size=min(size, 10) if masked else size, fill=shade, anchor="middle"))
    return marks


def share_text(share: float) -> str:
    """Return a share in whole per cent; what is not quite none or all is not said to be.

    Examples
    --------
    >>> share_text(0.256), share_text(0.001), share_text(0.999), share_text(1)
    ('26', '<1', '>99', '100')
    """
    value = 100 * share
    if 0 < value < 0.5:
        return "<1"
    return ">99" if 99.5 <= value < 100 else f"{value:.0f}"


def _thin(needs: Sequence[float], room: float) -> int:
    """Return which share of labels can be written: every one, every second, every fifth, ..."""
    most = max(needs)
    return next((every for every in (1, 2, 5, 10, 20, 50) if most <= room * every), 100)


def _legend(grid: Grid, x: float, y: float) -> list[str]:
    marks = [text(x, y + 10, "0", size=11, fill=QUIET)]
    marks += [rect(x + 12 + 22 * index, y, 22, 12, mixed(index / 4, *_BLUES)) for index in range(5)]
    marks.append(text(x + 128, y + 10, percent(grid.top), size=11, fill=QUIET))
    if any(cell.share is None for cell in grid.cells):
        at = x + 144 + text_width(percent(grid.top), 11)
        marks.append(rect(at, y, 22, 12, _MASKED, stroke=GREY, stroke_width="0.5"))
        marks.append(text(at + 28, y + 10, HIDDEN, size=11, fill=QUIET))
    return marks
