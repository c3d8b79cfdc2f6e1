"""Rules for the events of all sources do what a loop over rows would do, and count it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cjm
from cjm.errors import ArgumentError, InputError

START = datetime(2025, 1, 1, tzinfo=UTC)


def source(rows: list[tuple[Any, ...]], **more: Any) -> cjm.Source:
    """Return a source of rows (event, customer, cookie, agent), an hour apart."""
    frame = pl.DataFrame(
        rows, schema=dict.fromkeys(["what", "who", "cookie", "agent"], pl.String), orient="row"
    ).with_columns(at=pl.lit(START) + pl.duration(hours=pl.int_range(pl.len())))
    return cjm.Source(frame, time="at", event="what", ids={"customer": "who", "cookie": "cookie"}, **more)


ROWS = [
    ("pg_home", "A-1", "k1", "Mozilla"),
    ("pg_cart", "a1", "k1", "GoogleBot/2"),
    ("ping", "0012", "k2", None),
    ("other", "é", "k2", "curl"),
    ("pg_home", None, "k3", "Mozilla"),
]


def log(cleaning: cjm.Cleaning, rows: list[tuple[Any, ...]] = ROWS, **more: Any) -> cjm.EventLog:
    found = cjm.scan_events({"web": source(rows, **more)}, cleaning=cleaning)
    counts = found.counts().row(0, named=True)
    assert counts["read"] == counts["kept"] + counts["set_aside"] + counts["duplicates"] == len(rows)
    aside = found.set_aside()
    by_reason = found.quality().filter(pl.col("action") == "set aside").select("check", "rows")
    assert dict(aside.group_by("reason").len().rows()) == dict(by_reason.rows())
    return found


def checks(found: cjm.EventLog) -> dict[str, int]:
    return dict(found.quality().select("check", "rows").rows())


def siphash(text: bytes) -> int:
    """SipHash-2-4 with a key of zeros, as Aumasson and Bernstein (2012) write it down."""
    word = (1 << 64) - 1
    v = [0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573]

    def turn(x: int, by: int) -> int:
        return (x << by | x >> (64 - by)) & word

    def rounds(n: int) -> None:
        for _ in range(n):
            v[0], v[2] = (v[0] + v[1]) & word, (v[2] + v[3]) & word
            v[1], v[3] = turn(v[1], 13) ^ v[0], turn(v[3], 16) ^ v[2]
            v[0] = turn(v[0], 32)
            v[2], v[0] = (v[2] + v[1]) & word, (v[0] + v[3]) & word
            v[1], v[3] = turn(v[1], 17) ^ v[2], turn(v[3], 21) ^ v[0]
            v[2] = turn(v[2], 32)

    padded = text + bytes(7 - len(text) % 8) + bytes([len(text) % 256])
    for at in range(0, len(padded), 8):
        m = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= m
        rounds(2)
        v[0] ^= m
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def test_accents_written_in_two_ways_are_one() -> None:
    rows = [("e", "e\u0301", None, None), ("e", "\u00e9", None, None)]
    assert log(cjm.Cleaning(), rows).frame.collect()["customer"].n_unique() == 2
    assert log(cjm.Cleaning(ids={"customer": ["nfc"]}), rows).frame.collect()["customer"].n_unique() == 1


@pytest.mark.parametrize(
    ("rules", "expected", "rewritten"),
    [
        (["lower"], ["a-1", "a1", "0012", "é", None], 1),
        (["upper", "alphanumeric"], ["A1", "A1", "0012", "É", None], 3),
        (["digits"], ["1", "1", "0012", None, None], 3),
        (["no leading zeros"], ["A-1", "a1", "12", "é", None], 1),
        (["nfc", "lower", "alphanumeric"], ["a1", "a1", "0012", "é", None], 1),
        ([], ["A-1", "a1", "0012", "é", None], 0),
    ],
)
def test_identifiers_are_rewritten(rules: list[str], expected: list[str | None], rewritten: int) -> None:
    found = log(cjm.Cleaning(ids={"customer": rules}))
    assert found.frame.collect()["customer"].to_list() == expected
    assert checks(found).get("customer rewritten by its rules", 0) == rewritten
    assert found.frame.collect()["cookie"].to_list() == ["k1", "k1", "k2", "k2", "k3"]


def test_what_rules_leave_blank_is_a_placeholder() -> None:
    found = log(
        cjm.Cleaning(ids={"customer": ["no leading zeros"]}), [("x", "000", None, None), ("x", "01", None, None)]
    )
    assert found.frame.collect()["customer"].to_list() == ["1"]
    assert checks(found) == {"customer rewritten by its rules": 2, "placeholder in customer": 1, "no identifier": 1}


def test_events_get_the_names_of_a_taxonomy() -> None:
    table = pl.DataFrame(
        {
            "channel": [None, "web", None, "app"],
            "event": ["pg_home", "pg_cart", "ping", "other"],
            "name": ["home", "cart", None, "never"],
            "group": ["look", "buy", None, "x"],
        }
    )
    found = log(cjm.Cleaning(taxonomy=table))
    frame = found.frame.collect()
    assert frame.select("event", "group").rows() == [
        ("home", "look"), ("cart", "buy"), ("other", None), ("home", "look")
    ]  # fmt: skip
    assert checks(found) == {
        "event renamed by the taxonomy": 3,
        "event not in the taxonomy": 1,
        "event left out by the taxonomy": 1,
    }
    assert found.quality()["example"].to_list() == ["", "other", "ping"]
    plain = log(cjm.Cleaning(taxonomy=table.select("event", "name")[:3])).frame.collect()
    assert "group" not in plain.columns
    own = source(ROWS)
    own = replace(own, path=own.path.rename({"agent": "group"}))
    two = cjm.scan_events({"web": own}, cleaning=cjm.Cleaning(taxonomy=table)).frame.collect()
    assert two.select("group", "group_").rows()[:2] == [("look", "Mozilla"), ("buy", "GoogleBot/2")]
    both = pl.concat([table, table[:1].with_columns(channel=pl.lit("web"), name=pl.lit("start"))])
    assert log(cjm.Cleaning(taxonomy=both)).frame.collect()["event"][0] == "start"  # the channel's own row comes first


def test_bots_and_internal_traffic_are_set_aside() -> None:
    table = pl.DataFrame(
        {
            "rule": ["bot", "tools", "test shop", "pings"],
            "column": ["agent", "agent", "customer", "event"],
            "pattern": ["(?i)bot", "^curl", "^A-", "^ping$"],
        }
    )
    for more in ({}, {"attributes": []}):
        found = log(cjm.Cleaning(exclude=table), **more)
        assert found.frame.collect()["cookie"].to_list() == ["k3"]
        assert checks(found) == {
            "excluded: bot": 1, "excluded: tools": 1, "excluded: test shop": 1, "excluded: pings": 1
        }  # fmt: skip
        assert ("agent" in found.frame.collect().columns) == (not more)
    unknown = table.with_columns(column=pl.lit("browser"))
    wrong = cjm.scan_events({"web": source(ROWS)}, cleaning=cjm.Cleaning(exclude=unknown))
    for ask in (wrong.quality, lambda: wrong.frame, lambda: list(wrong.pieces())):
        with pytest.raises(InputError, match="no source has a column 'browser'"):
            ask()


def test_rules_look_at_attributes_of_any_type() -> None:
    one = replace(source(ROWS), path=source(ROWS).path.with_columns(cookie=pl.int_range(5), flag=pl.Series([True] * 5)))
    one = replace(one, ids={"customer": "who"}, on_error="set aside")  # here cookie is a number that is carried along
    two = source([("a", "b", "3", "Mozilla")])
    rules = pl.DataFrame({"rule": ["r", "s"], "column": ["cookie", "flag"], "pattern": ["^3$", "false"]})
    found = cjm.scan_events({"one": one, "two": two}, cleaning=cjm.Cleaning(exclude=rules))
    assert found.counts().select("kept", "set_aside").rows() == [(3, 2), (0, 1)]


def test_identifiers_shared_by_too_many_are_none() -> None:
    rows = [("e", f"c{number % 4}", "kiosk", None) for number in range(8)] + [("e", None, "kiosk", None)]
    rows += [("e", "c1", "own", None), ("e", "c2", "own", None)]
    found = log(cjm.Cleaning(shared={"cookie": 2}), rows)
    assert found.frame.collect()["cookie"].to_list() == [None] * 8 + ["own"] * 2
    assert checks(found) == {"cookie shared by too many": 9, "no identifier": 1}
    assert checks(log(cjm.Cleaning(shared={"cookie": 4}), rows)) == {}
    written = [(event, who and who.upper().replace("C", "c0"), cookie, agent) for event, who, cookie, agent in rows]
    one_customer = cjm.Cleaning(shared={"cookie": 2}, ids={"customer": ["lower", "alphanumeric"]})
    assert log(one_customer, written).frame.collect()["cookie"].to_list() == [None] * 8 + ["own"] * 2
    split = cjm.scan_events(
        {"a": source(rows[:2]), "b": source(rows[2:])}, cleaning=cjm.Cleaning(shared={"cookie": 2})
    )  # what is met counts over all sources
    assert split.frame.collect()["cookie"].to_list() == [None] * 8 + ["own"] * 2


def test_a_sample_keeps_whole_customers_and_is_the_same_every_time() -> None:
    rows = [("e", f"c{number % 500}", "k", None) for number in range(1_000)] + [("e", None, "k", None)]
    found = log(cjm.Cleaning(sample={"customer": 0.3}), rows)
    kept = found.frame.collect()["customer"]
    assert kept.value_counts()["count"].unique().to_list() == [2]
    assert 100 < kept.n_unique() < 200
    assert set(kept) == {f"c{number}" for number in range(500) if siphash(f"c{number}".encode()) < 0.3 * 2**64}
    shuffled = log(cjm.Cleaning(sample={"customer": 0.3}), rows[::-1]).frame.collect()["customer"]
    assert set(shuffled) == set(kept)
    wider = log(cjm.Cleaning(sample={"customer": 0.6}), rows).frame.collect()["customer"]
    assert set(kept) < set(wider)
    assert log(cjm.Cleaning(sample={"customer": 1.0}), rows).frame.collect().height == 1_000
    assert checks(found) == {"not in the sample": 1_001 - len(kept)}


def test_rules_that_cannot_be_meant() -> None:
    table = pl.DataFrame({"rule": ["a"], "column": ["b"], "pattern": ["("]})
    for wrong, message in (
        ({"ids": {"customer": ["lowr"]}}, "unknown rule 'lowr'. Did you mean \"lower\""),
        ({"ids": {"customer": "lower"}}, "unknown rule"),
        ({"taxonomy": pl.DataFrame({"event": ["a"]})}, "unknown column 'name'"),
        ({"taxonomy": pl.DataFrame({"event": ["a", "a "], "name": ["b", "c"]})}, "event 'a' is there twice"),
        ({"taxonomy": pl.DataFrame({"event": ["a"], "name": [" "]})}, "the name of event 'a' is blank"),
        ({"taxonomy": "table.csv"}, "str is no Polars frame"),
        ({"exclude": table}, "the pattern of rule 'a' cannot be used"),
        ({"exclude": table.with_columns(pattern=pl.lit(None, dtype=pl.String))}, "it is blank"),
        ({"shared": {"cookie": 0}}, "0 is no count"),
        ({"sample": {"customer": 0.0}}, "is no sample"),
        ({"sample": {"customer": 0.5, "cookie": 0.5}}, "is no sample"),
    ):
        with pytest.raises(ArgumentError, match=re.escape(message)):
            cjm.Cleaning(**wrong)
    for wrong, message in (
        ({"ids": {"costumer": ["lower"]}}, "unknown kind of identifier 'costumer'. Did you mean \"customer\""),
        ({"shared": {"customer": 2}}, "'customer' is the log's first kind"),
    ):
        with pytest.raises(ArgumentError, match=re.escape(message)):
            cjm.scan_events({"web": source(ROWS)}, cleaning=cjm.Cleaning(**wrong))


def test_a_kind_is_not_called_as_the_groups_are() -> None:
    table = pl.DataFrame({"event": ["a"], "name": ["b"], "group": ["c"]})
    web = replace(source(ROWS), ids={"group": "who"})
    with pytest.raises(ArgumentError, match="'group' is a kind of identifier and a column of the taxonomy"):
        cjm.scan_events({"web": web}, cleaning=cjm.Cleaning(taxonomy=table))
    cjm.scan_events({"web": web}, cleaning=cjm.Cleaning(taxonomy=table.drop("group"))).require()


TEXTS = st.sampled_from(["A", "a", "b-", "ü", " x ", "0", "null", ""]) | st.none()
TABLE = st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), max_size=12)


@settings(deadline=None, max_examples=100)
@given(TABLE, st.booleans())
def test_all_rules_together_agree_with_a_loop(rows: list[tuple[str | None, ...]], pieces: bool) -> None:
    names = {"A": "first", "ü": None}
    cleaning = cjm.Cleaning(
        ids={"customer": ["lower"]},
        taxonomy=pl.DataFrame({"event": list(names), "name": list(names.values())}),
        exclude=pl.DataFrame({"rule": ["agent"], "column": ["agent"], "pattern": ["^b"]}),
        shared={"cookie": 1},
    )

    def usable(text: str | None) -> str | None:
        text = text and text.strip()
        return None if text in (None, "", "0", "null") else text

    before = []
    for hour, (event, who, cookie, agent) in enumerate(rows):
        event = event and event.strip()
        if not event or (names.get(event, event) is None) or (agent and re.search("^b", agent)):
            continue
        customer = usable(who)
        before.append((hour, names.get(event, event), customer and customer.lower(), usable(cookie)))
    met: dict[str, set[str]] = {}
    for _, _, customer, cookie in before:
        if customer and cookie:
            met.setdefault(cookie, set()).add(customer)
    expected = []
    for hour, event, customer, cookie in before:
        cookie = None if cookie and len(met.get(cookie, ())) > 1 else cookie
        if customer or cookie:
            expected.append((START + timedelta(hours=hour), event, customer, cookie))
    if pieces:  # text that is not coded at once
        given_source = source(rows)
        half = len(rows) // 2
        parts = {"web": replace(given_source, path=given_source.path[:half])}
        parts["more"] = replace(given_source, path=given_source.path[half:])
        found = cjm.scan_events(parts, cleaning=cleaning)
    else:
        found = log(cleaning, rows)
    assert found.frame.select("time", "event", "customer", "cookie").collect().rows() == expected


def test_pieces_are_cleaned_alike(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = [ROWS[number % 5] for number in range(23)]
    cleaning = cjm.Cleaning(
        ids={"customer": ["lower", "alphanumeric"]},
        exclude=pl.DataFrame({"rule": ["bot"], "column": ["agent"], "pattern": ["Bot"]}),
        shared={"cookie": 1},
        sample={"cookie": 0.9},
    )
    whole = log(cleaning, rows)
    monkeypatch.setattr("cjm.events._readers._PIECE", 4)
    pieces = log(cleaning, rows)
    assert pieces.frame.collect().equals(whole.frame.collect())
    assert checks(pieces) == checks(whole)
    order = ["reason", "row"]
    assert pieces.set_aside().sort(order).equals(whole.set_aside().sort(order))
