"""Journeys in buckets, in memory and on disk."""

from __future__ import annotations

import errno
import gc
import json
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cjm
from cjm import piles
from cjm.contracts import CONTRACTS, TIME
from cjm.errors import ArgumentError, CjmError, InputError, RunError
from cjm.events import _readers
from cjm.events._paths import File
from cjm.journeys import Journeys, _collect, journeys_from_frame

START = datetime(2025, 1, 1, tzinfo=UTC)
Event = tuple[int, int, str, str | None]

events_of_persons = st.lists(
    st.tuples(
        st.integers(0, 2**62) | st.integers(1, 3),
        st.integers(0, 90),
        st.sampled_from(["x", "y é", "->", '"']),
        st.sampled_from([None, "red", "blue", "a colour with a long name"]),
    ),
    min_size=1,
    max_size=60,
)


def frame_of(events: list[Event]) -> pl.DataFrame:
    rows = [
        (p, START + timedelta(minutes=m), "web", e, c, n, [n], date(2025, 1, 1))
        for n, (p, m, e, c) in enumerate(events)
    ]
    schema = {
        "person": pl.Int64, "time": TIME, "channel": pl.String, "event": pl.String, "colour": pl.String,
        "arrival": pl.Int64, "nested": pl.List(pl.Int64), "day": pl.Date,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def tables(journeys: Journeys) -> list[pl.DataFrame]:
    return [frame.collect() for frame in (journeys.frame, journeys.sessions, journeys.persons)]


def same(one: Journeys, other: Journeys) -> bool:
    parts = (one.start, one.end, one.rule, repr(one)) == (other.start, other.end, other.rule, repr(other))
    return parts and all(a.equals(b) and a.schema == b.schema for a, b in zip(tables(one), tables(other), strict=True))


@settings(deadline=None, max_examples=30)
@given(events_of_persons, st.integers(1, 40))
def test_the_store_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], size: int
) -> None:
    folder = tmp_path_factory.mktemp("store") / "journeys"
    journeys = journeys_from_frame(frame_of(events), gap=60_000_000)
    journeys.write(folder, bucket_events=size)
    back = cjm.open_journeys(folder)
    assert same(back, journeys)
    most = max(np.diff(journeys.arrays.offsets))
    assert all(bucket.height < size + most for bucket in back.buckets())
    parts = list(back.parts(2 * size))
    assert [bucket.height for part in parts for bucket in part.buckets()] == [b.height for b in back.buckets()]
    assert len(parts) <= max(back.height // (2 * size), 1)
    # and again, from disk to disk, in other buckets
    back.write(folder.with_name("again"))
    assert same(cjm.open_journeys(folder.with_name("again")), journeys)


@settings(deadline=None, max_examples=30)
@given(events_of_persons, st.integers(1, 20), st.integers(0, 5))
def test_filter_and_sample_do_not_depend_on_buckets(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], size: int, n: int
) -> None:
    folder = tmp_path_factory.mktemp("store") / "journeys"
    journeys = journeys_from_frame(frame_of(events), gap=60_000_000)
    journeys.write(folder, bucket_events=size)
    back = cjm.open_journeys(folder)
    red = pl.col("colour") == "red"
    assert same(back.filter(red), journeys.filter(red))
    assert same(back.sample(n, seed=3), journeys.sample(n, seed=3))
    late = pl.col("time") >= pl.col("time").mean()  # looks at more than its row
    assert same(back.filter(red).filter(late), journeys.filter(red).filter(late))
    assert journeys.filter(red).frame.collect()["arrival"].to_list() == (
        journeys.frame.collect().filter(red)["arrival"].to_list()
    )
    kept = journeys.filter(red)
    kept.write(folder.with_name("kept"))
    assert same(cjm.open_journeys(folder.with_name("kept")), kept)


