"""Person numbers on tables of customers; what counts as an identifier's person."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

import cjm
from cjm.errors import ArgumentError, InputError


def people() -> cjm.Identities:
    days = [datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC)]
    frame = pl.DataFrame({"t": days, "e": "x", "customer": [None, "a", "b"], "cookie": ["k", "k", "l"]})
    ids = {"customer": "customer", "cookie": "cookie"}
    return cjm.stitch(cjm.scan_events({"web": cjm.Source(frame, time="t", event="e", ids=ids)}))


def test_numbers_are_those_of_the_map_in_the_order_of_the_table() -> None:
    found = people()
    table = pl.DataFrame({"no": [" b", "zz", "a"], "person": [1, 2, 3]})
    numbered = found.with_person(table, "customer", column="no")
    numbers = dict(found.map.filter(pl.col("kind") == "customer").select("id", "person").rows())
    assert numbered["person"].to_list() == [numbers["b"], None, numbers["a"]]
    assert numbered.columns == ["person", "no"]


def test_kinds_that_pass_from_person_to_person_are_refused() -> None:
    with pytest.raises(ArgumentError, match="several persons"):
        people().with_person(pl.DataFrame({"cookie": ["k"]}), "cookie")
    with pytest.raises(ArgumentError, match='Did you mean "customer"'):
        people().with_person(pl.DataFrame({"customer": ["a"]}), "custmer")


def test_events_nobody_was_found_for_are_no_person_beside_the_one_found() -> None:
    found = people().map  # the anonymous event on cookie k lies further back than replay reaches
    assert found.filter(pl.col("id") == "k")["reason"].to_list() == ["anonymous", "own"]
    truth = pl.DataFrame({"kind": ["customer", "cookie", "customer"], "id": ["a", "k", "b"], "person": [1, 1, 2]})
    assert cjm.evaluate_identities(found, truth)["pairwise_f1"][0] == 1.0
    assert cjm.evaluate_identities(found.drop("reason", "events"), truth)["missing"][0] == 0


def test_numbers_in_any_type_meet_the_text_of_the_log() -> None:
    days = [datetime(2025, 1, day, tzinfo=UTC) for day in (1, 2)]
    frame = pl.DataFrame({"t": days, "e": "x", "customer": [12345678, 7]})
    found = cjm.stitch(cjm.scan_events({"web": cjm.Source(frame, time="t", event="e", ids={"customer": "customer"})}))
    numbers = dict(found.map.select("id", "person").rows())
    expected = [numbers["12345678"], numbers["7"], None]
    for dtype in (pl.Float64, pl.Int64, pl.Decimal(12, 2), pl.String):
        table = pl.DataFrame({"customer": pl.Series([12345678, 7, None]).cast(dtype)})
        assert found.with_person(table, "customer")["person"].to_list() == expected
    with pytest.raises(InputError, match="with_person: column 'customer' is of type List"):
        found.with_person(pl.DataFrame({"customer": [[1]]}), "customer")
