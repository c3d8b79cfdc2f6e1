"""Answers by cjm itself."""

from __future__ import annotations

from typing import Any

import polars as pl
from _common import FUNNEL, serve

import cjm


def load(path: str, mode: str) -> dict[str, Any]:
    """Build from a file; or (mode ``build``) from a folder of files; or (mode ``measure``) open what was stored."""
    store = f"{path}.store"
    if mode == "measure":
        # Two million whole paths written out are 100 million texts: of these, the most frequent.
        return {"mode": mode, "store": store, "journeys": cjm.open_journeys(store), "top": 1_000}
    source = cjm.Source(
        path if mode == "" else f"{path}/*.parquet",
        time="timestamp",
        event="event",
        channel="channel",
        ids={"customer": "customer"},
        value="revenue",
        attributes=[],
    )
    journeys = cjm.build_journeys(cjm.scan_events({"log": source}), person="customer")
    return {"mode": mode, "path": path, "store": store, "journeys": journeys, "top": None}


def named(given: dict[str, Any], frame: pl.DataFrame) -> pl.DataFrame:
    """Put the identifiers of customers in place of the person numbers."""
    customers = pl.scan_parquet(given["path"]).select(pl.col("customer").unique()).collect()
    number = cjm.person_numbers(customers["customer"], "customer")
    return frame.join(customers.with_columns(number), on="person").select("customer", pl.exclude("customer", "person"))


def counts(given: dict[str, Any], _: None) -> pl.DataFrame:
    persons = given["journeys"].persons.select("events").collect()
    return pl.DataFrame({"events": [persons["events"].sum()], "persons": [persons.height]})


def sessions(given: dict[str, Any], frame: pl.DataFrame) -> pl.DataFrame:
    return named(given, frame.select("person", "start", "end", "events"))


def steps(given: dict[str, Any], frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("touchpoint") != "(end)").select("step", "touchpoint", "persons")


def variants(given: dict[str, Any], frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.col("path").list.join(">"), "count")


QUESTIONS = {
    "build": (None, counts),
    "sessions": (lambda g: g["journeys"].sessions.collect(), sessions),
    "transitions": (
        lambda g: cjm.transitions(g["journeys"]),
        lambda g, frame: frame.select("source", "target", "count", "share"),
    ),
    "steps": (lambda g: cjm.step_matrix(g["journeys"], steps=10), steps),
    "funnel": (
        lambda g: cjm.funnel(g["journeys"], FUNNEL, within="7d"),
        lambda g, frame: frame.select("step", "persons"),
    ),
    "features": (lambda g: cjm.features(g["journeys"], of="event"), named),
    "funnel without limit": (
        lambda g: cjm.funnel(g["journeys"], FUNNEL),
        lambda g, frame: frame.select("step", "persons"),
    ),
    "variants": (lambda g: cjm.variants(g["journeys"], top=g["top"]), variants),
    "retention": (
        lambda g: cjm.retention(g["journeys"], every="1w"),
        lambda g, frame: frame.filter(pl.col("persons") > 0).select("cohort", "period", "persons", "of"),
    ),
    "timeline": (
        lambda g: cjm.timeline(g["journeys"]),
        lambda g, frame: frame.select("period", "channel", "events", "persons"),
    ),
    "follows": (lambda g: cjm.follows(g["journeys"]), lambda g, frame: frame.select("source", "target", "persons")),
    "kpis": (lambda g: cjm.kpis(g["journeys"]), lambda g, frame: frame.select("kpi", "value")),
    "write": (lambda g: g["journeys"].write(g["store"]), None),
    "open": (lambda g: cjm.open_journeys(g["store"]), None),
}


def answer(plain: Any) -> Any:
    """Return what makes an Arrow table of an answer: to compare it, or in the other modes just its number of rows."""

    def table(given: dict[str, Any], found: Any) -> Any:
        if given["mode"] == "":
            return plain(given, found).to_arrow()
        return pl.DataFrame({"rows": [found.height if isinstance(found, pl.DataFrame) else 0]}).to_arrow()

    return table


if __name__ == "__main__":
    serve(load, {name: (call, answer(plain)) for name, (call, plain) in QUESTIONS.items()}, {})
