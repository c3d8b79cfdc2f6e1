"""The worked configurations run on the real data."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest

from cjm.job import check, load_config, run

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


@pytest.fixture(scope="module")
def grocery(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tables = shared / "data" / "events" / "complete_journey_odd"
    if not tables.is_dir():
        pytest.skip("the complete_journey tables are not in ../shared/data")
    folder = tmp_path_factory.mktemp("grocery")
    shutil.copy(EXAMPLES / "complete_journey" / "cjm.toml", folder)
    arguments = sys.argv
    sys.argv = ["prepare.py", str(tables), str(folder)]
    try:
        runpy.run_path(str(EXAMPLES / "complete_journey" / "prepare.py"), run_name="__main__")
    finally:
        sys.argv = arguments
    return run(load_config(folder / "cjm.toml"))


@pytest.fixture(scope="module")
def billing(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    log = shared / "data" / "events" / "hospital_billing.parquet"
    if not log.is_file():
        pytest.skip("hospital_billing.parquet is not in ../shared/data")
    folder = tmp_path_factory.mktemp("billing")
    shutil.copy(EXAMPLES / "hospital_billing" / "cjm.toml", folder)
    (folder / log.name).symlink_to(log)
    config = load_config(folder / "cjm.toml")
    assert check(config).faults == []
    return run(config)


def table(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder / "tables" / f"{name}.parquet")


def test_grocery_households(grocery: Path) -> None:
    manifest = json.loads((grocery / "run.json").read_text())
    assert {one["source"]: one["kept"] for one in manifest["sources"]} == {
        "store": 77_312,
        "mail": 3_222,
        "coupon": 583,
    }
    assert manifest["persons"] == 1_231
    hazards = {row["term"]: row for row in table(grocery, "hazards").iter_rows(named=True)}
    assert hazards["frequent"]["upper"] < 0.5
    assert hazards["coupon_used"]["upper"] < 1
    assert hazards["no_main_shop"]["lower"] < 1 < hazards["no_main_shop"]["upper"]
    assert any("is a pause" in warning for warning in manifest["warnings"])
    funnel = table(grocery, "funnel")
    assert funnel["persons"].to_list() == [732, 197, 179]


def test_grocery_funnel_agrees_with_sql(grocery: Path) -> None:
    import duckdb

    # mailings and coupons are dated by day; where they tie, a mailing comes first, as its source does
    events = table(grocery, "journey_events").select("person", "time", "touchpoint")
    assert not events.is_empty()
    counted = duckdb.sql(
        """
        with a as (select person, time from events where touchpoint = 'mail:type_a'),
             b as (select distinct a.person, a.time as began, c.time from a join events c using (person)
                   where c.touchpoint = 'coupon:redeemed' and c.time >= a.time and c.time <= a.time + interval 60 day),
             s as (select distinct b.person from b join events c using (person)
                   where c.touchpoint = 'store:main_shop' and c.time > b.time and c.time <= b.began + interval 60 day)
        select (select count(distinct person) from a), (select count(distinct person) from b), (select count(*) from s)
        """
    ).fetchall()
    assert list(counted[0]) == table(grocery, "funnel")["persons"].to_list()


def test_hospital_billing(billing: Path) -> None:
    manifest = json.loads((billing / "run.json").read_text())
    source = manifest["sources"][0]
    assert (source["read"], source["kept"], source["set_aside"]) == (451_359, 451_358, 1)
    hazards = {row["term"]: row for row in table(billing, "hazards").iter_rows(named=True)}
    assert hazards["reopened"]["lower"] > 20
    assert hazards["changed_diagnosis"]["upper"] < 0.6
    assert table(billing, "audit").filter(pl.col("measure") == "end: churn")["count"][0] == 8_221
    assert "reopened" in (billing / "report.html").read_text() or "REOPEN" in (billing / "report.html").read_text()
