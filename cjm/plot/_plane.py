"""A plane with two axes of numbers, and the marks on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cjm.plot._svg import GRID, INK, QUIET, line, tag, text

__all__ = ["Plane", "log_ticks", "plain", "share_label", "ticks"]

Label = Callable[[float], str]
Point = tuple[float, float]


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most ``most`` round numbers from ``low`` to ``high``, evenly apart.

    Examples
    --------
    >>> ticks(0, 95, 5), ticks(-1.3, 6.2, 5)
    ([0.0, 20.0, 40.0, 60.0, 80.0], [0.0, 2.0, 4.0, 6.0])
    """
    span = high - low
    if not span > 0:
        return [low]
    size = 10 ** math.floor(math.log10(span / most))
    step = next(size * factor for factor in (1, 2, 5, 10, 20) if int(span / (size * factor)) < most or factor == 20)
    return [float(step * place) for place in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return round ratios from ``low`` to ``high``, at most eight.

    Examples
    --------
    >>> log_ticks(0.3, 6)
    [0.5, 1.0, 2.0, 5.0]
    """
    whole = [m * 10.0**e for e in range(-6, 7) for m in (1, 2, 5)]
    found = [value for value in whole if low <= value <= high]
    return found if len(found) <= 8 else [value for value in found if abs(math.log10(value) % 1) < 1e-9]


def plain(value: float) -> str:
    """Return a round number of an axis.

    Examples
    --------
    >>> plain(2.0), plain(0.05), plain(12000.0)
    ('2', '0.05', '12,000')
    """
    return f"{value:,.10g}"


def share_label(value: float) -> str:
    r"""Return a share of an axis.

    Examples
    --------
    >>> share_label(0.25)
    '25\xa0%'
    """
    return f"{100 * value:.10g}\u00a0%"


@dataclass(frozen=True)
class Plane:
    """Where numbers lie between ``left`` and ``right``, ``top`` and ``bottom``; ``log`` is for the ordinate."""

    left: float
    right: float
    top: float
    bottom: float
    x_range: Point
    y_range: Point
    log: bool = False

    def x(self, value: float) -> float:
        """Return the place of an abscissa, kept on the plane."""
        low, high = self.x_range
        share = (value - low) / (high - low) if high > low else 0.5
        return self.left + (self.right - self.left) * min(max(share, 0.0), 1.0)

    def y(self, value: float) -> float:
        """Return the place of an ordinate, kept on the plane."""
        low, high = self.y_range
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, 1e-300))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.bottom - (self.bottom - self.top) * min(max(share, 0.0), 1.0)

    def axes(
        self,
        x_ticks: Sequence[float],
        y_ticks: Sequence[float],
        *,
        x_label: Label = plain,
        y_label: Label = plain,
        x_name: str = "",
        strong: float | None = None,
    ) -> list[str]:
        """Return grid lines and labels; the line at the ordinate ``strong`` is darker."""
        marks = []
        for value in y_ticks:
            at = self.y(value)
            marks.append(line(self.left, at, self.right, at, "#9aa1a8" if value == strong else GRID))
            marks.append(text(self.left - 6, at + 4, y_label(value), size=11, fill=QUIET, anchor="end"))
        marks.append(line(self.left, self.bottom, self.right, self.bottom, "#c3c9ce"))
        for value in x_ticks:
            at = self.x(value)
            marks.append(line(at, self.bottom, at, self.bottom + 4, "#c3c9ce"))
            marks.append(text(at, self.bottom + 17, x_label(value), size=11, fill=QUIET, anchor="middle"))
        if x_name:
            marks.append(text(self.right, self.bottom + 33, x_name, size=11, fill=QUIET, anchor="end"))
        return marks

    def stairs(self, points: Sequence[Point]) -> str:
        """Return the path of a step curve through the points, from left to right."""
        moves = [f"M{self.x(points[0][0]):.1f},{self.y(points[0][1]):.1f}"]
        last = (self.x(points[0][0]), self.y(points[0][1]))
        for x, y in points[1:]:
            here = (self.x(x), self.y(y))
            if here[0] - last[0] < 0.5 and abs(here[1] - last[1]) < 0.3 and (x, y) != points[-1]:
                continue  # too near to be seen
            moves.append(f"H{here[0]:.1f}V{here[1]:.1f}")
            last = here
        return "".join(moves)

    def band(self, points: Sequence[tuple[float, float, float]], colour: str, *, steps: bool) -> str:
        """Return the area between a lower and an upper curve; points are abscissa, lower, upper."""
        upper: list[Point] = []
        lower: list[Point] = []
        for x, low, high in points:
            at, bottom, top = self.x(x), self.y(low), self.y(high)
            if upper and at - upper[-1][0] < 1 and abs(bottom - lower[-1][1]) < 0.5 and abs(top - upper[-1][1]) < 0.5:
                continue  # too near to be seen
            if steps and upper:
                upper.append((at, upper[-1][1]))
                lower.append((at, lower[-1][1]))
            upper.append((at, top))
            lower.append((at, bottom))
        path = "L".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *reversed(lower)])
        return tag("path", d=f"M{path}Z", fill=colour, fill_opacity="0.15")

    def curve(self, path: str, colour: str, *, dashed: bool = False) -> str:
        """Return a line along a path."""
        dash = "4 3" if dashed else None
        return tag("path", d=path, fill="none", stroke=colour, stroke_width="1.8", stroke_dasharray=dash)

    def whisker(self, x: float, low: float, high: float) -> str:
        """Return a thin upright line from ``low`` to ``high``."""
        return line(self.x(x), self.y(low), self.x(x), self.y(high), INK, stroke_width="1.2")
