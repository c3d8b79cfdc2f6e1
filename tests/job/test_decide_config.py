"""Actions and decisions that a configuration declares, in a run and as batches come in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_run import small_run

import cjm
from cjm import job
from cjm.errors import ConfigError, InputError
from cjm.moments import Action, Budget

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
WATCHED = """
[output]
dir = "out"
[sources.web]
path = "*.csv"
time = "at"
event = "what"
ids = { customer = "who" }
[identity]
person = "customer"
[context.visits]
of = "web:visit"
[moments.offer]
pattern = "web:offer"
"""
DECIDED = """
[actions.mail]
channel = "email"
moments = ["offer"]
within = "3d"
purpose = "marketing"
eligible = "premium AND visits >= 1"
cost = 1
[actions.banner]
channel = "web"
moments = ["offer"]
within = "30d"
value = 10
despite = ["ticket"]
counts = false
[decide]
persons = "tables/persons.csv"
effects = "tables/effects.csv"
consent = "tables/consent.csv"
suppressions = "tables/spared.csv"
contacts = "tables/contacts.csv"
budgets = [{ contacts = 1, within = "7d", channel = "email" }]
holdout = 0.25
experiment = "winter"
"""
GIVEN = ["true", "true", "false", "true", "true", "true", "true"]
TABLES = {
    "persons": ["customer,value,premium", *(f"c{n},{n * 100},{str(n % 4 > 0).lower()}" for n in range(9))],
    "effects": ["moment,action,effect,basis", "offer,mail,0.1,a guess", "offer,banner,0.2,another"],
    "consent": ["customer,purpose,given,from,to", *(f"c{n},marketing,{GIVEN[n]},2026-01-01," for n in range(7))],
    "spared": ["customer,reason,from,to", "c3,ticket,2026-01-09T00:00Z,", "c5,ticket,2026-01-01,2026-01-05"],
    "contacts": ["customer,time,channel", "c5,2026-01-08T00:00Z,email", "c6,2026-01-01T00:00Z,email"],
}  # fmt: skip
ACTIONS = [
    Action("mail", "email", ("offer",), "3d", "marketing", "premium AND visits >= 1", cost=1),
    Action("banner", "web", ("offer",), "30d", value=10, despite=("ticket",), counts=False),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(NOW.timestamp())))
    (tmp_path / "tables").mkdir()
    for name, lines in TABLES.items():
        (tmp_path / "tables" / f"{name}.csv").write_text("\n".join(lines))
    (tmp_path / "cjm.toml").write_text(WATCHED + DECIDED)
    (tmp_path / "1.csv").write_text("at,what,who\n2026-01-02T08:00Z,visit,c1\n2026-01-02T09:00Z,home,c2\n")
    rows = ["2026-01-03T08:00Z,offer,c0"]
    for n in range(1, 9):
        rows += [f"2026-01-09T0{n}:00Z,{what},c{n}" for what in ("visit", "offer")]
    (tmp_path / "2.csv").write_text("\n".join(["at,what,who", *rows]))
    return tmp_path


def by_hand(matches: pl.DataFrame, home: Path) -> pl.DataFrame:
    """The same decisions with the verb."""
    tables = {}
    for name in TABLES:
        table = pl.read_csv(home / "tables" / f"{name}.csv")
        if "customer" in table.columns:
            table = table.with_columns(cjm.person_numbers(table["customer"], "customer")).drop("customer")
        text = [column for column in ("from", "to", "time") if column in table.columns]
        day = pl.col(text).str.slice(0, 10).str.to_datetime("%Y-%m-%d", time_zone="UTC", time_unit="us")
        tables[name] = table.with_columns(day)
    return cjm.decide(
        matches, ACTIONS, at=NOW, persons=tables["persons"], effects=tables["effects"], consent=tables["consent"],
        suppressions=tables["spared"], contacts=tables["contacts"], budgets=[Budget(1, "7d", "email")],
        holdout=0.25, experiment="winter",
    )  # fmt: skip


def test_a_watch_writes_decisions_beside_its_matches(home: Path) -> None:
    config = job.load_config(home / "cjm.toml")
    quiet, busy = (job.watch(config, home / f"{number}.csv").folder for number in (1, 2))
    end = datetime(2026, 1, 9, 23, tzinfo=UTC)
    last = job.watch(config, [], advance_to=end).folder
    found = {folder: pl.read_parquet(folder / "decisions.parquet") for folder in (quiet, busy, last)}
    assert found[quiet].is_empty()
    assert found[quiet].schema == found[busy].schema
    for folder in (busy, last):
        matches = pl.read_parquet(folder / "matches.parquet")
        if matches.height:
            assert_frame_equal(found[folder], by_hand(matches, home))
    whole = pl.concat(found.values())
    numbers = cjm.person_numbers(pl.Series([f"c{n}" for n in range(9)]), "customer")
    who = dict(zip(numbers, range(9), strict=True))
    mail = whole.filter(pl.col("action") == "mail").with_columns(who=pl.col("person").replace_strict(who)).sort("who")
    free = {"best of 2 options", "left alone for comparison"}
    reasons = mail["reason"].to_list()
    assert reasons[0] == "too late"
    assert reasons[2:6] == ["consent refused", "ticket", "not eligible", "1 contact by email in 7d used up"]
    assert {reasons[1], reasons[6]} <= free
    assert reasons[7] == "no consent on record"
    assert reasons[8] == "not eligible"
    assert whole.filter(pl.col("action") == "banner", pl.col("decision") == "blocked").is_empty()


def test_the_same_batch_again_and_one_without_actions(home: Path) -> None:
    config = job.load_config(home / "cjm.toml")
    folder = job.watch(config, home / "2.csv").folder
    before = (folder / "decisions.parquet").read_bytes()
    assert job.watch(config, home / "2.csv").folder is None
    assert (folder / "decisions.parquet").read_bytes() == before
    (home / "cjm.toml").write_text(WATCHED)
    assert not (job.watch(job.load_config(home / "cjm.toml"), home / "1.csv").folder / "decisions.parquet").exists()


def test_a_run_writes_the_table_and_its_part_of_the_report(home: Path) -> None:
    path = home / "cjm.toml"
    path.write_text(path.read_text().replace('dir = "out"', 'dir = "out"\nhide_below = 1'))
    out = job.run(job.load_config(path))
    found, matches = (pl.read_parquet(out / "tables" / f"{name}.parquet") for name in ("decisions", "moments"))
    assert_frame_equal(found, by_hand(matches, home))
    assert found["person"].n_unique() == 9
    assert "What may be done about them" in (out / "report.html").read_text()
    assert '"source": "decide contacts"' in (out / "run.json").read_text()


def test_a_run_that_stitches(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())))
    path = small_run(home)
    path.write_text(path.read_text().replace("within 1d", "within 9d"))
    more = DECIDED.replace('["offer"]', '["cart"]').replace(" AND visits >= 1", "").replace("30d", "90d")
    path.write_text(path.read_text() + '[consent]\ntable = "tables/consent.csv"\nlists = "marketing"\n' + more)
    effects = home / "tables" / "effects.csv"
    effects.write_text(effects.read_text().replace("offer", "cart"))
    out = job.run(job.load_config(path))
    people = pl.read_parquet(out / "tables" / "identity_map.parquet").filter(pl.col("kind") == "customer")
    found = pl.read_parquet(out / "tables" / "decisions.parquet").join(people, on="person")
    assert found.height > 3
    assert set(found["id"]) <= {f"c{n}" for n in range(7)} - {"c2"}  # who refused is not in the lists
    values = found.filter(pl.col("action") == "mail").select("id", "value").rows()
    assert values
    assert all(value == 100 * int(customer[1:]) for customer, value in values)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('moments = ["offer"]', 'moments = ["ofer"]', 'Did you mean "offer"'),
        ("cost = 1", "costs = 1", 'Did you mean "cost"'),
        ("contacts = 1", "contact = 1", 'Did you mean "contacts"'),
        ("contacts = 1", "contacts = 0", "whole number from 1"),
        ('contacts = "tables/contacts.csv"', "", "which is not given"),
        ('consent = "tables/consent.csv"', "", "purpose needs the table"),
        ("holdout = 0.25", "holdout = 1.0", "holdout"),
        ("premium AND visits", "premium AND AND visits", "cannot be read"),
        (DECIDED[DECIDED.index("[decide]") :], "", "need each other"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_read(home: Path, old: str, new: str, message: str) -> None:
    (home / "wrong.toml").write_text((WATCHED + DECIDED).replace(old, new))
    with pytest.raises(ConfigError, match=message):
        job.load_config(home / "wrong.toml")


def test_tables_that_cannot_be_used(home: Path) -> None:
    config = job.load_config(home / "cjm.toml")
    assert job.check(config).faults == []
    persons = home / "tables" / "persons.csv"
    text = persons.read_text()
    persons.write_text(text.replace("customer", "client"))
    assert "unknown column 'customer'" in job.check(config).faults[0]
    with pytest.raises(ConfigError, match=r"\[decide\] persons"):
        job.watch(config, home / "1.csv")
    persons.write_text(text + "\nc1,7,true")
    with pytest.raises(InputError, match="share person with another"):
        job.watch(config, home / "2.csv")
    persons.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        job.watch(config, home / "1.csv")
    assert not (home / "watch" / "batches").exists() or not list((home / "watch" / "batches").iterdir())
