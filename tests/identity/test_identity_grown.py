"""Identities of sources that grow, and the tables that are mended with them, are those of one call on all events."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import cjm
from cjm.identity import grown

KINDS = ("customer", "card", "cookie", "device")
TABLES = ("map", "links", "conflicts")

Event = tuple[int | str | None, ...]


def events(chance: random.Random, count: int) -> list[Event]:
    """Return events of so few identifiers and times that guards trip, times tie and a late event changes much."""
    return [
        (
            chance.randrange(40),
            *(
                f"{kind}{chance.choice([0, chance.randrange(20)])}" if chance.random() < 0.4 else None
                for kind in "cżkd"
            ),
        )
        for _ in range(count)
    ]


def log_of(events: list[Event]) -> SimpleNamespace:
    schema = {"time": pl.Int64, **dict.fromkeys(KINDS, pl.String)}
    frame = pl.DataFrame(events, schema=schema, orient="row").with_columns(
        (pl.col("time") * 3_600_000_000).cast(pl.Datetime("us", "UTC")), channel=pl.lit("web"), event=pl.lit("home")
    )
    return SimpleNamespace(frame=frame.select("time", "channel", "event", *KINDS).lazy(), kinds=KINDS)


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {
        "mode": draw(st.sampled_from(["device split", "components"])),
        "unique": draw(st.sampled_from([("customer",), ("customer", "card")])),
        "max_per_person": draw(st.sampled_from([1, 2, None])),
        "max_size": draw(st.sampled_from([3, None])),
        "blocked": draw(st.sampled_from([None, {"cookie": ["k0"], "card": ["ż1"]}])),
        "as_of": draw(st.sampled_from(["end", datetime(1970, 1, 2, 6, tzinfo=UTC)])),
    }
    if found["mode"] == "device split":
        found |= {"replay": draw(st.sampled_from([None, "5h", "30d"])), "stale": draw(st.sampled_from([None, "5h"]))}
        if found["unique"] == ("customer",) and draw(st.booleans()):
            found["as_of"] = "event"
    return found


@given(seed=st.integers(0, 2**32), sources=st.integers(1, 3), policy=policies())
@settings(max_examples=50, deadline=None)
def test_days_are_mended_as_one(seed: int, sources: int, policy: dict[str, Any]) -> None:
    chance = random.Random(seed)
    days = [[events(chance, chance.randrange(1, most)) for _ in range(sources)] for most in (16, 4, 4)]
    days[0][0].append((0, "c0", None, "k0", None))
    people = cjm.stitch(log_of([event for part in days[0] for event in part]), **policy)
    tables = {name: getattr(people, name) for name in TABLES}
    for day in (1, 2):
        log = log_of([event for source in range(sources) for part in days[: day + 1] for event in part[source]])
        more = [log_of(part) for part in days[day]]
        for source, one in enumerate(more):
            one.before = sum(len(part[source]) for part in days[:day])
        people, _ = grown(people, log, more, tables)
        assert vars(people).keys() >= set(TABLES)  # mended, not made of everything
        whole = cjm.stitch(log, **policy)
        for name in (*TABLES, "labels"):
            assert_frame_equal(getattr(people, name), getattr(whole, name))
        assert_frame_equal(people.summary(), whole.summary())
        assert_frame_equal(people.sizes(), whole.sizes())
        tables = {name: getattr(people, name) for name in TABLES}
