"""Stitching bucket by bucket finds what stitching in memory finds."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_naive import log_of
from polars.testing import assert_frame_equal

from cjm.errors import ArgumentError, InputError
from cjm.identity import StoredLabels, stitch, stitch_in_buckets

KINDS = ("customer", "card", "cookie", "device")
RARE = st.sampled_from([None, None, "1", "2", "3", "4"])
IDS = st.sampled_from([None, "1", "2", "3", "ž", "long enough not to lie in a view"])
ROW = st.tuples(
    st.integers(0, 12), st.fixed_dictionaries({"customer": RARE, "card": RARE, "cookie": IDS, "device": IDS})
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


def assert_same(log, options, at_once):
    whole = stitch(log, **options)
    with tempfile.TemporaryDirectory() as folder:
        told = stitch_in_buckets(log, Path(folder) / "labels", at_once=at_once, **options)
        labels = StoredLabels(Path(folder) / "labels").labels_of(log).slice(0, whole.labels.height)
    assert_frame_equal(labels, whole.labels.select("person", "known_from"))
    assert_frame_equal(pl.concat(told.map), whole.map)
    assert_frame_equal(pl.concat(told.links), whole.links)
    assert_frame_equal(told.conflicts, whole.conflicts)
    assert_frame_equal(told.summary, whole.summary())
    assert_frame_equal(told.sizes, whole.sizes())


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, max_size=30), POLICIES, st.sampled_from([None, 1, 2, 3]), st.integers(3, 30))
def test_buckets_change_nothing(rows, policy, most, at_once):
    assert_same(log_of([(6, {"customer": "1"}), *rows], KINDS), {**policy, "max_per_person": most}, at_once)
