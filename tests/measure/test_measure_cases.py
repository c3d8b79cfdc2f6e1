"""Cases made by hand: where other tools go wrong, edges, errors, schemas, a lazy import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

import polars as pl
import pytest

from cjm.errors import ArgumentError
from cjm.journeys import Journeys, journeys_from_frame
from cjm.measure import funnel, kpis

MINUTE = timedelta(minutes=1)
START = datetime(2024, 1, 1)  # a Monday


def journeys(*persons: list[tuple[float, str]], start: datetime = START, **attributes: list[object]) -> Journeys:
    """One list of (minute, event) a person; a single letter stands for an event of channel ``web``."""
    rows = [
        (i, start + minute * MINUTE, *(name.split(":", 1) if ":" in name else ("web", name)))
        for i, events in enumerate(persons)
        for minute, name in events
    ]
    frame = pl.DataFrame(rows, schema=["person", "time", "channel", "event"], orient="row").with_columns(
        pl.col("person").cast(pl.Int64), pl.col("time").dt.replace_time_zone("UTC")
    )
    return journeys_from_frame(
        frame.with_columns(**{k: pl.Series(v) for k, v in attributes.items()}), gap=30 * 60_000_000
    )


def walk(names: str) -> list[tuple[float, str]]:
    return [(float(minute), name) for minute, name in enumerate(names)]


VERBS: dict[str, Callable[[Journeys], pl.DataFrame]] = {
    "kpis": kpis,
    "kpis by": lambda j: kpis(j, by="channel"),
    "funnel": lambda j: funnel(j, ["web:A", "web:B"]),
    "funnel by": lambda j: funnel(j, ["web:A", "web:B"], by="device"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_empty_journeys_and_one_event_give_the_same_schema(verb: str) -> None:
    log = journeys(walk("AB"), walk("A"), device=pl.Series([None, "tv", None], dtype=pl.Categorical))
    full = VERBS[verb](log)
    assert not full.is_empty()
    empty = VERBS[verb](log.filter(pl.lit(False)))
    assert empty.is_empty()
    assert empty.schema == full.schema
    assert VERBS[verb](log.filter(pl.col("person") == 1)).schema == full.schema


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda j: funnel(j, ["web:A", "web:b"]), "unknown touchpoint 'web:b'. Did you mean \"web:B\"?"),
        (lambda j: funnel(j, "web:A"), "must be a list of touchpoints"),
        (lambda j: funnel(j, []), "must be a list of touchpoints"),
        (lambda j: funnel(j, ["web:A"], within=7), "A bare number has no unit"),
        (lambda j: funnel(j, ["web:A"], level=95), "must lie between 0 and 1"),
        (lambda j: funnel(j, ["web:A"], by="step"), "the result has a column 'step' of its own"),
        (lambda j: kpis(j, by="chanel"), "unknown column 'chanel'. Did you mean \"channel\"?"),
    ],
)
def test_errors_say_what_is_wrong(call: Callable[[Journeys], object], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call(journeys(walk("AB"), step=[1, 2]))
    assert words in str(caught.value)


def test_importing_measure_stays_light() -> None:
    heavy = "{'numba', 'pandas', 'lifelines', 'mlxtend', 'sklearn', 'matplotlib'}"
    code = f"import sys, cjm.measure; sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