def test_texts_of_events_that_were_filtered_out_are_not_stored(tmp_path: Path) -> None:
    events: list[Event] = [(1, 0, "x", "secret-of-one"), (2, 0, "x", "kept-of-two")]
    journeys = journeys_from_frame(frame_of(events), gap=1).filter(pl.col("person") == 2)
    journeys.write(tmp_path / "store")
    bytes_ = b"".join(path.read_bytes() for path in (tmp_path / "store").iterdir())
    assert b"kept-of-two" in bytes_
    assert b"secret-of-one" not in bytes_


def test_known_times_and_the_rule_are_stored(tmp_path: Path) -> None:
    frame = frame_of([(1, 0, "x", None), (1, 5, "y é", None), (2, 9, "x", None)])
    known = frame["time"].to_list()
    frame = frame.with_columns(pl.Series("__known", [known[1], known[1], known[2]], dtype=TIME))
    journeys = journeys_from_frame(
        frame, gap=None, rule=cjm.journeys.SessionRule(None, ("web:y é",), ("web:x",), "Europe/Warsaw")
    )
    journeys.write(tmp_path / "store", bucket_events=1)
    back = cjm.open_journeys(tmp_path / "store")
    assert back.rule == journeys.rule
    assert back.arrays.known.tolist() == journeys.arrays.known.tolist()
    assert (back.arrays.known - back.arrays.time).tolist() == [5 * 60_000_000, 0, 0]


def test_only_the_columns_that_are_asked_for_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journeys = journeys_from_frame(frame_of([(1, 0, "x", "red"), (2, 5, "x", None)]), gap=1)
    journeys.write(tmp_path / "store", bucket_events=1)
    back = cjm.open_journeys(tmp_path / "store")
    asked: list[str] = []
    read = Journeys.attribute
    monkeypatch.setattr(Journeys, "attribute", lambda self, name: asked.append(name) or read(self, name))
    assert back.frame.filter(pl.col("arrival") > 0).select("person", "touchpoint").collect().height == 1
    assert set(asked) == {"arrival"}
    assert back.frame.head(1).collect().height == 1
    assert back.frame.select(pl.len()).collect().item() == 2
    CONTRACTS["JOURNEY_EVENTS"].validate(back.frame)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damage") / "store"
    rows: list[Event] = [(n % 7, n, "x", "red") for n in range(40)]
    journeys_from_frame(frame_of(rows), gap=60_000_000).write(folder, bucket_events=15)
    return folder


def read_all(folder: Path) -> None:
    journeys = cjm.open_journeys(folder)
    for bucket in journeys.buckets():
        assert bucket.arrays is not None
        assert bucket.attributes.height


def trials(store: Path, folder: Path, kind: str, count: int) -> Iterator[str]:
    """Damage one file in ``count`` ways, one after the other; yield its name each time."""
    chance = random.Random(kind)
    names = sorted(path.name for path in store.iterdir())
    shutil.copytree(store, folder)
    for _ in range(count):
        name = chance.choice(names)
        content = (store / name).read_bytes()
        if kind == "flip":
            place, bit = chance.randrange(len(content)), 1 << chance.randrange(8)
            (folder / name).write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        elif kind == "truncate":
            (folder / name).write_bytes(content[: chance.randrange(len(content))])
        else:
            other = chance.choice([one for one in names if (store / one).read_bytes() != content])
            (folder / name).write_bytes((store / other).read_bytes())
        yield name
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("kind", ["flip", "truncate", "swap"])
def test_damage_is_noticed(store: Path, tmp_path: Path, kind: str) -> None:
    read_all(store)
    for name in trials(store, tmp_path / "copy", kind, 150):
        with pytest.raises(CjmError) as error:
            read_all(tmp_path / "copy")
        assert str(tmp_path) in str(error.value), name  # it says where
    read_all(tmp_path / "copy")


