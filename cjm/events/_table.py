"""``RawTable``: the rows of one file as they were read, and what all readers need."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from cjm.errors import InputError

__all__ = [
    "COMPRESSED",
    "LONGEST",
    "POLARS_FAILS",
    "RawTable",
    "damaged",
    "first_line",
    "open_stream",
    "refuse_bomb",
    "refuse_empty",
    "refuse_wide",
]

COMPRESSED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
LONGEST = 16 * 2**20  # bytes of a row of text

POLARS_FAILS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What Polars raises for a file that is damaged."""

_WIDEST = 10_000  # columns
_RATIO = 200  # of what is unpacked to what is stored
_HARMLESS = 64 * 2**20  # bytes that may be unpacked from any file


@dataclass(frozen=True)
class RawTable:
    """Rows as they were read.

    Attributes
    ----------
    frame : polars.DataFrame
        Columns as in the file.
    where : str
        File name, or the source of a frame.
    lines_of : callable, optional
        From positions of rows in ``frame``, in ascending order, to the lines of the file on which they start. It may
        walk through the file, so it is called for rows that are cited only.
    open_keys : bool
        Whether a declared column may be absent because no row of this file happens to have it.
    broken : dict of str to (str, list of int)
        What is wrong with CSV rows that are not in ``frame``: an example and their lines.
    broken_error : InputError or None
        What stops the run because of them if the source says ``on_error="raise"``.
    notes : tuple of (str, int, str)
        What else was found: check, rows, example.
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
    lines_of: Callable[[Sequence[int]], list[int]] | None = None
    open_keys: bool = False
    broken: dict[str, tuple[str, list[int]]] = field(default_factory=dict)
    broken_error: InputError | None = None
    notes: tuple[tuple[str, int, str], ...] = ()
    path: str = ""
    first_row: int = 0
    size: int | None = None
    modified: datetime | None = None

    @property
    def broken_rows(self) -> int:
        """How many rows of the file are not in ``frame``."""
        return sum(len(lines) for _, lines in self.broken.values())

    def place(self, row: int) -> str:
        """Return where a row of the frame is found, as a reader of the file counts."""
        if self.lines_of is None:
            return f"{self.where} row {self.first_row + row}"
        return f"{self.where} line {self.lines_of([row])[0]}"


class _Unpacked(io.RawIOBase):
    """The bytes of a compressed file, as long as there are not suspiciously many."""

    def __init__(self, stream: Any, path: Path) -> None:
        self._stream, self._path = stream, path
        self._limit = max(_HARMLESS, _RATIO * path.stat().st_size)
        self._read = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts: list[bytes] = []
        while size != 0:
            part = bytes(self._stream.read(2**20 if size < 0 else size))
            self._read += len(part)
            if self._read > self._limit:
                raise _bomb(self._path, self._read)
            parts.append(part)
            if not part or size > 0:
                break
        return b"".join(parts)

    def readinto(self, buffer: Any) -> int:
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self._stream.close()
        super().close()


def open_stream(path: Path) -> io.RawIOBase:
    """Open a file for reading bytes, decompressed as its name says.

    Reading raises InputError once more comes out of a compressed file than any log holds.
    """
    import pyarrow as pa

    kind = COMPRESSED.get(path.suffix.lower())
    if kind is None:
        return path.open("rb", buffering=0)
    return _Unpacked(pa.input_stream(str(path), compression=kind), path)


def refuse_bomb(path: Path, cells: int) -> None:
    """Raise InputError for a small file that says it holds very many values."""
    if 8 * cells > max(_HARMLESS, _RATIO * path.stat().st_size):
        raise _bomb(path, 8 * cells)


def _bomb(path: Path, size: int) -> InputError:
    return InputError.at(
        f"{path.stat().st_size:,} bytes would unpack to more than {size // 2**20:,} MB",
        where=path.name,
        hint=f"No log is packed more than {_RATIO} times; if this one is real, write it with less compression",
    )


def refuse_wide(where: str, columns: int) -> None:
    """Raise InputError for a table of more columns than any log has."""
    if columns > _WIDEST:
        raise InputError.at(
            f"there are {columns:,} columns, more than {_WIDEST:,}",
            where=where,
            hint="Is the separator right, and is a key of each record perhaps an identifier?",
        )


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def damaged(file: str, kind: str, error: Exception) -> InputError:
    """Return the error for a file that is not what it should be."""
    return InputError.at(
        f"the file cannot be read as {kind} ({first_line(error)})",
        where=file,
        hint="It may be cut off, damaged, or of another format: fetch it again or set format=",
    )


def refuse_empty(path: Path, *, blank: bool = False) -> None:
    """Raise InputError for a file of no bytes, or one that was found to be blank."""
    if blank or path.stat().st_size == 0:
        raise InputError.at("the file is empty", where=path.name, hint="Remove it from the source or fetch it again")
