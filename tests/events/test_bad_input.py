"""Bad files and rows end in one clear error or one counted finding."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

import cjm
from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError, InputError

GOOD_CSV = "at;what;who\n2025-01-01T10:00:00Z;home;007\n2025-01-01T10:05:00Z;cart;7\n"
CSV = cjm.Source("", time="at", event="what", ids={"customer": "who"}, options={"separator": ";"})
FRAME = pl.DataFrame({"at": ["2025-01-01T10:00:00Z"], "what": ["home"], "who": ["a"]})


def read(source: cjm.Source, path: object) -> cjm.EventLog:
    log = cjm.scan_events({"web": replace(source, path=path)})
    CONTRACTS["EVENTS"].validate(log.frame)
    CONTRACTS["QUALITY"].validate(log.quality())
    counts = log.counts().row(0, named=True)
    assert counts["read"] == counts["kept"] + counts["set_aside"] + counts["duplicates"]
    assert counts["kept"] == log.frame.collect().height
    return log


def write(folder: Path, content: bytes | str, name: str = "web.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_identifiers_stay_text(tmp_path: Path) -> None:
    assert read(CSV, write(tmp_path, GOOD_CSV)).frame.collect()["customer"].to_list() == ["007", "7"]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "cp1250"])
def test_other_encodings_are_read_when_declared(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, GOOD_CSV.replace("home", "hé").encode(encoding))
    declared = replace(CSV, options={"separator": ";", "encoding": encoding})
    assert read(declared, path).frame.collect()["event"].to_list() == ["hé", "cart"]
    with pytest.raises(InputError, match="web.csv: the text is not encoded as utf8.*encoding"):
        read(CSV, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "web.csv: the file is empty"),
        (
            "at;what;who\n2025-01-01T10:00:00Z;home\n" + GOOD_CSV[12:],
            "web.csv line 2: the row has 2 fields instead of 3",
        ),
        (GOOD_CSV + "2025-01-01T10:00:00Z;a;b;c\n", "web.csv line 4: the row has 4 fields instead of 3"),
        (GOOD_CSV[:-20], r"web.csv line 3|fields instead of 3"),
        (GOOD_CSV.replace("who", "what"), "web.csv line 1: column 'what' is there twice"),
        (GOOD_CSV.replace("who", "whom"), r"unknown column 'who'\. Did you mean \"whom\""),
        (GOOD_CSV.replace(";", ","), r"unknown column 'at'"),
        (b"\x00\x01\x02\x03", "web.csv"),
    ],
)
def test_broken_csv(tmp_path: Path, content: bytes | str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(CSV, write(tmp_path, content))


def test_short_rows_may_be_set_aside(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD_CSV + "2025-01-01T10:00:00Z;a\n")
    log = read(replace(CSV, on_error="set aside"), path)
    assert log.frame.collect().height == 2
    assert log.quality().rows() == [
        ("web", "row of the wrong length", 1, 1 / 3, "line 4: 2 fields instead of 3", "set aside")
    ]


def test_quotes_separators_and_line_breaks_inside_fields(tmp_path: Path) -> None:
    text = 'at;what;who\n2025-01-01T10:00:00Z;"a;b ""c""\nd";x\n2025-01-01T10:00:00Z;e;y\n'
    assert read(CSV, write(tmp_path, text)).frame.collect()["event"].to_list() == ['a;b "c"\nd', "e"]


def test_a_header_alone_is_a_source_without_rows(tmp_path: Path) -> None:
    log = read(CSV, write(tmp_path, "at;what;who\n"))
    assert log.quality()["check"].to_list() == ["no rows"]
    with pytest.raises(InputError, match="no events are left"):
        cjm.build_journeys(log, person="customer")


def test_compressed_text_and_tabs(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(GOOD_CSV.replace(";", "\t").encode()), "web.tsv.gz")
    assert read(replace(CSV, options={}), path).frame.collect().height == 2
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(InputError, match="web.tsv.gz"):
        read(replace(CSV, options={}), path)


def test_missing_files_and_globs(tmp_path: Path) -> None:
    for path, message in {
        str(tmp_path / "none.csv"): "no such file",
        str(tmp_path / "*.csv"): "no file matches",
        str(tmp_path): "this is a folder",
    }.items():
        with pytest.raises(InputError, match=message):
            read(CSV, path)
    with pytest.raises(InputError, match="list of files is empty"):
        read(CSV, [])
    with pytest.raises(InputError, match="does not tell the format"):
        read(CSV, write(tmp_path, GOOD_CSV, "web.dat"))
    assert read(replace(CSV, format="csv"), tmp_path / "web.dat").frame.collect().height == 2


def test_truncated_binary_files(tmp_path: Path) -> None:
    source = cjm.Source("", time="at", event="what", ids={"customer": "who"})
    for name, kind in {"web.parquet": "Parquet", "web.arrow": "Arrow"}.items():
        path = tmp_path / name
        FRAME.write_parquet(path) if kind == "Parquet" else FRAME.write_ipc(path)
        assert read(source, path).frame.collect().height == 1
        content = path.read_bytes()
        for cut in (1, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:cut])
            with pytest.raises(InputError, match=f"{name}: the file cannot be read as {kind}"):
                read(source, path)
        path.write_bytes(b"")
        with pytest.raises(InputError, match="the file is empty"):
            read(source, path)


def test_ndjson(tmp_path: Path) -> None:
    source = cjm.Source("", time="at", event="what", ids={"customer": "who"})
    lines = ['{"at": "2025-01-01T10:00:00Z", "what": "home", "who": 7}'] * 150
    late = '{"at": "2025-01-01T10:00:00Z", "what": "home", "who": 7, "late": "seen"}'
    log = read(source, write(tmp_path, "\n".join([*lines, late]), "web.ndjson"))
    assert log.frame.collect()["late"].to_list()[-1] == "seen"
    assert log.frame.collect()["customer"].unique().to_list() == ["7"]
    for bad, message in {
        '{"at": "2025': "web.ndjson line 151: the line is no JSON object",
        "[1, 2]": "web.ndjson line 151: the line is no JSON object",
        "é": "web.ndjson",
    }.items():
        encoded = "\n".join([*lines, bad]).encode("latin-1")
        with pytest.raises(InputError, match=message):
            read(source, write(tmp_path, encoded, "web.ndjson"))


def test_files_of_one_source_must_agree_on_declared_columns(tmp_path: Path) -> None:
    naive = FRAME.with_columns(pl.lit(datetime(2025, 1, 1)).alias("at"))
    aware = FRAME.with_columns(pl.lit(datetime(2025, 1, 1, tzinfo=UTC)).alias("at"))
    naive.write_parquet(tmp_path / "a.parquet")
    aware.write_parquet(tmp_path / "b.parquet")
    source = cjm.Source("", time="at", event="what", ids={"customer": "who"})
    with pytest.raises(InputError, match=r"b.parquet: column 'at' is Datetime.* here and Datetime.* in a.parquet"):
        read(source, str(tmp_path / "*.parquet"))


PLACEHOLDERS = [
    "null", "NULL", "None", "none", "nan", "NaN", "undefined", "Undefined", "unknown", "anonymous", "guest",
    "(not set)", "not set", "(none)", "true", "False", "[object Object]", "0", "00", "0000000000", "-1", "-", "--",
    "", " ", "\t", "00000000-0000-0000-0000-000000000000",
]  # fmt: skip


def test_placeholders_are_no_identifiers() -> None:
    frame = pl.DataFrame({"at": ["2025-01-01T10:00:00Z"] * (len(PLACEHOLDERS) + 1), "what": "x"}).with_columns(
        who=pl.Series([*PLACEHOLDERS, "real"])
    )
    log = read(replace(CSV, options={}), frame)
    assert log.frame.collect()["customer"].to_list() == ["real"]
    assert dict(log.quality().select("check", "rows").rows()) == {
        "placeholder in customer": len(PLACEHOLDERS),
        "no identifier": len(PLACEHOLDERS),
    }


def test_placeholders_can_be_declared() -> None:
    frame = FRAME.select(pl.col("at", "what").repeat_by(4).explode()).with_columns(
        who=pl.Series(["NAN", "0", "", "n/a"])
    )
    none = read(replace(CSV, options={}, placeholders=[]), frame).frame.collect()
    assert none["customer"].to_list() == ["NAN", "0", "n/a"]
    own = read(replace(CSV, options={}, placeholders=["n/a"]), frame).frame.collect()
    assert own["customer"].to_list() == ["NAN", "0"]


@pytest.mark.parametrize("real", ["-12", "10", "0a", "nulls", "Null Island", "é", "a:b", "1e5"])
def test_unusual_identifiers_are_kept(real: str) -> None:
    assert read(replace(CSV, options={}), FRAME.with_columns(who=pl.lit(real))).frame.collect()["customer"][0] == real


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0, None], ["1", None]), ([1.5, 12345678.0], ["1.5", "12345678"]), ([10**15, 3], [str(10**15), "3"])],
)
def test_numbers_as_identifiers(values: list[object], expected: list[str | None]) -> None:
    frame = pl.DataFrame({"at": "2025-01-01T10:00:00Z", "what": "x", "who": values, "also": ["k", "l"]})
    source = cjm.Source(frame, time="at", event="what", ids={"customer": "who", "cookie": "also"})
    assert read(source, frame).frame.collect()["customer"].to_list() == expected


def test_null_ids_and_names_are_set_aside() -> None:
    frame = pl.DataFrame(
        {"at": ["2025-01-01T10:00:00Z"] * 4, "what": ["a", None, " ", "b"], "who": ["x", "x", "x", None], "v": "1"}
    )
    log = read(replace(CSV, options={}, value="v"), frame)
    assert dict(log.quality().select("check", "rows").rows()) == {"event missing": 2, "no identifier": 1}
    assert log.frame.collect()["value"].to_list() == [1.0]


def test_values_that_are_no_numbers_are_counted() -> None:
    log = read(replace(CSV, options={}, value="v"), FRAME.with_columns(v=pl.lit("12,50")))
    assert log.quality().rows() == [("web", "value is no number", 1, 1.0, "12,50", "kept")]
    assert log.frame.collect()["value"].to_list() == [None]


def test_duplicates_are_dropped_where_asked() -> None:
    frame = pl.concat([FRAME, FRAME, FRAME.with_columns(what=pl.lit("cart"))]).with_columns(
        n=pl.Series(["1", "1", "2"])
    )
    plain = replace(CSV, options={})
    assert read(plain, frame).frame.collect().height == 3
    assert read(replace(plain, drop_duplicates=True), frame).frame.collect()["event"].to_list() == ["home", "cart"]
    by_id = read(replace(plain, event_id="n"), frame)
    assert by_id.frame.collect()["event"].to_list() == ["home", "cart"]
    assert by_id.quality().rows() == [("web", "event id seen before", 1, 1 / 3, "", "dropped duplicate")]


def test_attributes_of_sources_are_joined() -> None:
    one = replace(CSV, path=FRAME.with_columns(plan=pl.lit("gold"), size=pl.lit(1)), options={})
    two = replace(CSV, path=FRAME.with_columns(plan=pl.lit(3), size=pl.lit(1.5), time=pl.lit("x")), options={})
    log = cjm.scan_events({"one": one, "two": two})
    frame = log.frame.collect()
    assert frame["plan"].to_list() == ["gold", "3"]
    assert frame["size"].to_list() == [1.0, 1.5]
    assert frame["time_"].to_list() == [None, "x"]
    assert "attribute 'time' renamed" in log.quality()["check"].to_list()
    narrow = cjm.scan_events({"one": replace(one, attributes=["plan"]), "two": replace(two, attributes=[])})
    assert narrow.frame.collect_schema().names() == ["time", "channel", "event", "customer", "plan"]


def test_wrong_calls() -> None:
    with pytest.raises(ArgumentError, match="no sources"):
        cjm.scan_events({})
    with pytest.raises(ArgumentError, match="no name of a source"):
        cjm.scan_events({" ": CSV})
    with pytest.raises(ArgumentError, match=r"no cjm\.Source"):
        cjm.scan_events({"web": FRAME})  # type: ignore[dict-item]
    with pytest.raises(ArgumentError, match="cannot read events from int"):
        read(CSV, 3)
    with pytest.raises(InputError, match="is no path"):
        read(CSV, [3])
    for wrong in (
        {"ids": {}},
        {"ids": {"time": "x"}},
        {"on_error": "skip"},
        {"format": "xls"},
        {"options": {"sep": 1}},
    ):
        with pytest.raises(ArgumentError):
            replace(CSV, **wrong)


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    log = cjm.scan_events({"web": replace(CSV, path=tmp_path / "later.csv")})
    assert repr(log) == "EventLog(web; ids: customer)"
    write(tmp_path, GOOD_CSV, "later.csv")
    assert log.frame.collect().height == 2
    assert log.inputs().select("source", "rows").row(0) == ("web", 2)


def test_lazy_frames_and_arrow_tables() -> None:
    for data in (FRAME.lazy(), FRAME.to_arrow()):
        assert read(replace(CSV, options={}), data).frame.collect().height == 1
