"""A table about identifiers that does not fit into memory, in ranges of identifiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import CONTRACTS
from cjm.identity._coded_log import CodedLog
from cjm.piles import Piles, Scratch

__all__ = ["LINKS", "MAP", "Ranges", "TableParts"]

_PER_RANGE = 250_000  # identifiers
_SAMPLE = 10_000  # identifiers of a kind that tell where its ranges are cut

Schema: TypeAlias = Mapping[str, pl.DataType | type[pl.DataType]]

MAP: Schema = CONTRACTS["IDENTITY_MAP"].columns
LINKS: Schema = {**CONTRACTS["LINKS"].columns, "sources": pl.String}


class Ranges:
    """Ranges of identifiers, in the order of kinds and texts.

    Parameters
    ----------
    log : CodedLog
    kinds : tuple of str
        In the order of the nodes.
    """

    def __init__(self, log: CodedLog, kinds: tuple[str, ...]) -> None:
        self.kinds = kinds
        self._cuts = []
        for first, stop in zip(log.base[:-1], log.base[1:], strict=True):
            texts = log.texts(np.arange(first, stop, (stop - first) // _SAMPLE + 1)).sort()
            parts = (stop - first) // _PER_RANGE + 1
            self._cuts.append(texts.gather(len(texts) * np.arange(1, parts) // parts))

    def __len__(self) -> int:
        return sum(len(cuts) + 1 for cuts in self._cuts)

    def of(self, kind: pl.Series, texts: pl.Series) -> npt.NDArray[np.int64]:
        """Return the range of each identifier."""
        found, first = np.empty(len(kind), dtype=np.int64), 0
        for name, cuts in zip(self.kinds, self._cuts, strict=True):
            at = np.flatnonzero((kind == name).to_numpy())
            found[at] = first + cuts.search_sorted(texts.gather(pl.Series(at)), side="right").to_numpy()
            first += len(cuts) + 1
        return found


class TableParts:
    """Rows of IDENTITY_MAP or LINKS, put aside as they come and read in order, part by part.

    Parameters
    ----------
    schema : mapping of str to type
        ``MAP`` or ``LINKS``.
    ranges : Ranges
    scratch : Scratch
    name : str
        Of a folder there.
    """

    def __init__(self, schema: Schema, ranges: Ranges, scratch: Scratch, name: str) -> None:
        self._schema, self._ranges = schema, ranges
        self._side = "" if schema is MAP else "_a"
        self._piles = Piles(scratch, name, len(ranges))

    def add(self, rows: pl.DataFrame) -> None:
        """Put rows aside; those of one identifier come together, in their order."""
        self._piles.deal(rows, self._ranges.of(rows[f"kind{self._side}"], rows[f"id{self._side}"]))

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Yield all rows, ordered by kind (by priority) and identifier; once."""
        yield pl.DataFrame(schema=self._schema)
        rank = pl.Enum(self._ranges.kinds)
        order = ["id"] if self._schema is MAP else ["id_a", pl.col("kind_b").cast(rank), "id_b"]
        for number, rows in enumerate(self._piles.rows):
            if rows:
                yield pl.concat(self._piles.take(number)).sort(order, maintain_order=True)
