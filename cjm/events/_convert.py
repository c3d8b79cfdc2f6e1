"""One source's raw rows to events: convert, clean, count."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from cjm.contracts import TIME
from cjm.errors import InputError
from cjm.events._quality import Findings
from cjm.events._readers import read_source
from cjm.events._source import MEND_ROWS, RESERVED, Source
from cjm.events._stack import attributes_of, stack
from cjm.events._table import RawTable
from cjm.events._times import Times, example, to_utc
from cjm.identifiers import is_placeholder

__all__ = ["Converted", "convert"]

_INPUTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "source": pl.String,
    "path": pl.String,
    "bytes": pl.Int64,
    "modified": TIME,
    "rows": pl.Int64,
}


@dataclass(frozen=True)
class Converted:
    """A source as events.

    Attributes
    ----------
    events : polars.DataFrame
        ``time``, ``channel``, ``event``, the source's kinds, ``value`` if any, attributes; in order of arrival.
    findings : Findings
    inputs : polars.DataFrame
        One row a file.
    error : InputError or None
        What stops the run if the source says ``on_error="raise"`` and rows cannot be used.
    """

    events: pl.DataFrame
    findings: Findings
    inputs: pl.DataFrame
    error: InputError | None


def convert(name: str, source: Source, kinds: Collection[str]) -> Converted:
    """Read and convert a source; ``kinds`` are the identifiers of the whole log.

    Raises
    ------
    InputError
        If the source as a whole cannot be used; rows that cannot be used are counted and reported in ``error``.
    """
    tables = read_source(source, name)
    findings = Findings(name)
    raw = stack(tables, source, name)
    short = [table for table in tables if table.short_rows]
    short_rows = sum(table.short_rows for table in short)
    findings.read = raw.height + short_rows
    if short:
        findings.add("row of the wrong length", short_rows, short[0].short_example, "set aside")

    times = to_utc(raw["__time"], source, f"source {name!r}")
    for check, rows, value in times.notes:
        findings.add(check, rows, value, "kept")
    lost = pl.Series([False]).new_from_index(0, raw.height)
    for mask in times.faults.values():
        lost = lost | mask
    errors = [table.short_error for table in short] + _bad_times(raw, times, tables, source, findings)

    events = pl.DataFrame({"time": times.utc})
    constant = {"channel": name, "event": source.event_name}
    for role in ("channel", "event"):
        if f"__{role}" in raw.columns:
            names = raw[f"__{role}"]
        else:
            names = pl.Series([constant[role]], dtype=pl.String).new_from_index(0, raw.height)
        blank = (names.is_null() | (names == "")).fill_null(True) & ~lost
        findings.add(f"{role} missing", int(blank.sum()), "", "set aside")
        lost = lost | blank
        events = events.with_columns(names.alias(role))

    nobody = pl.Series([True]).new_from_index(0, raw.height)
    for kind in source.ids:
        ids = raw[f"__id {kind}"]
        placeholder = is_placeholder(ids, source.placeholders)
        findings.add(f"placeholder in {kind}", int(placeholder.sum()), _common(ids.filter(placeholder)), "kept")
        ids = pl.select(pl.when(~placeholder).then(ids)).to_series()
        nobody = nobody & ids.is_null()
        events = events.with_columns(ids.alias(kind))
    nobody = nobody & ~lost
    findings.add("no identifier", int(nobody.sum()), "", "set aside")
    lost = _with_duplicates(raw, lost | nobody, source, findings)

    if source.value is not None:
        events = events.with_columns(_numbers(raw["__value"], findings).alias("value"))
    attributes = attributes_of(raw, source)
    taken = {*RESERVED, *kinds}
    for column in attributes:
        free = column
        while free in taken or (free != column and free in attributes):
            free += "_"
        if free != column:
            findings.add(f"attribute {column!r} renamed", raw.height, free, "kept")
        events = events.with_columns(raw[column].alias(free))
        taken.add(free)
    events = events.filter(~lost)
    findings.kept = events.height
    findings.add("no rows", int(findings.read == 0), source.where, "kept")
    error = errors[0] if errors and source.on_error == "raise" else None
    return Converted(events, findings, _inputs(tables, source, name), error)


def _bad_times(
    raw: pl.DataFrame, times: Times, tables: list[RawTable], source: Source, findings: Findings
) -> list[InputError]:
    """Count the rows without a usable time; return what stops the run, a reason each."""
    errors = []
    for reason, mask in times.faults.items():
        file, row = raw.select("__file", "__row").row(int(mask.arg_max() or 0))
        place, value, rows = tables[file].place(row), example(raw["__time"], mask), int(mask.sum())
        findings.add(reason, rows, f"{place}: {value}", "set aside")
        errors.append(
            InputError.at(
                f'"{value}": {reason}',
                where=f'{place}, column "{source.time}"',
                hint=f"{rows:,} of {raw.height:,} rows like this. {MEND_ROWS}",
            )
        )
    return errors


def _with_duplicates(raw: pl.DataFrame, lost: pl.Series, source: Source, findings: Findings) -> pl.Series:
    """Return ``lost`` and, of the usable rows, those that came before."""
    if source.event_id is not None:
        ids = pl.select(pl.when(~lost & (raw["__event_id"] != "")).then(raw["__event_id"])).to_series()
        again = ids.is_not_null() & ~ids.is_first_distinct()
        findings.add("event id seen before", int(again.sum()), "", "dropped duplicate")
        lost = lost | again
    if source.drop_duplicates:
        usable = raw.filter(~lost).select(pl.struct(pl.exclude("__row", "__file")).is_first_distinct()).to_series()
        again = (~lost).scatter((~lost).arg_true(), ~usable)
        findings.add("row seen before", int(again.sum()), "", "dropped duplicate")
        lost = lost | again
    return lost


def _numbers(column: pl.Series, findings: Findings) -> pl.Series:
    text = column.str.strip_chars() if column.dtype == pl.String else column
    number = text.cast(pl.Float64, strict=False)
    number = pl.select(pl.when(number.is_finite()).then(number)).to_series()
    wrong = number.is_null() & column.is_not_null()
    findings.add("value is no number", int(wrong.sum()), _common(column.filter(wrong).cast(pl.String)), "kept")
    return number


def _common(column: pl.Series) -> str:
    """Return the most frequent text, ties by order of the text."""
    if column.is_empty():
        return ""
    return str(column.value_counts(name="n").sort(["n", column.name], descending=[True, False])[column.name][0])


def _inputs(tables: list[RawTable], source: Source, name: str) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (name, table.path or source.where, table.size, table.modified,
             table.frame.height + table.short_rows)
            for table in tables
        ],
        schema=_INPUTS,
        orient="row",
    )  # fmt: skip
