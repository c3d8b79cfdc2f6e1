"""Stitching bucket by bucket finds what stitching in memory finds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_naive import log_of
from polars.testing import assert_frame_equal

import cjm
from cjm.errors import ArgumentError, InputError
from cjm.identity import StoredLabels, _clusters, _coded_log, _numbers, _table_parts, stitch_in_buckets

KINDS = ("customer", "card", "cookie", "device")
CUSTOMERS = st.sampled_from([None, None, None, "1", "2", "3", "4", "5"])
COOKIES = st.sampled_from([None, "ž", "kiosk", "kiosk", "long enough not to lie in a view"])
DEVICES = st.sampled_from([None, *"12345678"])
ROW = st.tuples(
    st.integers(0, 12),
    st.fixed_dictionaries({"customer": CUSTOMERS, "card": CUSTOMERS, "cookie": COOKIES, "device": DEVICES}),
)
POLICIES = st.sampled_from(
    [
        {"unique": "customer"},
        {"unique": "customer", "replay": "4s", "stale": "3s"},
        {"unique": "customer", "replay": None},
        {"unique": ("customer", "card"), "replay": "4s"},
        {"unique": ("customer", "card"), "mode": "components"},
        {"unique": "customer", "mode": "components", "max_size": 3},
        {"unique": (), "mode": "components"},
    ]
)


@pytest.fixture(autouse=True, scope="module")
def many_parts() -> Iterator[None]:
    """Let small logs come in many parts."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(StoredLabels, "ROWS", 4)
        patched.setattr(_coded_log, "_AT_ONCE", 8)
        patched.setattr(_clusters, "_HELD", 2)
        patched.setattr(_table_parts, "_PER_RANGE", 2)
        patched.setattr(_table_parts, "_SAMPLE", 3)
        yield


def in_pieces(rows: list[Any], *, coded: bool) -> Any:
    log = log_of(rows, KINDS)
    frame = log.frame.collect()
    if coded:
        frame = frame.with_columns(pl.col(kind).cast(pl.Categorical(pl.Categories.random())) for kind in KINDS)
    log.pieces = lambda *, ids=True: frame.iter_slices(5)
    return log


def assert_same(log: Any, at_once: int, **options: Any) -> None:
    whole = cjm.stitch(log, **options)
    with tempfile.TemporaryDirectory() as folder:
        told = stitch_in_buckets(log, Path(folder) / "labels", at_once=at_once, **options)
        labels, rows = StoredLabels(Path(folder) / "labels").labels_of(log), whole.labels.height
        assert_frame_equal(labels.slice(0, rows), whole.labels.select("person", "known_from"))
        assert_frame_equal(labels.slice(3, rows - 3), whole.labels.select("person", "known_from")[3:])
    assert_frame_equal(pl.concat(told.map), whole.map)
    assert_frame_equal(pl.concat(told.links), whole.links)
    assert_frame_equal(told.conflicts, whole.conflicts)
    assert_frame_equal(told.summary, whole.summary())
    assert_frame_equal(told.sizes, whole.sizes())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(ROW, min_size=2, max_size=30),
    POLICIES,
    st.sampled_from([None, 1, 2, 3]),
    st.integers(3, 30),
    st.booleans(),
)
def test_buckets_change_nothing(
    rows: list[Any], policy: dict[str, Any], most: int | None, at_once: int, coded: bool
) -> None:
    rows = [(6, {"customer": "1"}), *rows]
    assert_same(in_pieces(rows, coded=coded), at_once, **policy, max_per_person=most)


@pytest.mark.parametrize("mode", ["device split", "components"])
def test_a_kiosk_stands_in_every_bucket(mode: str) -> None:
    kiosk = [(at, {"customer": f"c{at % 9}", "cookie": "kiosk"}) for at in range(0, 40, 2)]
    alone = [(at, {"cookie": "kiosk", "device": f"d{at % 4}" if at % 3 else "also a kiosk"}) for at in range(1, 40, 2)]
    home = [(at, {"customer": f"c{at % 4}", "device": f"d{at % 4}"}) for at in range(20, 24)]
    office = [(at, {"customer": f"c{at % 9}", "device": "also a kiosk"}) for at in range(50, 60)]
    assert_same(log_of([*kiosk, *alone, *home, *office], KINDS), 5, unique="customer", mode=mode)


@pytest.mark.parametrize("mode", ["device split", "components"])
def test_a_card_of_many_customers_stays_in_one_bucket(mode: str) -> None:
    shared = [(at, {"customer": f"c{at}", "card": "of many"}) for at in range(8)]
    alone = [(at, {"card": "of many", "cookie": f"k{at % 8}"}) for at in range(8, 24)]
    after = [(at, {"cookie": f"k{at % 8}"}) for at in range(30, 38)]
    assert_same(log_of([*shared, *alone, *after], KINDS), 3, unique=("customer", "card"), mode=mode)


def test_sources_have_kinds_of_their_own() -> None:
    def source(ids: dict[str, str], rows: list[tuple[str, str | None]]) -> cjm.Source:
        columns = ["at", *ids.values()]
        frame = pl.DataFrame([("2026-01-01T10:00Z", *row) for row in rows], schema=columns, orient="row")
        return cjm.Source(frame, time="at", event_name="seen", ids=ids)

    web = source({"customer": "user", "cookie": "k"}, [("a", "1"), (None, "1"), (None, "2")])
    app = source({"device": "d", "customer": "user"}, [("x", None), ("x", "b"), ("x", "a")])
    assert_same(cjm.scan_events({"web": web, "app": app}), 2)


def test_nothing_to_stitch() -> None:
    log = log_of([], KINDS)
    assert_same(log, 5)
    with pytest.raises(InputError, match="no event has an identifier of the kinds customer, card, cookie, device"):
        stitch_in_buckets(log_of([(1, {})], KINDS), Path("unused"))


def test_what_hangs_together_must_fit(tmp_path: Path) -> None:
    rows = [(at, {"customer": "1", "cookie": str(at)}) for at in range(20)]
    assert stitch_in_buckets(log_of(rows, KINDS), tmp_path / "labels", most=20).sizes["events"].to_list() == [20]
    with pytest.raises(ArgumentError, match="20 events hang together by their identifiers, and 19 fit into memory"):
        stitch_in_buckets(log_of(rows, KINDS), tmp_path / "more", most=19)
    kiosk = [(at, {"customer": str(at), "cookie": "kiosk"}) for at in range(20)]
    with pytest.raises(ArgumentError, match="20 events hang together"):
        stitch_in_buckets(log_of(kiosk, KINDS), tmp_path / "more", most=19)


def test_persons_of_two_buckets_with_one_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_numbers, "hash_ids", lambda ids, *_: np.zeros(len(ids), dtype=np.int64))
    rows = [(at, {"customer": str(at)}) for at in range(2)]
    with pytest.raises(InputError, match="two identifiers have the same person number"):
        stitch_in_buckets(log_of(rows, KINDS), tmp_path / "labels", at_once=1)
