"""One row may hold several events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cjm
from cjm.errors import ArgumentError, InputError

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
ORDERS = pl.DataFrame(
    {
        "who": ["a", "b", "c", "d"],
        "created_at": [NOON, NOON, NOON, None],
        "paid_at": [NOON + timedelta(hours=1), None, NOON, None],
        "shipped_at": [NOON - timedelta(hours=1), None, NOON, None],
        "amount": [10.0, 20.0, 30.0, 40.0],
    }
)
TIMES = {"created": "created_at", "paid": "paid_at", "shipped": "shipped_at"}
SOURCE = cjm.Source(ORDERS, time=TIMES, ids={"customer": "who"}, value="amount", on_error="set aside")


def test_a_row_yields_an_event_for_each_of_its_times() -> None:
    log = cjm.scan_events({"shop": SOURCE})
    frame = log.frame.collect()
    assert frame.select("customer", "event", "value").rows() == [
        ("a", "created", 10.0), ("a", "paid", 10.0), ("a", "shipped", 10.0),
        ("b", "created", 20.0),
        ("c", "created", 30.0), ("c", "paid", 30.0), ("c", "shipped", 30.0),
    ]  # fmt: skip
    assert frame["time"].to_list()[:3] == [NOON, NOON + timedelta(hours=1), NOON - timedelta(hours=1)]
    assert frame.columns == ["time", "channel", "event", "customer", "value"]  # times are no attributes
    assert log.counts().row(0) == ("shop", 8, 7, 1, 0)
    assert log.inputs()["rows"].to_list() == [4]
    assert log.quality().select("check", "rows", "action").rows() == [
        ("further event of its row", 4, "kept"),
        ("time missing", 1, "set aside"),
    ]
    assert log.set_aside().select("row", "reason").rows() == [(3, "time missing")]
    with pytest.raises(InputError, match=r'row 3, column "created_at", "paid_at", "shipped_at"'):
        cjm.scan_events({"shop": replace(SOURCE, on_error="raise")}).require()


def test_times_by_expressions_and_of_text(tmp_path: Path) -> None:
    big = pl.when(pl.col("amount") > 15).then(pl.col("created_at"))
    frame = cjm.scan_events({"shop": replace(SOURCE, time={"big": big, "paid": "paid_at"})}).frame.collect()
    assert frame.select("customer", "event").rows() == [("a", "paid"), ("b", "big"), ("c", "big"), ("c", "paid")]
    text = ORDERS.with_columns(pl.col(pl.Datetime).dt.strftime("%Y-%m-%d %H:%M"))
    text.with_columns(pl.col("paid_at").replace(None, " ")).write_csv(tmp_path / "orders.csv")
    source = replace(SOURCE, path=tmp_path / "orders.csv", time_zone="UTC")
    assert cjm.scan_events({"shop": source}).frame.collect().equals(cjm.scan_events({"shop": SOURCE}).frame.collect())
    (tmp_path / "orders.csv").write_text("who,created_at,paid_at,shipped_at,amount\na,2025-01-01,soon,,1\n")
    found = cjm.scan_events({"shop": source})
    assert found.set_aside().select("line", "reason").rows() == [(2, "time unreadable")]


def test_what_cannot_be_meant() -> None:
    for time in ({}, {"": "created_at"}, {"created": 3}, 3):
        with pytest.raises(ArgumentError, match="names no column"):
            replace(SOURCE, time=time)
    with pytest.raises(ArgumentError, match="names the events already"):
        replace(SOURCE, event="who")
    for time, message in (
        ("x", "unknown column 'x'"),
        (pl.col("created_at").max(), "has 1 values for 4 rows"),
        (pl.col("who").dt.year(), "cannot be computed"),
        (pl.col("amount"), "of several types: Datetime.*Float64"),
    ):
        with pytest.raises(InputError, match=message):
            cjm.scan_events({"shop": replace(SOURCE, time={"paid": "paid_at", "odd": time})}).require()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(*[st.none() | st.integers(0, 3)] * 3), max_size=6))
def test_events_of_rows_agree_with_a_loop(rows: list[tuple[int | None, ...]]) -> None:
    hours = zip(*rows, strict=True) if rows else [()] * 3
    columns = {
        name: [None if hour is None else NOON + timedelta(hours=hour) for hour in column]
        for name, column in zip(TIMES.values(), hours, strict=True)
    }
    frame = pl.DataFrame(
        {"who": [f"p{number}" for number in range(len(rows))], **columns, "amount": 1.0},
        schema_overrides=dict.fromkeys(TIMES.values(), pl.Datetime("us", "UTC")) | {"who": pl.String},
    )
    expected = [
        (f"p{number}", name, NOON + timedelta(hours=hour))
        for number, row in enumerate(rows)
        for name, hour in zip(TIMES, row, strict=True)
        if hour is not None
    ]
    found = cjm.scan_events({"shop": replace(SOURCE, path=frame)}).frame.select("customer", "event", "time").collect()
    assert found.rows() == expected
