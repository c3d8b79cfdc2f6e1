"""What holds for every measure: stored buckets, groups that are missing values, comparisons, empty journeys."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from splits import START, walk, walks

import cjm
from cjm.errors import ArgumentError
from cjm.journeys import Journeys, journeys_from_frame

NAMES = [("web", "home"), ("web", "a -> b"), ("web", 'q"uo"te'), ("store", "(end)"), ("(start)", "x"), ("call", "a:b")]
HOME, ARROW, QUOTE, END, _, _ = TOUCHPOINTS = [f"{channel}:{event}" for channel, event in NAMES]
EITHER = cjm.Pattern.from_touchpoints
GOALS = [
    cjm.goal("buy", start=EITHER([HOME]), end=EITHER([END]), timeout="2d"),
    cjm.goal("a -> b", start=EITHER([ARROW]), end=EITHER([HOME]), idle="5h"),
    cjm.goal("keyed", start=EITHER([HOME]), end=EITHER([QUOTE]), key="order"),
]
STEPS = [HOME, "web:*", END]
GROUPED = {
    "kpis": {"goals": GOALS, "first_value": END, "contacts": "call:*"},
    "funnel": {"steps": STEPS, "within": "1d"},
    "funnel_next": {"steps": STEPS, "top": 2},
    "transitions": {"order": 2, "ends": True, "quantiles": [0.5]},
    "follows": {"within": "1d", "quantiles": [0.5]},
    "step_matrix": {"steps": 3, "align": HOME},
    "variants": {"collapse": True, "max_length": 3},
    "retention": {"every": "1d", "time_zone": "Europe/Warsaw"},
}
MORE = {"flow": {"steps": 3, "top": 2}, "timeline": {"every": "6h", "time_zone": "Europe/Warsaw"}}
WITH_UNIT = ("funnel", "funnel_next", "transitions", "follows", "step_matrix", "variants", "flow")
UNGROUPED = {
    "features": {"of": "touchpoint"},
    "goal_journeys": {"goals": GOALS},
    "goal_events": {"goals": GOALS},
    "goal_overlap": {"goals": GOALS, "min_persons": 2},
}
SPLITS = [None, "device", "score", "order", GOALS, cjm.cohort("1d", time_zone="Europe/Warsaw"), cjm.period("1w")]


def log(events: int = 300, persons: int = 30) -> Journeys:
    """Over the night in which clocks go on; person 0, who met every touchpoint, is filtered away again."""
    chance = random.Random(7)
    begin = START.replace(month=3, day=28)
    rows: list[tuple[Any, ...]] = [(0, begin, *name, None, None, None) for name in NAMES]
    for _ in range(events):
        minutes = chance.choice([0, 5, 30, 60]) * chance.randrange(100)
        about = [chance.choice(["tv", "é x", None]), chance.choice([1.5, float("nan"), 0.0, -0.0, None])]
        about.append(chance.choice(["1", "2", None]))
        rows.append((chance.randint(1, persons), begin + timedelta(minutes=minutes), *chance.choice(NAMES), *about))
    names = ["person", "time", "channel", "event", "device", "score", "order"]
    frame = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    frame = frame.with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))
    return journeys_from_frame(frame, gap=1_800_000_000).filter(pl.col("person") > 0)


def ask(name: str, journeys: Journeys, **more: object) -> pl.DataFrame:
    rows: pl.DataFrame = getattr(cjm, name)(journeys, **(GROUPED | MORE | UNGROUPED)[name] | more)
    return rows


def plain(name: str) -> dict[str, object]:
    """Options without the touchpoints of ``log``."""
    instead: dict[str, object] = {"steps": ["web:A", "web:B"]} if name.startswith("funnel") else {}
    instead |= {"goals": (), "first_value": (), "contacts": (), "align": None}
    return {key: value for key, value in instead.items() if key in (GROUPED | MORE)[name]}


def options(name: str) -> list[dict[str, object]]:
    """Every split, every unit, and sessions cut by goals."""
    if name in UNGROUPED:
        return [{}]
    units = ["person", GOALS[0], "session", "person", "session", GOALS[2], "person"]
    own = {"retention": 2, "timeline": 1}.get(name, 0)  # splits that bear the name of a column of the result
    asked = list(zip(SPLITS, units, strict=True))[: len(SPLITS) - own]
    return [{"by": by, "min_persons": 2} | ({"unit": unit} if name in WITH_UNIT else {}) for by, unit in asked]


@pytest.mark.parametrize("name", [*GROUPED, *MORE, *UNGROUPED])
def test_stored_in_many_buckets_and_empty(name: str, tmp_path: Path) -> None:
    journeys = log()
    journeys.write(tmp_path / "store", bucket_events=60)
    stored = cjm.open_journeys(tmp_path / "store")
    assert len(list(stored.buckets())) > 3
    empty = journeys.filter(pl.lit(False))
    for asked in options(name):
        rows = ask(name, journeys, **asked)
        assert_frame_equal(rows, ask(name, stored, **asked), check_exact=True)
        nothing = ask(name, empty, **asked)
        if name not in ("features", "goal_overlap"):
            assert (nothing.height, nothing.schema) == (0, rows.schema)


@pytest.mark.parametrize("name", [*GROUPED, *MORE])
def test_what_is_not_a_number_is_missing(name: str) -> None:
    walked = walks(walk("AB"), [(0, "A"), (9000, "C")], score=[float("nan"), None] * 2)
    assert ask(name, walked, **plain(name), by="score")["score"].unique().to_list() == [None]


@pytest.mark.parametrize("name", GROUPED)
def test_no_group_has_the_name_of_a_difference(name: str) -> None:
    walked = walks(walk("AB"), difference=["x", "y"])
    with pytest.raises(ArgumentError, match="the result has a column 'difference' of its own"):
        ask(name, walked, **plain(name), by="difference", versus="x")


def test_an_edge_that_a_group_never_takes_has_a_share_of_none_there() -> None:
    walked = walks(walk("AB"), walk("AC"), walk("AC"), walk("DE"), device=["tv"] * 2 + ["app"] * 6)
    for rows, rate in (
        (cjm.transitions(walked, by="device", versus="tv"), "share"),
        (cjm.follows(walked, by="device", versus="tv"), "rate"),
        (cjm.funnel_next(walked, ["web:A", "web:E"], by="device", versus="tv").rename({"next": "target"}), "share"),
    ):
        found = {
            target: (share, difference)
            for target, share, difference in rows.filter(pl.col("device") == "app")
            .select("target", rate, "difference")
            .rows()
        }
        # tv goes from A to B only; nobody there comes to D, so that there is nothing to compare with
        assert found == {"web:C": (1.0, 1.0)} | ({} if "step" in rows.columns else {"web:E": (1.0, None)})
        assert set(rows.filter(pl.col("device") == "tv")["difference"]) == {None}
