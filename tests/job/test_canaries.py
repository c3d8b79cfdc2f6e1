"""Identifiers appear where they are meant to, in the tables that say who is who, and nowhere else."""

from __future__ import annotations

import logging
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import cjm
from cjm import cli
from cjm.errors import CjmError

CANARY = "Canary-0017"
CONFIGURATION = """
[output]
dir = "out"
hide_below = 1
[sources.web]
path = "web.csv"
time = "at"
event = "what"
ids = { cookie = "cookie", customer = "who" }
on_error = "set aside"
[sources.app]
path = "app.ndjson"
time = "at"
event = "what"
ids = { customer = "who" }
value = "amount"
on_error = "set aside"
[sources.store]
path = "store.parquet"
time = "at"
event = "what"
ids = { customer = "who" }
on_error = "set aside"
[identity]
unique = ["customer"]
[mining]
min_support = 1
[watch]
sources = ["web"]
[moments.cart]
pattern = "web:home -> web:cart within 30d"
[privacy]
key_file = "key"
"""
GOOD = [
    f"2026-01-{day:02d}T10:00:00Z,{what},{CANARY}-{day},{CANARY}-k{day}"
    for day in range(1, 9)
    for what in ("home", "cart")
]
BAD = [
    f"2026-01-09T10:00:00Z,home,{CANARY},{CANARY},{CANARY}",  # too long
    f"{CANARY},{CANARY}",
    f'2026-01-09T10:00:00Z,home,"{CANARY}"x,k',
    f"2026-02-30T10:00:00Z,home,{CANARY},{CANARY}",
    f"{CANARY},2026-01-09T10:00:00Z,home,{CANARY}",  # shifted
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "web.csv").write_text("\n".join(["at,what,who,cookie", *GOOD, *BAD]))
    line = '{{"at": "{}", "what": "open", "who": "{}", "amount": "{}"}}\n'
    (tmp_path / "app.ndjson").write_text(
        line.format("2026-01-05T10:00:00Z", CANARY, CANARY) + line.format(CANARY, "c1", 5)
    )
    store = pl.DataFrame({"at": ["2026-01-06T10:00:00Z", CANARY], "what": "pay", "who": [CANARY, None]})
    store.write_parquet(tmp_path / "store.parquet")
    (tmp_path / "key").write_text("a key of sixteen")
    (tmp_path / "cjm.toml").write_text(CONFIGURATION)
    return tmp_path


