"""Persons who are forgotten: nothing of them is found on disk, and they do not come back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import cjm
from cjm import job
from cjm.errors import BusyError, ConfigError, InputError, RunError
from cjm.files import locked
from cjm.identity import person_numbers

KEY = b"0123456789abcdef-of-a-test"
CONFIGURATION = """
[output]
dir = "out"

[sources.web]
path = "web*.csv"
time = "at"
event = "what"
ids = { cookie = "cookie", customer = "who" }

[sources.store]
path = "store.parquet"
time = "at"
event = "what"
ids = { customer = "who" }

[sources.app]
path = "app.ndjson"
time = "at"
event = "what"
ids = { device = "device", customer = "who" }

[sources.call]
path = "calls.arrow"
time = "at"
event = "what"
ids = { customer = "who" }

[cleaning]
ids = { customer = ["upper"] }

[mining]
min_support = 0.2
max_length = 2

[churn]
inactive = "20d"
patterns = { cart = "web:home -> web:cart within 30d" }

[watch]
sources = ["web"]

[moments.cart]
pattern = "web:home -> web:cart within 30d"

[privacy]
key_file = "secret/key"
"""
CANARY = ("Canary-17", "canary-cookie", "canary-device", "canary.mail")
START = datetime(2026, 1, 1, tzinfo=UTC)


def rows(start: datetime = START) -> list[dict[str, str | None]]:
    """Return events of twelve persons, one of them the canary, on cookies and devices of their own; one is shared."""
    found = []
    for number in range(240):
        person, turn = number % 12, number // 12
        who = CANARY[0] if person == 0 else f"c-{person}"
        cookie = "kiosk" if turn % 7 == 3 else CANARY[1] if person == 0 else f"k-{person}"
        device = CANARY[2] if person == 0 else f"d-{person}"
        found.append(
            {
                "at": (start + timedelta(hours=5 * number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "what": ("home", "cart", "help", "pay")[(number * 7 + turn) % 4],
                "who": who if turn % 2 == 0 or cookie == "kiosk" else None,
                "cookie": cookie,
                "device": device,
                "mail": f"{CANARY[3]}@x.pl" if person == 0 else f"{person}@x.pl",
            }
        )
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    table = pl.DataFrame(rows(), infer_schema_length=None)
    named = table.filter(pl.col("who").is_not_null())
    table.drop("device").write_csv(tmp_path / "web1.csv")
    named.drop("cookie", "device").write_parquet(tmp_path / "store.parquet")
    table.drop("cookie").write_ndjson(tmp_path / "app.ndjson")
    named.select("at", "what", "who").write_ipc(tmp_path / "calls.arrow")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_bytes(KEY + b"\n")
    (tmp_path / "cjm.toml").write_text(CONFIGURATION)
    return tmp_path


def files_below(home: Path) -> Iterator[Path]:
    """Return all that is not data which the owner put there."""
    given = {"web1.csv", "web2.csv", "store.parquet", "app.ndjson", "calls.arrow", "cjm.toml", "key"}
    return (path for path in home.rglob("*") if path.is_file() and path.name not in given)


def found_in(home: Path, texts: tuple[str, ...], numbers: tuple[int, ...] = ()) -> list[str]:
    """Return where texts (in any case) are found in bytes or in values of tables, and person numbers in tables."""
    places = []
    for path in files_below(home):
        raw = path.read_bytes()
        seen = raw.lower()
        if path.suffix == ".parquet":
            seen += repr(pl.read_parquet(path).rows()).lower().encode()
        if any(text.lower().encode() in seen for text in texts):
            places.append(str(path))
        if any(str(number).encode() in seen or number.to_bytes(8, "little") in raw for number in numbers):
            places.append(f"{path} (number)")
    return places


def number(kind: str, text: str) -> int:
    return int(person_numbers(pl.Series([text]), kind)[0])


def all_done(home: Path) -> None:
    """Run, watch a batch, and store what a notebook would."""
    config = job.load_config(home / "cjm.toml")
    job.run(config)
    job.watch(config, f"web={home / 'web1.csv'}")
    cleaning = cjm.Cleaning(ids=config.cleaning.ids)
    log = cjm.scan_events({name: config.source(name) for name in config.sources}, cleaning=cleaning)
    people = cjm.stitch(log)
    people.write(home / "people")
    cjm.build_journeys(log, people).write(home / "journeys")


@pytest.mark.parametrize("pseudonyms", [False, True])
def test_nothing_is_left_and_nothing_comes_back(home: Path, pseudonyms: bool) -> None:
    path = home / "cjm.toml"
    if pseudonyms:
        path.write_text(path.read_text() + 'pseudonyms = ["customer", "cookie"]\n')
    config = job.load_config(path)
    hidden = tuple(cjm.pseudonym(pl.Series(["CANARY-17", "canary-cookie"]), KEY)) if pseudonyms else ()
    texts = hidden + CANARY[2:] if pseudonyms else CANARY
    job.run(config)
    job.watch(config, f"web={home / 'web1.csv'}")
    persons = pl.read_parquet(home / "out" / "tables" / "persons.parquet").height
    numbers = (number("customer", texts[0] if pseudonyms else "CANARY-17"), number("cookie", texts[1]))
    assert len(found_in(home, texts, numbers)) > 8

    done = job.forget(config, pl.DataFrame({"kind": ["customer"], "id": ["canary-17"]}))
    assert done.identifiers == 3  # the cookie and the device that nobody else has used are theirs
    assert found_in(home, (*CANARY, *hidden), numbers) == []
    assert pl.read_parquet(home / "out" / "tables" / "persons.parquet").height == persons - 1

    later = pl.DataFrame(rows(START + timedelta(days=60)), infer_schema_length=None)
    later.drop("device").write_csv(home / "web2.csv")
    watched = job.watch(config, f"web={home / 'web2.csv'}")
    assert watched.counts["set_aside"] > 0
    job.run(config)
    assert found_in(home, (*CANARY, *hidden), numbers) == []
    quality = pl.read_parquet(home / "out" / "tables" / "quality.parquet").filter(check="person was forgotten")
    assert set(quality["source"]) == {"web", "store", "app", "call"}
    sources = pl.read_parquet(home / "out" / "tables" / "sources.parquet")
    assert (sources["read"] == sources["kept"] + sources["set_aside"] + sources["duplicates"]).all()


def test_stored_identities_and_journeys_are_erased(home: Path) -> None:
    all_done(home)
    config = job.load_config(home / "cjm.toml")
    before = cjm.open_journeys(home / "journeys").height
    stores = [home / "people", home / "journeys"]
    done = job.forget(config, pl.DataFrame({"kind": ["customer"], "id": ["Canary-17"]}), stores=stores)
    assert found_in(home, CANARY, (number("customer", "CANARY-17"),)) == []
    after = cjm.open_journeys(home / "journeys")
    assert done.rows[str(home / "journeys")] == before - after.height > 0
    assert number("customer", "CANARY-17") not in after.frame.collect()["person"]
    assert cjm.open_identities(home / "people").map.filter(pl.col("id").is_in(CANARY)).is_empty()


def test_the_same_call_again_changes_nothing_but_the_receipt(home: Path) -> None:
    config = job.load_config(home / "cjm.toml")
    all_done(home)
    who = pl.DataFrame({"kind": ["customer"], "id": ["Canary-17"]})
    first = job.forget(config, who)
    out = {path: path.read_bytes() for path in (home / "out").rglob("*") if path.is_file()}
    again = job.forget(config, who)
    assert sum(first.rows.values()) > 0
    assert sum(again.rows.values()) == 0
    assert {path: path.read_bytes() for path in (home / "out").rglob("*") if path.is_file()} == out
    held = json.loads((home / "forgotten.json").read_text())
    assert [receipt["rows"] for receipt in held["receipts"]] == [first.rows, again.rows]
    manifest = json.loads((home / "out" / "run.json").read_text())
    tables = home / "out" / "tables"
    for name, rows_of in manifest["tables"].items():
        assert rows_of == pl.read_parquet(tables / f"{name}.parquet").height, name


def test_persons_who_share_an_identifier_are_not_erased_with_another(home: Path) -> None:
    config = job.load_config(home / "cjm.toml")
    job.run(config)
    others = pl.read_parquet(home / "out" / "tables" / "journey_events.parquet")
    others = others.filter(pl.col("person") != number("customer", "CANARY-17"))
    with pytest.raises(InputError, match='cookie "aaaaa" was used by several persons.*Nothing was erased'):
        job.forget(config, pl.DataFrame({"kind": ["cookie"], "id": ["kiosk"]}))
    assert not (home / "forgotten.json").exists()
    job.forget(config, pl.DataFrame({"kind": ["device"], "id": ["canary-device"]}))
    left = pl.read_parquet(home / "out" / "tables" / "journey_events.parquet")
    assert left.equals(others)
    known = pl.read_parquet(home / "out" / "tables" / "identity_map.parquet")
    assert "kiosk" in known["id"]


def test_what_cannot_be_meant_is_said_before_anything_is_erased(home: Path) -> None:
    config = job.load_config(home / "cjm.toml")
    job.run(config)
    before = {path: path.read_bytes() for path in files_below(home)}
    for kind, text, message in (
        ("custmer", "Canary-17", 'Did you mean "customer"'),
        ("customer", "null", "placeholder"),
    ):
        with pytest.raises((ConfigError, InputError), match=message):
            job.forget(config, pl.DataFrame({"kind": [kind], "id": [text]}))
    who = pl.DataFrame({"kind": ["customer"], "id": ["Canary-17"]})
    with locked(home / "out"), pytest.raises(BusyError):
        job.forget(config, who)
    with pytest.raises(InputError, match="no stored journeys"):
        job.forget(config, who, stores=[home / "secret"])
    for given, message in ((["customer"], "KIND=ID"), ([], "nobody is named")):
        with pytest.raises(ConfigError, match=message):
            job.read_identifiers(given)
    with pytest.raises(InputError, match="cannot be read"):
        job.read_identifiers([], home / "nowhere.txt")
    assert {path: path.read_bytes() for path in files_below(home)} == before


def test_the_key_and_the_tombstones_are_looked_after(home: Path) -> None:
    path, plain = home / "cjm.toml", (home / "cjm.toml").read_text()
    config = job.load_config(path)
    job.forget(config, pl.DataFrame({"kind": ["customer"], "id": ["Canary-17"]}))
    (home / "secret" / "key").write_bytes(b"another key of a test")
    with pytest.raises(InputError, match="written with another key"):
        job.run(config)
    (home / "secret" / "key").write_bytes(KEY)
    held = (home / "forgotten.json").read_text()
    mark = json.loads(held)["marks"][0]
    for damage in (held[:-20], held.replace(mark, mark[::-1]), "[]", "{}"):
        (home / "forgotten.json").write_text(damage)
        with pytest.raises(InputError, match="damaged"):
            job.run(config)
    (home / "forgotten.json").unlink()
    (home / "watch").mkdir()
    for key, content, message in (
        ("secret/none", None, "cannot be read"),
        ("secret/short", b"short", "the key has 5 bytes"),
        ("watch/key", KEY, "among the data"),
    ):
        if content is not None:
            (home / key).write_bytes(content)
        path.write_text(plain.replace("secret/key", key))
        with pytest.raises(ConfigError, match=message):
            job.run(job.load_config(path))
    path.write_text(plain.split("[privacy]")[0])
    with pytest.raises(ConfigError, match="key_file"):
        job.forget(job.load_config(path), pl.DataFrame({"kind": ["customer"], "id": ["Canary-17"]}))


def test_a_killed_erasure_is_finished_by_the_same_call(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call that changes what is on disk fails once; then the call is made again."""
    from small_run import one_fault

    all_done(home)
    config = job.load_config(home / "cjm.toml")
    who = pl.DataFrame({"kind": ["customer"], "id": ["Canary-17"]})
    stores = [home / "people", home / "journeys"]
    struck = 0
    for point in range(0, 160, 6):
        with one_fault(point, ("before", "torn", "after")[point // 6 % 3]):
            try:
                job.forget(config, who, stores=stores)
            except (RunError, KeyboardInterrupt):
                struck += 1
        assert pl.read_parquet(home / "out" / "tables" / "journey_events.parquet").height > 0
        assert cjm.open_journeys(home / "journeys").frame.collect().height > 0
        assert cjm.open_identities(home / "people").map.height > 0
        if point == 60:
            job.forget(config, who, stores=stores)
            assert found_in(home, CANARY) == []
    assert struck > 5
    job.forget(config, who, stores=stores)
    assert found_in(home, CANARY) == []


def test_persons_who_were_not_stitched(home: Path) -> None:
    path = home / "cjm.toml"
    path.write_text(path.read_text() + '\n[identity]\nperson = "customer"\n')
    config = job.load_config(path)
    job.run(config)
    numbers = (number("customer", "CANARY-17"),)
    assert found_in(home, (), numbers) != []
    job.forget(config, job.read_identifiers(["customer=Canary-17", "customer=never-seen"]))
    assert found_in(home, CANARY, numbers) == []
    job.run(config)
    assert found_in(home, CANARY[:1], numbers) == []


def test_the_command(home: Path) -> None:
    job.run(job.load_config(home / "cjm.toml"))
    (home / "who.txt").write_text("customer=Canary-17\n\n")
    command = [sys.executable, "-m", "cjm.cli", "forget", str(home / "cjm.toml"), "--ids", str(home / "who.txt")]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "identifiers forgotten: 3" in told.stdout
    assert "journey_events.parquet" in told.stdout
    assert "anary" not in told.stdout + told.stderr
    (home / "who.txt").unlink()
    assert found_in(home, CANARY) == []