def test_what_is_no_store_is_refused(store: Path, tmp_path: Path) -> None:
    journeys = cjm.open_journeys(store)
    with pytest.raises(RunError, match="something already"):
        journeys.write(store)
    with pytest.raises(ArgumentError, match="must be 1 or more"):
        journeys.write(tmp_path / "new", bucket_events=0)
    assert not (tmp_path / "new").exists()
    copy = tmp_path / "copy"
    shutil.copytree(store, copy)
    for text, message in [
        (json.dumps({"version": 1}), "not stored by format version 2"),
        ("[]", "not stored by format"),
        ("no JSON", "no stored journeys"),
        ("[" * 100_000, "no stored journeys"),
    ]:
        (copy / "manifest.json").write_text(text)
        with pytest.raises(InputError, match=message):
            cjm.open_journeys(copy)
    with pytest.raises(InputError, match="no stored journeys"):
        cjm.open_journeys(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_store_is_found_from_another_working_directory(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.parent)
    journeys = cjm.open_journeys(store.name)
    monkeypatch.chdir(tmp_path)
    assert journeys.frame.collect().height == journeys.height


def test_types_that_cannot_be_stored(tmp_path: Path) -> None:
    journeys = journeys_from_frame(frame_of([(1, 0, "x", None)]).with_columns(pl.lit(1, pl.Int128).alias("n")), gap=1)
    with pytest.raises(InputError, match="an attribute is of a type that cannot be stored"):
        journeys.write(tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


def log_in_parts(folder: Path, rows: int) -> cjm.EventLog:
    """A log of two sources: Parquet files that are read in pieces, and a text file with another set of columns."""
    chance = np.random.default_rng(5)
    frame = pl.DataFrame(
        {
            "who": pl.Series(chance.integers(0, 9, rows)).cast(pl.String).replace("8", None),
            "at": START + pl.Series(chance.integers(0, 100, rows)) * timedelta(minutes=1),
            "what": pl.Series(chance.choice(["home", "cart", "buy with a long name"], rows)),
            "shade": pl.Series(chance.choice(["red", "blue"], rows)),
            "size": pl.Series(chance.integers(0, 5, rows)),
        }
    )
    frame[: rows // 2].write_parquet(folder / "a.parquet", row_group_size=7)
    frame[rows // 2 :].write_parquet(folder / "b.parquet", row_group_size=11)
    calls = frame[::3].select("who", pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"), size=pl.lit("big"))
    calls.write_csv(folder / "calls.csv")
    return cjm.scan_events(
        {
            "web": cjm.Source(str(folder / "*.parquet"), time="at", event="what", ids={"customer": "who"}),
            "call": cjm.Source(str(folder / "calls.csv"), time="at", event_name="call", ids={"customer": "who"}),
        }
    )


@pytest.mark.parametrize("stitched", [False, True])
def test_pieces_and_buckets_on_disk_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stitched: bool
) -> None:
    def build(in_memory: int = 1_000) -> tuple[cjm.EventLog, Journeys]:
        log = cjm.scan_events(sources)
        people = cjm.stitch(log) if stitched else None
        person = None if stitched else "customer"
        return log, cjm.build_journeys(log, people, person=person, gap="5m", in_memory=in_memory)

    sources = log_in_parts(tmp_path, 200).sources
    whole_log, whole = build()
    monkeypatch.setattr(_readers, "_PIECE", 10)
    pieces_log, in_pieces = build()
    assert same(in_pieces, whole)
    assert pieces_log.quality().equals(whole_log.quality())
    assert pieces_log.counts().equals(whole_log.counts())
    assert pieces_log.inputs().equals(whole_log.inputs())
    assert pieces_log.frame.collect().equals(whole_log.frame.collect())

    monkeypatch.setattr(_collect, "_AT_ONCE", 3)
    _, on_disk = build(in_memory=60)
    assert len(list(on_disk.buckets())) > 4
    assert same(on_disk, whole)
    on_disk.write(tmp_path / "store", bucket_events=50)
    assert same(cjm.open_journeys(tmp_path / "store"), whole)


def test_the_folder_for_what_does_not_fit_goes_with_the_journeys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_readers, "_PIECE", 10)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    journeys = cjm.build_journeys(log_in_parts(tmp_path, 200), person="customer", in_memory=60)
    bucket = next(journeys.buckets())
    assert len(list(temporary.iterdir())) == 1
    assert not list(temporary.rglob("*.arrow"))
    del journeys
    gc.collect()
    assert bucket.arrays.time.size
    del bucket
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_a_full_disk_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_readers, "_PIECE", 10)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    log = log_in_parts(tmp_path, 200)
    for place, name in ((pl.DataFrame, "write_ipc"), (_collect, "write_bucket"), (piles, "mkdtemp")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, full)
            with pytest.raises(RunError, match=r"No space left.*TMPDIR"):
                cjm.build_journeys(log, person="customer", in_memory=60)
        gc.collect()
        assert list(temporary.iterdir()) == []


def test_types_that_become_text_do_not_depend_on_the_disk() -> None:
    at = pl.Series([START] * 40)
    sources = {
        name: cjm.Source(pl.DataFrame({"at": at, "what": "x", "who": "a", "size": size}), time="at", event="what",
                         ids={"customer": "who"})
        for name, size in [("whole", [1] * 40), ("broken", [0.5] * 40), ("text", ["x"] * 40)]
    }  # fmt: skip
    whole = cjm.build_journeys(cjm.scan_events(sources), person="customer")
    # two sources are put aside, then the third
    on_disk = cjm.build_journeys(cjm.scan_events(sources), person="customer", in_memory=60)
    assert same(on_disk, whole)
    assert whole.frame.select("size").unique().collect()["size"].sort().to_list() == ["0.5", "1", "x"]


def test_only_the_frame_holds_what_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_readers, "_PIECE", 10)
    log = log_in_parts(tmp_path, 200)
    read: list[Path | str] = []
    real = _readers._parquet_pieces

    def counted(file: File, source: cjm.Source, also: frozenset[str]) -> Iterator[object]:
        read.append(file.path)
        return real(file, source, also)

    monkeypatch.setattr(_readers, "_parquet_pieces", counted)
    quality = log.quality()
    assert len(read) == 2
    first = cjm.build_journeys(log, person="customer")
    assert len(read) == 4
    frame = log.frame.collect()
    assert len(read) == 6
    assert same(cjm.build_journeys(log, person="customer"), first)
    assert log.frame.collect().equals(frame)
    assert log.quality().equals(quality)
    assert len(read) == 6


def test_small_files_are_read_together_and_unread_columns_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        part = pl.DataFrame({"at": [START] * 3, "what": str(number), "who": "a"})
        other = pl.lit("text") if number % 2 else pl.lit(1)
        part.with_columns(other.alias("other")).write_parquet(tmp_path / f"{number:02d}.parquet")
    source = cjm.Source(str(tmp_path / "*.parquet"), time="at", event="what", ids={"customer": "who"}, attributes=[])
    monkeypatch.setattr(_readers, "_PIECE", 10)
    assert [piece.height for piece in cjm.scan_events({"web": source}).pieces()] == [12] * 5
    events = cjm.build_journeys(cjm.scan_events({"web": source}), person="customer").frame.collect()["event"]
    assert events.to_list() == [str(number) for number in range(20) for _ in range(3)]


def test_rows_that_cannot_be_used_are_cited_by_their_row_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_readers, "_PIECE", 10)
    noon = START + timedelta(hours=12)
    at = [noon] * 25 + [datetime(1970, 1, 1, tzinfo=UTC)] * 2 + [None] + [noon] * 5
    frame = pl.DataFrame({"at": pl.Series(at, dtype=TIME), "what": "x", "who": "a"})
    frame.write_parquet(tmp_path / "log.parquet", row_group_size=5)
    source = cjm.Source(str(tmp_path / "log.parquet"), time="at", event="what", ids={"customer": "who"})
    log = cjm.scan_events({"web": source})
    with pytest.raises(InputError, match=r"log.parquet row 27.*1 of 33 rows like this"):
        cjm.build_journeys(log, person="customer")
    assert log.quality().select("check", "rows").rows() == [("time missing", 1), ("time before 1990", 2)]
