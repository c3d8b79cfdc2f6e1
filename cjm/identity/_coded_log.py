"""Times and identifiers of a whole log, coded and put aside on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.codes import highest
from cjm.identity._evidence import Log, read_log
from cjm.piles import Piles, Scratch

__all__ = ["CodedLog"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]

_AT_ONCE = 1_000_000  # rows


class CodedLog:
    """The events of a log, its identifiers numbered kind by kind.

    Texts stay where they are: in the types of the columns.

    Parameters
    ----------
    log : Log
    kinds : sequence of str
    scratch : Scratch

    Attributes
    ----------
    events : int
    base : ndarray of int64, shape (kinds + 1,)
        First node of each kind, then how many nodes there are. Not each of them need be on an event.
    """

    def __init__(self, log: Log, kinds: Sequence[str], scratch: Scratch) -> None:
        self._kinds = tuple(kinds)
        self._known: list[pl.Series | None] = [None] * len(self._kinds)  # of the type that knows the texts
        self._piles = Piles(scratch, "log", 1)
        sizes = [0] * len(self._kinds)
        held: list[pl.DataFrame] = []
        for piece in read_log(log):
            columns = [piece["time"].to_physical()]
            for number, kind in enumerate(self._kinds):
                if kind in piece.columns:
                    codes = self._codes(piece[kind], number)
                    sizes[number] = max(sizes[number], highest(codes) + 1)
                else:
                    codes = pl.repeat(None, piece.height, dtype=pl.UInt32, eager=True)
                columns.append(codes.cast(pl.Int32).fill_null(-1).alias(str(number)))
            held.append(pl.DataFrame(columns))
            if sum(part.height for part in held) >= _AT_ONCE:
                self._piles.put(pl.concat(held, rechunk=True))
                held = []
        if held:
            self._piles.put(pl.concat(held, rechunk=True))
        self.base = np.array([0, *accumulate(sizes)], dtype=np.int64)

    def _codes(self, column: pl.Series, kind: int) -> pl.Series:
        known = self._known[kind]
        if known is None:
            if not isinstance(column.dtype, pl.Categorical):
                column = column.cast(pl.Categorical(pl.Categories.random()))
            known = self._known[kind] = column.head(1)
        elif column.dtype != known.dtype:
            column = column.cast(pl.String).cast(known.dtype)
        return column.to_physical()

    @property
    def events(self) -> int:
        """How many events there are."""
        return self._piles.rows[0]

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return int(self.base[-1])

    def pieces(self) -> Iterator[tuple[Int64Array, Int32Array]]:
        """Yield times and, a row a kind, nodes (-1 for none) of events, piece by piece."""
        first = self.base[:-1, None].astype(np.int32)
        for piece in self._piles.pieces():
            codes = np.stack([piece[str(number)].to_numpy() for number in range(len(self._kinds))])
            yield piece["time"].to_numpy(), np.add(codes, first, out=codes, where=codes >= 0)

    def kind(self, nodes: npt.NDArray[np.integer]) -> npt.NDArray[np.int16]:
        """Return the kinds of nodes."""
        return (np.searchsorted(self.base, nodes, side="right") - 1).astype(np.int16)

    def texts(self, nodes: npt.NDArray[np.integer]) -> pl.Series:
        """Return the texts of nodes, which are in ascending order."""
        parts = [pl.Series(dtype=pl.String)]
        cuts = np.searchsorted(nodes, self.base)
        for number, known in enumerate(self._known):
            if known is not None:
                codes = nodes[cuts[number] : cuts[number + 1]] - self.base[number]
                parts.append(pl.Series(codes.astype(np.uint32)).cat.to(known.dtype).cast(pl.String))
        return pl.concat(parts, rechunk=True)
