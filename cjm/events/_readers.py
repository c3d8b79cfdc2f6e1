"""Files and frames to raw tables, one reader a format."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from glob import glob, has_magic
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cjm.errors import ArgumentError, InputError
from cjm.events._csv import read_csv
from cjm.events._ndjson import read_ndjson
from cjm.events._source import FORMATS, Source
from cjm.events._table import COMPRESSED, RawTable, damaged, first_line, refuse_empty

__all__ = ["read_source", "source_files"]

_SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
_PIECE = 500_000  # rows
_PANDAS_INDEX = re.compile(r"__index_level_\d+__$")  # what pandas adds to Parquet files of itself


def read_source(source: Source, name: str) -> Iterator[list[RawTable]]:
    """Read the files (or the frame) of a source; yield what must be looked at together.

    That is the whole source, except where every row speaks for itself: Parquet files and frames with times of a time
    type, whose order and duplicates do not matter, come in pieces.

    Raises
    ------
    InputError
        For a file that is missing, empty, damaged or named twice, a glob that matches nothing, and a column that is
        not there.
    """
    paths = _paths(source, name)
    if paths is None:
        frame = _to_polars(source.path, name)
        where = f"source {name!r}"
        if _in_pieces([frame.schema], source):
            pieces = (RawTable(frame.slice(first, rows), where, first_row=first) for first, rows in _cuts(frame.height))
            yield from (_with_declared_columns([piece], source) for piece in pieces)
        else:
            yield _with_declared_columns([RawTable(frame, where)], source)
        return
    formats = [_format(path, source, name) for path in paths]
    if set(formats) == {"parquet"} and _in_pieces([_parquet_schema(path) for path in paths], source):
        pieces = (_with_file(piece, path) for path in paths for piece in _parquet_pieces(path, source))
        yield from (_with_declared_columns(group, source) for group in _grouped(pieces))
        return
    tables = [_with_file(_READERS[kind](path, source), path) for kind, path in zip(formats, paths, strict=True)]
    yield _with_declared_columns(tables, source)


def source_files(source: Source, name: str) -> list[Path]:
    """Return the files of a source; none if it is a frame.

    Raises
    ------
    InputError
        For a glob that matches nothing, and a file that is named twice.
    """
    return _paths(source, name) or []


def _grouped(pieces: Iterator[RawTable]) -> Iterator[list[RawTable]]:
    """Put small pieces together: what is done a piece costs as much for one row as for many."""
    group: list[RawTable] = []
    for piece in pieces:
        group.append(piece)
        if sum(table.frame.height for table in group) >= _PIECE:
            yield group
            group = []
    if group:
        yield group


def _with_file(table: RawTable, path: Path) -> RawTable:
    stat = path.stat()
    return replace(table, path=str(path), size=stat.st_size, modified=datetime.fromtimestamp(stat.st_mtime, UTC))


def _in_pieces(schemas: list[pl.Schema], source: Source) -> bool:
    timed = isinstance(schemas[0].get(source.time), (pl.Datetime, pl.Date))
    if source.attributes is not None:  # other columns are not read
        schemas = [pl.Schema({name: schema[name] for name in source.declared if name in schema}) for schema in schemas]
    alike = all(dict(schema) == dict(schemas[0]) for schema in schemas)
    return timed and alike and source.order is None and source.event_id is None and not source.drop_duplicates


def _cuts(rows: int) -> list[tuple[int, int]]:
    """Return the first row and the length of each piece; there is one, if empty."""
    return [(first, min(_PIECE, rows - first)) for first in range(0, max(rows, 1), _PIECE)]


def _row_groups(path: Path) -> list[tuple[int, int]]:
    """Return the same for a Parquet file, whose row groups are decoded whole."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        ends = np.cumsum([file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)])
    total = int(ends[-1]) if len(ends) else 0
    cuts = [0]
    for end in ends.tolist():
        if end - cuts[-1] >= _PIECE:
            cuts.append(end)
    cuts = cuts if len(cuts) > 1 and cuts[-1] == total else [*cuts, total]
    return [(first, stop - first) for first, stop in pairwise(cuts)]


def _with_declared_columns(tables: list[RawTable], source: Source) -> list[RawTable]:
    """Check the columns of every file, and leave out those that nobody asked for."""
    seen = {column for table in tables for column in table.frame.columns}
    checked = []
    for table in tables:
        frame = table.frame
        for column, role in source.declared.items():
            if column in frame.columns:
                continue
            if not (table.open_keys and column in seen):
                raise InputError.unknown("column", column, frame.columns, where=f"{table.where}, {role}")
            frame = frame.with_columns(pl.lit(None).alias(column))
        if source.attributes is not None and not source.drop_duplicates:
            frame = frame.select(list(source.declared))
        frame = frame.drop(name for name in frame.columns if _PANDAS_INDEX.match(name) and name not in source.declared)
        for column in frame.columns:
            if column.startswith("__"):
                raise InputError.at(
                    f"the name of column {column!r} begins with two underscores, which is reserved",
                    where=table.where,
                    hint="Rename it, or name the columns to carry along with attributes=[...]",
                )
        checked.append(replace(table, frame=frame))
    return checked