@pytest.fixture
def told(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Callable[..., tuple[int, str]]:
    """Call the command line; return its exit code and all that it said."""
    caplog.set_level(logging.DEBUG)

    def call(command: str, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["cjm", command, str(home / "cjm.toml"), *arguments])
        code = cli.call()
        said = capfd.readouterr()
        return code, said.out + said.err + caplog.text

    return call


def holders(home: Path) -> set[str]:
    """Return the files that hold a canary, but for the data that were given."""
    found = set()
    for path in home.rglob("*"):
        given = path.parent == home and path.suffix in (".csv", ".ndjson", ".parquet")
        if path.is_file() and not given:
            seen = path.read_bytes()
            seen += repr(pl.read_parquet(path).rows()).encode() if path.suffix == ".parquet" else b""
            if CANARY.encode() in seen:
                found.add(path.name)
    return found


def test_only_the_tables_of_who_is_who_hold_identifiers(home: Path, told: Callable[..., tuple[int, str]]) -> None:
    code, said = told("check")
    assert (code, CANARY in said) == (0, False)
    assert "time unreadable" in said
    code, said = told("run")
    assert (code, CANARY in said) == (0, False)
    assert holders(home) <= {"identity_map.parquet", "links.parquet", "conflicts.parquet"}
    assert "identity_map.parquet" in holders(home)
    code, said = told("watch", "--batch", f"web={home / 'web.csv'}")
    assert (code, CANARY in said) == (0, False)
    assert holders(home) <= {"identity_map.parquet", "links.parquet", "conflicts.parquet"}
    code, said = told("forget", "--id", f"customer={CANARY}-3")
    assert (code, CANARY in said) == (0, False)


def test_with_pseudonyms_nothing_holds_one(home: Path, told: Callable[..., tuple[int, str]]) -> None:
    path = home / "cjm.toml"
    path.write_text(path.read_text() + 'pseudonyms = ["customer", "cookie"]\n')
    for command, *more in (("run",), ("watch", "--batch", f"web={home / 'web.csv'}")):
        code, said = told(command, *more)
        assert (code, CANARY in said) == (0, False)
    assert holders(home) == set()
    assert (home / "key").read_bytes() not in b"".join(
        path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != "key"
    )
    known = pl.read_parquet(home / "out" / "tables" / "identity_map.parquet").filter(kind="customer")
    ids = pl.Series([CANARY, *(f"{CANARY}-{day}" for day in range(1, 9))])
    assert set(cjm.pseudonym(ids, b"a key of sixteen")) == set(known["id"])


def test_a_run_that_fails_tells_none_and_leaves_none(home: Path, told: Callable[..., tuple[int, str]]) -> None:
    path = home / "cjm.toml"
    plain = path.read_text()
    for mistaken in (
        plain.replace('on_error = "set aside"', ""),
        plain.replace('[identity]\nunique = ["customer"]', '[identity]\nperson = "custmer"'),
        plain + '[churn]\nevent = "web:cart"\npersons = "persons.csv"\n',
        plain + '[consent]\ntable = "consent.csv"\nanalysis = "mail"\n',
    ):
        path.write_text(mistaken)
        (home / "persons.csv").write_text(f"customer,plan\n{CANARY}-1,gold\n{CANARY}-1,blue\n")
        (home / "consent.csv").write_text(f"customer,purpose,given,from,to\n{CANARY}-1,mail,true,{CANARY},\n")
        code, said = told("run")
        assert (code, CANARY in said) == (2, False)
        assert holders(home) == set()
    path.write_text(plain)
    for wrong in (f"customer {CANARY}", f"custmer={CANARY}", f"={CANARY}"):
        code, said = told("forget", "--id", wrong)
        assert (code, CANARY in said) == (2, False)


JSON = f'{{"at":"2026-01-01","what":"h","who":"{CANARY}"}}\n'
SOURCES = {
    "quote.csv": f'at,what,who\n2026-01-01,home,{CANARY}\n2026-01-01,home,"{CANARY}\n',
    "bytes.csv": f"at,what,who\n2026-01-01,home,{CANARY}\n".encode() + b"2026-01-01,home,Canary-0017\xff\n",
    "zero.csv": f"at,what,who\n2026-01-01,home,{CANARY}\x00\n",
    "bare.csv": f"2026-01-01,home,{CANARY}\n2026-01-02,home,{CANARY}\n",
    "number.csv": f"at,what,who,amount\n2026-01-01,home,{CANARY},{CANARY}\n",
    "cut.ndjson": JSON + JSON[:-4],
    "value.ndjson": f'"{CANARY}"\n',
    "nested.ndjson": f'{{"at":"2026-01-01","what":"h","who":{{"id":"{CANARY}"}}}}\n',
    "mixed.ndjson": JSON + JSON.replace(f'"{CANARY}"', f'["{CANARY}"]'),
    "word.ndjson": f'{{"at":"2026-01-01","what":"h","who":tru{CANARY}}}\n',
    "no.parquet": f"{CANARY} {CANARY}",
    "no.arrow": f"{CANARY} {CANARY}",
}


def all_said(source: cjm.Source) -> str:
    """Return the error and the findings of a source."""
    log = cjm.scan_events({"web": source})
    said = []
    for ask in (lambda: log.frame.collect().height, log.quality, log.set_aside, log.counts, log.inputs):
        try:
            answer = ask()
            said.append(repr(answer.rows() if isinstance(answer, pl.DataFrame) else answer))
        except CjmError as error:
            said.append(str(error))
    return " ".join(said)


@pytest.mark.parametrize("on_error", ["raise", "set aside"])
@pytest.mark.parametrize("name", SOURCES)
def test_no_message_about_a_source_tells_one(tmp_path: Path, name: str, on_error: str) -> None:
    content = SOURCES[name]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    more = {"value": "amount"} if name == "number.csv" else {}
    said = all_said(
        cjm.Source(path, time="at", event="what", ids={"customer": "who"}, time_zone="UTC", on_error=on_error, **more)
    )
    assert "anary" not in said
    assert said


@pytest.mark.parametrize("on_error", ["raise", "set aside"])
def test_no_message_about_a_database_or_a_frame_tells_one(on_error: str) -> None:
    rows = [("2026-01-01", "h", CANARY), (CANARY, "h", CANARY), (None, "h", CANARY)]
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE events (at TEXT, what TEXT, who TEXT)")
        database.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
        declared = {"time": "at", "event": "what", "ids": {"customer": "who"}, "time_zone": "UTC", "on_error": on_error}
        query = {"query": "SELECT * FROM events"}
        said = all_said(cjm.Source(database, format="sql", options=query, **declared))
    database.close()
    frame = pl.DataFrame(rows, schema=["at", "what", "who"], orient="row")
    lists = frame.with_columns(pl.concat_list("who"))
    said += all_said(cjm.Source(frame, **declared)) + all_said(cjm.Source(lists, **declared))
    assert "time unreadable" in said
    assert "anary" not in said
