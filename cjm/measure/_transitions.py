"""Which touchpoint follows which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.measure._by import By, Slice, group_names, slices
from cjm.measure._common import END, START, summed
from cjm.measure._labels import hidden
from cjm.measure._rates import DIFFERENCE, check_level, check_mask, compared, interval, share
from cjm.measure._times import quantile_columns, quantile_names
from cjm.measure._unit import Paths, Unit, paths_of
from cjm.patterns import Name
from cjm.ragged import IntArray

__all__ = ["transitions"]

_RESULT = ["source", "target", "count", "of", "share", "low", "high", "persons", "time_mean"]
# Largest table of all pairs of touchpoints (64 MB); beyond it, pairs are looked up.
_CELLS = 1 << 22
_HALF = 0xFFFFFFFF


def transitions(
    journeys: Journeys,
    *,
    order: int = 1,
    unit: Unit = "person",
    by: By | None = None,
    ends: bool = False,
    quantiles: Sequence[float] = (),
    level: float = 0.95,
    versus: object = None,
    min_persons: int = 0,
) -> pl.DataFrame:
    """Count how often one touchpoint directly follows another.

    Parameters
    ----------
    journeys : Journeys
    order : int
        How many touchpoints in a row make the source: 1, 2 or 3.
    unit : str or Goal
        Whose events follow each other: those of a ``"person"``, of a ``"session"``, or of a journey towards a goal.
    by : str, Cohort, Period, Goal or list of Goal, optional
        A transition belongs to the group of the (last) source event; that from ``(start)``, of the target event.
    ends : bool
        Add the transitions from ``(start)`` to the first touchpoint of each path and from the last one to ``(end)``.
        At order 2 and 3 sources that reach back before the path begin with as many ``(start)`` as are missing.
    quantiles : sequence of float
        Quantiles of the time on the edge, such as ``[0.5]`` for the median. They cost a second pass over the events.
    level : float
        Confidence level of the intervals, between 0 and 1.
    versus : object, optional
        A group of ``by``: adds what the share is above that of this group.
    min_persons : int
        Hide the figures of transitions that fewer persons than this made.

    Returns
    -------
    polars.DataFrame
        One row a transition that occurs (and group): the column of ``by`` if given, ``source``, ``target``,
        ``count``, ``of`` (all transitions out of the source, in the group), ``share`` = count / of with its Wilson
        interval ``low``, ``high``, ``persons`` (distinct), ``time_mean`` and one column a quantile (``time_p50`` for
        0.5): time between the last source event and the target event, Duration, cut to whole microseconds and null
        for ``(start)`` and ``(end)``. With ``versus``: ``difference``, ``difference_low``, ``difference_high``
        (Newcombe). Most frequent first, then by source and target.

        The intervals take the transitions as independent. Those of one person are not, so the intervals are too
        narrow where a few persons make most of the transitions.

        At order 2 and 3 the source is written as a pattern is: ``web:home -> web:cart``, names with odd characters in
        double quotes.

    Raises
    ------
    ArgumentError
        For an unknown ``by``, ``unit`` or ``versus``, or an ``order``, quantile, ``level`` or ``min_persons`` that
        cannot be.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-02T10:00Z"],
    ...                       "what": ["home", "cart", "home"], "who": ["a", "a", "b"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.transitions(journeys).select("source", "target", "count", "share").rows()
    [('web:home', 'web:cart', 1, 1.0)]
    """
    if order not in (1, 2, 3) or isinstance(order, bool):
        raise ArgumentError.at(f"must be 1, 2 or 3, not {order!r}", where="order=")
    check_level(level)
    check_mask(min_persons)
    times = quantile_names(quantiles)
    walk = _Walk(journeys, unit, order, ends)
    keys = [*group_names(by), *walk.sources, "__target"]

    parts = [walk.count(part).frame for part in slices(journeys, by, [*_RESULT, *times, *DIFFERENCE])]
    rows = parts[0] if len(parts) == 1 else summed(parts, keys)
    timed = walk.timed(rows)
    rows = rows.with_columns(
        pl.col("count").sum().over(keys[:-1]).alias("of"),
        pl.when(timed)
        .then(pl.col("__time") // pl.col("count"))
        .cast(pl.Int64)
        .cast(pl.Duration("us"))
        .alias("time_mean"),
    )
    if times:
        counts = np.where(timed.to_numpy(), rows["count"].to_numpy(), 0)
        edges = rows.select(keys)
        rows = rows.with_columns(
            quantile_columns(counts, quantiles, lambda *held: _fill(journeys, by, walk, edges, *held))
        )
    rows = walk.named(rows).sort(
        [*group_names(by), "count", "__rank", "__target_rank"],
        descending=[*(False for _ in group_names(by)), True, False, False],
        nulls_last=True,
    )
    rows = rows.with_columns(interval(rows, "count", "of", level)).with_columns(share=share(rows["count"], rows["of"]))
    result = rows.select(*group_names(by), *_RESULT, *times)
    result = compared(result, by, versus, ["source", "target"], "count", "of", level)
    figures = [name for name in (*_RESULT, *times) if name not in ("source", "target", "of")]
    return hidden(result, by, versus, min_persons, ["source", "target"], ["persons"], figures, of="persons")


@dataclass(frozen=True, eq=False)
class _Counted:
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


class _Walk:
    """How paths are walked; touchpoints are their codes, and with ``ends`` the two after them."""

    def __init__(self, journeys: Journeys, unit: Unit, order: int, ends: bool) -> None:
        self._touchpoints = journeys.touchpoints
        self._unit = unit
        self._ends = ends
        self._width = journeys.touchpoints.height + (2 if ends else 0)
        self.sources = [f"__{i}" for i in range(order)]

    def count(self, part: Slice, *, locate: bool = False) -> _Counted:
        """Count the transitions of a slice; ``locate`` remembers at which events."""
        from cjm.kernels import measure_transitions as kernels
        from cjm.kernels._jit import as_array

        paths = paths_of(part.journeys, self._unit)
        group, groups = np.empty(0, dtype=np.int32), 1
        if part.groups is not None:
            group = part.groups.code if paths.rows is None else part.groups.code[paths.rows]
            groups = len(part.groups.labels)
        where = np.empty(len(paths.code) if locate else 0, dtype=np.int32)
        given = (
            as_array(paths.offsets, np.int64),
            as_array(paths.owner, np.int64),
            as_array(paths.code, np.int32),
            as_array(paths.time, np.int64),
            as_array(group, np.int32),
            self._width,
            self._ends,
        )
        size = groups * self._width**2
        if len(self.sources) == 1 and size <= _CELLS:
            cells = np.zeros(size, dtype=kernels.CELL)
            totals = np.zeros((size, kernels.TOTALS), dtype=np.int64)
            kernels.count_pairs(*given, cells, totals, where)
            pair = np.flatnonzero((cells["count"] > 0) | (totals[:, kernels.COUNT] > 0))
            cells, totals = cells[pair], totals[pair]
            totals[:, kernels.COUNT] += cells["count"]
            totals[:, kernels.PERSONS] += cells["persons"]
            totals[:, kernels.LOW] += cells["time"]
            rest, target = np.divmod(pair, self._width)
            side, source = np.divmod(rest, self._width)
            codes = [source]
        else:
            states, edges, totals = kernels.count_chains(*given, len(self.sources), where)
            pair = np.arange(1, edges[0] + 1)
            totals = totals[1 : edges[0] + 1]
            state, target = edges[pair] >> 32, edges[pair] & _HALF
            if part.groups is not None:
                state, side = states[state - self._width] >> 32, (states[state - self._width] & _HALF) - self._width
            codes = [state]
            while len(codes) < len(self.sources):
                last = states[codes[0] - self._width]
                codes[:1] = [last >> 32, last & _HALF]
        columns = {name: pl.Series(code, dtype=pl.Int32) for name, code in zip(self.sources, codes, strict=True)}
        frame = pl.DataFrame(columns).with_columns(
            pl.Series("__target", target, dtype=pl.Int32),
            pl.Series("count", totals[:, kernels.COUNT]),
            pl.Series("persons", totals[:, kernels.PERSONS]),
            # 64 bits are too few for a sum of microseconds.
            __time=pl.Series(totals[:, kernels.HIGH]).cast(pl.Int128) * 2**32 + pl.Series(totals[:, kernels.LOW]),
        )
        if part.groups is not None:
            frame = frame.with_columns(part.groups.named(side))
        return _Counted(frame, pair, where, paths)

    def timed(self, rows: pl.DataFrame) -> pl.Series:
        """Return for which transitions there is a time: not from ``(start)`` nor to ``(end)``."""
        if not self._ends:
            return pl.repeat(True, rows.height, eager=True)
        return (rows[self.sources[-1]] != self._width - 2) & (rows["__target"] != self._width - 1)

    def named(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Add ``source`` and ``target``, and their ranks among the texts."""
        names = self._touchpoints["touchpoint"].cast(pl.String)
        if self._ends:
            names = pl.concat([names, pl.Series([START, END])])
        rank = names.rank("ordinal") if self._ends else pl.int_range(len(names), eager=True)  # touchpoints are sorted
        rows = rows.with_columns(
            names.gather(rows["__target"]).alias("target"), rank.gather(rows["__target"]).alias("__target_rank")
        )
        if len(self.sources) == 1:
            return rows.with_columns(
                names.gather(rows["__0"]).alias("source"), rank.gather(rows["__0"]).alias("__rank")
            )
        chains = rows.select(self.sources).unique()
        written = self._written(chains)
        texts = [chains[name].replace_strict(written["code"], written["text"]) for name in self.sources]
        chains = chains.with_columns(pl.concat_str(texts, separator=" -> ").alias("source"))
        return rows.join(chains.sort("source").with_row_index("__rank"), on=self.sources, how="left")

    def _written(self, chains: pl.DataFrame) -> pl.DataFrame:
        """Return how a pattern writes each touchpoint of ``chains``."""
        code = pl.concat([chains[name] for name in self.sources]).unique()
        known = code.filter(code < self._touchpoints.height)
        parts = self._touchpoints.select(pl.col("channel", "event").cast(pl.String).gather(known))
        texts = [str(Name(*row)) for row in parts.iter_rows()]
        start = pl.DataFrame({"code": [self._touchpoints.height], "text": [START]}, schema_overrides={"code": pl.Int32})
        return pl.concat([pl.DataFrame({"code": known, "text": pl.Series(texts, dtype=pl.String)}), start])


def _fill(journeys: Journeys, by: By | None, walk: _Walk, rows: pl.DataFrame, place: IntArray, times: IntArray) -> None:
    """Write the times of the transitions ``rows`` that have a place; see :func:`quantile_columns`."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_transitions import put_times

    numbered = rows.with_row_index("__row")
    for part in slices(journeys, by, ()):
        found = walk.count(part, locate=True)
        row = found.frame.join(numbered, on=rows.columns, how="left", nulls_equal=True, maintain_order="left")["__row"]
        row = row.cast(pl.Int64).to_numpy()
        free = np.full(int(found.pair.max(initial=0)) + 1, -1, dtype=np.int64)
        free[found.pair] = place[row]
        put_times(as_array(found.where, np.int32), as_array(found.paths.time, np.int64), free, times)
        place[row] = free[found.pair]
