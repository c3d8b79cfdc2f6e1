"""Where the labels of arrows stand: near the middle of their arrow, clear of boxes, other labels and other arrows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from cjm.plot._svg import rect, text
from cjm.plot._words import text_width

__all__ = ["Area", "Curve", "Labels", "Point", "along"]

Point = tuple[float, float]
Curve = tuple[Point, Point, Point, Point]
Area = tuple[float, float, float, float]
_SIZE, _LINE = 10.5, 12.5


def along(curves: Sequence[Curve], steps: int = 16) -> list[Point]:
    """Return points along curves, at even steps of each."""
    return [_at(curve, step / steps) for curve in curves for step in range(1, steps)]


def _at(curve: Curve, t: float) -> Point:
    weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
    x, y = (sum(w * point[axis] for w, point in zip(weights, curve, strict=True)) for axis in (0, 1))
    return x, y


class Labels:
    """Labels placed one after the other, each clear of ``boxes`` and of those before it."""

    def __init__(self, boxes: Sequence[Area], routes: Sequence[tuple[Sequence[Curve], float]], width: float) -> None:
        self._taken = list(boxes)
        self._width = width
        points = [(x, y, index, thick) for index, (route, thick) in enumerate(routes) for x, y in along(route)]
        self._ink = np.array(points, dtype=np.float64).reshape(-1, 4)

    def place(self, index: int, route: Sequence[Curve], thick: float, parts: Sequence[str], *, loop: bool) -> list[str]:
        """Write the label of a route in one line, else in two, else its first part; nothing where there is no room."""
        for lines in ([" · ".join(parts)], list(parts), list(parts[:1])):
            if not any(lines):
                return []
            half = max(text_width(said, _SIZE) for said in lines) / 2 + 2
            tall = _LINE / 2 * len(lines) + 0.5
            options = _loop_places(route, half, tall) if loop else _places(route, half, tall, thick)
            area = self._best(index, options)
            if area:
                self._taken.append(area)
                return _written(area, lines)
        return []

    def _best(self, index: int, options: Iterator[tuple[float, Point, Point]]) -> Area | None:
        best, least = None, np.inf
        for cost, (x, y), (half, tall) in options:
            x = min(max(x, half), self._width - half)
            area = x - half, y - tall, x + half, y + tall
            if cost >= least or area[1] < 0 or any(_meet(area, other) for other in self._taken):
                continue
            cost += self._covered(area, index)
            if cost < least:
                best, least = area, cost
        return best

    def _covered(self, area: Area, index: int) -> float:
        """Return how much of other arrows, and of a thick one's own, a label would cover."""
        x, y, route, thick = self._ink.T
        inside = (x > area[0]) & (x < area[2]) & (y + thick / 2 > area[1]) & (y - thick / 2 < area[3])
        own = route[inside] == index
        weight: npt.NDArray[np.float64] = np.where(own, 0.02 * thick[inside], 0.15 + 0.03 * thick[inside])
        return float(weight.sum())


def _places(route: Sequence[Curve], half: float, tall: float, thick: float) -> Iterator[tuple[float, Point, Point]]:
    """Yield cost, centre and size of places: on the arrow, and above and below it where it is flat."""
    points = along(route)
    middle = len(points) / 2
    for i in range(1, len(points) - 1):
        (x, y), (x0, y0), (x1, y1) = points[i], points[i - 1], points[i + 1]
        cost = abs(i + 0.5 - middle) / middle
        yield cost, (x, y), (half, tall)
        if abs(y1 - y0) < 0.4 * abs(x1 - x0):
            beside = tall + thick / 2 + 1
            yield cost + 0.05, (x, y - beside), (half, tall)
            yield cost + 0.06, (x, y + beside), (half, tall)


def _loop_places(route: Sequence[Curve], half: float, tall: float) -> Iterator[tuple[float, Point, Point]]:
    (x, y), *_ = route[0]
    right = route[0][3][0]
    yield 0.0, (x - half - 3, y - tall - 2), (half, tall)
    yield 0.1, (right + half + 10, y - tall - 2), (half, tall)
    yield 0.2, (x + 10, y - 20 - tall), (half, tall)


def _written(area: Area, lines: Sequence[str]) -> list[str]:
    x, y, right, bottom = area
    marks = [rect(x, y, right - x, bottom - y, "#fff", fill_opacity="0.8", rx="2")]
    for row, said in enumerate(lines):
        marks.append(text((x + right) / 2, y + 10 + _LINE * row, said, size=_SIZE, anchor="middle"))
    return marks


def _meet(one: Area, other: Area) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
