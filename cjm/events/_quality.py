"""What was found in the rows of a source, counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from cjm.contracts import CONTRACTS
from cjm.errors import excerpt, printable

__all__ = ["PLACES", "Findings"]

PLACES = {"path": pl.String, "line": pl.Int64, "row": pl.Int64, "reason": pl.String}
"""Where a row that was set aside stands, and why it was."""

Action = Literal["kept", "set aside", "dropped duplicate"]


@dataclass
class Findings:
    """The findings of one source, and how many of its rows were read and kept.

    ``places`` holds a frame of PLACES for each check of a piece that set rows aside, ``texts`` for some checks how
    often (``n``) each ``text`` was met: their example is the most frequent one.
    """

    source: str
    read: int = 0
    kept: int = 0
    rows: list[tuple[str, int, str, Action]] = field(default_factory=list)
    places: list[pl.DataFrame] = field(default_factory=list)
    texts: dict[str, pl.DataFrame] = field(default_factory=dict)

    def add(self, check: str, rows: int, example: str, action: Action) -> None:
        """Count ``rows`` more rows under ``check``, with the first example; nothing is noted where there are none."""
        if not rows:
            return
        check, example = printable(check), excerpt(example)
        for place, (known, before, first, done) in enumerate(self.rows):
            if (known, done) == (check, action):
                self.rows[place] = (check, before + rows, first, action)
                return
        self.rows.append((check, rows, example, action))

    def add_texts(self, check: str, texts: pl.Series, action: Action) -> None:
        """Count the rows of a column under ``check``; the example is the most frequent text, ties by order of it."""
        if texts.is_empty():
            return
        self.add(check, len(texts), "", action)
        counted = texts.cast(pl.String).alias("text").value_counts(name="n").with_columns(pl.col("n").cast(pl.Int64))
        before = self.texts.get(printable(check), counted.clear())
        self.texts[printable(check)] = pl.concat([before, counted]).group_by("text").agg(pl.col("n").sum())

    def _example(self, check: str, first: str) -> str:
        if check not in self.texts:
            return first
        return excerpt(str(self.texts[check].sort("n", "text", descending=[True, False])["text"][0]))

    def count(self, action: Action) -> int:
        """Return how many rows an action took out (or, for ``kept``, concerned)."""
        return sum(rows for _, rows, _, done in self.rows if done == action)

    def set_aside(self) -> pl.DataFrame:
        """Return one row for each row that was set aside, in the order of their files and rows."""
        places = pl.concat([pl.DataFrame(schema=PLACES), *self.places])
        return places.sort("path", "line", "row", maintain_order=True).select(
            pl.lit(self.source).alias("source"), pl.all()
        )

    def frame(self) -> pl.DataFrame:
        """Return the findings as contract QUALITY."""
        return pl.DataFrame(
            [
                (
                    self.source,
                    check,
                    rows,
                    rows / self.read if self.read else 0.0,
                    self._example(check, example),
                    action,
                )
                for check, rows, example, action in self.rows
            ],
            schema=dict(CONTRACTS["QUALITY"].columns),
            orient="row",
        )
