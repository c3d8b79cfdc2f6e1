"""NDJSON: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cjm.errors import InputError
from cjm.events._source import Source
from cjm.events._table import LONGEST, RawTable, damaged, open_stream, refuse_bomb, refuse_empty, refuse_wide
from cjm.kernels._jit import as_array, compiled_for
from cjm.kernels.text_scan import scan_json

__all__ = ["read_ndjson"]

_DEEPEST = 64  # levels of a nested value
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
        raise damaged(path.name, "NDJSON", error) from error
    refuse_empty(path, blank=not content or content.isspace())
    filled = _scan(path, content)
    try:
        schema = pl.scan_ndjson(content, infer_schema_length=None).collect_schema()
        refuse_wide(path.name, len(schema))
        refuse_bomb(path, filled * len(schema))
        frame = pl.read_ndjson(content, schema=schema)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _bad_line(path, content) or damaged(path.name, "NDJSON", ValueError(str(error))) from error
    if frame.height != filled:  # blank lines are no rows; a line that was skipped is an error
        raise _bad_line(path, content) or damaged(path.name, "NDJSON", ValueError(f"{filled - frame.height} lines"))
    return RawTable(frame, path.name, lambda rows: _lines_of(path, rows), open_keys=True)


def _scan(path: Path, content: bytes) -> int:
    """Return how many lines are not blank; refuse what no reader can be trusted with."""
    data = as_array(np.frombuffer(content, dtype=np.uint8), np.uint8)
    deep, half, longest, filled = compiled_for(scan_json, len(data))(data, _DEEPEST).tolist()
    if deep:
        raise InputError.at(
            f"the value is nested more than {_DEEPEST} deep",
            where=f"{path.name} line {deep}",
            hint="Leave out what is nested, or flatten it",
        )
    if half:
        raise InputError.at(
            "the text holds half of a surrogate pair, which is no character",
            where=f"{path.name} line {half}",
            hint="Some program has cut a text in the middle of a character: mend it there",
        )
    if longest > LONGEST:
        raise InputError.at(
            f"a line is longer than {LONGEST // 2**20} MB",
            where=path.name,
            hint="One JSON object a line is expected. Leave texts of this size out",
        )
    return int(filled)


def _content(path: Path) -> bytes:
    with open_stream(path) as stream:
        return (stream.read() or b"").removeprefix(_MARK)


def _lines_of(path: Path, rows: Sequence[int]) -> list[int]:
    filled = [number for number, line in enumerate(_content(path).split(b"\n"), start=1) if line.strip()]
    return [filled[row] for row in rows]


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
        value: Any = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        return str(error)
    return "" if isinstance(value, dict) else "it is a bare value"


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
