"""One source's raw rows to events: convert, clean, count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from cjm.codes import Dictionary
from cjm.contracts import TIME
from cjm.errors import InputError
from cjm.events._quality import Findings
from cjm.events._readers import read_source
from cjm.events._source import MEND_ROWS, RESERVED, Source
from cjm.events._stack import Coder, attributes_of, stack
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


@dataclass
class _Fault:
    """Rows that cannot be used for one reason: how many, and where the first is and what it holds."""

    rows: int
    place: str
    value: str


@dataclass
class Converted:
    """What was found in a source while it was converted.

    Attributes
    ----------
    findings : Findings
    """

    source: str
    findings: Findings
    _files: dict[str, list[Any]] = field(default_factory=dict)
    _faults: dict[str, _Fault] = field(default_factory=dict)
    _short: list[InputError] = field(default_factory=list)
    _midnights: list[tuple[bool, int, str]] = field(default_factory=list)
    _nobody: defaultdict[str, list[pl.Series]] = field(default_factory=partial(defaultdict, list))
    _on_error: str = "raise"
    _column: str = ""

    @property
    def inputs(self) -> pl.DataFrame:
        """One row a file."""
        rows = [(self.source, path, *file) for path, file in self._files.items()]
        return pl.DataFrame(rows, schema=_INPUTS, orient="row")

    @property
    def error(self) -> InputError | None:
        """What stops the run if the source says ``on_error="raise"`` and rows cannot be used."""
        if self._on_error != "raise":
            return None
        errors = self._short + [
            InputError.at(
                f'"{fault.value}": {reason}',
                where=f'{fault.place}, column "{self._column}"',
                hint=f"{fault.rows:,} of {self.findings.read:,} rows like this. {MEND_ROWS}",
            )
            for reason, fault in self._faults.items()
        ]
        return errors[0] if errors else None


def convert(
    name: str, source: Source, kinds: Collection[str], coder: Coder
) -> Generator[pl.DataFrame, None, Converted]:
    """Read a source and yield its events, in order of arrival; return what was found once all are read.

    The columns are ``time``, ``channel``, ``event``, the source's kinds, ``value`` if any, attributes; text is coded.
    ``kinds`` are the identifiers of the whole log.

    Raises
    ------
    InputError
        If the source as a whole cannot be used; rows that cannot be used are counted and reported in ``error``.
    """
    found = Converted(name, Findings(name), _on_error=source.on_error, _column=source.time)
    findings = found.findings
    for tables in read_source(source, name):
        raw = stack(tables, source, name, coder)
        yield _events(name, source, kinds, tables, raw, coder, found)
        del tables, raw  # before the next piece is read
    always, rows, firsts = zip(*found._midnights, strict=True)
    if all(always) and sum(rows) > 1:
        findings.add("time of day is always midnight", sum(rows), next(filter(None, firsts)), "kept")
    findings.add("no rows", int(findings.read == 0), source.where, "kept")
    return found


def _events(
    name: str,
    source: Source,
    kinds: Collection[str],
    tables: Sequence[RawTable],
    raw: pl.DataFrame,
    coder: Coder,
    found: Converted,
) -> pl.DataFrame:
    findings = found.findings
    _count_rows(tables, source, raw, found)
    times = to_utc(raw["__time"], source, f"source {name!r}")
    for check, rows, value in times.notes:
        findings.add(check, rows, value, "kept")
    found._midnights.append(times.midnight)
    lost = pl.Series([False]).new_from_index(0, raw.height)
    for mask in times.faults.values():
        lost = lost | mask
    _count_faults(raw, times, tables, found)

    columns = [times.utc.alias("time")]
    constant = {"channel": name, "event": source.event_name}
    for role in ("channel", "event"):
        if f"__{role}" in raw.columns:
            names = raw[f"__{role}"]
        else:
            names = (
                coder[f"__{role}"].encode(pl.Series([constant[role]], dtype=pl.String)).new_from_index(0, raw.height)
            )
        blank = raw.select(((pl.lit(names) == "") | pl.lit(names.is_null())).fill_null(True)).to_series() & ~lost
        findings.add(f"{role} missing", int(blank.sum()), "", "set aside")
        lost = lost | blank
        columns.append(names.alias(role))

    nobody = pl.Series([True]).new_from_index(0, raw.height)
    for kind in source.ids:
        ids = raw[f"__id {kind}"]
        placeholder = _placeholders(ids, coder[f"__id {kind}"], found._nobody[kind], source)
        if placeholder.any():
            findings.add(f"placeholder in {kind}", int(placeholder.sum()), _common(ids.filter(placeholder)), "kept")
            ids = ids.set(placeholder, None)
        nobody = nobody & ids.is_null()
        columns.append(ids.alias(kind))
    nobody = nobody & ~lost
    findings.add("no identifier", int(nobody.sum()), "", "set aside")
    lost = _with_duplicates(raw, lost | nobody, source, findings)

    if source.value is not None:
        columns.append(_numbers(raw["__value"], findings).alias("value"))
    attributes = attributes_of(raw, source)
    taken = {*RESERVED, *kinds}
    for column in attributes:
        free = column
        while free in taken or (free != column and free in attributes):
            free += "_"
        if free != column:
            findings.add(f"attribute {column!r} renamed", raw.height, free, "kept")
        columns.append(raw[column].alias(free))
        taken.add(free)
    events = pl.DataFrame(columns)
    if lost.any():
        events = events.filter(~lost)
    findings.kept += events.height
    return events


def _placeholders(ids: pl.Series, dictionary: Dictionary, known: list[pl.Series], source: Source) -> pl.Series:
    """Return where an identifier is a placeholder; ``known`` says it of each text of the dictionary, and grows."""
    size = sum(len(part) for part in known)
    if len(dictionary) > size:
        fresh = is_placeholder(dictionary.decode(np.arange(size, len(dictionary))), source.placeholders)
        known.append(fresh)
    if not any(part.any() for part in known):
        return pl.repeat(False, len(ids), eager=True)
    return pl.concat(known).gather(ids.to_physical()).fill_null(False)


def _count_rows(tables: Sequence[RawTable], source: Source, raw: pl.DataFrame, found: Converted) -> None:
    short = [table for table in tables if table.short_rows]
    short_rows = sum(table.short_rows for table in short)
    found.findings.read += raw.height + short_rows
    if short:
        found.findings.add("row of the wrong length", short_rows, short[0].short_example, "set aside")
    found._short += [table.short_error for table in short if table.short_error is not None]
    for table in tables:
        file = found._files.setdefault(table.path or source.where, [table.size, table.modified, 0])
        file[2] += table.frame.height + table.short_rows


def _count_faults(raw: pl.DataFrame, times: Times, tables: Sequence[RawTable], found: Converted) -> None:
    """Count the rows without a usable time."""
    for reason, mask in times.faults.items():
        file, row = raw.select("__file", "__row").row(int(mask.arg_max() or 0))
        place, value, rows = tables[file].place(row), example(raw["__time"], mask), int(mask.sum())
        found.findings.add(reason, rows, f"{place}: {value}", "set aside")
        found._faults.setdefault(reason, _Fault(0, place, value)).rows += rows


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
    findings.add("value is no number", int(wrong.sum()), _common(column.filter(wrong)), "kept")
    return number


def _common(column: pl.Series) -> str:
    """Return the most frequent text, ties by order of the text."""
    if column.is_empty():
        return ""
    texts = column.cast(pl.String)
    return str(texts.value_counts(name="n").sort(["n", texts.name], descending=[True, False])[texts.name][0])