def _paths(source: Source, name: str) -> list[Path] | None:
    given = source.path
    if isinstance(given, (str, Path)):
        given = [given]
    if not isinstance(given, (list, tuple)):
        return None
    if not given:
        raise InputError.at("the list of files is empty", where=f"source {name!r}", hint="Give at least one file")
    found: list[Path] = []
    for item in given:
        if not isinstance(item, (str, Path)):
            raise InputError.at(
                f"{type(item).__name__} is no path",
                where=f"source {name!r}",
                hint="A list may hold paths and globs only",
            )
        text = str(item)
        if has_magic(text) and not os.path.exists(text):
            matches = sorted(Path(match) for match in glob(text, recursive=True) if Path(match).is_file())
            if not matches:
                raise InputError.at(
                    f"no file matches {text!r}", where=f"source {name!r}", hint="Check the folder and the pattern"
                )
            found += matches
        elif os.path.isfile(text):
            found.append(Path(text))
        else:
            what = "this is a folder" if os.path.isdir(text) else "there is no such file"
            raise InputError.at(
                what,
                where=f"source {name!r}, {text}",
                hint="Check the path; a folder needs a glob such as folder/*.parquet",
            )
    _refuse_twice(found, name)
    return found


def _refuse_twice(paths: list[Path], name: str) -> None:
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise InputError.at(
                "the file is named twice, so its events would count twice",
                where=f"source {name!r}, {path}",
                hint="Name it once; do two globs of the list match it?",
            )
        seen.add(path.resolve())


def _format(path: Path, source: Source, name: str) -> str:
    if source.format is not None:
        return source.format
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    if not suffixes or suffixes[-1] not in _SUFFIXES:
        raise InputError.at(
            "the file name does not tell the format",
            where=f"source {name!r}, {path.name}",
            hint=f"Set format= to one of {', '.join(FORMATS)}",
        )
    return _SUFFIXES[suffixes[-1]]


def _to_polars(data: Any, name: str) -> pl.DataFrame:
    if isinstance(data, pl.DataFrame):
        return data
    # Whatever a plan or a foreign object does wrong, it is this source that cannot be read.
    if isinstance(data, pl.LazyFrame):
        try:
            return data.collect()
        except (Exception, pl.exceptions.PanicException) as error:
            raise InputError.at(
                f"the lazy frame cannot be computed ({first_line(error)})",
                where=f"source {name!r}",
                hint="Call .collect() on it to see where its plan fails",
            ) from error
    if hasattr(data, "__arrow_c_stream__"):
        try:
            return pl.DataFrame(data)
        except (Exception, pl.exceptions.PanicException) as error:
            raise InputError.at(
                f"the Arrow stream of {type(data).__name__} cannot be read ({first_line(error)})",
                where=f"source {name!r}",
                hint="Give a Polars frame or an Arrow table",
            ) from error
    raise ArgumentError.at(
        f"cannot read events from {type(data).__name__}",
        where=f"source {name!r}",
        hint="Give a path, a glob, a list of them, a Polars frame or an object with the Arrow C stream",
    )


def _parquet_schema(path: Path) -> pl.Schema:
    refuse_empty(path)
    try:
        return pl.scan_parquet(path, hive_partitioning=False).collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise damaged(path, "Parquet", error) from error


def _parquet_pieces(path: Path, source: Source) -> Iterator[RawTable]:
    import pyarrow as pa

    try:
        lazy = pl.scan_parquet(path, hive_partitioning=False)
        if source.attributes is not None and not source.drop_duplicates:
            lazy = lazy.select([name for name in lazy.collect_schema().names() if name in source.declared])
        for first, length in _row_groups(path):
            yield RawTable(lazy.slice(first, length).collect(), path.name, first_row=first)
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as error:
        raise damaged(path, "Parquet", error) from error


def _read_parquet(path: Path, source: Source) -> RawTable:
    pieces = list(_parquet_pieces(path, source))
    return replace(pieces[0], frame=pl.concat([piece.frame for piece in pieces]))


def _read_arrow(path: Path, _: Source) -> RawTable:
    refuse_empty(path)
    try:
        frame = pl.read_ipc(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise damaged(path, "Arrow IPC", error) from error
    return RawTable(frame, path.name)


_READERS: dict[str, Callable[[Path, Source], RawTable]] = {
    "parquet": _read_parquet,
    "csv": read_csv,
    "tsv": partial(read_csv, separator="\t"),
    "ndjson": read_ndjson,
    "arrow": _read_arrow,
}
