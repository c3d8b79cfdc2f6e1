"""The section on whether predicted risks came true, on persons who took no part in the fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cjm.plot._calibration import draw_calibration
from cjm.report._charts import Picture
from cjm.report._section import Col, Section, Tables, blank_small, counts, groups, has, shares, table, with_bounds
from cjm.report._text import duration, interval, number, percent, plural

__all__ = ["calibration"]


@dataclass(frozen=True)
class _Words:
    """What is counted, and how it is said."""

    counted: str
    of: str
    left: str
    pair: str
    interval: str
    when: str


_PERSONS = _Words(
    "persons",
    "",
    "left within",
    "one who left and one who did not, the one who left",
    "what was observed (Aalen-Johansen)",
    "{} before the end of the data",
)
_EVENTS = _Words(
    "events",
    "events of ",
    "were the last before a silence of",
    "an event that was the last and one that was not, the last",
    "the share of events that were the last, with several events of a person allowed for",
    "at each of their events",
)
_SCORES = ("auc", "brier", "brier_null", "expected", "observed")


def calibration(tables: Tables, run: Mapping[str, Any]) -> Section | None:
    """Show predicted risks beside what happened."""
    if not all(has(tables, name) for name in ("calibration", "validation")):
        return None
    score = {row["measure"]: row for row in tables["validation"].iter_rows(named=True)}
    if not set(_SCORES) <= set(score):
        return None
    hide = run.get("hide_below", 10)
    frame = tables["calibration"].sort("group")
    persons, churned = (int(frame[name].sum()) for name in ("persons", "churned"))
    if min(persons, churned) < hide:
        said = f"Fewer than {hide} of those kept out of the fit left, so predicted risks cannot be compared"
        return Section("calibration", "Predicted risks", f"{said}.", telling=False)
    say = _EVENTS if "events" in frame.columns else _PERSONS
    within = duration(frame["horizon"][0])
    observed, expected = percent(score["observed"]["value"]), percent(score["expected"]["value"])
    title = (
        f"Of {number(int(frame[say.counted].sum()))} {say.of}customers kept out of the fit, {observed} {say.left} "
        f"{within}; {expected} were predicted to"
    )
    safe = blank_small(frame, "churned", hide, ["observed", "lower", "upper"])
    safe = blank_small(safe, "persons", hide, ["predicted", "observed", "lower", "upper"])
    drawn = safe.drop_nulls(["predicted", "observed"])
    text = []
    if drawn.height > 1:
        low, high = (drawn.row(place, named=True) for place in (0, -1))
        text.append(
            f"Among the {number(high[say.counted])} with the highest risk it was {percent(high['observed'])}, "
            f"among the {number(low[say.counted])} with the lowest {percent(low['observed'])}."
        )
    text.append(_use(score["auc"], say.pair))
    caption = (
        f"A point a group of like risk, with a 95 % interval of {say.interval}: on the dashed line predictions came "
        "true, above it more left. Fitted to one half of the persons, predicted for the other half "
        f"{say.when.format(within)}. {_scores(score)}"
    )
    missing = frame.height - drawn.height
    caption += f" {plural(missing, 'group')} of which fewer than {hide} left: not drawn." if missing else ""
    picture = Picture(
        lambda width: draw_calibration(drawn, width).bare(),
        f"Points along a line for {plural(drawn.height, 'group')} of like risk.",
        caption,
    )
    columns = [
        Col("group", "group"),
        groups("persons", "persons", hide),
        counts("events", "events"),
        shares("predicted", "predicted"),
        groups("churned", "left", hide),
        shares("observed", "observed"),
        Col("interval", "95 % interval", str, True, look="w"),
    ]
    shown = table("Predicted and observed, from low to high risk", with_bounds(safe, "lower", "upper"), columns)
    pictures = (picture,) if drawn.height else ()
    return Section("calibration", "Predicted risks", f"{title}.", tuple(text), pictures, (shown,))


def _use(auc: Mapping[str, Any], pair: str) -> str:
    """Say how well risks tell apart those who leave."""
    if auc["value"] is None:
        return "How well risks tell apart those who left cannot be said."
    said = f"Of {pair} had the higher risk in {percent(auc['value'])} of pairs"
    ends = interval(auc["lower"], auc["upper"])
    clear = auc["lower"] is not None and auc["lower"] > 0.5
    return f"{said} ({ends}): a list by risk is {'better' if clear else 'not clearly better'} than one by chance."


def _scores(score: Mapping[str, Mapping[str, Any]]) -> str:
    brier, null = score["brier"]["value"], score["brier_null"]["value"]
    said = f"Brier score {brier:.4f} (one risk for all: {null:.4f})"
    ratio = score.get("ratio")
    if ratio is not None and ratio["value"] is not None:
        said += f"; observed / expected {ratio['value']:.2f}"
        said += "" if ratio["lower"] is None else f" ({ratio['lower']:.2f} to {ratio['upper']:.2f})"
    return f"{said}."
