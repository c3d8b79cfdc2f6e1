"""Real logs that come day by day: after each day the tables must be those of a run over all files, byte for byte.

Call: python benchmarks/days_of_real_logs.py [--only bpi2014 helpdesk]

Each log of ../shared/data is cut into five files: three fifths of its rows, half a percent, nearly a fifth twice, and
three rows. After each file one run goes on from the former one, and another reads everything. Printed is what the first
says of itself and which tables differ; it ends with 1 if any does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import polars as pl

from cjm import job

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "events"
CONFIGURATION = """
[output]
dir = "out"

[sources.log]
path = "log/*"
time = "{time}"
time_zone = "UTC"
{event}
ids = {ids}
attributes = []
on_error = "set aside"

[identity]
mode = "{mode}"

[mining]
min_support = 0.3
max_length = 2
"""
# file, time, event, identifiers; what somebody is called may be known on some rows only
HOSPITAL = (
    "hospital_billing.parquet",
    "timestamp",
    'event = "activity"',
    '{customer = "case_id", cookie = "resource"}',
)
LOGS = {
    "hospital_billing": HOSPITAL,
    "hospital_billing, components": HOSPITAL,
    "bpi2014": (
        "bpi2014_incidents_sample.parquet", "data_stamp", 'event = "incident_activity_type"',
        '{customer = "incident_id", cookie = "interaction_id"}',
    ),
    "complete_journey": (
        "complete_journey_odd/transactions.parquet", "transaction_timestamp", 'event_name = "buy"',
        '{customer = "known", cookie = "basket_id", store = "store_id"}',
    ),
    "apache": (
        "apache_access_2015.parquet", "timestamp", 'event = "method"',
        '{customer = "known", cookie = "visitor_id", agent = "user_agent"}',
    ),
    "shop": (
        "retentioneering_ecom_synthetic.csv.gz", "timestamp", 'event = "event"',
        '{customer = "user_id", cookie = "session_id"}',
    ),
    "helpdesk": ("helpdesk.parquet", "CompleteTimestamp", 'event = "ActivityID"', '{customer = "CaseID"}'),
}  # fmt: skip
MOST = 200_000


def read(name: str) -> pl.DataFrame:
    """Return a log, in order of time where it is stored so."""
    file, time, _, ids = LOGS[name]
    log = pl.read_csv(DATA / file, infer_schema=False) if ".csv" in file else pl.read_parquet(DATA / file)
    if name != "bpi2014":  # comes as it is, late events and all
        log = log.sort(time, maintain_order=True, nulls_last=True)
    if '"known"' in ids:
        who = "household_id" if name == "complete_journey" else "visitor_id"
        log = log.with_columns(known=pl.when(pl.int_range(pl.len()) % 3 == 0).then(who))
    return log.with_columns(pl.col(pl.Categorical).cast(pl.String)).head(MOST)


def digests(folder: Path) -> dict[str, str]:
    """Return a hash of each table."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "tables").glob("*.parquet")}


def days(name: str, folder: Path) -> bool:
    """Let a log come; return whether all tables were the same."""
    _, time, event, ids = LOGS[name]
    mode = "components" if "components" in name else "device split"
    (folder / "log").mkdir()
    (folder / "cjm.toml").write_text(CONFIGURATION.format(time=time, event=event, ids=ids, mode=mode))
    config, log = job.load_config(folder / "cjm.toml"), read(name)
    rows = log.height
    cuts = [0, rows * 6 // 10, rows * 6 // 10 + rows // 200, rows * 8 // 10, rows - 3, rows]
    good = True
    for day, (first, stop) in enumerate(pairwise(cuts)):
        if ".csv" in LOGS[name][0]:
            log[first:stop].write_csv(folder / "log" / f"{day}.csv")
        else:
            log[first:stop].write_parquet(folder / "log" / f"{day}.parquet")
        going_on, whole = job.run(config), job.run(config, output=folder / f"whole{day}")
        a, b = digests(going_on), digests(whole)
        differ = sorted(table for table in a.keys() | b.keys() if a.get(table) != b.get(table))
        said = json.loads((going_on / "run.json").read_text())["incremental"]
        told = ", ".join(f"{key}: {value}" for key, value in said.items())
        print(f"| {name} | {stop - first:,} | {told} | {', '.join(differ) or 'the same'} |", flush=True)
        good = good and not differ
        shutil.rmtree(whole)
    return good


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(LOGS), help="names of logs")
    names = parser.parse_args().only
    os.environ["SOURCE_DATE_EPOCH"] = "1700000000"
    print("| log | new rows | the run says | tables |\n|---|--:|---|---|")
    good = True
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            good = days(name, Path(folder)) and good
    sys.exit(not good)


if __name__ == "__main__":
    main()
