"""Files and frames to raw tables, one reader a format."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from glob import glob, has_magic
from pathlib import Path
from typing import Any

import polars as pl

from cjm.errors import ArgumentError, InputError
from cjm.events._source import FORMATS, MEND_ROWS, Source

__all__ = ["RawTable", "read_source"]

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
_COMPRESSED = {".gz", ".zst", ".bz2"}


@dataclass(frozen=True)
class RawTable:
    """Rows as they were read.

    Attributes
    ----------
    frame : polars.DataFrame
        Columns as in the file, and ``__row``: the row's number in its file as a reader of the file counts it.
    where : str
        File name, or the type of a frame.
    unit : str
        ``"line"`` or ``"row"``: what ``__row`` counts.
    short_rows : int
        CSV rows with too few or too many fields, which are not in ``frame``.
    short_example : str
        The first of them.
    path : str
        Path of the file; blank for a frame.
    size : int or None
        Bytes on disk.
    modified : datetime or None
    """

    frame: pl.DataFrame
    where: str
    unit: str
    short_rows: int = 0
    short_example: str = ""
    path: str = ""
    size: int | None = None
    modified: datetime | None = None


def read_source(source: Source, name: str) -> list[RawTable]:
    """Read every file (or the frame) of a source.

    Raises
    ------
    InputError
        For a file that is missing, empty or damaged, a glob that matches nothing, and a column that is not there.
    """
    paths = _paths(source, name)
    if paths is None:
        frame = _to_polars(source.path, name)
        _check_columns(source, frame, f"source {name!r}")
        return [RawTable(_numbered(frame, 0), f"source {name!r}", "row")]
    tables = []
    for path in paths:
        table = _READERS[_format(path, source, name)](path, source)
        _check_columns(source, table.frame, table.where)
        stat = path.stat()
        modified = datetime.fromtimestamp(stat.st_mtime, UTC)
        tables.append(replace(table, path=str(path), size=stat.st_size, modified=modified))
    return tables


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
        if has_magic(text) and not Path(text).exists():
            matches = sorted(Path(match) for match in glob(text, recursive=True) if Path(match).is_file())
            if not matches:
                raise InputError.at(
                    f"no file matches {text!r}", where=f"source {name!r}", hint="Check the folder and the pattern"
                )
            found += matches
        elif Path(text).is_file():
            found.append(Path(text))
        else:
            what = "this is a folder" if Path(text).is_dir() else "there is no such file"
            raise InputError.at(
                what,
                where=f"source {name!r}, {text}",
                hint="Check the path; a folder needs a glob such as folder/*.parquet",
            )
    return found


def _format(path: Path, source: Source, name: str) -> str:
    if source.format is not None:
        return source.format
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
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
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if hasattr(data, "__arrow_c_stream__"):
        return pl.DataFrame(data)
    raise ArgumentError.at(
        f"cannot read events from {type(data).__name__}",
        where=f"source {name!r}",
        hint="Give a path, a glob, a list of them, a Polars frame or an object with the Arrow C stream",
    )


def _check_columns(source: Source, frame: pl.DataFrame, where: str) -> None:
    for column, role in source.declared.items():
        if column not in frame.columns:
            names = [name for name in frame.columns if name != "__row"]
            raise InputError.unknown("column", column, names, where=f"{where}, {role}")


def _numbered(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    return frame.with_row_index("__row", offset=first).with_columns(pl.col("__row").cast(pl.Int64))


def _damaged(path: Path, kind: str, error: Exception) -> InputError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return InputError.at(
        f"the file cannot be read as {kind} ({reason})",
        where=path.name,
        hint="It may be cut off, damaged, or of another format: fetch it again or set format=",
    )


def _refuse_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise InputError.at("the file is empty", where=path.name, hint="Remove it from the source or fetch it again")


def _read_parquet(path: Path, source: Source) -> RawTable:
    _refuse_empty(path)
    try:
        lazy = pl.scan_parquet(path, hive_partitioning=False)
        present = lazy.collect_schema().names()
        if source.attributes is not None:
            lazy = lazy.select([name for name in present if name in source.declared])
        frame = lazy.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(path, "Parquet", error) from error
    return RawTable(_numbered(frame, 0), path.name, "row")


def _read_arrow(path: Path, source: Source) -> RawTable:
    _refuse_empty(path)
    try:
        frame = pl.read_ipc(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(path, "Arrow IPC", error) from error
    return RawTable(_numbered(frame, 0), path.name, "row")


def _read_ndjson(path: Path, source: Source) -> RawTable:
    _refuse_empty(path)
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rb") as file:
            content = file.read()
        frame = pl.read_ndjson(content, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError, EOFError) as error:
        raise _bad_json_line(path, opener) or _damaged(path, "NDJSON", error) from error
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    if frame.height < lines:
        # a blank line shifts the numbers of those after it; a line that was skipped is an error
        filled = sum(1 for line in content.splitlines() if line.strip())
        if frame.height != filled:
            raise _bad_json_line(path, opener) or _damaged(path, "NDJSON", ValueError(f"{filled - frame.height} lines"))
    return RawTable(_numbered(frame, 1), path.name, "line")


def _bad_json_line(path: Path, opener: Callable[..., Any]) -> InputError | None:
    """Find the first line that is no JSON object; only called once reading has failed."""
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                reason = _json_fault(line)
                if reason:
                    return InputError.at(
                        f"the line is no JSON object ({reason})",
                        where=f"{path.name} line {number}",
                        hint="Is the file cut off?",
                    )
    except UnicodeDecodeError:
        return InputError.at("the file is not UTF-8 text", where=path.name, hint="Save it as UTF-8")
    except (OSError, EOFError):
        return None
    return None


def _json_fault(line: str) -> str:
    if not line.strip():
        return ""
    try:
        return "" if isinstance(json.loads(line), dict) else "it is a bare value"
    except ValueError as error:
        return str(error)


def _read_csv(path: Path, source: Source) -> RawTable:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    _refuse_empty(path)
    tabs = source.format == "tsv" or (source.format is None and ".tsv" in path.suffixes)
    separator = source.options.get("separator", "\t" if tabs else ",")
    quote = source.options.get("quote", '"')
    encoding = source.options.get("encoding", "utf8")
    bad: list[Any] = []

    def note(row: Any) -> str:
        bad.append(row)
        return "skip"

    def read(threads: bool) -> Any:
        bad.clear()
        names = _header(path, separator, quote, encoding)
        return arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(encoding=encoding, use_threads=threads),
            parse_options=arrow_csv.ParseOptions(
                delimiter=separator, quote_char=quote, newlines_in_values=True, invalid_row_handler=note
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )

    try:
        table = read(threads=True)
        if bad:  # only a single-threaded reader knows the line of a bad row
            table = read(threads=False)
    except UnicodeDecodeError as error:
        raise _wrong_encoding(path, encoding) from error
    except (pa.ArrowException, OSError, EOFError) as error:
        if "UTF8" in str(error) or "decode" in str(error):
            raise _wrong_encoding(path, encoding) from error
        raise _damaged(path, "CSV", error) from error
    example = ""
    if bad:
        first = bad[0]
        example = f"line {first.number}: {first.actual_columns} fields instead of {first.expected_columns}"
        if source.on_error == "raise":
            raise InputError.at(
                f"the row has {first.actual_columns} fields instead of {first.expected_columns}",
                where=f"{path.name} line {first.number}",
                hint=f"{len(bad):,} of {table.num_rows + len(bad):,} rows like this. {MEND_ROWS}",
            )
    frame = pl.DataFrame(pl.from_arrow(table))
    return RawTable(_numbered(frame, 2), path.name, "line", len(bad), example)


def _header(path: Path, separator: str, quote: str, encoding: str) -> list[str]:
    """Return the column names, refusing those that would be ambiguous."""
    import pyarrow as pa

    with pa.input_stream(str(path), compression="detect") as stream:
        start = stream.read(1 << 20)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") and encoding == "utf8":
        raise _wrong_encoding(path, "utf8")
    text = start.decode(encoding, errors="strict" if len(start) < 1 << 20 else "ignore").removeprefix("\ufeff")
    if "\x00" in text:
        raise _wrong_encoding(path, encoding)
    names = next(csv.reader(text.splitlines(), delimiter=separator, quotechar=quote), [])
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError.at(
            f"column {twice[0]!r} is there twice",
            where=f"{path.name} line 1",
            hint="Give every column a name of its own",
        )
    return names


def _wrong_encoding(path: Path, encoding: str) -> InputError:
    return InputError.at(
        f"the text is not encoded as {encoding}",
        where=path.name,
        hint='Set options={"encoding": "latin-1"} (or "utf-16", "cp1250", ...), or save the file as UTF-8',
    )


_READERS: dict[str, Callable[[Path, Source], RawTable]] = {
    "parquet": _read_parquet,
    "csv": _read_csv,
    "tsv": _read_csv,
    "ndjson": _read_ndjson,
    "arrow": _read_arrow,
}
