"""Files and frames to raw tables, one reader a format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from cjm.errors import InputError
from cjm.events._csv import read_csv
from cjm.events._ndjson import read_ndjson
from cjm.events._paths import File, files_of
from cjm.events._source import TABLES, Source, without_password
from cjm.events._table import POLARS_FAILS, RawTable, damaged, first_line, refuse_bomb, refuse_empty, refuse_wide
from cjm.events._tables import table_of
from cjm.events._times import like_a_time

__all__ = ["arrow_rows", "in_pieces", "read_source"]

_PIECE = 500_000  # rows
_MESSAGE = b"\xff\xff\xff\xff"  # begins each part of an Arrow stream
_PANDAS_INDEX = re.compile(r"__index_level_\d+__$")  # what pandas adds to Parquet files of itself


def read_source(
    source: Source, name: str, also: frozenset[str], files: Sequence[File] | None = None
) -> Iterator[list[RawTable]]:
    """Read the files (or the frame) of a source, or only some of its files; yield what must be looked at together.

    That is the whole source, except where every row speaks for itself: Parquet files and frames with times of a time
    type, whose order and duplicates do not matter, come in pieces. Columns in ``also`` are read where they are there.

    Raises
    ------
    InputError
        For a file that is missing, empty, damaged or named twice, a glob that matches nothing, and a column that is
        not there.
    """
    if files is None and source.format not in TABLES:
        files = files_of(source, name)
    if files is None:
        pieces, whole = _of_table(table_of(source, name), source, name)
    elif {file.format for file in files} == {"parquet"}:
        schemas = [_parquet_schema(file, source) for file in files]
        pieces = (_with_file(piece, file) for file in files for piece in _parquet_pieces(file, source, also))
        whole = not in_pieces(schemas, source)
    else:
        pieces = (_with_file(_READERS[file.format](file, source), file) for file in files)
        whole = True
    for group in [list(pieces)] if whole else _grouped(pieces):
        yield _with_declared_columns(group, source, also)


def _of_table(table: pl.DataFrame | pl.LazyFrame, source: Source, name: str) -> tuple[Iterator[RawTable], bool]:
    """Return a table in pieces, and whether it must be looked at as a whole."""
    where = f"source {name!r}"
    if isinstance(table, pl.DataFrame):
        whole = not in_pieces([table.schema], source)
        cuts = [(0, table.height)] if whole else _cuts(table.height)
        return (RawTable(table.slice(first, rows), where, first_row=first) for first, rows in cuts), whole
    try:
        schema = table.collect_schema()
    except (Exception, pl.exceptions.PanicException) as error:
        raise _uncomputable(error, where) from error
    return _batches(table, where), not in_pieces([schema], source)


def _batches(table: pl.LazyFrame, where: str) -> Iterator[RawTable]:
    """Compute a lazy frame batch by batch; there is one, if empty."""
    first = 0
    try:
        for batch in table.collect_batches(chunk_size=_PIECE, maintain_order=True):
            yield RawTable(batch, where, first_row=first)
            first += batch.height
        if first == 0:
            yield RawTable(table.head(0).collect(), where)
    except (Exception, pl.exceptions.PanicException) as error:
        raise _uncomputable(error, where) from error


def _uncomputable(error: BaseException, where: str) -> InputError:
    """Whatever a plan does wrong, it is this source that cannot be read."""
    return InputError.at(
        f"the lazy frame cannot be computed ({first_line(error)})",
        where=where,
        hint="Call .collect() on it to see where its plan fails",
    )


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


def _with_file(table: RawTable, file: File) -> RawTable:
    """Add the columns that folders say, and what is known of the file."""
    said = {
        key: pl.lit(value, dtype=pl.String) for key, value in file.columns.items() if key not in table.frame.columns
    }
    table = replace(table, frame=table.frame.with_columns(**said))
    if not isinstance(file.path, Path):
        return replace(table, path=without_password(file.path))
    stat = file.path.stat()
    return replace(table, path=str(file.path), size=stat.st_size, modified=datetime.fromtimestamp(stat.st_mtime, UTC))


def in_pieces(schemas: list[pl.Schema], source: Source) -> bool:
    """Tell whether Parquet files or frames of these schemas are read piece by piece."""
    timed = all(isinstance(schemas[0].get(column), (pl.Datetime, pl.Date)) for column in source.times)
    if source.attributes is not None:  # other columns are not read
        schemas = [pl.Schema({name: schema[name] for name in source.declared if name in schema}) for schema in schemas]
    alike = all(dict(schema) == dict(schemas[0]) for schema in schemas)
    return timed and alike and source.order is None and source.event_id is None and not source.drop_duplicates


def _cuts(rows: int) -> list[tuple[int, int]]:
    """Return the first row and the length of each piece; there is one, if empty."""
    return [(first, min(_PIECE, rows - first)) for first in range(0, max(rows, 1), _PIECE)]


def _row_groups(path: Path, columns: int) -> list[tuple[int, int]]:
    """Return the same for a Parquet file, whose row groups are decoded whole."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        rows = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    refuse_bomb(path, sum(rows) * columns)
    cuts, total = [0], sum(rows)
    for end in np.cumsum(rows).tolist():
        if end - cuts[-1] >= _PIECE:
            cuts.append(end)
    cuts = cuts if len(cuts) > 1 and cuts[-1] == total else [*cuts, total]
    return [(first, stop - first) for first, stop in pairwise(cuts)]


