"""CSV and TSV: Arrow reads, Python's reader finds the line that a message cites."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import polars as pl

from cjm.errors import InputError
from cjm.events._source import MEND_ROWS, Source
from cjm.events._table import RawTable, damaged, open_stream, refuse_empty

__all__ = ["read_csv"]


@dataclass(frozen=True)
class _File:
    """A CSV file and how it is written."""

    path: Path
    separator: str
    quote: str
    encoding: str

    def records(self) -> Generator[tuple[int, list[str]], None, None]:
        """Yield the line on which a record starts, and its fields; blank lines are no records."""
        encoding = "utf-8-sig" if self.encoding == "utf8" else self.encoding
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE
        with open_stream(self.path) as stream, io.TextIOWrapper(stream, encoding=encoding, newline="") as text:
            reader = csv.reader(text, delimiter=self.separator, quotechar=self.quote or None, quoting=quoting)
            line = 1
            for fields in reader:
                if fields:
                    yield line, fields
                line = reader.line_num + 1

    def header(self) -> list[str]:
        """Return the column names, refusing those that would be ambiguous."""
        with closing(self.records()) as records:
            line, names = next(records, (0, []))
        refuse_empty(self.path, blank=not line)
        if any("\x00" in name for name in names):
            raise self.wrong_encoding()
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError.at(
                f"column {twice[0]!r} is there twice",
                where=f"{self.path.name} line {line}",
                hint="Give every column a name of its own",
            )
        return names

    def has_rows(self) -> bool:
        with closing(self.records()) as records:
            return len(list(islice(records, 2))) == 2

    def line_of(self, row: int, width: int) -> int | None:
        """Return the line of a row, counted among the rows of the right length."""
        try:
            with closing(self.records()) as records:
                lines = (line for line, fields in islice(records, 1, None) if len(fields) == width)
                return next(islice(lines, row, None), None)
        except (csv.Error, UnicodeDecodeError):
            return None

    def first_short(self, width: int) -> tuple[str, str]:
        """Return the place of the first row of the wrong length, and what is wrong with it."""
        try:
            with closing(self.records()) as records:
                line, count = next((line, len(fields)) for line, fields in records if len(fields) != width)
        except (csv.Error, UnicodeDecodeError, StopIteration):
            return "a row", f"another number of fields than {width}"
        return f"line {line}", f"{count} fields instead of {width}"

    def wrong_encoding(self) -> InputError:
        return InputError.at(
            f"the text is not encoded as {self.encoding}",
            where=self.path.name,
            hint='Set options={"encoding": "latin-1"} (or "utf-16", "cp1250", ...), or save the file as UTF-8',
        )


def read_csv(path: Path, source: Source, *, separator: str = ",") -> RawTable:
    """Read a file of separated values; every column is text.

    Raises
    ------
    InputError
        For a file that is empty, damaged or in another encoding. Rows of the wrong length are left out and counted.
    """
    import pyarrow as pa

    refuse_empty(path)
    encoding = source.options.get("encoding", "utf8")
    if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
        encoding = "utf8"  # the one name for which Arrow does not recode; it skips a byte order mark
    file = _File(path, source.options.get("separator", separator), source.options.get("quote", '"'), encoding)
    try:
        names = file.header()
        frame, bad = _read(file, names)
    except UnicodeError as error:
        raise file.wrong_encoding() from error
    except (pa.ArrowException, csv.Error, OSError, EOFError) as error:
        if "UTF8" in str(error) or "decode" in str(error):
            raise file.wrong_encoding() from error
        raise damaged(path, "CSV", error) from error
    table = RawTable(frame, path.name, lambda row: file.line_of(row, len(names)))
    if not bad:
        return table
    place, fault = file.first_short(len(names))
    short = InputError.at(
        f"the row has {fault}",
        where=f"{path.name} {place}",
        hint=f"{bad:,} of {frame.height + bad:,} rows like this. {MEND_ROWS}",
    )
    return replace(table, short_rows=bad, short_example=f"{place}: {fault}", short_error=short)


def _read(file: _File, names: list[str]) -> tuple[pl.DataFrame, int]:
    """Return the rows of the right length, and how many have another."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    bad: list[Any] = []

    def note(row: Any) -> str:
        bad.append(row)
        return "skip"

    try:
        with open_stream(file.path) as stream:
            table = arrow_csv.read_csv(
                stream,
                read_options=arrow_csv.ReadOptions(encoding=file.encoding),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=file.separator,
                    quote_char=file.quote or False,
                    newlines_in_values=True,
                    invalid_row_handler=note,
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
                ),
            )
    except pa.ArrowInvalid:
        if file.has_rows():
            raise
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String)), 0
    return pl.DataFrame(pl.from_arrow(table)), len(bad)
