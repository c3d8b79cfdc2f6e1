"""A run that reads new files only ends as one that reads everything."""

from __future__ import annotations

import json
import logging
import os
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from days_log import CONFIGURATION, START, app_rows, days_with_faults, run, run_both, web_rows, write

from cjm import job

ECOM = Path(__file__).parents[3] / "shared" / "data" / "events" / "retentioneering_ecom_synthetic.csv.gz"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes long in a small run: the pages of the report."""
    monkeypatch.setattr("cjm.job._run.render", lambda *_: "report")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a configuration and a first day."""
    chance = random.Random(0)
    (tmp_path / "cjm.toml").write_text(CONFIGURATION)
    write(tmp_path, "day-1", web_rows(chance, 120), app_rows(chance, 60))
    return tmp_path


def visit(number: int, hours: float, cookie: str, customer: str | None, page: str = "home") -> dict[str, Any]:
    at = (START + timedelta(hours=hours)).isoformat()
    return {"id": f"x{number}", "at": at, "page": page, "cookie": cookie, "customer": customer}


def quality(folder: Path, check: str) -> int:
    found = pl.read_parquet(folder / "out" / "tables" / "quality.parquet").filter(check=check)
    return int(found["rows"].sum())


def test_random_days(tmp_path: Path) -> None:  # of their parts many more are tested in test_days_parts.py
    chance = random.Random(1)
    (tmp_path / "cjm.toml").write_text(CONFIGURATION)
    write(tmp_path, "day-0", web_rows(chance, 80), app_rows(chance, 40))
    assert run(tmp_path) == {}
    for day in range(1, 3):
        web = web_rows(chance, chance.randrange(1, 30)) if chance.random() < 0.8 else None
        app = app_rows(chance, chance.randrange(1, 20)) if web is None or chance.random() < 0.6 else None
        write(tmp_path, f"day-{day}", web, app)
        assert run_both(tmp_path)["files"] == (web is not None) + (app is not None)


def test_what_a_day_may_change(folder: Path) -> None:
    run(folder)
    persons = pl.read_parquet(folder / "out" / "tables" / "persons.parquet").height
    # visits of somebody unknown; nobody else is touched
    write(folder, "day-2", [visit(number, 60 + number, "new", None) for number in range(3)])
    assert run_both(folder) == {"files": 1, "persons": 1}
    # a login claims the visits of the day before: the person who was there is gone, another one has come
    write(folder, "day-3", [visit(4, 70, "new", "c9")])
    assert run_both(folder) == {"files": 1, "persons": 2}
    events = pl.read_parquet(folder / "out" / "tables" / "persons.parquet")
    assert events.height == persons + 1
    assert 4 in events["events"]
    # the same rows once more
    twice = quality(folder, "event id seen before")
    write(folder, "day-4", [visit(4, 70, "new", "c9"), visit(1, 61, "new", None)])
    assert run_both(folder) == {"files": 1, "persons": 0}
    assert quality(folder, "event id seen before") == twice + 2
    # an event that comes late, and at the time of another one
    write(folder, "day-5", [visit(5, 60, "new", None, "late"), visit(6, -500, "newer", "c9", "later")])
    assert run_both(folder) == {"files": 1, "persons": 1}
    # nothing new
    assert run_both(folder) == {"files": 0, "persons": 0}


