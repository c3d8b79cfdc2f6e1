"""Folders, databases, tables of other tools and object stores give the same events as a plain frame."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest

import cjm
from cjm.errors import ArgumentError, InputError

START = datetime(2025, 1, 1, tzinfo=UTC)
FRAME = pl.DataFrame(
    {
        "at": [START + timedelta(hours=hour) for hour in range(6)],
        "what": ["home", "cart", "home", "pay", "ü", None],
        "who": ["007", "7", "007", None, "x", "x"],
        "plan": ["gold", None, "a,b", "", "gold", "gold"],
    }
)
TEXT = FRAME.with_columns(pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
PLAIN = cjm.Source(FRAME, time="at", event="what", ids={"customer": "who"}, on_error="set aside")


def events(source: cjm.Source, path: object = None, **more: object) -> pl.DataFrame:
    log = cjm.scan_events({"web": replace(source, **({} if path is None else {"path": path}), **more)})
    counts = log.counts().row(0, named=True)
    assert counts["read"] == counts["kept"] + counts["set_aside"] + counts["duplicates"]
    assert log.set_aside().height == counts["set_aside"]
    return log.frame.collect()


EXPECTED = events(PLAIN)


def test_a_folder_is_its_files_and_its_folders_are_columns(tmp_path: Path) -> None:
    (tmp_path / "country=pl/day=2025-01-01").mkdir(parents=True)
    (tmp_path / "country=a%3Db/day=__HIVE_DEFAULT_PARTITION__").mkdir(parents=True)
    FRAME[:3].write_parquet(tmp_path / "country=pl/day=2025-01-01/a.parquet")
    FRAME[3:].write_parquet(tmp_path / "country=a%3Db/day=__HIVE_DEFAULT_PARTITION__/b.parquet")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "country=pl/.b.crc").touch()
    found = events(PLAIN, tmp_path)
    assert found.sort("time").drop("country", "day").equals(EXPECTED)
    assert found.sort("time").select("country", "day").rows() == [("pl", "2025-01-01")] * 3 + [("a=b", None)]
    named = events(replace(PLAIN, channel="country", attributes=["day"]), tmp_path)
    assert named["channel"].unique().sort().to_list() == ["a=b", "pl"]
    assert named.columns == ["time", "channel", "event", "customer", "day"]
    days = events(replace(PLAIN, time="day", time_zone="UTC"), str(tmp_path))
    assert days["time"].unique().to_list() == [START]


def test_a_folder_of_text_files_and_one_without_files(tmp_path: Path) -> None:
    (tmp_path / "a=1").mkdir()
    TEXT.write_csv(tmp_path / "a=1" / "log.csv")
    found = events(PLAIN, tmp_path)
    assert found["a"].to_list() == ["1"] * len(found)
    assert found.height == EXPECTED.height
    (tmp_path / "a=1" / "log.csv").rename(tmp_path / "a=1" / "log.bin")
    with pytest.raises(InputError, match="log.bin: the file name does not tell the format"):
        events(PLAIN, tmp_path)
    assert events(PLAIN, tmp_path, format="csv").height == EXPECTED.height
    (tmp_path / "a=1" / "log.bin").unlink()
    with pytest.raises(InputError, match="this is a folder without files"):
        events(PLAIN, tmp_path)


def test_a_file_keeps_its_own_column_beside_a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "plan=x").mkdir()
    FRAME.write_parquet(tmp_path / "plan=x" / "a.parquet")
    assert events(PLAIN, tmp_path).equals(EXPECTED)


def test_duckdb_relations() -> None:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        connection.register("log", TEXT.to_arrow())
        relation = connection.sql('select "at"::timestamptz as "at", what, who, plan from log')
        assert events(PLAIN, relation).equals(EXPECTED)


def test_pandas_frames() -> None:
    pandas = pytest.importorskip("pandas")
    given = pandas.DataFrame(
        {"at": FRAME["at"].to_list(), "what": FRAME["what"].to_list(), "who": FRAME["who"].to_list(), "plan": "gold"},
        index=["p", "q", "r", "s", "t", "u"],
    )
    assert events(PLAIN, given).drop("plan").equals(EXPECTED.drop("plan"))
    given["plan"] = given["plan"].astype("category")
    assert events(PLAIN, given)["plan"].unique().to_list() == ["gold"]
    given["who"] = ["a", 1, None, 2.5, "b", "c"]
    with pytest.raises(InputError, match="Arrow stream of DataFrame cannot be read.*must not mix texts and numbers"):
        events(PLAIN, given)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_lazy_frames_come_in_pieces(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cjm.events._readers._PIECE", 2)
    assert events(PLAIN, FRAME[:rows].lazy()).equals(EXPECTED[:rows])
    whole = cjm.scan_events({"web": replace(PLAIN, path=FRAME.lazy())})
    assert sorted(whole.set_aside().select("row", "reason").rows()) == [(3, "no identifier"), (5, "event missing")]


def database(folder: Path) -> Path:
    path = folder / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table log (at text, what text, who text, plan text)")
        connection.executemany("insert into log values (?, ?, ?, ?)", TEXT.rows())
    return path


SQL = replace(PLAIN, path="", format="sql", options={"query": "select * from log"})


def test_sqlite_connections(tmp_path: Path) -> None:
    connection = sqlite3.connect(database(tmp_path))
    try:
        assert events(SQL, connection).equals(EXPECTED)
        with pytest.raises(InputError, match=r"source 'web', Connection: the table cannot be read \(no such table: x"):
            events(SQL, connection, options={"query": "select * from x"})
    finally:
        connection.close()


def test_sqlite_by_adbc(tmp_path: Path) -> None:
    pytest.importorskip("adbc_driver_sqlite")
    assert events(SQL, f"sqlite:///{database(tmp_path)}").equals(EXPECTED)


def test_sqlite_by_sqlalchemy(tmp_path: Path) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine(f"sqlite:///{database(tmp_path)}")
    assert events(SQL, engine).equals(EXPECTED)
    engine.dispose()


@pytest.fixture
def postgres() -> Iterator[str]:
    """Start a PostgreSQL server of one's own; yield its URI."""
    pytest.importorskip("adbc_driver_postgresql", reason="the ADBC driver of PostgreSQL is not installed")
    folders = [os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    initdb, pg_ctl = (shutil.which(name, path=os.pathsep.join(folders)) for name in ("initdb", "pg_ctl"))
    if initdb is None or pg_ctl is None:
        pytest.skip("PostgreSQL is not installed: there is no initdb or pg_ctl")
    folder = Path(tempfile.mkdtemp())
    runner: dict[str, object] = {}
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        try:
            shutil.chown(folder, "postgres")
        except LookupError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        runner = {"user": "postgres"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def call(*command: str) -> None:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd="/", **runner)  # type: ignore[call-overload]
        if done.returncode:
            pytest.skip(f"PostgreSQL cannot be started: {done.stderr or done.stdout}")

    data, log = str(folder / "data"), str(folder / "log")
    call(initdb, "--pgdata", data, "--auth=trust", "--username=tester", "--no-sync", "--encoding=UTF8")
    call(pg_ctl, "start", "--wait", "-D", data, "-l", log, "-o", f"-p {port} -h 127.0.0.1 -k {folder}")
    try:
        yield f"postgresql://tester:secret@127.0.0.1:{port}/postgres"
    finally:
        call(pg_ctl, "stop", "--wait", "-D", data, "-m", "immediate")
        shutil.rmtree(folder)


def test_postgresql(postgres: str) -> None:
    FRAME.write_database("log", postgres, engine="adbc")
    found = events(SQL, postgres)
    assert found.equals(EXPECTED)
    with pytest.raises(InputError, match="the table cannot be read") as caught:
        events(SQL, postgres, options={"query": "select * from nothing"})
    assert "secret" not in str(caught.value)
    log = cjm.scan_events({"web": replace(SQL, path=postgres, on_error="set aside")})
    assert "secret" not in str(log.inputs()["path"][0])


def test_a_reader_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module in ("adbc_driver_manager", "adbc_driver_sqlite", "deltalake", "pyiceberg", "pyiceberg.table"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=r"needs a package that is not installed.*pip install 'cjm\[adbc\]'"):
        events(SQL, f"sqlite:///{tmp_path}/shop.db")
    for kind in ("delta", "iceberg"):
        with pytest.raises(InputError, match=rf"pip install 'cjm\[{kind}\]'"):
            events(PLAIN, str(tmp_path), format=kind)


def test_delta(tmp_path: Path) -> None:
    pytest.importorskip("deltalake")
    FRAME[:3].write_delta(tmp_path / "log")
    FRAME[3:].write_delta(tmp_path / "log", mode="append")
    found = events(PLAIN, str(tmp_path / "log"), format="delta")
    assert found.sort("time").equals(EXPECTED)
    with pytest.raises(InputError, match="the table cannot be read"):
        events(PLAIN, str(tmp_path), format="delta")


@pytest.mark.filterwarnings("ignore::polars.exceptions.PerformanceWarning")
def test_iceberg(tmp_path: Path) -> None:
    pytest.importorskip("pyiceberg")
    pytest.importorskip("sqlalchemy")
    from pyiceberg.catalog.sql import SqlCatalog

    catalog = SqlCatalog("test", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}")
    catalog.create_namespace("shop")
    table = catalog.create_table("shop.log", schema=FRAME.to_arrow().schema)
    table.append(FRAME.to_arrow())
    assert events(PLAIN, table.metadata_location, format="iceberg").equals(EXPECTED)
    assert events(PLAIN, table, format="iceberg").equals(EXPECTED)
    catalog.engine.dispose()


class Store(BaseHTTPRequestHandler):
    """The little of an object store that reading needs: one bucket, whole objects and ranges, a list, a key."""

    objects: ClassVar[dict[str, bytes]] = {}

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if "right-key" not in self.headers.get("Authorization", ""):
            self._answer(403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
        elif "list-type=2" in query:
            keys = "".join(
                f"<Contents><Key>{key}</Key><LastModified>2025-01-01T00:00:00.000Z</LastModified>"
                f'<ETag>"e"</ETag><Size>{len(data)}</Size></Contents>'
                for key, data in sorted(self.objects.items())
            )
            self._answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{keys}</ListBucketResult>".encode())
        elif path.removeprefix("/bucket/") in self.objects:
            data = self.objects[path.removeprefix("/bucket/")]
            start, stop = 0, len(data)
            if span := self.headers.get("Range"):
                first, last = span.removeprefix("bytes=").split("-")
                start = int(first) if first else max(len(data) - int(last), 0)
                stop = min(int(last) + 1, len(data)) if first and last else len(data)
            told = {"Content_Range": f"bytes {start}-{stop - 1}/{len(data)}"} if span else {}
            changed = "Wed, 01 Jan 2025 00:00:00 GMT"
            if self.command == "HEAD":
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Last-Modified", changed)
                self.send_header("ETag", '"e"')
                self.end_headers()
                return
            self._answer(206 if span else 200, data[start:stop], Last_Modified=changed, ETag='"e"', **told)
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code><Message>no</Message></Error>")

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Serve two Parquet files from a bucket; yield the storage options."""
    Store.objects = {}
    for name, rows in {"log/a.parquet": FRAME[:3], "log/b.parquet": FRAME[3:]}.items():
        rows.write_parquet(tmp_path / "part.parquet")
        Store.objects[name] = (tmp_path / "part.parquet").read_bytes()
    Store.objects["log/c.csv"] = b"at\n"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield {
        "aws_access_key_id": "right-key",
        "aws_secret_access_key": "hush",
        "aws_region": "local",
        "aws_endpoint_url": f"http://127.0.0.1:{server.server_port}",
        "aws_allow_http": "true",
    }
    server.shutdown()
    server.server_close()
    thread.join()


def test_object_stores(store: dict[str, str]) -> None:
    stored = replace(PLAIN, options={"storage": store})
    assert events(stored, "s3://bucket/log/a.parquet").equals(EXPECTED[:3])
    assert events(stored, "s3://bucket/log/*.parquet").equals(EXPECTED)
    assert events(stored, ["s3://bucket/log/a.parquet", "s3://bucket/log/b.parquet"], attributes=[]).equals(
        EXPECTED.drop("plan")
    )
    with pytest.raises(InputError, match="csv is read from files on this machine only"):
        events(stored, "s3://bucket/log/c.csv")
    with pytest.raises(InputError, match="z.parquet: the file cannot be read as Parquet"):
        events(stored, "s3://bucket/log/z.parquet")
    with pytest.raises(InputError, match="invalid value for 'max_retries'"):
        events(replace(PLAIN, options={"storage": {"max_retries": "many"}}), "s3://bucket/log/a.parquet")
    wrong = replace(PLAIN, options={"storage": {**store, "aws_access_key_id": "other"}})
    for path, message in {"log/a.parquet": "cannot be read as Parquet", "log/*.parquet": "cannot be listed"}.items():
        with pytest.raises(InputError, match=message) as caught:
            events(wrong, f"s3://bucket/{path}")
        assert "hush" not in str(caught.value)


def test_passwords_are_not_shown() -> None:
    source = replace(SQL, path="postgresql://me:secret@host:1/shop", options={"query": "select 1"})
    assert source.where == "postgresql://me:***@host:1/shop"
    for wrong in ({"format": None}, {"options": {}}):
        with pytest.raises(ArgumentError, match="go together"):
            replace(source, **wrong)
