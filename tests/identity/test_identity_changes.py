"""Changes of a map equal stitching anew: more events and links, links undone, identifiers forgotten."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_naive import SECOND, log_of
from polars.testing import assert_frame_equal

from cjm.errors import ArgumentError
from cjm.identity import person_numbers, stitch

SLOW = settings(max_examples=100, deadline=None)
KINDS = ("customer", "card", "cookie", "device")
IDS = st.sampled_from([None, None, "1", "2", "3", "4", "ž"])
RARE = st.sampled_from([None, None, None, "1", "2", "3", "4"])
ROW = st.tuples(st.integers(0, 12), st.fixed_dictionaries({"customer": RARE, "card": RARE, "cookie": IDS, "device": IDS}))
ONE = {"unique": "customer"}
TWO = {"unique": ("customer", "card"), "replay": "4s"}
MODES = st.sampled_from(
    [
        ONE,
        TWO,
        {**ONE, "as_of": "event", "stale": "3s"},
        {**ONE, "stale": "3s", "replay": "4s"},
        {**TWO, "mode": "components"},
        {**ONE, "mode": "components", "max_size": 3},
        {"unique": (), "mode": "components"},
    ]
)
GUARDS = st.sampled_from([None, 1, 2])
LINK = st.tuples(
    st.sampled_from(KINDS),
    st.sampled_from("123x"),
    st.sampled_from(KINDS),
    st.sampled_from("123x"),
    st.none() | st.integers(0, 12),
)


def table(links):
    """Make a link table of tuples ``(kind_a, id_a, kind_b, id_b, since, until)``, in seconds; the last two may be missing."""
    rows = [(*link, None, None)[:6] for link in links]
    schema = ["kind_a", "id_a", "kind_b", "id_b", "since", "until"]
    frame = pl.DataFrame(rows, schema={name: pl.Int64 if name in ("since", "until") else pl.String for name in schema}, orient="row")
    return frame.with_columns((pl.col("since", "until") * SECOND).cast(pl.Datetime("us", "UTC")))


def assert_same(one, other):
    for name in ("labels", "map", "links", "conflicts", "aliases"):
        assert_frame_equal(getattr(one, name), getattr(other, name))
    assert_frame_equal(one.summary(), other.summary())


@SLOW
@given(st.lists(ROW, max_size=14), st.lists(LINK, max_size=3), st.data())
def test_updates_equal_one_run_over_everything(rows, links, data):
    options = {**data.draw(MODES), "max_per_person": data.draw(GUARDS)}
    rows = [(6, {"cookie": "1"}), *rows]
    cuts = sorted(data.draw(st.lists(st.integers(1, len(rows)), min_size=1, max_size=3)))
    cut = data.draw(st.integers(0, len(links)))
    people = stitch(log_of(rows[: cuts[0]], KINDS), links=table(links[:cut]), **options)
    for start, stop in zip(cuts, [*cuts[1:], len(rows)], strict=True):
        people = people.update(log_of(rows[start:stop], KINDS))
    people = people.update(links=table(links[cut:]))
    assert_same(people, stitch(log_of(rows, KINDS), links=table(links), **options))


@SLOW
@given(st.lists(ROW, max_size=14), st.lists(LINK, max_size=3), st.lists(LINK, min_size=1, max_size=2), st.data())
def test_unlinking_equals_a_run_that_denies(rows, links, denied, data):
    options = {**data.draw(MODES), "max_per_person": data.draw(GUARDS), "links": table(links)}
    rows = [(6, {"cookie": "1"}), *rows]
    people = stitch(log_of(rows, KINDS), **options)
    for kind_a, id_a, kind_b, id_b, _ in denied:
        people = people.unlink(kind_a, id_a, kind_b, id_b)
    assert_same(people, stitch(log_of(rows, KINDS), deny=table(denied).drop("since", "until"), **options))