def test_when_all_files_are_read(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(7)

    def why() -> str:
        said = run(folder)
        assert list(said) == ["all files are read"]
        return str(said["all files are read"])

    run(folder)
    first = folder / "web" / "day-1.csv"
    os.utime(first, (1, 1))  # another time, the same content
    assert run_both(folder)["files"] == 0
    first.write_text(first.read_text().replace("help", "hulp"))
    with caplog.at_level(logging.INFO, "cjm"):
        assert "day-1.csv is gone, has changed, or comes after a new file" in why()
    assert "all files are read: of source 'web'" in caplog.text
    write(folder, "day-0", app=app_rows(chance, 5))
    assert "of source 'app'" in why()
    more = visit(1, 3, "k1", None) | {"more": "column"}
    pl.DataFrame([more]).write_csv(folder / "web" / "day-2.csv")
    assert why() == "new files of source 'web' have other columns or types than former ones"
    path = folder / "cjm.toml"
    path.write_text(path.read_text().replace("max_length = 2", "max_length = 1"))
    assert why() == "the configuration, a table of rules or a version of a library has changed"
    pl.DataFrame([more | {"id": "x2", "page": ""}]).write_csv(folder / "web" / "day-3.csv")
    assert why() == "source 'web' has what it never had before: event missing"
    (stored,) = (folder / ".out.days" / "load" / "events" / "0000").glob("0001-*.arrow")
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    assert why() == "what the former run kept is damaged"
    labels = folder / ".out.days" / "stitch" / "people" / "labels.arrow"
    labels.write_bytes(labels.read_bytes()[:-1])
    assert run_both(folder) == {"files": 0}  # and nothing of its persons


@pytest.mark.parametrize(
    "rule",
    ["[cleaning]\nshared = {cookie = 3}", "[sources.app]\ndrop_duplicates = true", '[sources.app]\norder = "plan"'],
)
def test_rules_that_look_at_all_rows(folder: Path, rule: str, caplog: pytest.LogCaptureFixture) -> None:
    section, _ = rule.split("\n")
    text = (folder / "cjm.toml").read_text()
    path = folder / "cjm.toml"
    path.write_text(text.replace(section, rule) if section in text else f"{text}\n{rule}\n")
    with caplog.at_level(logging.INFO, "cjm"):
        assert run(folder) == {}
    assert "a run with new files will read all files" in caplog.text
    assert not (folder / ".out.days").exists()


def test_without_folders_and_patterns_nothing_is_kept(folder: Path) -> None:
    path = folder / "cjm.toml"
    path.write_text(path.read_text().replace("web/*.csv", "web/day-1.csv").replace('"app"', '"app/day-1.parquet"'))
    assert run(folder) == {}
    assert [one.name for one in folder.iterdir() if one.name.startswith(".")] == []


def test_an_interrupted_run_goes_on_from_the_former_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(folder)
    write(folder, "day-2", web_rows(random.Random(3), 20))

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for name in ("cjm.job._days.grown", "cjm.job._days.journeys_again", "cjm.transitions"):
        with monkeypatch.context() as patch:
            patch.setattr(name, stop)
            with pytest.raises(KeyboardInterrupt):
                job.run(job.load_config(folder / "cjm.toml"))
    with monkeypatch.context() as patch:
        patch.setattr("cjm.job._days.keep_more", stop)
        job.run(job.load_config(folder / "cjm.toml"))
    said = json.loads((folder / "out" / "run.json").read_text())["incremental"]
    assert said["files"] == 1
    assert run_both(folder) == {"files": 0, "persons": 0}


def test_persons_without_stitching(folder: Path) -> None:
    path = folder / "cjm.toml"
    path.write_text(path.read_text() + '\n[identity]\nperson = "customer"\n')
    run(folder)
    write(folder, "day-2", [visit(1, 20, "k1", "c2"), visit(2, 21, "k1", None), visit(3, 22, "k1", "c77")])
    assert run_both(folder) == {"files": 1, "persons": 2}


def test_events_without_consent_are_kept_for_later(folder: Path) -> None:
    records = pl.DataFrame({"customer": ["c1", "c2"], "purpose": "analytics", "given": [False, True]})
    records = records.with_columns(pl.lit("2026-01-01T00:00Z").alias("from"), pl.lit(None).alias("to"))
    records.write_csv(folder / "consent.csv")
    path = folder / "cjm.toml"
    path.write_text(
        path.read_text()
        + '\n[consent]\ntable = "consent.csv"\nid = "customer"\nanalysis = "analytics"\ndefault = true\n'
    )
    run(folder)
    write(folder, "day-2", web_rows(random.Random(5), 20))
    assert run_both(folder)["files"] == 1
    events = pl.read_parquet(folder / "out" / "tables" / "journey_events.parquet").height
    records.with_columns(given=True).write_csv(folder / "consent.csv")  # whoever consents now is looked at again
    assert run_both(folder)["files"] == 0
    assert pl.read_parquet(folder / "out" / "tables" / "journey_events.parquet").height > events
    assert (folder / ".out.days" / "journeys" / "all").exists()


def test_folders_that_are_columns_and_rows_of_several_events(folder: Path) -> None:
    path = folder / "cjm.toml"
    text = path.read_text() + '\n[sources.orders]\npath = "orders"\ntime = {created = "created", paid = "paid"}\n'
    path.write_text(text + 'ids = {customer = "who"}\n')
    for day in (1, 2):
        file = folder / "orders" / f"day=2026-01-0{day}" / "orders.ndjson"
        file.parent.mkdir(parents=True)
        orders = [{"created": f"2026-01-0{day}T10:00Z", "paid": f"2026-01-0{day}T11:00Z", "who": f"o{day}"}]
        pl.DataFrame([*orders, *orders]).write_ndjson(file)
        assert run_both(folder) == ({} if day == 1 else {"files": 1, "persons": 1})
    events = pl.read_parquet(folder / "out" / "tables" / "journey_events.parquet").drop_nulls("day")
    assert events["day"].to_list().count("2026-01-02") == 4


@pytest.mark.skipif(not ECOM.exists(), reason="needs the data of the shop")
def test_days_of_a_real_log(tmp_path: Path) -> None:
    log = pl.read_csv(ECOM, infer_schema=False)
    (tmp_path / "cjm.toml").write_text(
        '[output]\ndir = "out"\n[sources.shop]\npath = "shop/*.csv"\ntime = "timestamp"\ntime_zone = "UTC"\n'
        'event = "event"\nids = {customer = "user_id"}\n[mining]\nmin_support = 0.5\nmax_length = 2\n'
    )
    (tmp_path / "shop").mkdir()
    log = log.sort("timestamp", maintain_order=True).head(6_000)
    for day, part in enumerate((log[:5_900], log[5_900:5_950], log[5_950:])):
        part.write_csv(tmp_path / "shop" / f"{day}.csv")
        said = run_both(tmp_path)
        assert said.get("files") == (1 if day else None)


def test_no_fault_of_the_disk_breaks_a_run_over_a_new_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # benchmarks/interrupted.py lets every single call fail
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    faults, struck = days_with_faults(tmp_path, every=251)
    assert struck >= faults - 1
