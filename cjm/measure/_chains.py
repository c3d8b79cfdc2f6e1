"""Runs of touchpoints that follow each other directly, counted slice by slice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.journeys import Journeys
from cjm.measure._by import Slice
from cjm.measure._common import END, START
from cjm.measure._path_groups import event_groups
from cjm.measure._unit import Paths, Unit, paths_of
from cjm.patterns import Name
from cjm.ragged import IntArray

__all__ = ["ChainWalk"]

# Largest table of all pairs of touchpoints (64 MB); beyond it, pairs are looked up.
_CELLS = 1 << 22

CodeArray: TypeAlias = npt.NDArray[np.int32]
_Given: TypeAlias = tuple[IntArray, IntArray, CodeArray, IntArray, CodeArray]


@dataclass(frozen=True, eq=False)
class Counted:
    """The transitions of one slice.

    Attributes
    ----------
    frame : polars.DataFrame
        One row a transition: the group, the codes of source and target, ``count``, ``persons``, ``__time`` (sum).
    pair : ndarray of int64
        Number of each row in ``where``.
    where : ndarray of int32
        Which transition leads to each event of ``paths``, or -1; empty unless asked for.
    paths : Paths
    """

    frame: pl.DataFrame
    pair: IntArray
    where: npt.NDArray[np.int32]
    paths: Paths


class ChainWalk:
    """How paths are walked; touchpoints are their codes, and with ``ends`` the two after them."""

    def __init__(self, journeys: Journeys, unit: Unit, order: int, ends: bool) -> None:
        self._touchpoints = journeys.touchpoints
        self._unit = unit
        self._ends = ends
        self._width = journeys.touchpoints.height + (2 if ends else 0)
        self.sources = [f"__{i}" for i in range(order)]

    def count(self, part: Slice, *, locate: bool = False) -> Counted:
        """Count the transitions of a slice; ``locate`` remembers at which events."""
        from cjm.kernels._jit import as_array

        paths = paths_of(part.journeys, self._unit)
        group, groups = event_groups(part, paths)
        given = (
            as_array(paths.offsets, np.int64),
            as_array(paths.owner, np.int64),
            as_array(paths.code, np.int32),
            as_array(paths.time, np.int64),
            as_array(group, np.int32),
        )
        where = np.empty(len(paths.code) if locate else 0, dtype=np.int32)
        if len(self.sources) == 1 and groups * self._width**2 <= _CELLS:
            pair, columns = self._pairs(given, groups, where)
        else:
            pair, columns = self._edges(given, groups, where)
        high, low = (pl.lit(pl.Series(columns.pop(half))).cast(pl.Int128) for half in ("high", "low"))
        side = columns.pop("group")
        codes = [*self.sources, "__target"]
        frame = pl.DataFrame({name: pl.Series(values) for name, values in columns.items()}).with_columns(
            pl.col(codes).cast(pl.Int32),
            (high * 2**32 + low).alias("__time"),  # 64 bits are too few for a sum of microseconds
        )
        if part.groups is not None:
            frame = frame.with_columns(part.groups.named(side))
        return Counted(frame, pair, where, paths)

    def _pairs(self, given: _Given, groups: int, where: CodeArray) -> tuple[IntArray, dict[str, IntArray]]:
        """Count pairs in a table of all of them."""
        from cjm.kernels import measure_transitions as kernels

        size = groups * self._width**2
        cells = np.zeros(size, dtype=kernels.CELL)
        totals = np.zeros((size + 1, kernels.TOTALS), dtype=np.int64)
        kernels.count_pairs(*given, self._width, self._ends, cells, totals, where)
        pair = np.flatnonzero(cells["count"])
        moved = totals[-1, kernels.COUNT] > 0
        cells, totals = cells[pair], totals[pair] if moved else np.zeros((len(pair), kernels.TOTALS), np.int64)
        rest, target = np.divmod(pair, self._width)
        side, source = np.divmod(rest, self._width)
        return pair, {
            "__0": source,
            "__target": target,
            "count": totals[:, kernels.COUNT] + cells["count"],
            "persons": totals[:, kernels.PERSONS] + cells["persons"],
            "high": totals[:, kernels.HIGH],
            "low": totals[:, kernels.LOW] + cells["time"],
            "group": side,
        }

    def _edges(self, given: _Given, groups: int, where: CodeArray) -> tuple[IntArray, dict[str, IntArray]]:
        """Count runs of touchpoints with what comes after them."""
        from cjm.kernels._jit import as_array
        from cjm.kernels.measure_chains import count_edges, number_runs

        offsets, _, code, _, _ = given
        runs, size, start = code, self._width, self._width - 2 if self._ends else -1
        made_of = []
        for _ in self.sources[1:]:
            found, pairs = number_runs(offsets, code, self._width, runs, size, start)
            runs, size, start = as_array(found, np.int32), len(pairs), 0 if self._ends else -1
            made_of.append(pairs)
        edges = count_edges(*given, groups, self._width, self._ends, runs, size, start, where)
        run = edges["run"]
        codes = {"__target": edges["target"]}
        for name, pairs in zip(self.sources[:0:-1], made_of[::-1], strict=True):
            run, codes[name] = pairs[run].T
        counts = {name: edges[name] for name in ("count", "persons", "high", "low", "group")}
        return np.arange(len(edges)), {"__0": run, **codes, **counts}

    def fill(self, parts: Iterator[Slice], rows: pl.DataFrame, place: IntArray, times: IntArray) -> None:
        """Write the times of those of the transitions ``rows`` that have a place; see :func:`quantile_columns`."""
        from cjm.kernels._jit import as_array
        from cjm.kernels.measure_transitions import put_times

        numbered = rows.with_row_index("__row")
        for part in parts:
            found = self.count(part, locate=True)
            both = found.frame.join(numbered, on=rows.columns, how="left", nulls_equal=True, maintain_order="left")
            row = both["__row"].cast(pl.Int64).to_numpy()
            free = np.full(int(found.pair.max(initial=0)) + 1, -1, dtype=np.int64)
            free[found.pair] = place[row]
            put_times(as_array(found.where, np.int32), as_array(found.paths.time, np.int64), free, times)
            place[row] = free[found.pair]

    def timed(self, rows: pl.DataFrame) -> pl.Series:
        """Return for which transitions there is a time: not from ``(start)`` nor to ``(end)``."""
        if not self._ends:
            return pl.repeat(True, rows.height, eager=True)
        return (rows[self.sources[-1]] != self._width - 2) & (rows["__target"] != self._width - 1)

    def ranks(self, rows: pl.DataFrame) -> list[IntArray]:
        """Return the place of each touchpoint of ``rows`` among the names, for the sources and the target."""
        names = self._names()
        rank = names.rank("ordinal") if self._ends else pl.int_range(len(names), eager=True)  # touchpoints are sorted
        return [rank.gather(rows[name]).cast(pl.Int64).to_numpy() for name in (*self.sources, "__target")]

    def named(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Add ``source`` and ``target``; a source of several touchpoints is written as a pattern is."""
        names = self._names()
        target = names.gather(rows["__target"]).alias("target")
        if len(self.sources) == 1:
            return rows.with_columns(names.gather(rows["__0"]).alias("source"), target)
        known = pl.concat([rows[name].unique() for name in self.sources]).unique()
        known = known.filter(known < self._touchpoints.height)
        parts = self._touchpoints.select(pl.col("channel", "event").cast(pl.String).gather(known))
        written = names.scatter(known, [str(Name(*row)) for row in parts.iter_rows()])
        source = pl.concat_str([written.gather(rows[name]) for name in self.sources], separator=" -> ")
        return rows.with_columns(source.alias("source"), target)

    def _names(self) -> pl.Series:
        names = self._touchpoints["touchpoint"].cast(pl.String)
        return pl.concat([names, pl.Series([START, END])]) if self._ends else names.clone()
