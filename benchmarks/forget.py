"""Forget 100 of 1,000,000 persons: in the tables of a run, stored identities and journeys, and the state of a watch.

    python benchmarks/forget.py [--persons 1e6] [--events 8e6] [--ids 100]

Every person has a customer number and one or two cookies. What a run, a notebook and a watch would leave is made first;
printed are the CPU and wall seconds of ``job.forget``, the rows that went, and how many of the persons' identifiers
are found afterwards in the bytes of any file or in the values of any table. Then 1,000,000 identifiers
become pseudonyms, and are compared with the tombstones.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

import cjm
from cjm import job
from cjm.privacy import Privacy

CONFIGURATION = """
[output]
dir = "out"
[sources.web]
path = "web.parquet"
time = "time"
event = "event"
ids = { customer = "customer", cookie = "cookie" }
[moments.back]
pattern = "web:cart -> web:home within 30d"
[privacy]
key_file = "key"
"""
DAY = 86_400_000_000


def log_of(persons: int, events: int) -> pl.DataFrame:
    """Return a log in order of time; an identifier is a letter and eight digits."""
    rng = np.random.default_rng(5)
    who = np.append(np.arange(persons), rng.integers(0, persons, events - persons))
    second = rng.random(events) < 0.2
    digits = pl.Series(who).cast(pl.String).str.zfill(8)
    return pl.DataFrame(
        {
            "time": pl.Series(1_767_225_600_000_000 + np.sort(rng.integers(0, 90 * DAY, events))).cast(
                pl.Datetime("us", "UTC")
            ),
            "event": pl.Series(["home", "cart", "help", "pay", "visit"]).gather(rng.integers(0, 5, events)),
            "customer": pl.Series(np.where(rng.random(events) < 0.7, "c" + digits, None), dtype=pl.String),
            "cookie": pl.Series(np.where(second, "l" + digits, "k" + digits), dtype=pl.String),
        }
    )


def prepare(home: Path, persons: int, events: int) -> None:
    """Write what a run, a notebook and a watch would leave."""
    log_of(persons, events).write_parquet(home / "web.parquet")
    (home / "key").write_bytes(b"a key of a benchmark")
    (home / "cjm.toml").write_text(CONFIGURATION)
    config = job.load_config(home / "cjm.toml")
    log = cjm.scan_events({"web": config.source("web")})
    people = cjm.stitch(log)
    people.write(home / "people")
    journeys = cjm.build_journeys(log, people)
    journeys.write(home / "journeys")
    tables = home / "out" / "tables"
    tables.mkdir(parents=True)
    frames = {"journey_events": journeys.frame, "sessions": journeys.sessions, "persons": journeys.persons}
    for name, frame in (frames | {"identity_map": people.map.lazy(), "links": people.links.lazy()}).items():
        frame.collect().write_parquet(tables / f"{name}.parquet")
    (home / "out" / "run.json").write_text(json.dumps({"tables": {}}))
    job.watch(config, home / "web.parquet")


def left_over(home: Path, texts: pl.Series) -> int:
    """Return how many of the identifiers are found in any file."""
    found = set()
    for path in home.rglob("*"):
        if not path.is_file() or path.name == "web.parquet":
            continue
        raw = path.read_bytes()
        found |= {text for text in texts if text.encode() in raw}
        if path.suffix == ".parquet":
            for column in pl.read_parquet(path).select(pl.selectors.string()).iter_columns():
                found |= set(column.filter(column.is_in(texts.implode())).unique())
    return len(found)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--persons", type=float, default=1e6)
    arguments.add_argument("--events", type=float, default=8e6)
    arguments.add_argument("--ids", type=int, default=100)
    given = arguments.parse_args()
    logging.disable()
    persons = int(given.persons)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        prepare(home, persons, int(given.events))
        config = job.load_config(home / "cjm.toml")
        chosen = pl.Series(np.random.default_rng(3).choice(persons, given.ids, replace=False))
        digits = chosen.cast(pl.String).str.zfill(8)
        cpu, wall = time.process_time(), time.perf_counter()
        done = job.forget(
            config,
            pl.DataFrame({"kind": "customer", "id": "c" + digits}),
            stores=[home / "people", home / "journeys"],
        )
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        print(f"{given.ids} of {persons:,} persons forgotten: {cpu:.1f} CPU s, {wall:.1f} s wall")
        for place, rows in done.rows.items():
            print(f"  {Path(place).relative_to(home)}: {rows:,}")
        log = pl.read_parquet(home / "web.parquet", columns=["customer", "cookie"])
        known = log.filter(pl.col("customer").is_in(("c" + digits).implode()))  # of their other cookies nobody knows
        theirs = pl.concat([known["customer"], known["cookie"]]).unique()
        print(f"  identifiers found afterwards: {left_over(home, theirs)} of {len(theirs)}")
    ids = pl.Series([f"customer-{number:08d}" for number in range(1_000_000)])
    privacy = Privacy(b"a key of a benchmark", pseudonyms=["customer"])
    for what, call in (
        ("pseudonyms", lambda: privacy.stored(ids, "customer")),
        ("marks", lambda: privacy.forgotten(ids, "customer")),
    ):
        cpu = time.process_time()
        call()
        print(f"{what} of 1,000,000 identifiers: {time.process_time() - cpu:.2f} CPU s")


if __name__ == "__main__":
    main()
