"""Where the nodes of a graph stand so that it reads from left to right, and the lanes of its long edges."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["END", "START", "Item", "Placed", "arranged", "levels"]

Edges = Mapping[tuple[str, str], float]
START, END = "(start)", "(end)"
_SWEEPS, _DENSE = 24, 0.2


@dataclass
class Item:
    """What stands in a column: a node, or the lane of an edge that passes by."""

    name: str
    column: int
    height: float
    weight: float
    y: float = 0.0
    left: list[tuple[int, float]] = field(default_factory=list)
    right: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Placed:
    """Nodes with their column and the height of their middle; edges with the middles of the lanes that they take."""

    nodes: dict[str, Item]
    lanes: dict[tuple[str, str], list[Item]]
    columns: int
    height: float


def levels(edges: Edges) -> dict[str, float]:
    """Return how far along each node is: edges should lead from one level to the next, heavy ones above all.

    The levels minimise the sum of weight times (level of target - level of source - 1) squared.

    References
    ----------
    MacKay, Johnson and Sansom (2020), How directed is a directed network?, Royal Society Open Science 7.

    Examples
    --------
    >>> {name: round(level, 2) for name, level in levels({("a", "b"): 5, ("b", "c"): 2}).items()}
    {'a': 0.0, 'b': 1.0, 'c': 2.0}
    """
    names = list(dict.fromkeys(name for edge in edges for name in edge))
    place = {name: index for index, name in enumerate(names)}
    system, surplus = np.zeros((len(names), len(names))), np.zeros(len(names))
    for (source, target), weight in edges.items():
        i, j = place[source], place[target]
        if i != j:
            system[i, i] += weight
            system[j, j] += weight
            system[i, j] -= weight
            system[j, i] -= weight
            surplus[i] -= weight
            surplus[j] += weight
    found = np.linalg.lstsq(system, surplus, rcond=None)[0].tolist()
    # Parts of the graph without an edge between them all begin at zero.
    part = list(range(len(names)))
    for _ in names:
        for source, target in edges:
            i, j = place[source], place[target]
            part[i] = part[j] = min(part[i], part[j])
    least = {p: min(x for x, own in zip(found, part, strict=True) if own == p) for p in part}
    return {name: round(found[i] - least[part[i]], 9) for name, i in place.items()}


def arranged(edges: Edges, most: int, *, heights: Mapping[str, float], port: float, gap: float) -> Placed:
    """Put the nodes of the edges into at most ``most`` columns, and order each so that few edges cross.

    ``(start)`` and ``(end)`` have columns to themselves, beyond ``most``. ``heights`` are the least a node needs; each
    edge at one of its sides asks for ``port``, and ``gap`` lies between nodes.
    """
    level = levels(edges)
    names = sorted(level, key=lambda name: (level[name], name))
    cuts = _cut([name for name in names if name not in (START, END)], edges, most)
    groups = [[START]] * (START in level) + cuts + [[END]] * (END in level)
    column_of = {name: index for index, group in enumerate(groups) for name in group}
    total = sum(edges.values())
    items: list[Item] = []
    nodes = {}
    for name in names:
        weight = sum(w for edge, w in edges.items() if name in edge) / total
        nodes[name] = Item(name, column_of[name], heights[name], weight)
        items.append(nodes[name])
    lanes = {}
    for (source, target), weight in edges.items():
        lanes[source, target] = _join(items, nodes[source], nodes[target], weight / total)
    for item in nodes.values():
        item.height = max(item.height, port * (max(len(item.left), len(item.right)) + 1)) + gap
    columns = [[i for i, item in enumerate(items) if item.column == c] for c in range(len(groups))]
    columns = _ordered(items, columns)
    return Placed(nodes, lanes, len(groups), _stacked(items, columns))


def _cut(names: list[str], edges: Edges, most: int) -> list[list[str]]:
    """Cut the ordered names into columns: little weight inside a column, and columns of like length."""
    n = len(names)
    if n == 0:
        return []
    most = min(most, n)
    place = {name: index for index, name in enumerate(names)}
    weight = np.zeros((n + 1, n + 1))
    for (source, target), w in edges.items():
        if source in place and target in place and source != target:
            i, j = sorted((place[source], place[target]))
            weight[i, j] += w
    weight /= max(weight.sum(), 1e-12)

    def cost(start: int, stop: int) -> float:
        return float(weight[start:stop, start:stop].sum()) + 0.6 * ((stop - start) / n) ** 2

    best: list[list[tuple[float, int]]] = [[(0.0, 0)] + [(np.inf, 0)] * n]
    for _ in range(most):
        row = [(np.inf, 0)]
        row += [min((best[-1][i][0] + cost(i, stop), i) for i in range(stop)) for stop in range(1, n + 1)]
        best.append(row)
    used = min(range(1, most + 1), key=lambda k: best[k][n][0])
    stop = n
    parts: list[list[str]] = []
    for k in range(used, 0, -1):
        start = best[k][stop][1]
        parts.insert(0, names[start:stop])
        stop = start
    return parts


def _join(items: list[Item], source: Item, target: Item, weight: float) -> list[Item]:
    """Note who is beside whom along an edge; columns on its way get a lane."""
    if source.column == target.column:
        return []
    step = 1 if target.column > source.column else -1
    lanes = [Item("", column, 10.0, weight) for column in range(source.column + step, target.column, step)]
    items += lanes
    chain = [source, *lanes, target][::step]
    index = {id(item): i for i, item in enumerate(items)}
    for one, other in itertools.pairwise(chain):
        one.right.append((index[id(other)], weight))
        other.left.append((index[id(one)], weight))
    return lanes


def _ordered(items: list[Item], columns: list[list[int]]) -> list[list[int]]:
    """Order the columns by the places of their neighbours, to and fro, and keep the order with least crossing."""
    columns = [sorted(column, key=lambda i: (-items[i].weight, items[i].name)) for column in columns]
    best, least = columns, _crossings(items, columns)
    for sweep in range(_SWEEPS):
        forth = sweep % 2 == 0
        place = {i: p / max(len(column) - 1, 1) for column in columns for p, i in enumerate(column)}
        for c in range(len(columns)) if forth else range(len(columns) - 1, -1, -1):

            def centre(i: int) -> float:
                beside = items[i].left if forth else items[i].right  # noqa: B023
                whole = sum(w for _, w in beside)
                return sum(place[j] * w for j, w in beside) / whole if whole else place[i]  # noqa: B023

            columns[c] = sorted(columns[c], key=lambda i: (centre(i), i))
            place |= {i: p / max(len(columns[c]) - 1, 1) for p, i in enumerate(columns[c])}
        found = _crossings(items, columns)
        if found < least:
            best, least = [list(column) for column in columns], found
    return best


def _crossings(items: list[Item], columns: list[list[int]]) -> float:
    place = {i: p for column in columns for p, i in enumerate(column)}
    crossed = 0.0
    for column in columns:
        pairs = [(place[i], place[j], w) for i in column for j, w in items[i].right]
        crossed += sum(
            min(w, v) ** 0.5
            for index, (a, b, w) in enumerate(pairs)
            for c, d, v in pairs[index + 1 :]
            if (a - c) * (b - d) < 0
        )
    return crossed


def _stacked(items: list[Item], columns: list[list[int]]) -> float:
    """Give every item its height, near its neighbours and clear of those above and below; return the whole height.

    Each is drawn towards its place in a dense column too, so that loosely joined parts do not drift away.
    """
    dense: dict[int, float] = {}
    for column in columns:
        places = _apart(items, column, [0.0] * len(column))
        centre = (places[0] + places[-1]) / 2
        dense |= {i: y - centre for i, y in zip(column, places, strict=True)}
    for i, y in dense.items():
        items[i].y = y
    for sweep in range(2 * _SWEEPS):
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            wanted = []
            for i in column:
                beside = items[i].left + items[i].right
                whole = sum(w for _, w in beside)
                near = sum(items[j].y * w for j, w in beside) / whole if whole else dense[i]
                wanted.append((1 - _DENSE) * near + _DENSE * dense[i])
            for i, y in zip(column, _apart(items, column, wanted), strict=True):
                items[i].y = y
    top = min(item.y - item.height / 2 for item in items)
    for item in items:
        item.y -= top
    return max(item.y + item.height / 2 for item in items)


def _apart(items: list[Item], column: list[int], wanted: list[float]) -> list[float]:
    """Return the places nearest to those wanted (least squares) at which the items of a column do not overlap."""
    offsets = [0.0]
    for one, other in itertools.pairwise(column):
        offsets.append(offsets[-1] + (items[one].height + items[other].height) / 2)
    # Pool neighbours that would overlap: each pool is a sum of places and a count.
    pools: list[list[float]] = []
    for i, want, offset in zip(column, wanted, offsets, strict=True):
        heavy = 0.02 + items[i].weight
        pools.append([(want - offset) * heavy, heavy, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    levels: list[float] = []
    for whole, heavy, count in pools:
        levels += [whole / heavy] * int(count)
    return [level + offset for level, offset in zip(levels, offsets, strict=True)]
