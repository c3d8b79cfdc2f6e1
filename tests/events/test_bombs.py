"""Small files that would fill the memory, and paths that lead astray, are refused while memory stays small."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cjm
from cjm.errors import InputError

T = "2025-01-01T10:00:00Z"
HEAD = b"at,what,who\n"
ROWS = b"%s,home,a\n" % T.encode() * 50_000  # 1.6 MB
OBJECTS = b'{"at": "%s", "what": "home", "who": "a"}\n' % T.encode() * 30_000
COLUMNS = b"at,what,who"
UNPACKED = "bytes would unpack to more than"


def packed(compress: Callable[[bytes], bytes], head: bytes, block: bytes, times: int = 50) -> Callable[[Path], object]:
    """Return what writes many equal parts, each compressed by itself."""
    return lambda path: path.write_bytes(compress(head) + compress(block) * times)


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


def table(rows: int) -> pa.Table:
    times = pa.array([0], pa.timestamp("us", tz="UTC")).take(pa.array([0] * rows, pa.int32()))
    names = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["home"]))
    return pa.table({"at": times, "what": names, "who": names})


def parquet(path: Path, **how: Any) -> None:
    part = table(500_000)
    with pq.ParquetWriter(path, part.schema, **how) as writer:
        for _ in range(20):
            writer.write_table(part)


def ipc(path: Path, codec: str, new: Any = pa.ipc.new_file) -> None:
    part = table(500_000).to_batches()[0]
    with new(path, part.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        for _ in range(20):
            writer.write_batch(part)


def wide(path: Path, write: str) -> None:
    getattr(pl.DataFrame({name: [1] for name in ["at", "what", "who", *(f"c{n}" for n in range(10_000))]}), write)(path)


BOMBS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "gz": ("a.csv.gz", packed(gzip.compress, HEAD, ROWS), UNPACKED),
    "bz2": ("a.csv.bz2", packed(bz2.compress, HEAD, ROWS), UNPACKED),
    "zst": ("a.csv.zst", packed(zstd, HEAD, ROWS), UNPACKED),
    "gz of blank lines": ("a.csv.gz", packed(gzip.compress, HEAD, b"\n" * 10**7), UNPACKED),
    "gz of JSON": ("a.ndjson.gz", packed(gzip.compress, b"", OBJECTS), UNPACKED),
    "bz2 of JSON": ("a.ndjson.bz2", packed(bz2.compress, b"", OBJECTS), UNPACKED),
    "zst of JSON": ("a.ndjson.zst", packed(zstd, b"", OBJECTS), UNPACKED),
    "gz without a line break": ("a.csv.gz", packed(gzip.compress, HEAD, b"x" * 10**6), "a row is longer than 16 MB"),
    "gz in an open quote": ("a.csv.gz", packed(gzip.compress, HEAD + b'"', ROWS), "a row is longer than 16 MB"),
    "a row of 20 MB": ("a.csv", lambda path: path.write_bytes(HEAD + b"x" * 20 * 2**20), "a row is longer than 16 MB"),
    "a text of 20 MB": (
        "a.csv",
        lambda path: path.write_bytes(HEAD + b'%s,"%s",a\n' % (T.encode(), b"x\n" * 10 * 2**20)),
        "a row is longer than 16 MB",
    ),
    "a header of 20 MB": ("a.csv", lambda path: path.write_bytes(b"x" * 20 * 2**20), "a row is longer than 16 MB"),
    "a line of 20 MB": (
        "a.ndjson",
        lambda path: path.write_bytes(OBJECTS[:-3] + b"x" * 20 * 2**20 + b'"}'),
        "a line is longer than 16 MB",
    ),
    "a million columns": (
        "a.csv",
        lambda path: path.write_bytes(COLUMNS + b",c" * 10**6 + b"\n"),
        "there are 1,000,003",
    ),
    "columns of Parquet": ("a.parquet", lambda path: wide(path, "write_parquet"), "there are 10,003 columns"),
    "columns of Arrow": ("a.arrow", lambda path: wide(path, "write_ipc"), "there are 10,003 columns"),
    "keys of one object": (
        "a.ndjson",
        lambda path: path.write_text(json.dumps({f"k{n}": n for n in range(20_000)})),
        "there are 20,000 columns",
    ),
    "a key of its own in each object": (
        "a.ndjson",
        lambda path: path.write_text("".join(f'{{"k{n}":1}}\n' for n in range(9_000))),
        UNPACKED,
    ),
    "a million lists in each other": ("a.ndjson", lambda path: path.write_bytes(b"[" * 10**6), "nested more than 64"),
    "a million objects in each other": (
        "a.ndjson",
        lambda path: path.write_bytes(b'{"a":' * 10**6),
        "nested more than",
    ),
    "Parquet": ("a.parquet", parquet, UNPACKED),
    "Parquet with zstd": ("a.parquet", lambda path: parquet(path, compression="zstd"), UNPACKED),
    "Parquet with a dictionary": ("a.parquet", lambda path: parquet(path, compression="none"), UNPACKED),
    "Arrow with zstd": ("a.arrow", lambda path: ipc(path, "zstd"), UNPACKED),
    "Arrow with lz4": ("a.arrow", lambda path: ipc(path, "lz4"), UNPACKED),
    "an Arrow stream": ("a.arrow", lambda path: ipc(path, "zstd", pa.ipc.new_stream), UNPACKED),
}


def refused(path: Path) -> str:
    source = cjm.Source(path, time="at", event="what", ids={"customer": "who"}, on_error="set aside")
    try:
        cjm.scan_events({"web": source}).require()
    except InputError as error:
        return str(error)
    return "it was read"


def child(folder: Path) -> None:
    """Read every bomb; print what came of it and the highest resident memory meanwhile, in MB."""
    files = json.loads((folder / "files.json").read_text())
    refused(folder / "warm.csv")  # libraries are loaded and kernels compiled
    refused(folder / "warm.ndjson")
    for name, file in files.items():
        Path("/proc/self/clear_refs").write_text("5")
        told = refused(folder / file)
        peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024  # type: ignore[index]
        print(json.dumps([name, peak, told]), flush=True)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is only told by Linux")
def test_bombs_are_refused_in_little_memory(tmp_path: Path) -> None:
    assert len(BOMBS) == 26
    files = {}
    for number, (name, (file, write, _)) in enumerate(BOMBS.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder / file)
        files[name] = f"{number}/{file}"
    (tmp_path / "files.json").write_text(json.dumps(files))
    (tmp_path / "warm.csv").write_bytes(HEAD + ROWS[:200])
    (tmp_path / "warm.ndjson").write_bytes(OBJECTS[:200])
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr
    told = {name: (peak, message) for name, peak, message in map(json.loads, done.stdout.splitlines())}
    assert set(told) == set(BOMBS)
    for name, (_, _, message) in BOMBS.items():
        assert message in told[name][1], name
        assert told[name][0] < 500, name


def test_paths_that_are_no_files_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    started = time.monotonic()
    for path in (tmp_path / "pipe.csv", tmp_path / "loop.csv", Path("/dev/zero"), Path("/dev/stdin")):
        assert "there is no such file" in refused(path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "up").symlink_to("..", target_is_directory=True)
    assert "this is a folder without files" in refused(tmp_path / "folder")
    assert time.monotonic() - started < 5


def test_folders_say_columns_not_places(tmp_path: Path) -> None:
    folder = tmp_path / "log" / "shop=..%2F..%2Fetc"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_bytes(HEAD + ROWS[:28])
    source = cjm.Source(tmp_path / "log", time="at", event="what", ids={"customer": "who"})
    assert cjm.scan_events({"web": source}).frame.collect()["shop"].to_list() == ["../../etc"]


if __name__ == "__main__":
    child(Path(sys.argv[1]))