def _with_declared_columns(tables: list[RawTable], source: Source, also: frozenset[str]) -> list[RawTable]:
    """Check the columns of every file, and leave out those that nobody asked for."""
    seen = {column for table in tables for column in table.frame.columns}
    checked = []
    for table in tables:
        frame = table.frame
        for column, role in source.declared.items():
            if column in frame.columns:
                continue
            if not (table.open_keys and column in seen):
                if any(map(like_a_time, frame.columns)):  # and no other value of the first row is told
                    raise InputError.at(
                        f"unknown column {column!r}",
                        where=f"{table.where}, {role}",
                        hint="The first row seems to hold values: put the names of the columns above it",
                    )
                raise InputError.unknown("column", column, frame.columns, where=f"{table.where}, {role}")
            frame = frame.with_columns(pl.lit(None).alias(column))
        frame = frame.select(_wanted(frame.columns, source, also))
        frame = frame.drop(name for name in frame.columns if _PANDAS_INDEX.match(name) and name not in source.declared)
        for column in frame.columns:
            if "\0" in column:
                raise InputError.at(
                    f"the name of column {column!r} holds a zero byte",
                    where=table.where,
                    hint="Rename it; is the text encoded as declared?",
                )
            if column.startswith("__"):
                raise InputError.at(
                    f"the name of column {column!r} begins with two underscores, which is reserved",
                    where=table.where,
                    hint="Rename it, or name the columns to carry along with attributes=[...]",
                )
        checked.append(replace(table, frame=frame))
    return checked


def _wanted(columns: list[str], source: Source, also: frozenset[str]) -> list[str]:
    if source.attributes is None or source.drop_duplicates:
        return columns
    return [column for column in columns if column in source.declared or column in also]


def _lazy_parquet(file: File, source: Source) -> pl.LazyFrame:
    storage = None if isinstance(file.path, Path) else source.options.get("storage")
    return pl.scan_parquet(file.path, hive_partitioning=False, storage_options=storage)


def _parquet_schema(file: File, source: Source) -> pl.Schema:
    if isinstance(file.path, Path):
        refuse_empty(file.path)
    try:
        schema = _lazy_parquet(file, source).collect_schema()
    except (*POLARS_FAILS, ValueError) as error:  # ValueError: of a storage option
        raise damaged(file.name, "Parquet", error) from error
    refuse_wide(file.name, len(schema))
    return schema


def _parquet_pieces(file: File, source: Source, also: frozenset[str]) -> Iterator[RawTable]:
    import pyarrow as pa

    try:
        lazy = _lazy_parquet(file, source)
        wanted = _wanted(lazy.collect_schema().names(), source, also)
        lazy = lazy.select(wanted)
        if not isinstance(file.path, Path):
            yield from _batches(lazy, file.name)
            return
        for first, length in _row_groups(file.path, len(wanted)):
            yield RawTable(lazy.slice(first, length).collect(), file.name, first_row=first)
    except (*POLARS_FAILS, pa.ArrowException) as error:
        raise damaged(file.name, "Parquet", error) from error


def _read_parquet(file: File, source: Source) -> RawTable:
    pieces = list(_parquet_pieces(file, replace(source, attributes=None), frozenset()))
    return replace(pieces[0], frame=pl.concat([piece.frame for piece in pieces]))


def _read_arrow(path: Path, _: Source) -> RawTable:
    refuse_empty(path)
    try:
        if _is_stream(path):
            return RawTable(_arrow_stream(path), path.name)
        lazy = pl.scan_ipc(path)
        columns = len(lazy.collect_schema())
        refuse_wide(path.name, columns)
        refuse_bomb(path, columns * lazy.select(pl.len()).collect().item())
        frame = lazy.collect()
    except (*POLARS_FAILS, ValueError) as error:  # ValueError: Arrow's
        raise damaged(path.name, "Arrow IPC", error) from error
    return RawTable(frame, path.name)


def arrow_rows(path: Path) -> int:
    """Return how many rows an Arrow IPC file has; of a stream every part must be looked at."""
    import pyarrow as pa

    if not _is_stream(path):
        return int(pl.scan_ipc(path).select(pl.len()).collect().item())
    with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
        return sum(batch.num_rows for batch in stream)


def _is_stream(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == _MESSAGE


def _arrow_stream(path: Path) -> pl.DataFrame:
    """Read the stream format of Arrow IPC, which has no table of contents: what is cut off would not be missed."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        file.seek(max(file.size() - 8, 0))
        if file.read() != _MESSAGE + bytes(4):
            raise ValueError("the mark at its end is not there")
        file.seek(0)
        with pa.ipc.open_stream(file) as stream:
            refuse_wide(path.name, len(stream.schema))
            batches, rows = [], 0
            for batch in stream:
                batch.validate(full=True)  # Polars trusts it
                rows += batch.num_rows
                refuse_bomb(path, rows * len(stream.schema))
                batches.append(batch)
            table = pa.Table.from_batches(batches, stream.schema)
            return pl.DataFrame(table).rechunk()


def _local(read: Callable[[Path, Source], RawTable], file: File, source: Source) -> RawTable:
    """Call a reader of local files."""
    if not isinstance(file.path, Path):
        raise InputError.at(
            f"{file.format} is read from files on this machine only",
            where=without_password(file.path),
            hint="Copy it here, or keep Parquet in the object store",
        )
    return read(file.path, source)


_READERS: dict[str, Callable[[File, Source], RawTable]] = {
    "parquet": _read_parquet,
    "csv": partial(_local, read_csv),
    "tsv": partial(_local, partial(read_csv, separator="\t")),
    "ndjson": partial(_local, read_ndjson),
    "arrow": partial(_local, _read_arrow),
}
