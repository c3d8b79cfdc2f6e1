"""Most memory of a whole run, step by step: ``cjm run --memory`` on simulated logs in four files.

Call: python benchmarks/memory.py [--events 1e6 1e7 1e8] [--memory 4GB] [--stitched | --known] [--folder /tmp/somewhere]

A company is simulated whose five logs hold about so many events, and written as four Parquet files: web, app, email,
and service (calls and shops). Then one process runs a configuration with all sections. Resident memory is that of the
process and its children, read 50 times a second; CPU seconds are theirs as well. Without ``--stitched`` a customer
number is a person, and events without one are left out; with ``--known`` there are none, for each event has the number
of the one who did it (shared devices are left out). Takes 3 GB of disk at 100 million events, and twice that while they
are simulated.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

import cjm

EVENTS_A_PERSON = 51.9
INTENSITY = 1.2
IDENTITY = {
    False: 'person = "customer"',
    True: 'mode = "device split"\nunique = ["customer"]\nreplay = "30d"',
}
CONFIGURATION = """
[output]
dir = "out"

[sources.web]
path = "web.parquet"
time = "time"
event = "page"
ids = { customer = "user_id", cookie = "cookie" }
attributes = ["campaign"]

[sources.app]
path = "app.parquet"
time = "time"
event = "action"
ids = { customer = "user", device = "device" }

[sources.service]
path = "service.parquet"
time = "time"
event = "what"
channel = "channel"
ids = { customer = "customer" }
value = "amount"

[sources.email]
path = "email.parquet"
time = "time"
event = "mail"
ids = { customer = "customer", email = "address", cookie = "cookie" }

[journeys.funnel]
steps = ["web:product", "web:cart", "web:checkout"]
within = "7d"

[journeys.goals.buy]
start = "web:cart"
end = ["web:checkout", "store:purchase"]
timeout = "14d"

[journeys.goals.solve_ticket]
start = "call:ticket_opened"
end = "call:ticket_closed"
timeout = "30d"
key = "ticket"

[journeys.kpis]
first_value = ["web:checkout", "store:purchase"]
cancel = ["account:cancelled"]
contacts = ["call:*"]

[mining]
min_support = 0.02
max_length = 3
max_gap = "7d"

[churn]
event = "account:cancelled"
persons = "persons.parquet"
entry = "registered"
covariates = ["premium"]
by = "premium"

[churn.patterns]
offer_then_store = "web:view_offer -> store:visit within 3d"
tips_then_setup = "email:opened_tips -> app:setup_done within 7d"
looked_then_cart = "web:product -> web:cart within 1h"

[moments.offer_then_store]
pattern = "web:view_offer -> store:visit within 3d"

