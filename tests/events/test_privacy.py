"""Pseudonyms and tombstones as identifiers are read, against hashlib and a loop over rows."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cjm
from cjm.errors import ArgumentError, InputError
from cjm.privacy import Privacy, Tombstones, pseudonym

KEY = b"a key of a test, sixteen or more"
TEXTS = st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=20)), max_size=20)


def plain(text: str | None) -> str | None:
    return None if text is None else hashlib.blake2b(text.encode(), key=KEY, digest_size=16).hexdigest()


@settings(deadline=None)
@given(TEXTS)
def test_a_pseudonym_is_the_keyed_hash_of_the_text(texts: list[str | None]) -> None:
    column = pl.Series("who", texts, dtype=pl.String).str.strip_chars()
    found = pseudonym(column, KEY)
    assert found.name == "who"
    assert found.to_list() == [plain(text) for text in column]


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=12), unique=True, min_size=1, max_size=12), st.data())
def test_marks_know_the_forgotten_with_and_without_pseudonyms(texts: list[str], data: st.DataObject) -> None:
    ids = pl.Series(texts, dtype=pl.String).str.strip_chars()
    gone = ids.filter(pl.Series(data.draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))))
    open_, hidden = Privacy(KEY), Privacy(KEY, pseudonyms=["customer"])
    marks = open_.marks(gone, "customer")
    assert marks.to_list() == hidden.marks(hidden.stored(gone, "customer"), "customer").to_list()
    known = Tombstones() + marks
    for one in (open_.with_tombstones(known), hidden.with_tombstones(known)):
        assert one.forgotten(one.stored(ids, "customer"), "customer").to_list() == ids.is_in(gone.implode()).to_list()
        assert not one.forgotten(one.stored(ids, "cookie"), "cookie").any()
    assert not set(marks) & set(pseudonym(ids, KEY))
    other = Privacy(b"another key of a test").with_tombstones(known)
    assert not other.forgotten(ids, "customer").any()


ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b", " A", "c", "null", "", None]), st.sampled_from(["k", "l", "m", None])),
    max_size=12,
)


@settings(deadline=None)
@given(ROWS, st.sets(st.sampled_from(["a", "c"])), st.sets(st.sampled_from(["k", "m"])), st.booleans())
def test_a_log_keeps_the_others_and_counts(
    rows: list[tuple[str | None, str | None]], customers: set[str], cookies: set[str], hidden: bool
) -> None:
    frame = pl.DataFrame(
        [("2026-01-01", "e", *row) for row in rows],
        schema={"at": pl.String, "what": pl.String, "who": pl.String, "cookie": pl.String},
        orient="row",
    )
    kinds = ["customer", "cookie"] if hidden else []
    privacy = Privacy(KEY, pseudonyms=kinds)
    known = Tombstones()
    for kind, gone in (("customer", customers), ("cookie", cookies)):
        known += privacy.marks(privacy.stored(pl.Series(sorted(gone), dtype=pl.String), kind), kind)
    source = cjm.Source(
        frame,
        time="at",
        event="what",
        ids={"customer": "who", "cookie": "cookie"},
        time_zone="UTC",
        on_error="set aside",
    )
    rules = cjm.Cleaning(ids={"customer": ["lower"]}, privacy=privacy.with_tombstones(known))
    log = cjm.scan_events({"web": source}, cleaning=rules)
    expected, forgotten = [], 0
    for who, cookie in rows:
        who = (who or "").strip().lower()
        who = None if who in ("", "null") else who
        if who is None and cookie is None:
            continue
        if who in customers or cookie in cookies:
            forgotten += 1
            continue
        expected.append((plain(who), plain(cookie)) if hidden else (who, cookie))
    assert log.frame.select("customer", "cookie").collect().rows() == expected
    counted = log.quality().filter(check="person was forgotten")["rows"].sum()
    assert counted == forgotten
    counts = log.counts().row(0, named=True)
    assert counts["read"] == counts["kept"] + counts["set_aside"] + counts["duplicates"]


def test_limits_and_samples_are_those_of_the_identifiers_themselves() -> None:
    frame = pl.DataFrame(
        {
            "at": "2026-01-01",
            "what": "e",
            "who": [f"c{n % 5}" for n in range(40)],
            "cookie": [f"k{n % 3}" for n in range(40)],
        }
    )
    ids = {"customer": "who", "cookie": "cookie"}
    source = cjm.Source(frame, time="at", event="what", ids=ids, time_zone="UTC", on_error="set aside")
    for rules in ({"shared": {"cookie": 4}}, {"shared": {"cookie": 5}}, {"sample": {"customer": 0.5}}):
        found = [
            cjm.scan_events({"web": source}, cleaning=cjm.Cleaning(**rules, privacy=privacy)).frame.collect()
            for privacy in (None, Privacy(KEY, pseudonyms=["customer", "cookie"]))
        ]
        assert found[0].height == found[1].height
        for kind in ids:
            assert pseudonym(found[0][kind], KEY).equals(found[1][kind])


def test_identifiers_that_become_pseudonyms_are_not_carried_as_they_are() -> None:
    frame = pl.DataFrame({"at": ["2026-01-01T00:00Z"], "what": "e", "who": "canary"})
    rules = cjm.Cleaning(privacy=Privacy(KEY, pseudonyms=["customer"]))
    for more in ({"attributes": ["who"]}, {"channel": "who"}):
        source = cjm.Source(frame, time="at", event="what", ids={"customer": "who"}, **more)
        with pytest.raises(ArgumentError, match="carried as it is"):
            cjm.scan_events({"web": source}, cleaning=rules)
    source = cjm.Source(frame, time="at", event="what", ids={"customer": "who"})
    with pytest.raises(ArgumentError, match=r"Privacy\(pseudonyms"):
        cjm.scan_events({"web": source}, cleaning=cjm.Cleaning(privacy=Privacy(KEY, pseudonyms=["custmer"])))
    assert "canary" not in pickle.dumps(cjm.scan_events({"web": source}, cleaning=rules).coded).decode("latin-1")


def test_no_dictionary_of_what_is_stored_knows_the_forgotten() -> None:
    frame = pl.DataFrame({"at": ["2026-01-01T00:00Z"] * 2, "what": "e", "who": ["canary", "other"]})
    source = cjm.Source(frame, time="at", event="what", ids={"customer": "who"}, on_error="set aside")
    privacy = Privacy(KEY)
    known = Tombstones() + privacy.marks(pl.Series(["canary"]), "customer")
    log = cjm.scan_events({"web": source}, cleaning=cjm.Cleaning(privacy=privacy.with_tombstones(known)))
    assert log.coded["customer"].cast(pl.String).to_list() == ["other"]
    assert log._coder["__stored customer"].texts.to_list() == ["", "other"]


def test_a_key_is_neither_short_nor_shown() -> None:
    for key in (b"", b"fifteen bytes..", b"x" * 65, b"   fifteen bytes  \n"):
        with pytest.raises(ArgumentError, match="the key has"):
            Privacy(key)
    assert "a key" not in repr(Privacy(KEY))
    assert pseudonym(pl.Series(["c1"]), KEY + b"\n").equals(pseudonym(pl.Series(["c1"]), KEY))
    with pytest.raises(InputError, match="names nothing"):
        pseudonym(pl.Series([[1]]), KEY)


def test_tombstones_come_back_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "forgotten.json"
    assert Tombstones.open(path, KEY).marks.is_empty()
    held = (Tombstones() + pl.Series(["b", "a", "b"])).with_receipt({"rows": {"x": 1}})
    held.write(path, KEY)
    found = Tombstones.open(path, KEY)
    assert found.marks.to_list() == ["a", "b"]
    assert found.receipts == ({"rows": {"x": 1}},)
    assert KEY not in path.read_bytes()
