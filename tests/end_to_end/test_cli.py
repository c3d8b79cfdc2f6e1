"""The command line in a process of its own: the embedded sample, a check, a wrong configuration, a failed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from cjm.contracts import CONTRACTS
from cjm.datasets import sample_path

TABLES = {
    "quality": "QUALITY", "identity_map": "IDENTITY_MAP", "links": "LINKS", "conflicts": "CONFLICTS",
    "journey_events": "JOURNEY_EVENTS", "sessions": "SESSIONS", "persons": "PERSONS", "sequences": "SEQUENCES",
    "itemsets": "ITEMSETS", "rules": "RULES", "occurrences": "OCCURRENCES", "subjects": "SUBJECTS",
    "hazards": "HAZARDS",
}  # fmt: skip


def cjm(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cjm.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    done = cjm("demo", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "report:", "out/report.html", "tables:", "out/tables", "manifest:", "out/run.json",
    ]  # fmt: skip
    assert "stitch: " in done.stderr
    assert "rows in" in done.stderr
    return folder / "out"


def test_every_contract_is_written(demo: Path) -> None:
    for name, contract in TABLES.items():
        table = pl.read_parquet(demo / "tables" / f"{name}.parquet")
        CONTRACTS[contract].validate(table)
        assert table.height > 0 or name == "conflicts", name


def test_the_manifest_tells_what_happened(demo: Path) -> None:
    manifest = json.loads((demo / "run.json").read_text())
    assert set(manifest["versions"]) >= {"cjm", "polars", "python"}
    assert manifest["configuration"]["churn"]["event"] == "account:cancelled"
    assert {one["source"] for one in manifest["inputs"]} == {"web", "app", "call", "store", "email", "churn persons"}
    assert all(one["bytes"] > 0 and one["modified"] for one in manifest["inputs"])
    assert all(one["read"] == one["kept"] + one["set_aside"] + one["duplicates"] for one in manifest["sources"])
    steps = [step["step"] for step in manifest["steps"]]
    assert steps == ["load", "stitch", "journeys", "measure", "mine", "paths to churn", "moments"]
    assert all(step["rows_in"] > 0 and step["rows_out"] > 0 and step["seconds"] >= 0 for step in manifest["steps"])


def test_the_risk_path_stands_out(demo: Path) -> None:
    hazards = pl.read_parquet(demo / "tables" / "hazards.parquet")
    declared = {row["term"]: row for row in hazards.filter(pl.col("tested_on") == "everyone").iter_rows(named=True)}
    assert declared["offer_then_store"]["lower"] > 1
    assert declared["tips_then_setup"]["upper"] < 1
    assert declared["looked_then_cart"]["lower"] < 1 < declared["looked_then_cart"]["upper"]


def test_the_report_can_be_drawn_again(demo: Path) -> None:
    before = (demo / "report.html").read_text()
    done = cjm("report", demo, cwd=demo)
    assert done.returncode == 0, done.stderr
    assert (demo / "report.html").read_text() == before


def test_a_second_run_takes_the_place_of_the_first_unless_it_is_killed(demo: Path) -> None:
    before = {path: path.read_bytes() for path in demo.rglob("*.*")}
    for seconds in (0.5, 2.5, 5.0):
        process = subprocess.Popen(
            [sys.executable, "-m", "cjm.cli", "demo", demo.name], cwd=demo.parent, stderr=subprocess.DEVNULL
        )
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert {path: path.read_bytes() for path in demo.rglob("*.*")}.keys() == before.keys()
        assert json.loads((demo / "run.json").read_text())["tables"]


def test_what_does_not_occur_is_left_out_with_a_warning(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        **{
            '"web:product", "web:cart", "web:checkout"': '"web:product", "web:carts"',
            'looked_then_cart = "web:product': 'looked_then_cart = "web:produkt',
            'pattern = "web:view_offer': 'pattern = "web:view_offers',
        },
    )
    checked = cjm("check", path, cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    done = cjm("run", path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    warnings = json.loads((tmp_path / "cjm-demo" / "run.json").read_text())["warnings"]
    for name in ("pattern looked_then_cart", "moment offer_then_store", "the funnel"):
        assert any(warning.startswith(name) for warning in warnings)
        assert f"warning: {name}" in checked.stderr
    hazards = pl.read_parquet(tmp_path / "cjm-demo" / "tables" / "hazards.parquet")
    assert "offer_then_store" in hazards["term"].to_list()
    assert "looked_then_cart" not in hazards["term"].to_list()


def test_the_version_is_told(tmp_path: Path) -> None:
    assert cjm("--version", cwd=tmp_path).stdout.strip() == "0.1.0"


def test_check(tmp_path: Path) -> None:
    done = cjm("check", sample_path() / "cjm.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ready to run" in done.stdout
    assert list(tmp_path.iterdir()) == []


def written(folder: Path, **changes: str) -> Path:
    text = (sample_path() / "cjm.toml").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    for file in ("web-*.parquet", "app.ndjson", "calls.csv", "store.csv", "email-*.arrow", "persons.parquet"):
        text = text.replace(f'"{file}"', f'"{sample_path() / file}"')
    path = folder / "cjm.toml"
    path.write_text(text)
    return path


def test_a_wrong_configuration_or_call_ends_with_2(tmp_path: Path) -> None:
    done = cjm("run", written(tmp_path, covariates="covariate"), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        'error: cjm.toml: section [churn]: unknown key "covariate". Did you mean "covariates"?'
    )
    assert cjm("run", "none.toml", cwd=tmp_path).returncode == 2
    assert cjm("fly", cwd=tmp_path).returncode == 2
    assert cjm("report", tmp_path, cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("calls.csv", "none.csv", 2, "there is no such file"),
        ('"started"', '"star"', 2, 'Did you mean "started"'),
        ('event = "account:cancelled"', 'event = "account:canceled"', 2, 'Did you mean "account:cancelled"'),
        ('unique = ["customer"]', 'unique = ["client"]', 2, "[identity] unique"),
    ],
)
def test_a_failed_run_says_why_and_leaves_nothing(tmp_path: Path, old: str, new: str, code: int, message: str) -> None:
    path = written(tmp_path, **{old: new})
    checked = cjm("check", path, cwd=tmp_path)
    assert checked.returncode == 2
    assert message in checked.stderr
    done = cjm("run", path, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["cjm.toml"]
