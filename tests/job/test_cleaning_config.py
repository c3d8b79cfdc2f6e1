"""``[cleaning]`` and further sources in a configuration; secrets stay out of the manifest."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import cjm
from cjm.errors import ArgumentError, ConfigError
from cjm.job import check, load_config, run
from cjm.job._load import declared_log

HEAD = '[output]\ndir = "out"\n[identity]\nperson = "customer"\n'
WEB = '[sources.web]\npath = "log"\ntime = "at"\nevent = "what"\nids = { customer = "who" }\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    hours = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(6)]
    (tmp_path / "log" / "shop=a").mkdir(parents=True)
    frame = pl.DataFrame({"at": hours, "what": ["home", "cart", "ping"] * 2, "who": ["A1", "a1", "b"] * 2})
    frame.write_parquet(tmp_path / "log" / "shop=a" / "x.parquet")
    (tmp_path / "names.csv").write_text("event,name,group\nping,,\ncart,basket,buy\n")
    pl.DataFrame({"rule": ["none"], "column": ["shop"], "pattern": ["^b$"]}).write_parquet(tmp_path / "rules.parquet")
    return tmp_path


def declared(folder: Path, text: str) -> cjm.EventLog:
    (folder / "cjm.toml").write_text(HEAD + text)
    return declared_log(load_config(folder / "cjm.toml"))


def test_the_section_is_the_value(folder: Path) -> None:
    log = declared(
        folder,
        WEB + '[cleaning]\nids = { customer = ["lower"] }\ntaxonomy = "names.csv"\nexclude = "rules.parquet"\n'
        "sample = { customer = 1.0 }\n",
    )
    frame = log.frame.collect()
    assert frame["event"].to_list() == ["home", "basket"] * 2
    assert frame["customer"].unique().to_list() == ["a1"]
    assert frame["group"].to_list() == [None, "buy"] * 2
    assert frame["shop"].unique().to_list() == ["a"]
    assert check(load_config(folder / "cjm.toml")).faults == []


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ('ids = { customer = ["lowr"] }', ArgumentError, 'Did you mean "lower"'),
        ("idz = {}", ConfigError, 'section [cleaning]: unknown key "idz". Did you mean "ids"'),
        ('taxonomy = "none.csv"', ConfigError, "[cleaning] taxonomy"),
        ("sample = { who = 0.5 }", ArgumentError, "unknown kind of identifier 'who'"),
        ('shared = { customer = "3" }', ConfigError, "shared"),
    ],
)
def test_wrong_rules(folder: Path, text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        declared(folder, f"{WEB}[cleaning]\n{text}\n")
    assert message in str(caught.value)


def test_rows_of_several_events_and_databases(folder: Path) -> None:
    pytest.importorskip("adbc_driver_sqlite")
    with sqlite3.connect(folder / "shop.db") as connection:
        connection.execute("create table orders (who text, made text, paid text)")
        connection.execute("insert into orders values ('a1', '2025-01-01T10:00:00Z', '2025-01-02T10:00:00Z')")
    log = declared(
        folder,
        f'[sources.shop]\npath = "sqlite:///{folder}/shop.db"\nformat = "sql"\n'
        'options = { query = "select * from orders" }\n'
        'time = { made = "made", paid = "paid" }\nids = { customer = "who" }\n',
    )
    assert log.frame.collect()["event"].to_list() == ["made", "paid"]


def test_secrets_stay_out_of_the_manifest(folder: Path) -> None:
    text = WEB + 'options = { storage = { aws_secret_access_key = "hush" } }\n'
    (folder / "cjm.toml").write_text(HEAD + text)
    out = run(load_config(folder / "cjm.toml"))
    written = (out / "run.json").read_text() + (out / "report.html").read_text()
    assert "hush" not in written
    assert json.loads((out / "run.json").read_text())["configuration"]["sources"]["web"]["options"] == {
        "storage": "***"
    }
    remote = WEB.replace('"log"', '["postgresql://me:hush@host/shop", "log"]')
    (folder / "cjm.toml").write_text(HEAD + remote)
    config = load_config(folder / "cjm.toml")
    assert config.source("web").path == ["postgresql://me:hush@host/shop", str(folder / "log")]
    assert "hush" not in config.model_dump_json()


def test_a_source_given_as_it_is_and_by_a_file_are_one(folder: Path) -> None:
    log = declared(folder, WEB)
    plain = replace(log.sources["web"], path=str(folder / "log"))
    assert cjm.scan_events({"web": plain}).frame.collect().equals(log.frame.collect())
