"""``cjm watch``: batches from files, once each, and killed at any time."""

import json
import multiprocessing
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from watch_child import take_in

import cjm
from cjm import job
from cjm.errors import ArgumentError, BusyError, ConfigError, InputError
from cjm.files import locked

CONFIG = """
[output]
dir = "out"
[sources.web]
path = "web/*.csv"
time = "at"
event = "what"
ids = { cookie = "cookie", customer = "who" }
value = "amount"
[sources.store]
path = "store.csv"
time = "at"
event = "what"
ids = { customer = "who" }
[watch]
lateness = "1h"
[context.spent]
of = "web:pay"
value = "value"
time_zone = "Europe/Warsaw"
[moments.followed]
pattern = "web:offer -> {web:visit, store:visit} within 3d -> not web:renew within 1d"
action = "call"
[moments.broke]
pattern = "web:no_funds[spent >= 100]"
once_per = "30d"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "cjm.toml").write_text(CONFIG)
    (tmp_path / "web").mkdir()
    rng = random.Random(3)
    clock = 1_767_225_600
    for number in range(4):
        lines = ["at,what,cookie,who,amount"]
        for _ in range(120):
            clock += rng.randint(1, 3_000)
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock))
            what = rng.choice(["offer", "visit", "renew", "pay", "no_funds"])
            who = rng.choice(["", *(f"c{one}" for one in range(9))])
            lines.append(f"{stamp},{what},k,{who},{rng.randint(1, 90)}")
        (tmp_path / "web" / f"{number}.csv").write_text("\n".join(lines))
    return tmp_path


def outputs(home: Path) -> dict[str, bytes]:
    """Return every file below the folder of the watch."""
    folder = home / "watch"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def batches(home: Path) -> list[Path]:
    return sorted((home / "web").glob("*.csv"))


def matches_in(home: Path) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in (home / "watch" / "batches").rglob("matches.parquet")])


def test_batches_one_by_one_are_one_pass_over_all(home: Path) -> None:
    config = job.load_config(home / "cjm.toml")
    for path in batches(home):
        done = job.watch(config, path)
        counts = done.counts
        assert counts["read"] == 120
        assert counts["nobody"] > 0
        assert (done.folder / "late.parquet").is_file()
    far = pl.Series(["2027-01-01T00:00:00Z"]).str.to_datetime(time_zone="UTC")[0]
    job.watch(config, [], advance_to=far)
    one = home / "one"
    one.mkdir()
    (one / "cjm.toml").write_text(CONFIG)
    job.watch(job.load_config(one / "cjm.toml"), [f"web={path}" for path in batches(home)], advance_to=far)
    found, whole = (matches_in(folder).sort("moment", "match_id") for folder in (home, one))
    assert found.equals(whole)
    assert set(found["moment"]) == {"followed", "broke"}


def test_the_same_batch_again_changes_nothing(home: Path) -> None:
    config = job.load_config(home / "cjm.toml")
    first, second, *_ = batches(home)
    name = job.watch(config, first).name
    job.watch(config, second)
    before = outputs(home)
    again = job.watch(config, first)
    assert (again.folder, again.name) == (None, name)
    copy = home / "copy.csv"
    copy.write_bytes(second.read_bytes())
    assert job.watch(config, f"web={copy}").folder is None
    assert outputs(home) == before


def test_late_rows_are_set_aside_and_counted(home: Path) -> None:
    config = job.load_config(home / "cjm.toml")
    first, second, *_ = batches(home)
    job.watch(config, second)
    done = job.watch(config, first)
    late = pl.read_parquet(done.folder / "late.parquet")
    counts = done.counts
    assert late.height == counts["late"] == counts["read"] - counts["nobody"] > 0


def test_rows_from_the_future_wait_and_are_counted(home: Path) -> None:
    config = job.load_config(home / "cjm.toml")
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))
    batch = home / "web" / "0.csv"
    batch.write_text(batch.read_text() + f"\n{soon},visit,k,c1,1")
    done = job.watch(config, batch)
    assert (done.counts["read"], done.counts["ahead"]) == (121, 1)
    told = json.loads((done.folder / "run.json").read_text())
    assert told["watermark"].startswith("2026-01-")
    assert job.watch(config, batches(home)[1]).counts["late"] == 0


def test_one_at_a_time(home: Path) -> None:
    config = job.load_config(home / "cjm.toml")
    job.watch(config, batches(home)[0])
    with locked(home / "watch"):
        with pytest.raises(BusyError, match="another run"):
            job.watch(config, batches(home)[1])
        told = run_cli(home, batches(home)[1])
        assert told.returncode == 75
    assert job.watch(config, batches(home)[1]).folder is not None


def test_what_cannot_be_meant_is_said(home: Path) -> None:
    config = job.load_config(home / "cjm.toml")
    with pytest.raises(InputError, match="no such file"):
        job.watch(config, "web=nowhere.csv")
    other = home / "other.csv"
    other.write_text("x")
    with pytest.raises(ConfigError, match="not clear which source"):
        job.watch(config, other)
    with pytest.raises(ArgumentError, match="neither"):
        job.watch(config, [])
    for wrong, message in (
        ('of = "web:pay ->"', "context.spent"),
        ('time_zone = "Mars"', "unknown time zone"),
        ('once_per = "0s"', "once_per is zero"),
        ('latenes = "1h"', 'Did you mean "lateness"'),
    ):
        key = wrong.split(" ")[0]
        key = {"latenes": "lateness"}.get(key, key)
        lines = [wrong if line.startswith(f"{key} =") else line for line in CONFIG.splitlines()]
        (home / "wrong.toml").write_text("\n".join(lines))
        with pytest.raises(ConfigError, match=message):
            job.load_config(home / "wrong.toml")


def test_cleaning_applies_to_batches_or_is_refused(home: Path) -> None:
    rules = [("offers", "event", "^offer$"), ("staff", "customer", "^c1$"), ("of the store", "till", "^test$")]
    pl.DataFrame(rules, schema=["rule", "column", "pattern"], orient="row").write_csv(home / "rules.csv")
    text = CONFIG + '[cleaning]\nexclude = "rules.csv"\nsample = { customer = 0.5 }\n'
    (home / "cjm.toml").write_text(text)
    rows = pl.read_csv(batches(home)[0]).filter((pl.col("what") != "offer") & (pl.col("who") != "c1"))
    web = cjm.Source(rows, time="at", event="what", ids={"customer": "who"})
    kept = cjm.scan_events({"web": web}, cleaning=cjm.Cleaning(sample={"customer": 0.5})).frame.collect().height
    counts = job.watch(job.load_config(home / "cjm.toml"), batches(home)[0]).counts
    assert 0 < kept < rows.height
    assert counts["read"] - counts["set_aside"] == kept
    with pytest.raises(InputError, match="no source has a column 'till'"):
        job.watch(job.load_config(home / "cjm.toml"), [f"web={batches(home)[1]}", f"store={batches(home)[2]}"])
    (home / "cjm.toml").write_text(text + "shared = { customer = 3 }\n")
    with pytest.raises(ConfigError, match="cleaning. shared.*only the whole log can tell"):
        job.watch(job.load_config(home / "cjm.toml"), batches(home)[1])


def run_cli(home: Path, path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cjm.cli", "watch", str(home / "cjm.toml"), "--batch", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_command_line_without_compiled_code(home: Path, kind: str) -> None:
    (home / "cjm.toml").write_text(CONFIG.replace("web/*.csv", f"web/*.{kind}"))
    batch = home / "web" / f"0.{kind}"
    if kind == "parquet":
        pl.read_csv(batches(home)[0], infer_schema=False).with_columns(
            pl.col("at").str.to_datetime(time_zone="UTC"), pl.col("amount").cast(pl.Int64)
        ).write_parquet(batch)
    code = (
        "import sys; from cjm.cli import app; sys.argv[1:] = sys.argv[2:]\n"
        "try: app()\nexcept SystemExit: pass\nprint('numba' in sys.modules)"
    )
    command = [sys.executable, "-c", code, "-", "watch", str(home / "cjm.toml"), "--batch", str(batch)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "read 120" in told
    assert told.splitlines()[-1] == "False"
    again = run_cli(home, batch)
    assert (again.returncode, "taken in before" in again.stdout) == (0, True)


def test_killed_at_random_nothing_is_lost_or_doubled(home: Path, tmp_path: Path) -> None:
    """A scheduler tries each batch until it is done; what remains is what an undisturbed one leaves, byte for byte."""
    calm = tmp_path / "calm"
    calm.mkdir()
    (calm / "cjm.toml").write_text(CONFIG)
    config = job.load_config(calm / "cjm.toml")
    for path in batches(home):
        job.watch(config, f"web={path}")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cjm.job._watch", "cjm.job._config"])
    rng = random.Random(5)
    kills = killed_in_between = 0
    while kills < 50:
        shutil.rmtree(home / "watch", ignore_errors=True)
        for path in batches(home):
            done = False
            while not done:
                child = context.Process(target=take_in, args=(str(home), str(path)))
                child.start()
                child.join(rng.random() * 0.7 if kills < 50 else None)
                done = child.exitcode == 0
                if child.exitcode is None:
                    child.kill()
                    child.join()
                    kills += 1
                    killed_in_between += (home / ".watch.lock").exists()
                assert child.exitcode in (0, -signal.SIGKILL)
    assert killed_in_between > 10
    left, expected = outputs(home), outputs(calm)
    assert {name: left.get(name) for name in expected} == expected
    assert set(left) - set(expected) == set()
