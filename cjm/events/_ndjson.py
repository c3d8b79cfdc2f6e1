"""NDJSON: one JSON object a line."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from cjm.errors import InputError
from cjm.events._source import Source
from cjm.events._table import RawTable, damaged, open_stream, refuse_empty

__all__ = ["read_ndjson"]

_MARK = b"\xef\xbb\xbf"  # of byte order, which some programs put before UTF-8


def read_ndjson(path: Path, _: Source) -> RawTable:
    """Read a file of JSON objects, one a line; blank lines are skipped.

    Raises
    ------
    InputError
        For a file that is empty or damaged, and for a line that is no JSON object.
    """
    refuse_empty(path)
    try:
        content = _content(path)
    except (OSError, EOFError) as error:
        raise damaged(path, "NDJSON", error) from error
    refuse_empty(path, blank=not content or content.isspace())
    try:
        frame = pl.read_ndjson(content, infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _bad_line(path, content) or damaged(path, "NDJSON", ValueError(str(error))) from error
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    if frame.height < lines:  # blank lines are no rows; a line that was skipped is an error
        filled = sum(1 for line in content.split(b"\n") if line.strip())
        if frame.height != filled:
            raise _bad_line(path, content) or damaged(path, "NDJSON", ValueError(f"{filled - frame.height} lines"))
    return RawTable(frame, path.name, lambda row: _line_of(path, row), open_keys=True)


def _content(path: Path) -> bytes:
    with open_stream(path) as stream:
        return bytes(stream.read()).removeprefix(_MARK)


def _line_of(path: Path, row: int) -> int | None:
    filled = (number for number, line in enumerate(_content(path).split(b"\n"), start=1) if line.strip())
    return next(islice(filled, row, None), None)


def _bad_line(path: Path, content: bytes) -> InputError | None:
    """Find the first line that is no JSON object; only called once reading has failed."""
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            reason = _fault(line.decode())
        except UnicodeDecodeError:
            return InputError.at("the file is not UTF-8 text", where=path.name, hint="Save it as UTF-8")
        if reason:
            return InputError.at(
                f"the line is no JSON object ({reason})",
                where=f"{path.name} line {number}",
                hint="Is the file cut off?",
            )
    return None


def _fault(line: str) -> str:
    if not line.strip():
        return ""
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        return str(error)
    return "" if isinstance(value, dict) else "it is a bare value"
