"""Stitching beside scipy, DuckDB, splink, rustworkx and networkx, each in a process of its own.

Call: python benchmarks/identity.py [--links 1e6 1e7] [--runs 3] [--only cjm scipy]

Everybody gets the same seeded link table and names the component of each identifier: ``text`` from text identifiers,
``codes`` from whole numbers that somebody else made of them. cjm also takes the last 1 % of the links as an update, and
an event log of as many events through the device split. Printed are CPU seconds (user and system, all threads; the
least of the runs, after a call on little data), wall seconds, the highest resident memory of the process, the CPU
seconds as a multiple of ours, and whether the components are the same. The file of pins is ``peers/with_graphs.txt``.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

KINDS = ["customer", "email", "cookie", "device"]
LIMIT_S = 240
SMALL_ONLY = {"networkx": 2_000_000, "duckdb": 20_000_000, "splink": 20_000_000}


def make_links(links: int, seed: int = 7) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Return a shuffled link table and the codes of its ends: clusters of a customer, a chain, few bridges."""
    rng = np.random.default_rng(seed)
    clusters = links // 6
    size = np.minimum(1 + rng.geometric(0.25, clusters), 60)
    owner = np.repeat(np.arange(clusters), size)
    cookie = clusters + np.arange(len(owner))
    email, device = cookie[-1] + 1 + np.arange(clusters), cookie[-1] + 1 + clusters + np.arange(clusters)
    to_device, bridge = rng.random(len(owner)) < 0.4, rng.random(len(owner)) < 0.01
    chain = device[-1] + 1 + np.arange(links // 50)
    a = [cookie, cookie[to_device], cookie[bridge], email, chain[:-1]]
    b = [owner, device[owner[to_device]], rng.integers(0, clusters, int(bridge.sum())), np.arange(clusters), chain[1:]]
    one, other = np.concatenate(a), np.concatenate(b)
    chosen = rng.permutation(len(one))[:links]
    one, other = one[chosen], other[chosen]
    number = rng.permutation(int(chain[-1]) + 1)
    of = np.select([one < clusters, one < email[0], one < device[0], one < chain[0]], [0, 2, 1, 3], 2)
    other_of = np.select([other < clusters, other < email[0], other < device[0], other < chain[0]], [0, 2, 1, 3], 2)
    names = pl.Series(KINDS, dtype=pl.Enum(KINDS))
    letters = pl.Series(["cu", "em", "ck", "dv"])
    table = pl.DataFrame({"x": number[one], "y": number[other], "s": of, "t": other_of}).select(
        kind_a=names.gather(of),
        id_a=letters.gather(of) + pl.col("x").cast(pl.String),
        kind_b=names.gather(other_of),
        id_b=letters.gather(other_of) + pl.col("y").cast(pl.String),
    )
    return table, number[one].astype(np.int32), number[other].astype(np.int32)


def make_log(events: int, seed: int = 7) -> pl.DataFrame:
    """Return events in time order: cookies that persons reset and some share, logins on a fifth of the visits."""
    rng = np.random.default_rng(seed)
    visits = events // 5
    person = rng.integers(0, visits // 4, visits)
    cookie = (person - (rng.random(visits) < 0.05)) * 3 + rng.integers(0, 3, visits)
    start = rng.integers(0, 120 * 86_400_000_000, visits)
    row = np.repeat(np.arange(visits), 5)
    logged_in = (rng.random(visits) < 0.2) & (person % 3 == 0)
    late = np.tile(np.arange(5), visits) >= 2
    time_us = start[row] + np.tile(np.arange(5), visits) * 40_000_000
    order = np.argsort(time_us, kind="stable")
    frame = pl.DataFrame(
        {"time": time_us, "cookie": cookie[row], "customer": person[row], "known": logged_in[row] & late}
    )
    return frame[order].select(
        pl.col("time").cast(pl.Datetime("us", "UTC")),
        channel=pl.lit("web"),
        event=pl.lit("view"),
        cookie=pl.format("c{}", "cookie"),
        customer=pl.when("known").then(pl.format("u{}", "customer")),
    )


def empty_log() -> Any:
    from types import SimpleNamespace

    schema = {"time": pl.Datetime("us", "UTC"), **dict.fromkeys(["channel", "event", *KINDS], pl.String)}
    return SimpleNamespace(frame=pl.LazyFrame(schema=schema), kinds=tuple(KINDS))


def plain(links: pl.DataFrame) -> Any:
    from cjm.identity import stitch

    return stitch(empty_log(), links=links, mode="components", unique=(), max_per_person=None, max_size=None)


def named(people: Any) -> pl.DataFrame:
    """Return the component of each identifier, without the cost of the public map, which sorts texts."""
    return pl.DataFrame({"id": people._evidence.names.texts, "component": people._found.anchor})


def cjm_text(folder: Path, rows: int) -> tuple[Callable[[], Any], Callable[[Any], pl.DataFrame]]:
    links = pl.read_parquet(folder / "links.parquet").head(rows)
    return lambda: plain(links), named


def cjm_guarded(folder: Path, rows: int) -> tuple[Callable[[], Any], None]:
    from cjm.identity import stitch

    links = pl.read_parquet(folder / "links.parquet").head(rows)
    return lambda: stitch(empty_log(), links=links, mode="components"), None


def cjm_update(folder: Path, rows: int) -> tuple[Callable[[], Any], Callable[[Any], pl.DataFrame]]:
    links = pl.read_parquet(folder / "links.parquet").head(rows)
    people = plain(links.head(rows * 99 // 100))
    people = people.update(links=links.tail(0))  # finds the clusters, which later updates start from
    last = links.tail(rows - rows * 99 // 100)
    return lambda: people.update(links=last), named


def cjm_device_split(folder: Path, rows: int) -> tuple[Callable[[], Any], None]:
    from types import SimpleNamespace

    from cjm.identity import stitch

    frame = pl.read_parquet(folder / "log.parquet").head(rows)
    log = SimpleNamespace(frame=frame.lazy(), kinds=("customer", "cookie"))
    return lambda: stitch(log), None


def cjm_walks(folder: Path, rows: int) -> tuple[Callable[[], Any], None]:
    from types import SimpleNamespace

    from cjm.identity import stitch
    from cjm.identity._device_split import device_split
    from cjm.identity._links import guard

    frame = pl.read_parquet(folder / "log.parquet").head(rows)
    coded = stitch(SimpleNamespace(frame=frame.lazy(), kinds=("customer", "cookie")))._coded
    guarded = guard(coded, 5)
    month = 30 * 86_400_000_000
    return lambda: device_split(coded, guarded, replay=month, stale=None, hindsight=True, max_size=1_000), None


def codes(folder: Path, rows: int) -> tuple[np.ndarray, np.ndarray, int]:
    frame = pl.read_parquet(folder / "codes.parquet")
    return frame["a"].head(rows).to_numpy(), frame["b"].head(rows).to_numpy(), int(frame.max_horizontal().max()) + 1


def cjm_codes(folder: Path, rows: int) -> tuple[Callable[[], Any], Callable[[Any], pl.DataFrame]]:
    from cjm.kernels._jit import as_array
    from cjm.kernels.components import flatten, unite

    a, b, nodes = codes(folder, rows)
    a, b = as_array(a, np.int32), as_array(b, np.int32)

    def run() -> np.ndarray:
        root = np.arange(nodes, dtype=np.int32)
        unite(root, a, b)
        flatten(root)
        return root

    return run, lambda root: pl.DataFrame({"id": np.arange(nodes), "component": root})


def scipy_codes(folder: Path, rows: int) -> tuple[Callable[[], Any], Callable[[Any], pl.DataFrame]]:
    import scipy.sparse as sp
    from scipy.sparse.csgraph import connected_components

    a, b, nodes = codes(folder, rows)
    ones = np.ones(len(a), dtype=np.int8)
    return (
        lambda: connected_components(sp.coo_matrix((ones, (a, b)), shape=(nodes, nodes)), directed=False)[1],
        lambda found: pl.DataFrame({"id": np.arange(nodes), "component": found}),
    )


def rustworkx_codes(folder: Path, rows: int) -> tuple[Callable[[], Any], Callable[[Any], pl.DataFrame]]:
    import rustworkx as rx

    a, b, nodes = codes(folder, rows)

    def run() -> list[set[int]]:
        graph = rx.PyGraph(multigraph=True)
        graph.add_nodes_from(range(nodes))
        graph.add_edges_from_no_data(list(zip(a.tolist(), b.tolist(), strict=True)))
        return rx.connected_components(graph)

    return run, sets


def networkx_codes(folder: Path, rows: int) -> tuple[Callable[[], Any], Callable[[Any], pl.DataFrame]]:
    import networkx as nx

    a, b, nodes = codes(folder, rows)

    def run() -> list[set[int]]:
        graph = nx.Graph()
        graph.add_nodes_from(range(nodes))
        graph.add_edges_from(zip(a.tolist(), b.tolist(), strict=True))
        return list(nx.connected_components(graph))

    return run, sets


def sets(found: list[set[int]]) -> pl.DataFrame:
    return pl.DataFrame({"component": range(len(found)), "id": [list(one) for one in found]}).explode("id")


def duckdb_text(folder: Path, rows: int) -> tuple[Callable[[], Any], Callable[[Any], pl.DataFrame]]:
    """Labels that spread to neighbours until nothing changes, with pointer jumping."""
    import duckdb

    def run() -> Any:
        db = duckdb.connect()
        links = f"read_parquet('{folder}/links.parquet')"
        for query in (
            f"create table e as select id_a, id_b from {links} limit {rows}",
            "create table i as select id_a as id from e union select id_b from e",
            "create table n as select id, row_number() over () as c from i",
            "create table g as select x.c as a, y.c as b from e join n x on x.id = id_a join n y on y.id = id_b",
            "create table l as select c as node, c as label from n",
        ):
            db.execute(query)
        near = (
            "select node, label from l union all select b, label from g join l on a = node "
            "union all select a, label from g join l on b = node"
        )
        jump = "select m.node, least(m.label, o.label) as label from m join m o on m.label = o.node"
        while True:
            db.execute(f"create or replace table m as select node, min(label) as label from ({near}) group by node")
            db.execute(f"create or replace table j as {jump}")
            moved = "select count(*) from j join l using (node) where j.label <> l.label"
            changed = db.execute(moved).fetchone()[0]
            db.execute("create or replace table l as select * from j")
            if not changed:
                return pl.from_arrow(
                    db.sql("select id, label as component from l join n on n.c = l.node").to_arrow_table()
                )

    return run, lambda found: found


def splink_text(folder: Path, rows: int) -> tuple[Callable[[], Any], Callable[[Any], pl.DataFrame]]:
    import duckdb
    from splink import DuckDBAPI
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    def run() -> Any:
        db = duckdb.connect()
        links = f"read_parquet('{folder}/links.parquet') limit {rows}"
        pairs = "id_a as unique_id_l, id_b as unique_id_r, 1.0 as match_probability"
        db.execute(f"create table e as select {pairs} from {links}")
        ends = "select unique_id_l as id from e union all select unique_id_r from e"
        db.execute(f"create table n as select distinct id as unique_id from ({ends})")
        api = DuckDBAPI(connection=db)
        found = cluster_pairwise_predictions_at_threshold("n", "e", db_api=api, node_id_column_name="unique_id")
        return pl.from_arrow(found.as_duckdbpyrelation().to_arrow_table())

    return run, lambda found: found.select(id="unique_id", component="cluster_id")


ASKED: dict[str, tuple[str, Any, bool]] = {
    "cjm": ("text", cjm_text, False),
    "duckdb": ("text", duckdb_text, True),
    "splink": ("text", splink_text, True),
    "cjm, guarded": ("text, guards and unique customers", cjm_guarded, False),
    "cjm, update": ("text, the last 1 %", cjm_update, False),
    "cjm, kernel": ("codes", cjm_codes, False),
    "scipy": ("codes", scipy_codes, True),
    "rustworkx": ("codes", rustworkx_codes, True),
    "networkx": ("codes", networkx_codes, True),
    "cjm, device split": ("log, text", cjm_device_split, False),
    "cjm, walks": ("log, codes", cjm_walks, False),
}


def same(mine: Path, other: Path) -> bool:
    """Return whether two files hold the same components."""
    one, two = pl.read_parquet(mine), pl.read_parquet(other)
    both = one.join(two, on="id", suffix="_other").select("component", "component_other").unique()
    return both.height == one["component"].n_unique() == two["component"].n_unique() and one.height == two.height


def serve(name: str, folder: Path, rows: int, runs: int) -> None:
    prepare = ASKED[name][1]
    prepare(folder, 1_000)[0]()
    run, shape = prepare(folder, rows)
    cpu, wall, found = [], [], None
    for _ in range(runs):
        found = None
        started = time.process_time(), time.perf_counter()
        found = run()
        cpu.append(time.process_time() - started[0])
        wall.append(time.perf_counter() - started[1])
        if cpu[-1] > 30:
            break
    status = Path("/proc/self/status").read_text()
    peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024
    if shape is not None:
        shape(found).select(pl.col("id"), pl.col("component")).write_parquet(folder / f"{name}.parquet")
    print(json.dumps({"cpu": min(cpu), "wall": min(wall), "peak": peak}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--links", type=float, nargs="+", default=[1e6])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=ASKED, default=list(ASKED))
    parser.add_argument("--python", default=sys.executable, help="interpreter of an environment with the peers")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve[0], Path(given.serve[1]), int(given.serve[2]), given.runs)
        return
    for count in map(int, given.links):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            table, a, b = make_links(count)
            rows = table.height
            table.write_parquet(folder / "links.parquet")
            pl.DataFrame({"a": a, "b": b}).write_parquet(folder / "codes.parquet")
            make_log(count).write_parquet(folder / "log.parquet")
            del table, a, b
            print(f"\n{rows:,} links\n\n| from | by | CPU s | wall s | peak MB | CPU / ours | same components |")
            print("|---|---|--:|--:|--:|--:|---|")
            ours: dict[str, tuple[float, str]] = {}
            for who in given.only:
                question, _, is_peer = ASKED[who]
                if count > SMALL_ONLY.get(who, count):
                    continue
                python = given.python if is_peer else sys.executable
                command = [python, __file__, "--runs", str(given.runs), "--serve", who, str(folder), str(rows)]
                try:
                    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
                except subprocess.TimeoutExpired:
                    print(f"| {question} | {who} | did not finish in {LIMIT_S} s | | | | |", flush=True)
                    continue
                if done.returncode:
                    reason = (done.stderr.strip().splitlines() or ["killed"])[-1][:80]
                    print(f"| {question} | {who} | failed: {reason} | | | | |", flush=True)
                    continue
                told = json.loads(done.stdout.splitlines()[-1])
                if not is_peer:
                    ours.setdefault(question, (told["cpu"], who))
                base, first = ours.get(question, (told["cpu"], who))
                compare = "cjm" if question.startswith("text") else first
                there = (
                    (folder / f"{who}.parquet").exists() and (folder / f"{compare}.parquet").exists() and who != compare
                )
                equal = (
                    ("yes" if same(folder / f"{compare}.parquet", folder / f"{who}.parquet") else "NO") if there else ""
                )
                print(
                    f"| {question} | {who} | {told['cpu']:.3f} | {told['wall']:.3f} | {told['peak']:.0f} | "
                    f"{told['cpu'] / base:.1f} | {equal} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
