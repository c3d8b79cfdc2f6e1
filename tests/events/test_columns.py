"""What columns may hold, what they are called in the log, and how the files of a source go together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cjm
from cjm.errors import ArgumentError, InputError
from cjm.events import clean_ids
from cjm.identifiers import is_placeholder

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
FRAME = pl.DataFrame({"at": [NOON, NOON], "what": ["home", "cart"], "who": ["a", "b"]})
PLAIN = cjm.Source(FRAME, time="at", event="what", ids={"customer": "who"})


def events(source: cjm.Source, frame: object = None) -> pl.DataFrame:
    return log(source, frame).frame.collect()


def log(source: cjm.Source, frame: object = None) -> cjm.EventLog:
    return cjm.scan_events({"web": source if frame is None else replace(source, path=frame)})


def test_a_column_is_no_identifier_because_another_source_has_a_kind_of_that_name() -> None:
    other = cjm.Source(FRAME, time="at", event="what", ids={"cookie": "who"})
    shop = replace(PLAIN, path=FRAME.with_columns(cookie=pl.lit("accepted")))
    found = cjm.scan_events({"web": other, "shop": shop})
    frame = found.frame.collect().filter(pl.col("channel") == "shop")
    assert frame["cookie"].to_list() == [None, None]
    assert frame["cookie_"].to_list() == ["accepted"] * 2
    assert found.quality().select("source", "check", "rows", "example", "action").rows() == [
        ("shop", "attribute 'cookie' renamed", 2, "cookie_", "kept")
    ]


@pytest.mark.parametrize("columns", [["value", "value_"], ["value_", "value"], ["value", "value_", "value__"]])
def test_renamed_attributes_overwrite_nothing(columns: list[str]) -> None:
    frame = events(PLAIN, FRAME.with_columns(pl.lit(name).alias(name) for name in columns))
    assert "value" not in frame.columns
    assert frame["value_"].to_list() == ["value_"] * 2  # a name of its own is kept
    assert sorted(frame.row(0)[4:]) == sorted(columns)
    named = events(replace(PLAIN, attributes=columns), FRAME.with_columns(pl.lit(name).alias(name) for name in columns))
    assert named.equals(frame.select(named.columns))


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([12345678.0, 1.5], pl.Float64, ["12345678", "1.5"]),
        ([0.0, 7.0], pl.Float64, [None, "7"]),
        ([float("nan"), 7.0], pl.Float64, [None, "7"]),
        ([-3.0, 2.0**53 - 1], pl.Float64, ["-3", "9007199254740991"]),
        ([5.0, 1.25], pl.Float32, ["5", "1.25"]),
        ([2**53 + 1, 1], pl.Int64, ["9007199254740993", "1"]),
        ([2**64 - 1, 1], pl.UInt64, ["18446744073709551615", "1"]),
        ([Decimal("10.00"), Decimal("10.50")], pl.Decimal(10, 2), ["10", "10.50"]),
        (["x", " y "], pl.Categorical, ["x", "y"]),
        (["x", "y"], pl.Enum(["x", "y"]), ["x", "y"]),
        (["12345678.0", "1"], pl.String, ["12345678.0", "1"]),
    ],
)
def test_identifiers_of_any_type_become_text(
    values: list[object], dtype: pl.DataType, expected: list[str | None]
) -> None:
    frame = FRAME.with_columns(who=pl.Series(values, dtype=dtype), also=pl.Series(["k", "l"]))
    source = replace(PLAIN, ids={"customer": "who", "cookie": "also"})
    assert events(source, frame)["customer"].to_list() == expected


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(2.0**53, pl.Float64), (1e300, pl.Float64), (float("inf"), pl.Float64), (2.0**24, pl.Float32)],
)
def test_floats_that_may_have_lost_digits_are_no_identifiers(value: float, dtype: pl.DataType) -> None:
    with pytest.raises(InputError, match="source 'web': column 'who'.*digits may be lost.*as text"):
        events(PLAIN, FRAME.with_columns(who=pl.Series([1.0, value], dtype=dtype)))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.none() | st.floats(-(2.0**52), 2.0**52) | st.integers(-(10**15), 10**15).map(float), max_size=6))
def test_float_identifiers_agree_with_python(values: list[float | None]) -> None:
    found = clean_ids(pl.Series("who", values, dtype=pl.Float64)).to_list()
    for value, text in zip(values, found, strict=True):
        if value is None or not value.is_integer():
            assert text is None if value is None else float(text) == value
        else:
            assert text == str(int(value))


def test_usual_placeholders() -> None:
    texts = pl.Series(["0", "n/a", "", None, "x"])
    assert is_placeholder(texts, None).to_list() == [True, False, True, False, False]
    assert is_placeholder(texts, ["n/a"]).to_list() == [False, True, True, False, False]


ODD = {
    "list": pl.Series([["a"], ["b"]]),
    "struct": pl.Series([{"a": 1}, {"a": 2}]),
    "array": pl.Series([[1], [2]], dtype=pl.Array(pl.Int64, 1)),
    "duration": pl.Series([timedelta(1), timedelta(2)]),
    "date": pl.Series([date(2025, 1, 1)] * 2),
    "time": pl.Series([time(1), time(2)]),
    "datetime": pl.Series([NOON, NOON]),
    "object": pl.Series([object(), object()], dtype=pl.Object),
    "binary": pl.Series([b"\xff", b"a"]),
}


@pytest.mark.parametrize("role", ["event", "channel", "ids", "value", "event_id"])
@pytest.mark.parametrize("kind", ODD)
def test_types_that_cannot_be_meant_are_refused(role: str, kind: str) -> None:
    source = replace(PLAIN, **({"ids": {"customer": "odd"}} if role == "ids" else {role: "odd"}))
    with pytest.raises(InputError) as caught:
        events(source, FRAME.with_columns(odd=ODD[kind]))
    for part in ("source 'web'", "column 'odd'", str(ODD[kind].dtype), "Store it as text"):
        assert part in str(caught.value)


@pytest.mark.parametrize("kind", ["list", "struct", "array", "duration", "time", "object", "binary"])
def test_columns_that_are_no_times(kind: str) -> None:
    with pytest.raises(InputError, match="source 'web', column 'odd': a column of type .* holds no times"):
        events(replace(PLAIN, time="odd"), FRAME.with_columns(odd=ODD[kind]))


@pytest.mark.parametrize("kind", ["list", "struct", "array", "object", "binary"])
def test_columns_that_say_no_order(kind: str) -> None:
    with pytest.raises(InputError, match="column 'odd' is of type .*says no order"):
        events(replace(PLAIN, order="odd"), FRAME.with_columns(odd=ODD[kind]))


@pytest.mark.parametrize("role", ["event", "channel"])
def test_floats_are_no_names(role: str) -> None:
    with pytest.raises(InputError, match=f"Float64, which names no {role}"):
        events(replace(PLAIN, **{role: "odd"}), FRAME.with_columns(odd=pl.lit(1.5)))


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (["a", " b"], pl.Categorical, ["a", "b"]),
        (["a", "b"], pl.Enum(["b", "a"]), ["a", "b"]),
        ([1, 2], pl.Int8, ["1", "2"]),
        ([Decimal("3"), Decimal("4")], pl.Decimal(5, 0), ["3", "4"]),
        ([True, False], pl.Boolean, ["true", "false"]),
    ],
)
def test_names_of_events_and_channels(values: list[object], dtype: pl.DataType, expected: list[str]) -> None:
    frame = events(replace(PLAIN, channel="n", event="n"), FRAME.with_columns(n=pl.Series(values, dtype=dtype)))
    assert frame["event"].to_list() == frame["channel"].to_list() == expected


@pytest.mark.parametrize(
    ("values", "dtype", "expected", "wrong"),
    [
        ([float("inf"), 2.5], pl.Float64, [None, 2.5], "inf"),
        (["inf", " 2.5 "], pl.String, [None, 2.5], "inf"),
        (["NaN", "2.5"], pl.String, [None, 2.5], "NaN"),
        (["-inf", "2.5"], pl.Categorical, [None, 2.5], "-inf"),
        ([Decimal("1.10"), None], pl.Decimal(10, 2), [1.1, None], None),
        ([True, False], pl.Boolean, [1.0, 0.0], None),
        ([None, None], pl.Null, [None, None], None),
    ],
)
def test_values(values: list[object], dtype: pl.DataType, expected: list[float | None], wrong: str | None) -> None:
    found = log(replace(PLAIN, value="v"), FRAME.with_columns(v=pl.Series(values, dtype=dtype)))
    assert found.frame.collect()["value"].to_list() == expected
    assert found.quality().select("check", "rows", "example").rows() == (
        [("value is no number", 1, wrong)] if wrong else []
    )


def test_attributes_that_cannot_be_carried_or_do_not_go_together() -> None:
    with pytest.raises(InputError, match="column 'odd' is of type Object.*attributes="):
        events(PLAIN, FRAME.with_columns(odd=ODD["object"]))
    assert events(replace(PLAIN, attributes=[]), FRAME.with_columns(odd=ODD["object"])).height == 2
    beyond = pl.Series([2**62, 0]).cast(pl.Datetime("ms"))
    for kind in ("duration", "list", "struct", "binary"):
        sources = {"web": replace(PLAIN, path=FRAME.with_columns(odd=ODD[kind]))}
        sources["shop"] = replace(PLAIN, path=FRAME.with_columns(odd=pl.lit("text")))
        with pytest.raises(InputError, match="attribute 'odd' is of types that do not go together"):
            cjm.scan_events(sources).frame.collect()
    sources["web"] = replace(PLAIN, path=FRAME.with_columns(odd=beyond))
    with pytest.raises(InputError, match="attribute 'odd' is of types that do not go together"):
        cjm.scan_events(sources).frame.collect()


def test_an_attribute_that_is_listed_twice_is_carried_once() -> None:
    frame = events(replace(PLAIN, attributes=["n", "n"]), FRAME.with_columns(n=pl.lit(1)))
    assert frame.columns == ["time", "channel", "event", "customer", "n"]


def test_records_of_several_shapes_go_together(tmp_path: Path) -> None:
    row = '{"at": "2025-01-01T10:00:00Z", "what": "home", "who": "k", "more": {%s}}\n'
    (tmp_path / "a.ndjson").write_text(row % '"x": 1')
    (tmp_path / "b.ndjson").write_text(row % '"x": 1.5, "y": ["z"]')
    found = events(PLAIN, str(tmp_path / "*.ndjson"))["more"].to_list()
    assert found == [{"x": 1.0, "y": None}, {"x": 1.5, "y": ["z"]}]
    lists = [FRAME.with_columns(odd=pl.Series([[{"a": 1}], []])), FRAME.with_columns(odd=pl.Series([["a"], ["b"]]))]
    sources = {name: replace(PLAIN, path=frame) for name, frame in zip("ab", lists, strict=True)}
    with pytest.raises(InputError, match="attributes="):
        cjm.scan_events(sources).frame.collect()


def test_a_reserved_beginning_of_a_name() -> None:
    frame = FRAME.with_columns(__row=pl.lit(1))
    with pytest.raises(InputError, match="source 'web': the name of column '__row' begins with two underscores"):
        events(PLAIN, frame)
    assert events(replace(PLAIN, attributes=[]), frame).height == 2
    frame = FRAME.with_columns(__index_level_0__=pl.lit(1))  # which pandas adds of itself
    assert events(PLAIN, frame).columns == ["time", "channel", "event", "customer"]


@pytest.mark.parametrize("kind", [kind for kind in ODD if kind != "object"])
def test_rows_are_compared_whatever_they_hold(kind: str) -> None:
    frame = pl.concat([FRAME, FRAME]).with_columns(odd=pl.concat([ODD[kind], ODD[kind]]))
    counts = log(replace(PLAIN, drop_duplicates=True), frame).counts()
    assert counts.row(0)[1:] == (4, 2, 0, 2)


def test_rows_are_compared_in_every_column_even_those_that_are_not_carried(tmp_path: Path) -> None:
    FRAME.with_columns(pl.lit("home").alias("what"), who=pl.lit("a"), n=pl.Series([1, 2])).write_parquet(
        tmp_path / "a.parquet"
    )
    source = replace(PLAIN, attributes=[], drop_duplicates=True)
    assert events(source, tmp_path / "a.parquet").select("event", "customer").rows() == [("home", "a")] * 2


def test_duplicates_are_judged_among_usable_rows() -> None:
    frame = pl.DataFrame(
        {
            "at": [
                None,
                "2025-01-01T10:00:00Z",
                "2025-01-01T11:00:00Z",
                "2025-01-01T12:00:00Z",
                "2025-01-01T12:00:00Z",
            ],
            "what": ["bad", None, "good", "again", "other"],
            "who": "a",
            "n": ["1", "1", "1", "1", ""],
        }
    )
    frame = pl.concat([frame, frame[-1:]])  # a blank event id tells nothing apart
    found = log(replace(PLAIN, event_id="n", on_error="set aside"), frame)
    assert found.frame.collect()["event"].to_list() == ["good", "other", "other"]
    assert found.counts().row(0)[1:] == (6, 3, 2, 1)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([None, "1", "2"]), st.sampled_from(["", "a"])), max_size=8))
def test_counts_add_up(rows: list[tuple[bool, str | None, str]]) -> None:
    frame = pl.DataFrame(
        [(NOON if good else None, "x", who, n) for good, n, who in rows],
        schema={"at": pl.Datetime("us", "UTC"), "what": pl.String, "who": pl.String, "n": pl.String},
        orient="row",
    )
    for options in ({"event_id": "n"}, {"drop_duplicates": True}, {"event_id": "n", "drop_duplicates": True}):
        counts = log(replace(PLAIN, on_error="set aside", **options), frame).counts().row(0, named=True)
        assert counts["read"] == len(rows) == counts["kept"] + counts["set_aside"] + counts["duplicates"]
        usable = [(n, who) for good, n, who in rows if good and who]
        keys = [key for key in usable if key[0] is not None]
        if "drop_duplicates" in options and "event_id" not in options:
            assert counts["kept"] == len(set(usable))
        elif "drop_duplicates" not in options:
            assert counts["kept"] == len(usable) - len(keys) + len({n for n, _ in keys})


def test_a_table_without_names_of_events() -> None:
    source = cjm.Source(FRAME, time="at", ids={"customer": "who"}, event_name="call")
    frame = events(source)
    assert frame["event"].to_list() == ["call", "call"]
    assert frame["what"].to_list() == ["home", "cart"]
    for wrong in ({}, {"event": "what", "event_name": "call"}):
        with pytest.raises(ArgumentError, match="exactly one of event and event_name"):
            cjm.Source(FRAME, time="at", ids={"customer": "who"}, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="is no name"):
        replace(source, event_name=" ")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ids": "user_id"}, 'ids={"customer"'),
        ({"ids": ["user_id"]}, 'ids={"customer"'),
        ({"ids": {"customer": 3}}, 'ids={"customer"'),
        ({"ids": {"customer": ""}}, 'ids={"customer"'),
        ({"options": "utf8"}, 'options={"separator"'),
        ({"options": {"encoding": "utf-9"}}, "unknown encoding 'utf-9'"),
        ({"options": {"encoding": "hex"}}, "unknown encoding 'hex'"),
        ({"options": {"encoding": 8}}, "unknown encoding 8"),
        ({"options": {"separator": ";;"}}, "the separator ';;' is not one character"),
        ({"options": {"separator": ""}}, "the separator '' is not one character"),
        ({"options": {"separator": "§"}}, "the separator '§' is not one character"),
        ({"options": {"separator": '"'}}, "differs from the quote"),
        ({"options": {"quote": "''"}}, "the quote \"''\" is not one character"),
        ({"options": {"quote": False}}, "the quote False is not one character"),
        ({"attributes": "plan"}, r"attributes=\['plan'\]"),
        ({"placeholders": "n/a"}, r"placeholders=\['n/a'\]"),
        ({"time": 3}, "3 names no column"),
    ],
)
def test_wrong_arguments_of_a_source(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        replace(PLAIN, **wrong)


@pytest.mark.parametrize("sources", [PLAIN, [PLAIN], None])
def test_sources_come_by_name(sources: object) -> None:
    with pytest.raises(ArgumentError, match=r'scan_events\(\{"web": cjm.Source'):
        cjm.scan_events(sources)  # type: ignore[arg-type]
