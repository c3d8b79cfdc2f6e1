"""The flow picture: what came first, what came next, drawn as ribbons between columns."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cjm.plot._frames import COUNT, HIDDEN, NAME, NO_ROWS, measured
from cjm.plot._picture import WIDTH, Picture, finished, inner_width
from cjm.plot._svg import (
    QUIET,
    SPECIAL,
    Drawing,
    channel_of,
    message,
    name_text,
    rect,
    tag,
    text,
    tip,
    touchpoint_colours,
)
from cjm.plot._words import known_as, number, plural

__all__ = ["draw_flow", "flow"]

_REST, _END = "(other)", "(end)"
_NODE, _LABEL, _TOP = 12, 32, 26
_COLUMN, _NAMES = 125, 12
Row = tuple[int, str, str, int]


@dataclass
class _Node:
    name: str
    column: int
    size: int
    x: float = 0.0
    y: float = 0.0
    height: float = 0.0
    used_in: float = 0.0
    used_out: float = 0.0


def flow(frame: pl.DataFrame, *, width: int = WIDTH) -> Picture:
    """Draw the flow over the first steps: a ribbon from each touchpoint to the one that followed.

    Parameters
    ----------
    frame : polars.DataFrame
        What :func:`cjm.flow` returns.
    width : int
        Width in pixels. Steps for which there is no room are left out, which a note below the picture says.

    Returns
    -------
    Picture
        One ribbon a row, as wide as its ``persons``; bars are touchpoints, coloured by channel if there are several.
        Rows whose figure is masked are not drawn; a note counts them.

    Raises
    ------
    ArgumentError
        If the frame lacks a column or holds several groups.

    Examples
    --------
    >>> import polars as pl
    >>> from cjm import plot
    >>> frame = pl.DataFrame({"step": [1, 1], "source": ["web:home"] * 2, "target": ["web:cart", "(end)"],
    ...                       "persons": [40, 2]})
    >>> picture = plot.flow(frame)
    >>> picture.title, picture.svg.count("<path")
    ('Flow over the first 2 steps', 2)
    """
    room = inner_width(width)
    found = measured(
        frame, "flow", {"step": COUNT, "source": NAME, "target": NAME, "persons": COUNT}, ["step", "source", "target"]
    )
    rows = found.frame
    drawn = rows.filter(pl.col("persons") > 0)
    if not drawn.height:
        why = NO_ROWS if not rows.height else "All figures are hidden: too few persons."
        return finished(message(why, room), "Flow", why, group=found.groups[0])
    drawing = draw_flow(drawn, room, columns=max(3, room // _COLUMN), names=_NAMES)
    steps = drawn["step"].n_unique()
    shown = min(steps, max(3, room // _COLUMN) - 1)
    notes = [
        "Ribbons are as wide as the number of paths; percentages are of all paths at the first step drawn. "
        "(other): smaller touchpoints together. (end): nothing followed."
    ]
    if shown < steps:
        notes.append(f"{plural(steps - shown, 'later step')} not drawn: make the picture wider than {width} pixels.")
    masked = rows["persons"].null_count()
    if masked:
        notes.append(f"{plural(masked, 'ribbon')} {HIDDEN}: too few persons.")
    top = drawn.sort("persons", descending=True, maintain_order=True).row(0, named=True)
    description = (
        f"Ribbons from each touchpoint to the next; the widest leads from {known_as(top['source'])} "
        f"to {known_as(top['target'])} with {plural(top['persons'], 'path')}."
    )
    whole = Drawing(drawing.width, drawing.height, drawing.marks, notes)
    return finished(whole, f"Flow over the first {shown + 1} steps", description, group=found.groups[0])


def draw_flow(flow: pl.DataFrame, width: float, *, columns: int, names: int, hide_below: int = 0) -> Drawing:
    """Draw ``step, source, target, persons`` in at most so many columns, each with at most so many names.

    Ribbons of fewer than ``hide_below`` are left out, after small touchpoints have been put together.
    """
    links = _merge(flow, columns=columns, names=names).filter(pl.col("persons") >= hide_below)
    rows: list[Row] = list(links.select("column", "source", "target", "persons").iter_rows())
    nodes = _nodes(rows)
    columns = max((node.column for node in nodes.values()), default=0) + 1
    height = _place(nodes, columns, width)
    large_first = [node.name for node in sorted(nodes.values(), key=lambda node: -node.size)]
    several = len({channel_of(name) for name in large_first} - set(SPECIAL)) > 1
    # Touchpoints are told apart by channel; of a single channel, each has a colour of its own.
    kind_of = {name: channel_of(name) if several else name for name in large_first}
    colours = touchpoint_colours(kind_of.values())
    first = sum(node.size for node in nodes.values() if node.column == 0)
    order = {node: index for index, node in enumerate(sorted(nodes, key=lambda key: (key[0], nodes[key].y)))}
    ribbons = []
    for column, source, target, count in sorted(rows, key=lambda r: (order[r[0], r[1]], order[r[0] + 1, r[2]])):
        start, end = nodes[column, source], nodes[column + 1, target]
        thick = max(start.height * count / start.size, 0.75)
        ribbons.append(_ribbon(start, end, thick, count, colours[kind_of[source]]))
    marks = [
        mark
        for node in nodes.values()
        for mark in _node(node, colours[kind_of[node.name]], first, width / columns - _NODE - 8)
    ]
    heads = [
        text(column * width / columns, 13, f"step {column + 1}", size=11.5, fill=QUIET) for column in range(columns)
    ]
    return Drawing(width, height, [*heads, *ribbons, *marks])


def _merge(flow: pl.DataFrame, *, columns: int, names: int) -> pl.DataFrame:
    """Keep the first columns and the largest names of each; the rest of a column is one node."""
    steps = flow.select(pl.col("step").unique().sort()).to_series()[: columns - 1]
    links = flow.filter(pl.col("step").is_in(steps.implode())).with_columns(
        column=pl.col("step").rank("dense").cast(pl.Int64) - 1
    )
    ends = pl.concat(
        [
            links.select("column", pl.col("source").alias("name"), "persons"),
            links.select(pl.col("column") + 1, pl.col("target").alias("name"), "persons"),
        ]
    )
    large = (
        ends.filter(~pl.col("name").is_in([_REST, _END]))
        .group_by("column", "name")
        .agg(pl.col("persons").sum())
        .sort(["column", "persons", "name"], descending=[False, True, False])
        .filter(pl.int_range(pl.len()).over("column") < names - 1)
        .select("column", "name")
    )
    keep = pl.concat([large, ends.filter(pl.col("name") == _END).select("column", "name").unique()]).with_columns(
        kept=True
    )
    for side, shift in (("source", 0), ("target", 1)):
        known = keep.select(pl.col("column") - shift, pl.col("name").alias(side), "kept")
        links = (
            links.join(known, on=["column", side], how="left", maintain_order="left")
            .with_columns(pl.when(pl.col("kept")).then(pl.col(side)).otherwise(pl.lit(_REST)).alias(side))
            .drop("kept")
        )
    return links.group_by("column", "source", "target", maintain_order=True).agg(pl.col("persons").sum())


def _nodes(rows: list[Row]) -> dict[tuple[int, str], _Node]:
    incoming: dict[tuple[int, str], int] = {}
    outgoing: dict[tuple[int, str], int] = {}
    for column, source, target, count in rows:
        outgoing[column, source] = outgoing.get((column, source), 0) + count
        incoming[column + 1, target] = incoming.get((column + 1, target), 0) + count
    sizes = {key: max(incoming.get(key, 0), outgoing.get(key, 0)) for key in {**incoming, **outgoing}}
    return {key: _Node(key[1], key[0], size) for key, size in sizes.items()}


def _place(nodes: dict[tuple[int, str], _Node], columns: int, width: float) -> float:
    """Give each node its place, largest first and the rest last; return the height of the picture."""
    body = 380 if width >= 600 else 340
    tallest = max((sum(n.size for n in nodes.values() if n.column == c) for c in range(columns)), default=1)
    bottom = 0.0
    for column in range(columns):
        inside = sorted(
            (n for n in nodes.values() if n.column == column),
            key=lambda n: (n.name == _END, n.name == _REST, -n.size, n.name),
        )
        y = float(_TOP)
        for index, node in enumerate(inside):
            node.x = column * width / columns
            node.height = max(body * node.size / max(tallest, 1), 1.5)
            node.y = y
            # Two lines of label need their room even where the bar is thin.
            following = inside[index + 1] if index + 1 < len(inside) else None
            next_height = max(body * following.size / max(tallest, 1), 1.5) if following else node.height
            y += node.height + max(10.0, _LABEL - (node.height + next_height) / 2)
        if inside:
            bottom = max(bottom, inside[-1].y + max(inside[-1].height, inside[-1].height / 2 + _LABEL / 2))
    return bottom + 8


def _ribbon(start: _Node, end: _Node, thick: float, count: int, colour: str) -> str:
    x0, x1 = start.x + _NODE, end.x
    y0, y1 = start.y + start.used_out, end.y + end.used_in
    start.used_out += thick
    end.used_in += thick
    mid = (x0 + x1) / 2
    shape = (
        f"M{x0:.1f},{y0:.1f}C{mid:.1f},{y0:.1f} {mid:.1f},{y1:.1f} {x1:.1f},{y1:.1f}"
        f"L{x1:.1f},{y1 + thick:.1f}C{mid:.1f},{y1 + thick:.1f} {mid:.1f},{y0 + thick:.1f} {x0:.1f},{y0 + thick:.1f}Z"
    )
    said = f"{known_as(start.name)} → {known_as(end.name)}: {number(count)}"
    return tag("path", tip(said), d=shape, fill=colour, fill_opacity="0.22")


def _node(node: _Node, colour: str, first: int, room: float) -> list[str]:
    x, y = node.x + _NODE + 5, node.y + node.height / 2
    share = 100 * node.size / max(first, 1)
    part = f"{share:.0f} %" if share >= 1 else "<1 %"
    return [
        rect(node.x, node.y, _NODE, node.height, colour, tip(f"{known_as(node.name)}: {number(node.size)}"), rx="1.5"),
        name_text(x, y - 2, known_as(node.name), room, halo=True),
        text(x, y + 12, f"{number(node.size)} · {part}", size=11, fill=QUIET, halo=True),
    ]