[identity]
"""


def make_files(events: int, folder: Path, *, known: bool = False) -> int:
    """Write the four files and the table of persons; return how many events there are."""
    world = folder / "world"
    cjm.datasets.simulate(round(events / EVENTS_A_PERSON), seed=1, intensity=INTENSITY, path=world)
    local = {"time_unit": "us"}
    calls = pl.scan_csv(world / "calls.csv", separator=";", infer_schema=False).select(
        _utc(pl.col("started").str.to_datetime("%Y-%m-%d %H:%M:%S", **local)),
        what="topic", channel="line", customer="customer_no", amount=pl.lit(None, pl.Float64), ticket="ticket",
    )  # fmt: skip
    store = pl.scan_csv(world / "store.csv", infer_schema=False).select(
        _utc(pl.col("when").str.to_datetime("%d.%m.%Y %H:%M:%S", **local)),
        what="what", channel=pl.lit("store"), customer="card", amount=pl.col("amount").cast(pl.Float64),
        ticket=pl.lit(None, pl.String),
    )  # fmt: skip
    app = pl.col("at").str.to_datetime("%+", time_zone="UTC", **local).alias("time")
    email = pl.from_epoch("sent", time_unit="s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("time")
    logs = {
        "web": pl.scan_parquet(world / "web-*.parquet").rename({"ts": "time"}),
        "app": pl.scan_ndjson(world / "app.ndjson").with_columns(app).drop("at"),
        "email": pl.scan_ipc(world / "email-*.arrow").with_columns(email).drop("sent"),
        "service": pl.concat([calls, store]),
    }
    if known:
        number = pl.format("C{}", pl.col("person").first().cast(pl.String).str.zfill(7)).alias("owner")
        owners = pl.scan_parquet(world / "truth" / "identities.parquet").group_by("id").agg(number, pl.len())
        owners = owners.filter(pl.col("len") == 1).drop("len")
        for name, customer, other in (
            ("web", "user_id", "cookie"),
            ("app", "user", "device"),
            ("email", "customer", "address"),
        ):
            joined = logs[name].join(owners, left_on=other, right_on="id", how="left", maintain_order="left")
            filled = joined.with_columns(pl.col(customer).fill_null(pl.col("owner"))).drop("owner")
            logs[name] = filled.filter(pl.col(customer).is_not_null())
    total = 0
    for name, log in logs.items():
        log.sink_parquet(folder / f"{name}.parquet", row_group_size=250_000)
        total += pl.scan_parquet(folder / f"{name}.parquet").select(pl.len()).collect().item()
    pl.read_parquet(world / "persons.parquet").write_parquet(folder / "persons.parquet")
    shutil.rmtree(world)
    return total


def _utc(time: pl.Expr) -> pl.Expr:
    zoned = time.dt.replace_time_zone("Europe/Warsaw", ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC").alias("time")


class Watcher(threading.Thread):
    """Reads memory and CPU time of a process and its children until it ends."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.peak = self.cpu = 0.0
        self.ended = False

    def run(self) -> None:
        """Read until told to end."""
        while not self.ended:
            found = [_seen(one) for one in _tree(self.process)]
            self.peak = max(self.peak, sum(memory for memory, _ in found))
            self.cpu = max(self.cpu, sum(cpu for _, cpu in found))
            time.sleep(0.02)


def _tree(process: int) -> list[int]:
    try:
        lists = [path.read_text().split() for path in Path(f"/proc/{process}/task").glob("*/children")]
    except OSError:
        lists = []
    return [process, *(one for children in lists for child in children for one in _tree(int(child)))]


def _seen(process: int) -> tuple[float, float]:
    """Return resident MB and CPU seconds."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (OSError, IndexError):
        return 0.0, 0.0
    ticks = int(fields[11]) + int(fields[12])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, ticks / os.sysconf("SC_CLK_TCK")


def run(folder: Path, memory: str, *, stitched: bool) -> list[tuple[str, float, float]]:
    """Run the configuration; return each step with its highest memory (MB) and CPU seconds."""
    (folder / "cjm.toml").write_text(CONFIGURATION + IDENTITY[stitched] + "\n")
    command = [sys.executable, "-m", "cjm.cli", "run", str(folder / "cjm.toml"), "--memory", memory]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    watcher = Watcher(process.pid)
    watcher.start()
    steps, before, last = [], 0.0, ""
    assert process.stderr is not None
    for line in process.stderr:
        last = line
        step = re.search(r" cjm (\D+): [\d,]+ rows in", line)
        if step is not None:
            steps.append((step[1], watcher.peak, watcher.cpu - before))
            before, watcher.peak = watcher.cpu, 0.0
    watcher.ended = True
    if process.wait():
        raise SystemExit(last)
    return steps


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=float, nargs="+", default=[1e6, 1e7, 1e8])
    parser.add_argument("--memory", default="4GB")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--stitched", action="store_true")
    whose.add_argument("--known", action="store_true")
    parser.add_argument("--folder", type=Path, default=None, help="where the files go (and are deleted)")
    given = parser.parse_args()
    versions = f"Python {platform.python_version()}, polars {pl.__version__}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {versions}, --memory {given.memory}\n")
    print("| events in the files | step | peak MB | CPU s |\n|--:|---|--:|--:|")
    for events in map(int, given.events):
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            total = make_files(events, Path(folder), known=given.known)
            for step, peak, cpu in run(Path(folder), given.memory, stitched=given.stitched):
                print(f"| {total:,} | {step} | {peak:,.0f} | {cpu:,.1f} |", flush=True)


if __name__ == "__main__":
    main()
