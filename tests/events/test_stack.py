"""Order of rows, and how the files of a source go together."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

import cjm
from cjm.errors import InputError

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
FRAME = pl.DataFrame({"at": [NOON, NOON], "what": ["home", "cart"], "who": ["a", "b"]})
PLAIN = cjm.Source(FRAME, time="at", event="what", ids={"customer": "who"})


def log(source: cjm.Source, path: object) -> cjm.EventLog:
    return cjm.scan_events({"web": replace(source, path=path)})


def events(source: cjm.Source, path: object) -> pl.DataFrame:
    return log(source, path).frame.collect()


ORDERS = {
    "numbers in text": pl.Series(["10", "9", None, "9"]),
    "fractions in text": pl.Series(["10", "9.5", "", " 9.5"]),
    "numbers": pl.Series([10, 9, None, 9]),
    "floats": pl.Series([10.0, 9.0, float("nan"), 9.0]),
    "text": pl.Series(["b", "a", None, "a"]),
    "times": pl.Series([NOON, NOON - timedelta(1), None, NOON - timedelta(1)]),
    "names": pl.Series(["b", "a", None, "a"], dtype=pl.Enum(["b", "a"])),
}


@pytest.mark.parametrize("kind", ORDERS)
def test_order_of_rows_with_equal_times(kind: str) -> None:
    frame = pl.DataFrame({"at": [NOON] * 4, "what": ["last", "first", "null", "second"], "who": "a", "n": ORDERS[kind]})
    found = log(replace(PLAIN, order="n"), frame)
    expected = ["first", "second", "last", "null"]
    assert found.frame.collect()["event"].to_list() == expected
    assert "n" not in found.frame.collect_schema()
    journeys = cjm.build_journeys(found, person="customer")
    assert journeys.frame.collect()["event"].to_list() == expected


def test_order_reaches_over_files_and_keeps_the_place_of_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("at,what,who,n\n2025-01-01T10:00:00Z,c,x,3\nbad,c,x,0\n")
    (tmp_path / "b.csv").write_text("at,what,who,n\n2025-01-01T10:00:00Z,a,x,1\n")
    source = replace(PLAIN, order="n", on_error="set aside")
    found = log(source, str(tmp_path / "*.csv"))
    assert found.frame.collect()["event"].to_list() == ["a", "c"]
    assert found.quality()["example"].to_list() == ["a.csv line 3: aaa"]


def write_all(folder: Path, frames: list[pl.DataFrame]) -> str:
    for number, frame in enumerate(frames):
        frame.write_parquet(folder / f"{number}.parquet")
    return str(folder / "*.parquet")


def test_a_column_that_is_all_null_in_one_file_goes_with_any_type(tmp_path: Path) -> None:
    full = FRAME.with_columns(v=pl.lit(1.5), note=pl.lit("n"), n=pl.lit(1))
    empty = FRAME.with_columns(at=pl.lit(None), v=pl.lit(None), note=pl.lit(None), n=pl.lit(None), who=pl.lit(None))
    source = replace(PLAIN, value="v", attributes=["note"], order="n", on_error="set aside")
    for frames in ([full, empty], [empty, full]):
        found = log(source, write_all(tmp_path, frames))
        assert found.frame.collect()["value"].to_list() == [1.5, 1.5]
        assert found.counts().row(0)[1:] == (4, 2, 2, 0)
    assert log(source, empty).counts().row(0)[1:] == (2, 0, 2, 0)


def test_identifiers_may_be_numbers_in_one_file_and_text_in_another(tmp_path: Path) -> None:
    columns = [[1, 2], ["1", "x"], [1.0, 2.5], [True, True]]
    frames = [FRAME.with_columns(who=pl.Series(values), n=pl.Series(values)) for values in columns]
    source = replace(PLAIN, event_id="n")
    found = events(source, write_all(tmp_path, frames))
    assert found["customer"].to_list() == ["1", "2", "x", "2.5"]


def test_values_may_be_whole_in_one_file_and_broken_in_another(tmp_path: Path) -> None:
    frames = [FRAME.with_columns(v=pl.lit(1)), FRAME.with_columns(v=pl.lit(1.5))]
    assert events(replace(PLAIN, value="v"), write_all(tmp_path, frames))["value"].to_list() == [1.0, 1.0, 1.5, 1.5]
    scales = [pl.lit(Decimal("1" * 30)), pl.lit(Decimal("0." + "1" * 30))]  # no decimal type holds both
    found = events(replace(PLAIN, value="v"), write_all(tmp_path, [FRAME.with_columns(v=scale) for scale in scales]))
    assert found["value"].to_list() == pytest.approx([10**30 / 9, 10**30 / 9, 1 / 9, 1 / 9])
    frames[1] = FRAME.with_columns(v=pl.lit("1.5"))
    with pytest.raises(InputError, match="1.parquet: column 'v' is String here and Int32 in 0.parquet"):
        events(replace(PLAIN, value="v"), write_all(tmp_path, frames))


def test_a_key_that_an_ndjson_file_lacks_is_null(tmp_path: Path) -> None:
    row = '{"at": "2025-01-01T10:00:00Z", "what": "home", "cookie": "k"%s}\n'
    (tmp_path / "a.ndjson").write_text(row % "")
    (tmp_path / "b.ndjson").write_text(row % ', "user": 7')
    source = replace(PLAIN, ids={"customer": "user", "cookie": "cookie"})
    assert events(source, str(tmp_path / "*.ndjson"))["customer"].to_list() == [None, "7"]
    with pytest.raises(InputError, match=r"a.ndjson, ids\['customer'\]: unknown column 'user'"):
        events(source, tmp_path / "a.ndjson")
    pl.read_ndjson(tmp_path / "a.ndjson").write_parquet(tmp_path / "c.parquet")
    with pytest.raises(InputError, match="c.parquet.*unknown column 'user'"):
        events(source, [tmp_path / "b.ndjson", tmp_path / "c.parquet"])


def test_rows_of_many_files_keep_their_order(tmp_path: Path) -> None:
    numbers = list(range(40))
    random.Random(0).shuffle(numbers)
    for number in range(4):
        part = pl.DataFrame({"at": [NOON] * 10, "what": list(map(str, numbers[number * 10 :][:10])), "who": "a"})
        part.write_parquet(tmp_path / f"{number}.parquet")
    assert events(PLAIN, str(tmp_path / "*.parquet"))["event"].to_list() == list(map(str, numbers))
