"""Files of every make are read whole, and messages cite the right line."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cjm
from cjm.errors import InputError

SOURCE = cjm.Source("", time="at", event="what", ids={"customer": "who"})
HEAD = "at,what,who\n"
GOOD = "2025-01-01T10:00:00Z,home,a\n"
JSON = '{"at": "2025-01-01T10:00:00Z", "what": "home", "who": "a"}\n'


def read(path: object, **changes: object) -> cjm.EventLog:
    return cjm.scan_events({"web": replace(SOURCE, path=path, **changes)})


def compressed(content: bytes, kind: str, folder: Path) -> bytes:
    if kind == "zst":
        with pa.output_stream(str(folder / "scratch.zst"), compression="zstd") as stream:
            stream.write(content)
        return (folder / "scratch.zst").read_bytes()
    return {"gz": gzip.compress, "bz2": bz2.compress}[kind](content)


@pytest.mark.parametrize("suffix", ["gz", "zst", "bz2", "GZ"])
@pytest.mark.parametrize("name", ["web.ndjson", "web.csv", "web.TSV", "WEB.JSONL"])
def test_compressed_text(tmp_path: Path, name: str, suffix: str) -> None:
    content = JSON * 3 if "json" in name.lower() else HEAD + GOOD * 3
    content = content.replace(",", "\t") if "TSV" in name else content
    path = tmp_path / f"{name}.{suffix}"
    packed = compressed(content.encode(), suffix.lower(), tmp_path)
    path.write_bytes(packed)
    assert read(path).frame.collect().height == 3
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=f"{path.name}: "):
        read(path).frame.collect()
    path.write_bytes(compressed(b"", suffix.lower(), tmp_path))
    with pytest.raises(InputError, match="the file is empty"):
        read(path).frame.collect()


@pytest.mark.parametrize("name", ["web.arrow", "web.feather", "web.ipc", "web.arrows"])
@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
def test_both_formats_of_arrow(tmp_path: Path, name: str, new: Callable[..., pa.RecordBatchWriter]) -> None:
    rows = pl.DataFrame({"at": ["2025-01-01T10:00:00Z"] * 3, "what": ["a", "b", "ü"], "who": ["x", None, "y"]})
    table = rows.to_arrow()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with new(tmp_path / name, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=2)
    found = read(tmp_path / name, on_error="set aside").frame.collect()
    assert found.select("event", "customer").rows() == [("a", "x"), ("ü", "y")]
    with new(tmp_path / name, table.schema) as writer:
        pass
    assert read(tmp_path / name).frame.collect().height == 0


def test_upper_case_tabs(tmp_path: Path) -> None:
    path = tmp_path / "WEB.TSV"
    path.write_text((HEAD + GOOD).replace(",", "\t"))
    assert read(path).frame.collect().height == 1


def test_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "web.ndjson"
    path.write_bytes(b"\xef\xbb\xbf" + JSON.encode())
    assert read(path).frame.collect()["customer"].to_list() == ["a"]
    path = tmp_path / "web.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + GOOD + "bad,home,a\n").encode())
    for encoding in ("utf8", "UTF-8", "utf-8-sig"):
        log = read(path, on_error="set aside", options={"encoding": encoding})
        assert log.frame.collect()["customer"].to_list() == ["a"]
        assert log.quality()["example"].to_list() == ["web.csv line 3: aaa"]


def test_a_header_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "web.csv"
    for content in ("at,what,who", "at,what,who\n", "\nat,what,who\r\n\r\n"):
        path.write_text(content, newline="")
        log = read(path)
        assert log.frame.collect().height == 0
        assert log.quality()["check"].to_list() == ["no rows"]
    path.write_text("\n\n")
    with pytest.raises(InputError, match="the file is empty"):
        read(path).frame.collect()


def test_quotes_may_be_turned_off(tmp_path: Path) -> None:
    path = tmp_path / "web.csv"
    path.write_text(HEAD + '2025-01-01T10:00:00Z,12" pipe,a\n2025-01-01T10:00:00Z,"b,a\nbad,"x,a\n')
    log = read(path, options={"quote": ""}, on_error="set aside")
    assert log.frame.collect()["event"].to_list() == ['12" pipe', '"b']
    assert log.quality()["example"].to_list() == ["web.csv line 4: aaa"]


@pytest.mark.parametrize("path", ["a" * 5000 + ".csv", "a\0.csv", "[" * 5000 + "*.csv"])
def test_paths_that_cannot_be(path: str) -> None:
    with pytest.raises(InputError, match="source 'web'"):
        read(path).frame.collect()


def test_a_file_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD + GOOD)
    (tmp_path / "b.csv").write_text(HEAD + GOOD)
    for twice in (
        [path, path],
        [str(tmp_path / "*.csv"), str(path)],
        [str(tmp_path / "a*"), str(tmp_path / "*a.csv")],
        [path, tmp_path / ".." / tmp_path.name / "a.csv"],
    ):
        with pytest.raises(InputError, match="source 'web', .*a.csv: the file is named twice"):
            read(twice).frame.collect()
    assert read([path, tmp_path / "b.csv"]).frame.collect().height == 2


BEFORE = {
    "nothing": "",
    "a row": GOOD,
    "a quoted line break": '2025-01-01T10:00:00Z,"ho\nme",a\n',
    "a blank line": GOOD + "\n\n",
    "a blank line with a return": "\r\n" + GOOD,
    "a short row": "2025-01-01T10:00:00Z,home\n",
    "a long row": "2025-01-01T10:00:00Z,home,a,b\n",
    "all of them": '\n2025-01-01T10:00:00Z,"a\n\nb",a\n1,2\n\n' + GOOD,
}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("bad", ["soon,home,a\n", 'soon,"x\ny",a\n'])
def test_the_line_of_a_bad_time(tmp_path: Path, before: str, bad: str) -> None:
    content = HEAD + BEFORE[before]
    line = content.count("\n") + 1
    path = tmp_path / "web.csv"
    path.write_bytes((content + bad + GOOD).encode())
    log = read(path, on_error="set aside")
    assert log.quality().filter(pl.col("check") == "time unreadable")["example"].to_list() == [
        f"web.csv line {line}: aaaa"
    ]
    if not any(kind in before for kind in ("short", "long", "all")):
        with pytest.raises(InputError, match=f'web.csv line {line}, column "at"'):
            read(path).frame.collect()


@pytest.mark.parametrize("before", [kind for kind in BEFORE if not any(k in kind for k in ("short", "long", "all"))])
def test_the_line_of_a_short_row(tmp_path: Path, before: str) -> None:
    content = HEAD + BEFORE[before]
    line = content.count("\n") + 1
    path = tmp_path / "web.csv"
    path.write_bytes((content + "2025-01-01T10:00:00Z,x\n" + GOOD).encode())
    with pytest.raises(InputError, match=f"web.csv line {line}: the row has 2 fields instead of 3"):
        read(path).frame.collect()
    assert read(path).quality()["check"][0] == "row of the wrong length"
    found = read(path, on_error="set aside").quality()
    assert found.select("check", "example").row(0) == (
        "row of the wrong length",
        f"line {line}: 2 fields instead of 3",
    )


FIELD = st.text(st.sampled_from('ab"\n;é '), max_size=4)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(FIELD, st.integers(0, 2)), max_size=6), st.sampled_from(["utf-16", "utf8"]))
def test_lines_of_quoted_fields(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]], code: str
) -> None:
    path = tmp_path_factory.mktemp("lines") / "web.csv"
    text = "at;what;who\n"
    for field, blanks in rows:
        text += '2025-01-01T10:00:00Z;"' + field.replace('"', '""') + '";a\n' + "\n" * blanks
    line = text.count("\n") + 1
    path.write_bytes((text + "soon;x;a\n").encode(code))
    log = read(path, on_error="set aside", options={"separator": ";", "encoding": code})
    found = log.quality().filter(pl.col("check") == "time unreadable")
    assert found["example"].to_list() == [f"web.csv line {line}: aaaa"]
    assert log.counts()["read"].item() == len(rows) + 1


def test_the_line_in_ndjson_after_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "web.ndjson"
    path.write_text(JSON + "\n \n" + JSON + JSON.replace("2025-01-01T10:00:00Z", "soon"))
    with pytest.raises(InputError, match='web.ndjson line 5, column "at": "aaaa"'):
        read(path).frame.collect()


def test_frames_that_cannot_be_computed(tmp_path: Path) -> None:
    frame = pl.DataFrame({"at": ["2025-01-01T10:00:00Z"], "what": ["home"], "who": ["a"]})

    class Stream:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            raise RuntimeError("the connection is closed")

    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["at", "at"])
    for data, message in [
        (frame.lazy().select(pl.col("none")), "lazy frame cannot be computed"),
        (frame.lazy().with_columns(pl.col("who").cast(pl.Int64)), "lazy frame cannot be computed"),
        (pl.scan_parquet(tmp_path / "none.parquet"), "lazy frame cannot be computed"),
        (Stream(), "Arrow stream of Stream cannot be read .the connection is closed"),
    ]:
        with pytest.raises(InputError, match=f"source 'web': the {message}"):
            read(data).frame.collect()
    with pytest.raises(InputError, match="source 'web': the Arrow stream of Table cannot be read"):
        read(twice).frame.collect()
