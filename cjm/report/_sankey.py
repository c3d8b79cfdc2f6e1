"""The flow picture: what came first, what came next, drawn as ribbons between columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import polars as pl

from cjm.report._charts import COLOURS, GREY, INK, QUIET, WIDE
from cjm.report._text import clean, fit, number

__all__ = ["sankey"]

_REST, _END = "(other)", "(end)"
_NODE, _LABEL, _TOP = 12, 32, 26
_ORDINALS = ("first", "second", "third", "fourth", "fifth")


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


def sankey(flow: pl.DataFrame, *, hide_below: int) -> Callable[[int], str]:
    """Return the drawing of ``step, source, target, persons``, one ribbon a row of at least ``hide_below`` persons."""

    def draw(width: int) -> str:
        wide = width == WIDE
        links = _merge(flow, columns=5 if wide else 3, nodes=7 if wide else 5)
        return _draw(links.filter(pl.col("persons") >= hide_below), width)

    return draw


def _merge(flow: pl.DataFrame, *, columns: int, nodes: int) -> pl.DataFrame:
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
        .filter(pl.int_range(pl.len()).over("column") < nodes - 1)
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


def _draw(links: pl.DataFrame, width: int) -> str:
    rows = list(links.select("column", "source", "target", "persons").iter_rows())
    nodes = _nodes(rows)
    columns = max((node.column for node in nodes.values()), default=0) + 1
    height = _place(nodes, columns, width)
    kinds = list(dict.fromkeys(_channel(node.name) for node in sorted(nodes.values(), key=lambda node: -node.size)))
    colours = dict(zip([kind for kind in kinds if kind not in (_REST, _END)], COLOURS, strict=False))
    first = sum(node.size for node in nodes.values() if node.column == 0)
    order = {node: index for index, node in enumerate(sorted(nodes, key=lambda key: (key[0], nodes[key].y)))}
    ribbons = []
    for column, source, target, count in sorted(rows, key=lambda r: (order[r[0], r[1]], order[r[0] + 1, r[2]])):
        start, end = nodes[column, source], nodes[column + 1, target]
        thick = max(start.height * count / start.size, 0.75)
        ribbons.append(_ribbon(start, end, thick, colours.get(_channel(source), GREY)))
    marks = [
        _node(node, colours.get(_channel(node.name), GREY), first, width / columns - _NODE - 8)
        for node in nodes.values()
    ]
    heads = [
        f'<text x="{column * width / columns:.1f}" y="13" font-size="11.5" fill="{QUIET}">{_ORDINALS[column]}</text>'
        for column in range(columns)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:.0f}" '
        f'viewBox="0 0 {width} {height:.0f}" '
        f'font-family="Liberation Sans, Arial, Helvetica, sans-serif">{"".join(heads + ribbons + marks)}</svg>'
    )


def _nodes(rows: list[tuple[int, str, str, int]]) -> dict[tuple[int, str], _Node]:
    incoming: dict[tuple[int, str], int] = {}
    outgoing: dict[tuple[int, str], int] = {}
    for column, source, target, count in rows:
        outgoing[column, source] = outgoing.get((column, source), 0) + count
        incoming[column + 1, target] = incoming.get((column + 1, target), 0) + count
    sizes = {key: max(incoming.get(key, 0), outgoing.get(key, 0)) for key in {**incoming, **outgoing}}
    return {key: _Node(key[1], key[0], size) for key, size in sizes.items()}


def _place(nodes: dict[tuple[int, str], _Node], columns: int, width: int) -> float:
    """Give each node its place, largest first and the rest last; return the height of the picture."""
    body = 380 if width == WIDE else 340
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


def _ribbon(start: _Node, end: _Node, thick: float, colour: str) -> str:
    x0, x1 = start.x + _NODE, end.x
    y0, y1 = start.y + start.used_out, end.y + end.used_in
    start.used_out += thick
    end.used_in += thick
    mid = (x0 + x1) / 2
    return (
        f'<path d="M{x0:.1f},{y0:.1f}C{mid:.1f},{y0:.1f} {mid:.1f},{y1:.1f} {x1:.1f},{y1:.1f}'
        f'L{x1:.1f},{y1 + thick:.1f}C{mid:.1f},{y1 + thick:.1f} {mid:.1f},{y0 + thick:.1f} {x0:.1f},{y0 + thick:.1f}Z" '
        f'fill="{colour}" fill-opacity="0.22"/>'
    )


def _node(node: _Node, colour: str, first: int, room: float) -> str:
    x = node.x + _NODE + 5
    y = node.y + node.height / 2
    halo = 'paint-order="stroke" stroke="#fff" stroke-width="3" stroke-linejoin="round"'
    share = 100 * node.size / max(first, 1)
    part = f"{share:.0f} %" if share >= 1 else "<1 %"
    return (
        f'<rect x="{node.x:.1f}" y="{node.y:.1f}" width="{_NODE}" height="{node.height:.1f}" rx="1.5" fill="{colour}"/>'
        f'<text x="{x:.1f}" y="{y - 2:.1f}" font-size="12" fill="{INK}" {halo}>'
        f"{escape(fit(clean(node.name), room))}</text>"
        f'<text x="{x:.1f}" y="{y + 12:.1f}" font-size="11" fill="{QUIET}" {halo}>'
        f"{number(node.size)} · {escape(part)}</text>"
    )


def _channel(name: str) -> str:
    return name.partition(":")[0]
