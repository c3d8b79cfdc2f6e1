"""CSV and TSV: Arrow reads, and a walk over the same bytes knows the line of each row and what is wrong with it."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from cjm.errors import InputError
from cjm.events._source import MEND_ROWS, Source
from cjm.events._table import LONGEST, RawTable, damaged, open_stream, refuse_empty, refuse_wide
from cjm.kernels._jit import as_array, compiled_for
from cjm.kernels.text_scan import DRIFT, SHORT, STATE, STRAY, scan_csv

__all__ = ["read_csv"]

_CHUNK = 2**20  # bytes


@dataclass(frozen=True)
class _File:
    """A CSV file and how it is written."""

    path: Path
    separator: str
    quote: str
    encoding: str

    def header(self) -> list[str]:
        """Return the column names, refusing those that would be ambiguous."""
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE
        with io.TextIOWrapper(io.BufferedReader(_Walk(self)), encoding="utf-8", newline="") as text:
            reader = csv.reader(text, delimiter=self.separator, quotechar=self.quote or None, quoting=quoting)
            line = 1
            for names in reader:
                if names:
                    break
                line = reader.line_num + 1
            else:
                names = []
        refuse_empty(self.path, blank=not names)
        if any("\x00" in name for name in names):
            raise self.wrong_encoding()
        where = f"{self.path.name} line {line}"
        refuse_wide(where, len(names))
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError.at(
                f"column {twice[0]!r} is there twice", where=where, hint="Give every column a name of its own"
            )
        return names

    def wrong_encoding(self) -> InputError:
        return InputError.at(
            f"the text is not encoded as {self.encoding}",
            where=self.path.name,
            hint='Set options={"encoding": "latin-1"} (or "utf-16", "cp1250", ...), or save the file as UTF-8',
        )


class _Walk(io.RawIOBase):
    """The bytes of a CSV file as UTF-8; what passes is looked at.

    Attributes
    ----------
    rows : int
        Rows of the right length so far.
    several : (int, int)
        How many of them run over several lines, and the line on which the first does.
    """

    def __init__(self, file: _File) -> None:
        self._file = file
        self._stream = open_stream(file.path)
        self._decoder = None if file.encoding == "utf8" else codecs.getincrementaldecoder(file.encoding)()
        self._left = b""
        self._marked = True  # a mark of byte order may come
        self._ended = False
        self._state = np.zeros(STATE, dtype=np.int64)
        self._state[2:4] = 1
        self._notes = np.empty((1 << 10, 3), dtype=np.int64)
        self._count = 0
        self._bytes = 0  # so far
        self._record, self._rows_then = 0, -1  # bytes since the last end of a record

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            parts = iter(lambda: self.read(_CHUNK), b"")
            return b"".join(parts)
        while not self._left and not self._ended:
            self._left = self._next(size)
        part, self._left = self._left[:size], self._left[size:]
        return part

    def _next(self, size: int) -> bytes:
        raw = bytes(self._stream.read(max(size, 4)) or b"")
        part = raw if self._decoder is None else self._decoder.decode(raw, final=not raw).encode()
        if self._marked and part:
            part, self._marked = part.removeprefix(codecs.BOM_UTF8), False
        self._ended = not raw
        self._look(part)
        if self._ended and self._state[0] == 2:
            raise InputError.at(
                "a quote is opened here and never closed",
                where=f"{self._file.path.name} line {self._state[3]}",
                hint='Close it, double quotes inside a text, or set options={"quote": ""} if quotes mean nothing',
            )
        if self._ended:
            self._look(b"\n")
        return part

    def _look(self, part: bytes) -> None:
        data = as_array(np.frombuffer(part, dtype=np.uint8), np.uint8)
        self._bytes += len(data)
        scan = compiled_for(scan_csv, self._bytes)
        separator, quote = ord(self._file.separator), ord(self._file.quote) if self._file.quote else -1
        at, first = 0, self._state[3]
        while at < len(data):
            at, self._count = scan(data, at, separator, quote, self._state, self._notes, self._count)
            if self._count + 2 > len(self._notes):
                self._notes = np.concatenate([self._notes, np.empty_like(self._notes)])
        self._record = self._record + len(data) if first == self._state[3] else 0
        if self._record > LONGEST:
            raise InputError.at(
                f"a row is longer than {LONGEST // 2**20} MB",
                where=f"{self._file.path.name} line {first}",
                hint="Is a quote left open, or the line break missing? Leave texts of this size out",
            )

    def close(self) -> None:
        self._stream.close()
        super().close()

    @property
    def rows(self) -> int:
        return int(self._state[5])

    @property
    def several(self) -> tuple[int, int]:
        return int(self._state[9]), int(self._state[10])

    def noted(self, what: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return lines and rows of the notes of one kind."""
        notes = self._notes[: self._count]
        notes = notes[notes[:, 0] == what]
        return notes[:, 1], notes[:, 2]


