"""Boxes and arrows: how a graph is drawn once its nodes have their places."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cjm.plot._graph import END, START, Item, Placed, arranged
from cjm.plot._labels import Area, Curve, Labels, Point
from cjm.plot._svg import Drawing, channel_of, mixed, name_text, rect, tag, tip
from cjm.plot._words import known_as, text_width

__all__ = ["Arrow", "Box", "draw_graph"]

_BOX, _GAP, _LOOP, _PORT = 38.0, 22.0, 16.0, 8.0
_NARROWEST, _WIDE_ENOUGH, _END_BOX, _BETWEEN = 96, 140, 50, 64
_THICK = 8.0


@dataclass(frozen=True)
class Box:
    """A node: its name from the data, and what the pointer shows."""

    name: str
    said: str


@dataclass(frozen=True)
class Arrow:
    """An edge: its label in parts, and what the pointer shows."""

    source: str
    target: str
    count: int
    label: Sequence[str]
    said: str


def draw_graph(boxes: Sequence[Box], arrows: Sequence[Arrow], width: float, colours: Mapping[str, str]) -> Drawing:
    """Draw the boxes, coloured by channel, in columns from left to right, and the arrows between them."""
    edges = {(arrow.source, arrow.target): float(arrow.count) for arrow in arrows}
    loops = {arrow.source for arrow in arrows if arrow.source == arrow.target}
    names = [box.name for box in boxes]
    needed = max(max(text_width(part, 12) for part in _parts(name)) for name in names) + 16
    ends = sum(name in (START, END) for name in names)
    room = width - ends * (_END_BOX + _BETWEEN)
    most = max(2 - ends, 1, int((room + _BETWEEN) // (min(max(needed, _NARROWEST), _WIDE_ENOUGH) + _BETWEEN)))
    if {arrow.source for arrow in arrows}.isdisjoint(arrow.target for arrow in arrows):
        most = min(most, max(2 - ends, 1))  # nothing leads on: what came before stands left of what followed
    heights = {name: _BOX + _LOOP * (name in loops) for name in names}
    placed = arranged(edges, most, heights=heights, port=_PORT, gap=_GAP)
    columns = placed.columns - ends
    wide = max(min(needed, (room + _BETWEEN) / max(columns, 1) - _BETWEEN, 0.36 * width), 40.0)
    areas = _areas(placed, loops, wide, width)
    heaviest = max(edges.values())
    routes = _routes(arrows, placed, areas)
    drawn = [
        (arrow, routes[arrow.source, arrow.target], max(1.0, _THICK * arrow.count / heaviest))
        for arrow in sorted(arrows, key=lambda arrow: -arrow.count)
    ]
    places = Labels(list(areas.values()), [(route, thick) for _, route, thick in drawn], width)
    marks, labels = [], []
    for index, (arrow, route, thick) in enumerate(drawn):
        marks.append(_arrow(route, thick, mixed(0.25, colours[channel_of(arrow.source)], "#ffffff"), arrow.said))
        labels += places.place(index, route, thick, arrow.label, loop=arrow.source == arrow.target)
    for box in boxes:
        marks += _box(box, areas[box.name], colours[channel_of(box.name)])
    return Drawing(width, max(area[3] for area in areas.values()) + 14, [*marks, *labels])


def _areas(placed: Placed, loops: Collection[str], wide: float, width: float) -> dict[str, Area]:
    """Return where the boxes stand: columns evenly apart, those of the ends narrow."""
    last = placed.columns - 1
    widths = [wide] * placed.columns
    for name, column in ((START, 0), (END, last)):
        if name in placed.nodes:
            widths[column] = min(_END_BOX, wide)
    apart = (width - sum(widths)) / last if last else 0.0
    areas = {}
    for name, item in placed.nodes.items():
        x = sum(widths[: item.column]) + apart * item.column if last else (width - wide) / 2
        top = item.y - item.height / 2 + _GAP / 2 + _LOOP * (name in loops) - 2
        areas[name] = x, top, x + widths[item.column], item.y + item.height / 2 - _GAP / 2 - 2
    return areas


def _parts(name: str) -> list[str]:
    """Return a name as the lines of its box: the channel above, the event below."""
    channel, colon, event = name.partition(":")
    return [known_as(channel), known_as(event)] if colon and " -> " not in name else [known_as(name)]


def _box(box: Box, area: Area, colour: str) -> list[str]:
    x, y, right, bottom = area
    pale = mixed(0.9, colour, "#ffffff")
    marks = [
        rect(x, y, right - x, bottom - y, pale, tip(box.said), rx="4", stroke=colour, stroke_width="1"),
        rect(x, y, 4, bottom - y, colour, rx="2"),
    ]
    parts, room = _parts(box.name), right - x - 13
    if len(parts) == 1:
        return [*marks, name_text(x + 9, (y + bottom) / 2 + 4, parts[0], room)]
    return [
        *marks,
        name_text(x + 9, (y + bottom) / 2 - 4, parts[0], room, size=10.5, fill=colour),
        name_text(x + 9, (y + bottom) / 2 + 11, parts[1], room),
    ]


def _routes(arrows: Sequence[Arrow], placed: Placed, areas: dict[str, Area]) -> dict[tuple[str, str], list[Curve]]:
    """Return the curves of every arrow; arrows that meet at one side of a box are spread along it."""
    sides = {item.column: (areas[name][0], areas[name][2]) for name, item in placed.nodes.items()}
    ports: dict[tuple[str, int], list[tuple[float, int, tuple[str, str]]]] = {}
    for arrow in arrows:
        edge = arrow.source, arrow.target
        if arrow.source == arrow.target:
            continue
        chain = [placed.nodes[arrow.source], *placed.lanes[edge], placed.nodes[arrow.target]]
        for end, (here, beside) in enumerate(((chain[0], chain[1]), (chain[-1], chain[-2]))):
            # Neighbours of one column are joined on the right of it, in the last column on the left.
            level = -1 if here.column == placed.columns - 1 > 0 else 1
            side = level if beside.column == here.column else 1 if beside.column > here.column else -1
            ports.setdefault((here.name, side), []).append((beside.y, end, edge))
    at: dict[tuple[tuple[str, str], int], Point] = {}
    for (name, side), met in ports.items():
        x, y, right, bottom = areas[name]
        apart = min(_PORT + 1, (bottom - y - 10) / max(len(met) - 1, 1))
        for index, (_, end, edge) in enumerate(sorted(met)):
            at[edge, end] = (x if side < 0 else right, (y + bottom) / 2 + apart * (index - (len(met) - 1) / 2))
    routes = {}
    for arrow in arrows:
        edge = arrow.source, arrow.target
        if arrow.source == arrow.target:
            routes[edge] = [_loop(areas[arrow.source])]
        else:
            routes[edge] = _route(at[edge, 0], placed.lanes[edge], at[edge, 1], sides)
    return routes


def _loop(area: Area) -> Curve:
    _, y, right, _ = area
    return (right - 34, y), (right - 38, y - 22), (right - 8, y - 22), (right - 14, y)


def _route(start: Point, lanes: Sequence[Item], end: Point, sides: Mapping[int, Point]) -> list[Curve]:
    if not lanes and start[0] == end[0]:
        reach = 26 + 0.1 * abs(end[1] - start[1])
        bulge = start[0] + (-reach if start[0] == max(left for left, _ in sides.values()) > 0 else reach)
        return [(start, (bulge, start[1]), (bulge, end[1]), end)]
    points = [start]
    for lane in lanes:
        ways = sides[lane.column] if end[0] > start[0] else sides[lane.column][::-1]
        points += [(x, lane.y) for x in ways]
    points.append(end)
    return [_eased(one, other) for one, other in itertools.pairwise(points)]


def _eased(one: Point, other: Point) -> Curve:
    middle = (one[0] + other[0]) / 2
    return one, (middle, one[1]), (middle, other[1]), other


def _arrow(curves: Sequence[Curve], thick: float, colour: str, said: str) -> str:
    """Draw a curve with its head; the line ends where the head begins."""
    (_, _, before, end) = curves[-1]
    length = ((end[0] - before[0]) ** 2 + (end[1] - before[1]) ** 2) ** 0.5 or 1.0
    ux, uy = (end[0] - before[0]) / length, (end[1] - before[1]) / length
    head, half = 6 + 0.7 * thick, 2.6 + 0.75 * thick
    neck = end[0] - head * ux, end[1] - head * uy
    parts = [f"M{curves[0][0][0]:.1f},{curves[0][0][1]:.1f}"]
    for one, two, three, four in [*curves[:-1], (*curves[-1][:3], neck)]:
        del one
        parts.append(f"C{two[0]:.1f},{two[1]:.1f} {three[0]:.1f},{three[1]:.1f} {four[0]:.1f},{four[1]:.1f}")
    wings = [(neck[0] - half * uy, neck[1] + half * ux), (neck[0] + half * uy, neck[1] - half * ux)]
    tipped = "".join(f"L{x:.1f},{y:.1f}" for x, y in (wings[1], end))
    shape = tag("path", d=f"M{wings[0][0]:.1f},{wings[0][1]:.1f}{tipped}Z", fill=colour)
    line = tag("path", d="".join(parts), fill="none", stroke=colour, stroke_width=thick)
    return tag("g", tip(said), line, shape)
