"""``RawTable``: the rows of one file as they were read, and what all readers need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from cjm.errors import InputError

__all__ = ["COMPRESSED", "RawTable", "damaged", "first_line", "open_stream", "refuse_empty"]

COMPRESSED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}


@dataclass(frozen=True)
class RawTable:
    """Rows as they were read.

    Attributes
    ----------
    frame : polars.DataFrame
        Columns as in the file.
    where : str
        File name, or the source of a frame.
    line_of : callable, optional
        From the position of a row in ``frame`` to the line of the file on which it starts (None: it cannot be told).
        It walks through the file, so it is called for the rows that a message cites only.
    open_keys : bool
        Whether a declared column may be absent because no row of this file happens to have it.
    short_rows : int
        CSV rows with too few or too many fields, which are not in ``frame``.
    short_example : str
        The first of them.
    short_error : InputError or None
        What stops the run because of them if the source says ``on_error="raise"``.
    path : str
        Path of the file; blank for a frame.
    first_row : int
        Position of the first row of ``frame`` in the file, where the file is read in pieces.
    size : int or None
        Bytes on disk.
    modified : datetime or None
    """

    frame: pl.DataFrame
    where: str
    line_of: Callable[[int], int | None] | None = None
    open_keys: bool = False
    short_rows: int = 0
    short_example: str = ""
    short_error: InputError | None = None
    path: str = ""
    first_row: int = 0
    size: int | None = None
    modified: datetime | None = None

    def place(self, row: int) -> str:
        """Return where a row of the frame is found, as a reader of the file counts."""
        line = self.line_of(row) if self.line_of is not None else None
        return f"{self.where} row {self.first_row + row}" if line is None else f"{self.where} line {line}"


def open_stream(path: Path) -> Any:
    """Open a file for reading bytes, decompressed as its name says."""
    import pyarrow as pa

    return pa.input_stream(str(path), compression=COMPRESSED.get(path.suffix.lower()))


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def damaged(path: Path, kind: str, error: Exception) -> InputError:
    """Return the error for a file that is not what it should be."""
    return InputError.at(
        f"the file cannot be read as {kind} ({first_line(error)})",
        where=path.name,
        hint="It may be cut off, damaged, or of another format: fetch it again or set format=",
    )


def refuse_empty(path: Path, *, blank: bool = False) -> None:
    """Raise InputError for a file of no bytes, or one that was found to be blank."""
    if blank or path.stat().st_size == 0:
        raise InputError.at("the file is empty", where=path.name, hint="Remove it from the source or fetch it again")