def read_csv(path: Path, source: Source, *, separator: str = ",") -> RawTable:
    """Read a file of separated values; every column is text.

    Raises
    ------
    InputError
        For a file that is empty, damaged or in another encoding. Rows of the wrong length, and those in which text
        follows a closing quote, are left out and counted.
    """
    import pyarrow as pa

    refuse_empty(path)
    encoding = source.options.get("encoding", "utf8")
    if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
        encoding = "utf8"
    file = _File(path, source.options.get("separator", separator), source.options.get("quote", '"'), encoding)
    try:
        names = file.header()
        with _Walk(file) as walk:
            frame = _read(file, names, walk)
    except UnicodeError as error:
        raise file.wrong_encoding() from error
    except (pa.ArrowException, csv.Error, OSError, EOFError) as error:
        if "UTF8" in str(error) or "decode" in str(error):
            raise file.wrong_encoding() from error
        raise damaged(path.name, "CSV", error) from error
    return _table(file, names, frame, walk)


def _read(file: _File, names: list[str], walk: _Walk) -> pl.DataFrame:
    """Return the rows of the right length."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    schema = dict.fromkeys(names, pl.String)
    try:
        table = arrow_csv.read_csv(
            walk,
            parse_options=arrow_csv.ParseOptions(
                delimiter=file.separator,
                quote_char=file.quote or False,
                newlines_in_values=True,
                invalid_row_handler=lambda _: "skip",
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowInvalid:
        with _Walk(file) as again:  # a thread of Arrow may still be reading the first
            while again.read(_CHUNK):
                pass
        if again.rows or again.noted(SHORT)[0].size:
            raise
        return pl.DataFrame(schema=schema)
    frame = pl.DataFrame(pl.from_arrow(table))
    if frame.height != walk.rows or table.column_names != names:
        raise pa.ArrowInvalid(f"{walk.rows:,} rows of {len(names)} columns, of which {frame.height:,} were read")
    return frame


def _table(file: _File, names: list[str], frame: pl.DataFrame, walk: _Walk) -> RawTable:
    """Put together the rows that can be used and what is known of the others."""
    drift_lines, drift_rows = walk.noted(DRIFT)
    stray_lines, stray_rows = walk.noted(STRAY)
    kept = np.ones(frame.height, dtype=np.bool_)
    kept[stray_rows] = False
    original = np.flatnonzero(kept)

    def lines_of(rows: Sequence[int]) -> list[int]:
        wanted = original[np.asarray(rows, dtype=np.int64)]
        before = np.searchsorted(drift_rows, wanted, side="right") - 1
        return (drift_lines[before] + wanted - drift_rows[before]).tolist()  # type: ignore[no-any-return]

    short_lines, fields = walk.noted(SHORT)
    broken: dict[str, tuple[str, list[int]]] = {}
    faults = []
    if short_lines.size:
        what = f"{fields[0]} fields instead of {len(names)}"
        broken["row of the wrong length"] = f"line {short_lines[0]}: {what}", short_lines.tolist()
        faults.append((short_lines[0], f"the row has {what}", len(short_lines)))
    if stray_lines.size:
        broken["text after a closing quote"] = f"line {stray_lines[0]}", stray_lines.tolist()
        faults.append((stray_lines[0], "text follows a closing quote", len(stray_lines)))
    error = None
    if faults:
        line, what, rows = min(faults)
        hint = f"{rows:,} of {walk.rows + len(short_lines):,} rows like this. {MEND_ROWS}"
        error = InputError.at(what, where=f"{file.path.name} line {line}", hint=hint)
    several, first = walk.several
    notes = (("text over several lines", several, f"{file.path.name} line {first}"),) if several else ()
    if stray_rows.size:
        frame = frame.filter(pl.Series(kept))
    return RawTable(frame, file.path.name, lines_of, broken=broken, broken_error=error, notes=notes)
