"""Files and frames to raw tables, one reader a format."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from glob import glob, has_magic
from pathlib import Path
from typing import Any

import polars as pl

from cjm.errors import ArgumentError, InputError
from cjm.events._csv import read_csv
from cjm.events._ndjson import read_ndjson
from cjm.events._source import FORMATS, Source
from cjm.events._table import COMPRESSED, RawTable, damaged, first_line, refuse_empty

__all__ = ["read_source"]

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
_PANDAS_INDEX = re.compile(r"__index_level_\d+__$")  # what pandas adds to Parquet files of itself


def read_source(source: Source, name: str) -> list[RawTable]:
    """Read every file (or the frame) of a source.

    Raises
    ------
    InputError
        For a file that is missing, empty, damaged or named twice, a glob that matches nothing, and a column that is
        not there.
    """
    paths = _paths(source, name)
    if paths is None:
        tables = [RawTable(_to_polars(source.path, name), f"source {name!r}")]
    else:
        tables = [_read_file(path, source, name) for path in paths]
    return _with_declared_columns(tables, source)


def _read_file(path: Path, source: Source, name: str) -> RawTable:
    table = _READERS[_format(path, source, name)](path, source)
    stat = path.stat()
    modified = datetime.fromtimestamp(stat.st_mtime, UTC)
    return replace(table, path=str(path), size=stat.st_size, modified=modified)


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


def _read_parquet(path: Path, source: Source) -> RawTable:
    refuse_empty(path)
    try:
        lazy = pl.scan_parquet(path, hive_partitioning=False)
        present = lazy.collect_schema().names()
        if source.attributes is not None and not source.drop_duplicates:
            lazy = lazy.select([name for name in present if name in source.declared])
        frame = lazy.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise damaged(path, "Parquet", error) from error
    return RawTable(frame, path.name)


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
