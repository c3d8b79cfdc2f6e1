"""What a page is made of: sections, each one finding with its words, pictures and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from cjm.report._charts import Picture
from cjm.report._text import bounds, duration, number, percent, persons, thing

__all__ = [
    "Cell",
    "Col",
    "Section",
    "Table",
    "Tables",
    "blank_small",
    "counts",
    "groups",
    "has",
    "shares",
    "small",
    "spans",
    "table",
    "total",
    "with_bounds",
]

Tables = Mapping[str, pl.DataFrame]
ROWS_SHOWN = 25


@dataclass(frozen=True)
class Cell:
    """One cell: its text, the length (0 to 1) of the bar behind it if it has one, and small words below it."""

    text: str
    bar: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Col:
    """How one column of a frame is shown; ``note`` names the column of the words below it."""

    name: str
    header: str
    show: Callable[[Any], str] = thing
    numeric: bool = False
    bar: bool = False
    look: str = ""
    note: str = ""

    @property
    def classes(self) -> str:
        """Return the names under which the page styles the column."""
        return " ".join(name for name in ("n" if self.numeric else "", self.look) if name)


def counts(name: str, header: str, *, bar: bool = False) -> Col:
    """Show a column of counts."""
    return Col(name, header, number, True, bar)


def shares(name: str, header: str, *, bar: bool = False) -> Col:
    """Show a column of shares as percentages."""
    return Col(name, header, percent, True, bar)


def spans(name: str, header: str) -> Col:
    """Show a column of durations."""
    return Col(name, header, duration, True, look="w")


def groups(name: str, header: str, hide_below: int) -> Col:
    """Show a column of group sizes, small ones as small only."""
    return Col(name, header, lambda count: persons(count, hide_below), True)


@dataclass(frozen=True)
class Table:
    """The rows shown, and how many there are."""

    caption: str
    columns: tuple[Col, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: int
    open: bool = False

    @property
    def note(self) -> str:
        """Say how many rows are left out."""
        return f"The first {len(self.rows)} of {number(self.total)} rows." if self.total > len(self.rows) else ""


@dataclass(frozen=True)
class Section:
    """One finding: ``title`` is a sentence with figures from the table, ``label`` the name it has in the contents.

    A section that only says why there is nothing to see is not ``telling``, and not among the findings at the top.
    """

    key: str
    label: str
    title: str
    text: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    after: tuple[str, ...] = ()
    telling: bool = True


def total(frame: pl.DataFrame, name: str) -> int:
    """Return the sum of a column of counts."""
    return int(frame[name].sum())


def has(tables: Tables, name: str) -> bool:
    """Say whether a table is there and has rows."""
    return name in tables and tables[name].height > 0


def with_bounds(frame: pl.DataFrame, low: str, high: str) -> pl.DataFrame:
    """Add the column ``interval``: both ends of an interval of shares as text."""
    said = [bounds(*ends) for ends in frame.select(low, high).iter_rows()]
    return frame.with_columns(pl.Series("interval", said, pl.String))


def small(count: str, hide_below: int) -> pl.Expr:
    """Say where a column counts somebody, but fewer than may be shown."""
    return (pl.col(count) > 0) & (pl.col(count) < hide_below)


def blank_small(frame: pl.DataFrame, count: str, hide_below: int, columns: Sequence[str]) -> pl.DataFrame:
    """Blank the figures from which the size of a small group could be worked out."""
    return frame.with_columns(
        pl.when(small(count, hide_below)).then(None).otherwise(pl.col(name)).alias(name)
        for name in columns
        if name in frame.columns
    )


def table(
    caption: str, frame: pl.DataFrame, columns: Sequence[Col], *, open: bool = False, cap: int = ROWS_SHOWN
) -> Table:
    """Show the first rows of a frame; columns that the frame lacks are left out."""
    known = tuple(column for column in columns if column.name in frame.columns)
    tops = {column.name: frame[column.name].cast(pl.Float64).max() or 0.0 for column in known if column.bar}
    rows = tuple(
        tuple(
            Cell(
                column.show(row[column.name]), _share(row[column.name], tops.get(column.name)), row.get(column.note, "")
            )
            for column in known
        )
        for row in frame.head(cap).iter_rows(named=True)
    )
    return Table(caption, known, rows, frame.height, open)


def _share(value: Any, top: Any) -> float | None:
    return max(0.0, min(1.0, float(value) / top)) if top and value is not None else None
