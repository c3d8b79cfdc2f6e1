"""One source's raw rows to events: convert, clean, count."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cjm.contracts import TIME
from cjm.errors import InputError
from cjm.events._ids import clean_ids, is_placeholder
from cjm.events._quality import Findings
from cjm.events._readers import RawTable, read_source
from cjm.events._source import MEND_ROWS, RESERVED, Source
from cjm.events._times import to_utc

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


def convert(name: str, source: Source) -> Converted:
    """Read and convert a source.

    Raises
    ------
    InputError
        If the source as a whole cannot be used; rows that cannot be used are counted and reported in ``error``.
    """
    tables = read_source(source, name)
    findings = Findings(name)
    raw = _stack(tables, source, name)
    short = sum(table.short_rows for table in tables)
    findings.read = raw.height + short
    findings.add(
        "row of the wrong length", short, next((t.short_example for t in tables if t.short_rows), ""), "set aside"
    )
    raw = _without_duplicates(raw, source, findings)

    times = to_utc(raw[source.time], source, f"source {name!r}")
    for check, rows, example in times.notes:
        findings.add(check, rows, example, "kept")
    lost = pl.Series([False]).new_from_index(0, raw.height)
    error = None
    for reason, mask in times.faults.items():
        first = raw.row(int(mask.arg_max() or 0), named=True)
        place = f"{tables[first['__file']].where} {tables[first['__file']].unit} {first['__row']}"
        rows = int(mask.sum())
        findings.add(reason, rows, f"{place}: {first[source.time]}", "set aside")
        if error is None and source.on_error == "raise":
            error = InputError.at(
                f'"{first[source.time]}": {reason}',
                where=f'{place}, column "{source.time}"',
                hint=f"{rows:,} of {raw.height:,} rows like this. {MEND_ROWS}",
            )
        lost = lost | mask

    events = pl.DataFrame({"time": times.utc})
    names = {"event": _text(raw[source.event])}
    names["channel"] = _text(raw[source.channel]) if source.channel else pl.Series([name]).new_from_index(0, raw.height)
    for role in ("channel", "event"):
        blank = (names[role].is_null() | (names[role] == "")).fill_null(True) & ~lost
        findings.add(f"{role} missing", int(blank.sum()), "", "set aside")
        lost = lost | blank
        events = events.with_columns(names[role].alias(role))

    nobody = pl.Series([True]).new_from_index(0, raw.height)
    for kind, column in source.ids.items():
        ids = clean_ids(raw[column])
        placeholder = is_placeholder(ids, source.placeholders)
        findings.add(f"placeholder in {kind}", int(placeholder.sum()), _common(ids.filter(placeholder)), "kept")
        ids = pl.select(pl.when(~placeholder).then(ids)).to_series()
        nobody = nobody & ids.is_null()
        events = events.with_columns(ids.alias(kind))
    nobody = nobody & ~lost
    findings.add("no identifier", int(nobody.sum()), "", "set aside")
    lost = lost | nobody

    if source.value is not None:
        number = raw[source.value].cast(pl.Float64, strict=False).fill_nan(None)
        wrong = number.is_null() & raw[source.value].is_not_null()
        findings.add("value is no number", int(wrong.sum()), _common(_text(raw[source.value].filter(wrong))), "kept")
        events = events.with_columns(number.alias("value"))
    for column in _attributes(raw, source):
        taken = column in RESERVED or column in source.ids
        if taken:
            findings.add(f"attribute {column!r} renamed", raw.height, f"{column}_", "kept")
        events = events.with_columns(raw[column].alias(f"{column}_" if taken else column))
    events = events.filter(~lost)
    findings.kept = events.height
    findings.add("no rows", int(findings.read == 0), source.where, "kept")
    return Converted(events, findings, _inputs(tables, source, name), error)


def _stack(tables: list[RawTable], source: Source, name: str) -> pl.DataFrame:
    """Put the files of a source on top of each other; a declared column must be of one type in all of them."""
    first = tables[0]
    for table in tables[1:]:
        for column in source.declared:
            ours, theirs = first.frame.schema[column], table.frame.schema[column]
            if ours != theirs:
                raise InputError.at(
                    f"column {column!r} is {theirs} here and {ours} in {first.where}",
                    where=f"source {name!r}, {table.where}",
                    hint="Make it two sources, or give the files one type",
                )
    frames = [table.frame.with_columns(pl.lit(number).alias("__file")) for number, table in enumerate(tables)]
    try:
        return pl.concat(frames, how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        raise InputError.at(
            f"the files do not go together ({str(error).splitlines()[0]})",
            where=f"source {name!r}",
            hint="Name the columns that are needed with attributes=[...]",
        ) from error


def _without_duplicates(raw: pl.DataFrame, source: Source, findings: Findings) -> pl.DataFrame:
    if source.event_id is not None:
        again = raw[source.event_id].is_first_distinct().not_() & raw[source.event_id].is_not_null()
        findings.add("event id seen before", int(again.sum()), "", "dropped duplicate")
        raw = raw.filter(~again)
    if source.drop_duplicates:
        again = raw.select(pl.struct(pl.exclude("__row", "__file")).is_first_distinct().not_()).to_series()
        findings.add("row seen before", int(again.sum()), "", "dropped duplicate")
        raw = raw.filter(~again)
    return raw


def _attributes(raw: pl.DataFrame, source: Source) -> list[str]:
    if source.attributes is not None:
        return list(source.attributes)
    return [column for column in raw.columns if column not in source.declared and not column.startswith("__")]


def _text(column: pl.Series) -> pl.Series:
    return column.cast(pl.String).str.strip_chars()


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
