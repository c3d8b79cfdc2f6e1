"""One source's raw rows to events: convert, clean, count."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from cjm.codes import Dictionary
from cjm.contracts import TIME
from cjm.errors import InputError, excerpt, masked
from cjm.events._apply import Cleaner
from cjm.events._paths import File
from cjm.events._quality import PLACES, Findings
from cjm.events._readers import read_source
from cjm.events._source import MEND_ROWS, RESERVED, Source
from cjm.events._stack import Coder, attributes_of, stack
from cjm.events._table import RawTable
from cjm.events._times import example, to_utc, told
from cjm.identifiers import is_placeholder

__all__ = ["Converted", "convert"]

# What may be told of what is no number; in a row whose columns are shifted it may be an identifier.
_ALMOST = re.compile(r"\W*\d+(?:[.,' ]\d+)*\W*|[+-]?(?:inf|nan)", re.IGNORECASE)

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
    """What was found in a source while it was converted; more of the source may be added.

    Attributes
    ----------
    source : str
        Its name.
    counted : Findings
        What adds up.
    where : str
        Where the rows come from.
    shape : list of (str, str), or None
        Columns and types of the rows when they were put together first.
    known : polars.Series or None
        Ids of events that were kept before: another one is a duplicate.
    marked : bool
        Whether events carry their id, as ``__event_id``.
    """

    source: str
    counted: Findings
    where: str = ""
    shape: list[tuple[str, str]] | None = None
    known: pl.Series | None = None
    marked: bool = False
    _files: dict[str, list[Any]] = field(default_factory=dict)
    _faults: dict[str, _Fault] = field(default_factory=dict)
    _short: list[InputError] = field(default_factory=list)
    _midnights: list[tuple[bool, int, str]] = field(default_factory=list)
    _nobody: defaultdict[str, list[pl.Series]] = field(default_factory=partial(defaultdict, list))
    _on_error: str = "raise"
    _column: str = ""

    @property
    def findings(self) -> Findings:
        """What was found in all rows together."""
        found = replace(self.counted, rows=list(self.counted.rows))
        always, rows, firsts = zip(*self._midnights, strict=True)
        if all(always) and sum(rows) > 1:
            found.add("time of day is always midnight", sum(rows), next(filter(None, firsts)), "kept")
        found.add("no rows", int(found.read == 0), self.where, "kept")
        return found

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
                hint=f"{fault.rows:,} of {self.counted.read:,} rows like this. {MEND_ROWS}",
            )
            for reason, fault in self._faults.items()
        ]
        return errors[0] if errors else None


def convert(
    name: str,
    source: Source,
    kinds: Collection[str],
    coder: Coder,
    cleaner: Cleaner,
    found: Converted | None = None,
    files: Sequence[File] | None = None,
) -> Generator[pl.DataFrame, None, Converted]:
    """Read a source and yield its events, in order of arrival; return what was found once all are read.

    The columns are ``time``, ``channel``, ``event``, the source's kinds, ``value`` if any, attributes; text is coded.
    ``kinds`` are the identifiers of the whole log. With ``found`` and ``files`` only some files of it are read, and
    what is found in them is added to what was found in those before.

    Raises
    ------
    InputError
        If the source as a whole cannot be used; rows that cannot be used are counted and reported in ``error``.
    """
    if found is None:
        found = Converted(name, Findings(name), source.where)
    found._on_error, found._column = source.on_error, '", "'.join(source.times)
    for tables in read_source(source, name, cleaner.columns, files):
        raw = stack(tables, source, name, coder)
        yield _events(name, source, kinds, tables, raw, coder, cleaner, found)
        del tables, raw  # before the next piece is read
    return found


def _events(
    name: str,
    source: Source,
    kinds: Collection[str],
    tables: Sequence[RawTable],
    raw: pl.DataFrame,
    coder: Coder,
    cleaner: Cleaner,
    found: Converted,
) -> pl.DataFrame:
    findings = found.counted
    found.shape = found.shape or shape_of(raw)
    _count_rows(tables, source, raw, found)
    times = to_utc(raw["__time"], source, f"source {name!r}")
    for check, rows, value in times.notes:
        findings.add(check, rows, value, "kept")
    found._midnights.append(times.midnight)
    lost = pl.Series([False]).new_from_index(0, raw.height)

    def set_aside(check: str, mask: pl.Series, example: str = "", texts: pl.Series | None = None) -> None:
        nonlocal lost
        mask = mask & ~lost
        if mask.any():
            if texts is None:
                findings.add(check, int(mask.sum()), example, "set aside")
            else:
                findings.add_texts(check, texts.filter(mask), "set aside")
            findings.places += _places(raw.select("__file", "__row").filter(mask), tables, check)
            lost = lost | mask

    for reason, mask in times.faults.items():
        set_aside(reason, mask, _fault(reason, mask, raw, tables, found))

    names = {}
    constant = {"channel": name, "event": source.event_name}
    for role in ("channel", "event"):
        if f"__{role}" in raw.columns:
            names[role] = raw[f"__{role}"]
        else:
            one = coder[f"__{role}"].encode(pl.Series([constant[role]], dtype=pl.String))
            names[role] = one.new_from_index(0, raw.height)
        texts = pl.lit(names[role])
        set_aside(f"{role} missing", raw.select(((texts == "") | texts.is_null()).fill_null(True)).to_series())
    grouped: list[pl.Series] = []
    renamed = cleaner.named(names["channel"], names["event"])
    if renamed is not None:
        known, was, now = renamed["known"] & ~lost, names["event"], renamed["event"]
        findings.add("event renamed by the taxonomy", int((known & (was != now).fill_null(False)).sum()), "", "kept")
        findings.add_texts("event not in the taxonomy", was.filter(~known & ~lost), "kept")
        set_aside("event left out by the taxonomy", known & now.is_null(), texts=was)
        names["event"] = now
        grouped = [renamed["group"]] if cleaner.cleaning.grouped else []

    ids = {}
    for kind in source.ids:
        ids[kind] = _identifiers(raw[f"__id {kind}"], kind, source, coder, cleaner, found)
    rules = {column: (column, raw[column]) for column in raw.columns if not column.startswith("__")}
    rules |= {kind: (f"__id {kind}", column) for kind, column in ids.items()}
    rules |= {role: (f"__{role}", column) for role, column in names.items()}
    for rule, mask in cleaner.excluded(rules):
        set_aside(f"excluded: {rule}", mask)
    nobody = pl.Series([True]).new_from_index(0, raw.height)
    for column in ids.values():
        nobody = nobody & column.is_null()
    set_aside("no identifier", nobody)
    elsewhere = cleaner.left_out(ids, raw.height)
    if elsewhere is not None:
        set_aside("not in the sample", elsewhere)
    for kind, known in ids.items():
        ids[kind] = cleaner.stored(known, kind)
        set_aside("person was forgotten", ids[kind].is_null() & known.is_not_null())
    lost = _with_duplicates(raw, lost, source, found)

    columns = [times.utc.alias("time"), *(column.alias(role) for role, column in names.items())]
    columns += [column.alias(kind) for kind, column in ids.items()]
    if source.value is not None:
        columns.append(_numbers(raw["__value"], findings).alias("value"))
    attributes = {column: raw[column] for column in attributes_of(raw, source)}
    if found.marked and source.event_id is not None:
        columns.append(raw["__event_id"])
    columns += [*grouped, *_free_names(attributes, {*RESERVED, *kinds, *(part.name for part in grouped)}, findings)]
    events = pl.DataFrame(columns)
    if lost.any():
        events = events.filter(~lost)
    findings.kept += events.height
    return events


def _free_names(attributes: dict[str, pl.Series], taken: set[str], findings: Findings) -> list[pl.Series]:
    """Return the attributes under names that the log does not need."""
    columns = []
    for column, values in attributes.items():
        free = column
        while free in taken or (free != column and free in attributes):
            free += "_"
        if free != column:
            findings.add(f"attribute {column!r} renamed", len(values), free, "kept")
        columns.append(values.alias(free))
        taken.add(free)
    return columns


def _identifiers(
    ids: pl.Series, kind: str, source: Source, coder: Coder, cleaner: Cleaner, found: Converted
) -> pl.Series:
    """Return identifiers as rules write them; null where they are placeholders or shared by too many."""
    rewritten = cleaner.rewritten(ids, kind)
    if rewritten is not None:
        ids, changed = rewritten
        found.counted.add(f"{kind} rewritten by its rules", int(changed.sum()), "", "kept")
    placeholder = _placeholders(ids, coder[f"__id {kind}"], found._nobody[kind], source)
    if placeholder.any():
        found.counted.add_texts(f"placeholder in {kind}", ids.filter(placeholder), "kept")
        ids = ids.set(placeholder, None)
    shared = cleaner.too_shared(ids, kind)
    if shared is not None and shared.any():
        found.counted.add(f"{kind} shared by too many", int(shared.sum()), "", "kept")
        ids = ids.set(shared, None)
    return ids


def _places(rows: pl.DataFrame, tables: Sequence[RawTable], reason: str) -> list[pl.DataFrame]:
    """Return where rows stand, file by file: the line of a text, the row (from 0) of another table."""
    parts = []
    for (number,), part in rows.group_by("__file", maintain_order=True):
        table = tables[int(number)]
        position = part["__row"].sort()
        path = table.path or table.where
        if table.lines_of is None:
            parts.append(_placed(path, reason, row=position + table.first_row))
        else:
            parts.append(_placed(path, reason, line=pl.Series(table.lines_of(position.to_list()), dtype=pl.Int64)))
    return parts


def _placed(path: str, reason: str, **place: pl.Series) -> pl.DataFrame:
    found = pl.DataFrame(place).with_columns(path=pl.lit(path), reason=pl.lit(reason))
    return pl.concat([pl.DataFrame(schema=PLACES), found], how="diagonal")


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
    findings = found.counted
    findings.read += raw.height
    findings.add("further event of its row", raw.height - sum(table.frame.height for table in tables), "", "kept")
    for table in tables:
        findings.read += table.broken_rows
        for check, (value, lines) in table.broken.items():
            findings.add(check, len(lines), value, "set aside")
            findings.places.append(_placed(table.path, check, line=pl.Series(lines, dtype=pl.Int64)))
        for check, rows, first in table.notes:
            findings.add(check, rows, first, "kept")
        if table.broken_error is not None:
            found._short.append(table.broken_error)
        file = found._files.setdefault(table.path or source.where, [table.size, table.modified, 0])
        file[2] += table.frame.height + table.broken_rows


def _fault(reason: str, mask: pl.Series, raw: pl.DataFrame, tables: Sequence[RawTable], found: Converted) -> str:
    """Return the first row without a usable time as an example, and remember it for the error."""
    file, row = raw.select("__file", "__row").row(int(mask.arg_max() or 0))
    value = example(raw["__time"], mask)
    place, value = tables[file].place(row), told(value) if raw["__time"].dtype == pl.String else excerpt(value)
    found._faults.setdefault(reason, _Fault(0, place, value)).rows += int(mask.sum())
    return f"{place}: {value}"


def _with_duplicates(raw: pl.DataFrame, lost: pl.Series, source: Source, found: Converted) -> pl.Series:
    """Return ``lost`` and, of the usable rows, those that came before."""
    findings = found.counted
    if source.event_id is not None:
        ids = pl.select(pl.when(~lost & (raw["__event_id"] != "")).then(raw["__event_id"])).to_series()
        again = ids.is_not_null() & ~ids.is_first_distinct()
        if found.known is not None:
            again = again | ids.is_in(found.known.filter(found.known.is_in(ids.implode())).implode()).fill_null(False)
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
    findings.add_texts("value is no number", _shown(column.filter(wrong)), "kept")
    return number


def _shown(texts: pl.Series) -> pl.Series:
    """Mask what is not almost a number: it may be anything."""
    distinct = texts.cast(pl.String).unique().to_list()
    shown = [text if _ALMOST.fullmatch(text) else masked(text) for text in distinct]
    return texts.cast(pl.String).replace_strict(distinct, shown, return_dtype=pl.String)


def shape_of(raw: pl.DataFrame) -> list[tuple[str, str]]:
    """Return columns and types of a stack, whatever texts it knows."""
    return [
        (name, str(type(dtype) if isinstance(dtype, pl.Categorical) else dtype)) for name, dtype in raw.schema.items()
    ]
