"""The pictures that Altair draws: each as still SVG, once for a desk and once for a phone.

Columns of the data never become field names here (a field name is an expression in Vega-Lite); the data come as rows
with fixed keys, so a name from the data can only ever be a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cjm.plot._svg import COLOURS, FONT, GREY, GRID, INK, QUIET
from cjm.report._text import fit

__all__ = [
    "NARROW",
    "WIDE",
    "Picture",
    "forest",
    "small_bars",
    "tone",
]

WIDE, NARROW = 760, 358
_Y_AXIS = 40
Row = dict[str, Any]
_TAG = re.compile(r"<[^<>]*>")
_OWN_IDS = re.compile(r'(\bid="|url\(#|href="#)(clip|gradient)')


class Picture:
    """One picture in both widths, with the sentence that stands for it where it cannot be seen."""

    def __init__(self, draw: Callable[[int], str], alt: str, caption: str = "") -> None:
        self.wide = draw(WIDE)
        self.narrow = draw(NARROW)
        self.alt = alt
        self.caption = caption


def forest(rows: Sequence[Row], *, rule: float, log: bool, key: str, axis: str) -> Callable[[int], str]:
    """Draw estimates with intervals around a rule; rows: ``name``, ``value``, ``low``, ``high``, ``text``, ``tone``."""

    def draw(width: int) -> str:
        import altair as alt

        base = _rows()
        low, high = min([row["low"] for row in rows] + [rule]), max([row["high"] for row in rows] + [rule])
        # the right end holds the figures, which no line should cross
        left, right = (
            ((high / low) ** 0.04, (high / low) ** 0.18) if log else ((high - low) * 0.04, (high - low) * 0.18)
        )
        domain = [low / left, high * right] if log else [low - left, high + right]
        scale = alt.Scale(type="log" if log else "linear", domain=domain, nice=False)
        ticks = _log_ticks(*domain) if log else alt.Undefined
        x_axis = alt.Axis(title=axis, format=".2~f", values=ticks, tickCount=5, grid=True)
        x, y = alt.X("low:Q", scale=scale, axis=x_axis), alt.Y("row:O", axis=None)
        tone = alt.Color("tone:N", scale=alt.Scale(domain=["more", "less", "open"], range=_TONES), legend=None)
        layers = alt.layer(
            _rows("rule").mark_rule(color=INK, strokeWidth=1, opacity=0.55).encode(x=x),
            base.mark_rule(strokeWidth=2.5, yOffset=9).encode(x=x, x2="high:Q", y=y, color=tone),
            base.mark_point(filled=True, size=75, opacity=1, yOffset=9).encode(x="value:Q", y=y, color=tone),
            *(
                base.mark_text(align="left", dy=-9, fontSize=12.5, **look).encode(x=alt.value(0), y=y, text="name:N")
                for look in ({"stroke": "white", "strokeWidth": 4, "strokeJoin": "round"}, {"color": INK})
            ),
            base.mark_text(align="right", dy=-9, fontSize=12.5, color=INK, fontWeight=600).encode(
                x=alt.value(width - 1), y=y, text="text:N"
            ),
        )
        data = {"rows": _numbered(rows, width), "rule": [{"low": rule}]}
        return _svg(_sized(layers, width, 46 * len(rows) + 52), data, f"{key}-{width}")

    return draw


def _log_ticks(low: float, high: float) -> list[float]:
    """Return round ratios within the limits, from the coarsest set that has at least three of them."""
    sets = ((0.01, 0.1, 1, 10, 100), (0.1, 0.25, 0.5, 1, 2, 4, 10), (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.5, 2))
    inside = [[tick for tick in ticks if low <= tick <= high] for ticks in sets]
    return next((list(ticks) for ticks in inside if len(ticks) >= 3), list(inside[-1]))


_TONES = ["#c4561b", "#1f5f8b", GREY]


def tone(low: float, high: float, rule: float, q: float | None) -> str:
    """Say on which side of the rule an interval lies, if it does so after adjusting for how many were tried."""
    if q is not None and not q < 0.05:
        return "open"
    return "more" if low > rule else "less" if high < rule else "open"


def small_bars(rows_of: Sequence[tuple[str, str, Sequence[Row]]], *, key: str) -> Callable[[int], str]:
    """Draw small bars over time on one scale: names, figures, and rows of ``x``, ``x2``, ``y``, ``zero``, ``small``."""

    def draw(width: int) -> str:
        import altair as alt

        inner = width - _Y_AXIS
        top = max([row["y"] for _, _, rows in rows_of for row in rows] + [1])
        times = [row[end] for _, _, rows in rows_of for row in rows for end in ("x", "x2")]
        charts = []
        for index, (name, figures, _) in enumerate(rows_of):
            axis = _time_axis(width, times) if index == len(rows_of) - 1 else None
            y_axis = _count_axis(2, top)
            bar = _rows(f"rows{index}").mark_rect(xOffset=0.5, x2Offset=-0.5)
            y = alt.Y("y:Q", title=None, scale=alt.Scale(domain=[0, top]), axis=y_axis)
            tone = alt.condition(alt.datum.small, alt.value("#c9d3da"), alt.value(COLOURS[0]))
            x = alt.X("x:T", title=None, scale=alt.Scale(type="utc", domain=[min(times), max(times)]), axis=axis)
            bar = bar.encode(x=x, x2="x2:T", y=y, y2="zero:Q", color=tone)
            charts.append(bar.properties(width=inner, height=54, title=_head(name, figures, inner)))
        data = {f"rows{index}": rows for index, (_, _, rows) in enumerate(rows_of)}
        return _svg(alt.vconcat(*charts, spacing=16), data, f"{key}-{width}")

    return draw


def _rows(name: str = "rows") -> Any:
    """Return a chart of rows that :func:`_svg` is given under this name (Altair copies data that it holds, often)."""
    import altair as alt

    return alt.Chart(alt.NamedData(name=name))


def _head(name: str, figures: str, room: float) -> Any:
    import altair as alt

    return alt.TitleParams(
        text=fit(name, room),
        subtitle=figures,
        anchor="start",
        frame="group",
        fontSize=12.5,
        fontWeight="normal",
        color=INK,
        subtitleFontSize=12,
        subtitleColor=QUIET,
        offset=6,
    )


def _numbered(rows: Sequence[Row], width: int) -> list[Row]:
    """Return the rows with numbers, each name cut to the room that the figures at the other end of its line leave."""
    return [
        {**row, "row": index, "name": fit(row["name"], width - 14 - 7.2 * len(row["text"]))}
        for index, row in enumerate(rows)
    ]


def _time_axis(width: int, times: Sequence[str]) -> Any:
    """Write all times in one form, fine enough for how far they reach."""
    import altair as alt

    days = (datetime.fromisoformat(max(times)) - datetime.fromisoformat(min(times))) / timedelta(days=1)
    forms = ((0, "%-d %b %Y"), (6, "%-d %b %H:%M"), (200, "%-d %b"), (1_500, "%b %Y"))
    form = next((form for longest, form in forms if days <= longest), "%Y")
    return alt.Axis(grid=False, tickCount=8 if width > 500 else 4, format=form, labelOverlap="greedy")


def _count_axis(ticks: int, top: float) -> Any:
    """Write all counts of an axis in one unit: ones, thousands or millions."""
    import altair as alt

    size, unit = next(((size, unit) for size, unit in ((1e6, "M"), (1e3, "k")) if top >= 5 * size), (1, ""))
    text = f"datum.value ? format(datum.value / {size:.0f}, ',~g') + '{unit}' : '0'"
    return alt.Axis(tickCount=ticks, tickMinStep=1, labelExpr=text, minExtent=_Y_AXIS - 6)


def _sized(chart: Any, width: int, height: int) -> Any:
    """Make a single view as wide as the page, labels and all."""
    import altair as alt

    return chart.properties(width=width, height=height, autosize=alt.AutoSizeParams(type="fit", contains="padding"))


def _svg(chart: Any, data: Mapping[str, Sequence[Row]], key: str) -> str:
    """Draw a chart of named rows; the ids in it start with ``key``."""
    import altair as alt
    import vl_convert

    chart = chart.configure(
        font=FONT, aria=False, background="transparent", padding={"left": 0, "right": 1, "top": 5, "bottom": 5}
    )
    chart = chart.configure_view(stroke=None).configure_axisY(domain=False, ticks=False)
    chart = chart.configure_axis(
        labelColor=QUIET,
        titleColor=QUIET,
        labelFontSize=11.5,
        titleFontSize=12,
        titleFontWeight="normal",
        gridColor=GRID,
        domainColor="#c3c9ce",
        tickColor="#c3c9ce",
        labelPadding=5,
        titlePadding=8,
    )
    spec = {**chart.to_dict(validate=False), "datasets": {name: list(rows) for name, rows in data.items()}}
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    # Pictures share one page: what they call by id must not meet.
    return _TAG.sub(
        lambda tag: _OWN_IDS.sub(rf"\1{key}-\2", tag[0]), vl_convert.vegalite_to_svg(spec, vl_version=version)
    )
