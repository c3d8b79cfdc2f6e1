"""Which touchpoint comes after which, sooner or later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import Duration, to_us
from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.measure._by import By, Slice, group_names, slices
from cjm.measure._common import ranked_groups, summed
from cjm.measure._labels import hidden, with_absent
from cjm.measure._order import ordered
from cjm.measure._path_groups import event_groups
from cjm.measure._rates import DIFFERENCE, check_level, check_mask, compared, interval, share
from cjm.measure._times import quantile_columns, quantile_names
from cjm.measure._unit import Unit, paths_of
from cjm.ragged import IntArray

__all__ = ["follows"]

_RESULT = ["source", "target", "persons", "of", "rate", "low", "high", "time_mean"]
# Largest table of all pairs of touchpoints (64 MB); beyond it, pairs are looked up.
_CELLS = 1 << 22
_PAIR = ["__source", "__target"]
_NONE = np.empty(0, dtype=np.int64)

CodeArray = npt.NDArray[np.int32]


def follows(
    journeys: Journeys,
    *,
    unit: Unit = "person",
    by: By | None = None,
    within: Duration | None = None,
    quantiles: Sequence[float] = (),
    level: float = 0.95,
    versus: object = None,
    min_persons: int = 0,
) -> pl.DataFrame:
    """Count the persons in whose events one touchpoint comes after another, with any others in between.

    A target follows a source if one of its events is later in the order of the journey than the first event of the
    source; a touchpoint follows itself if it occurs twice. Each person counts once for a pair, however often both
    occur. Process mining knows "eventually follows" as a count of pairs of events: pm4py counts every source event
    with every later target event of a case, which gives the weight to long cases. Here the question is for how many
    persons it happens, and the answer is a rate.

    Parameters
    ----------
    journeys : Journeys
    unit : {"person", "session"} or Goal
        In whose events the pair must lie: those of a ``"person"``, of a ``"session"``, or of a journey towards a goal.
        With the latter two, what is counted in ``persons`` and ``of`` are sessions and journeys.
    by : str, Cohort, Period, Goal or list of Goal, optional
        A person belongs to the group of their first event of the source.
    within : duration, optional
        Longest time from the first source event to the target; one exactly as long counts. Default: no bound. A person
        whose data end earlier counts all the same.
    quantiles : sequence of float
        Quantiles of the time, such as ``[0.5]`` for the median. They take several times as long as the rest: of each
        pair of each person the time is looked at, 16 million at once.
    level : float
        Confidence level of the intervals, between 0 and 1.
    versus : object, optional
        A group of ``by``: adds what the rate is above that of this group (0 where it has the source and never the
        pair; null if it has not even the source).
    min_persons : int
        Hide the figures of pairs that speak of fewer persons than this, of those with both or of those with the
        source only.

    Returns
    -------
    polars.DataFrame
        One row a pair that occurs (and group): the column of ``by`` if given, ``source``, ``target``, ``persons``,
        ``of`` (those with the source), ``rate`` = persons / of with its Wilson interval ``low``, ``high``,
        ``time_mean`` and one column a quantile (``time_p50`` for 0.5): time from the first source event to the first
        target event after it, Duration, cut to whole microseconds. With ``versus``: ``difference``,
        ``difference_low``, ``difference_high`` (Newcombe). By group, most persons first, then by source and target.

    Raises
    ------
    ArgumentError
        For an unknown ``by``, ``unit`` or ``versus``, or a ``within``, quantile, ``level`` or ``min_persons`` that
        cannot be.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-02T10:00Z"],
    ...                       "what": ["home", "cart", "home"], "who": ["a", "a", "b"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.follows(journeys).select("source", "target", "persons", "of", "rate").rows()
    [('web:home', 'web:cart', 1, 2, 0.5)]
    """
    check_level(level)
    check_mask(min_persons)
    times = quantile_names(quantiles)
    walk = _Walk(journeys, unit, None if within is None else to_us(within, "within"))
    keys = [*group_names(by), *_PAIR]

    parts = [walk.count(part) for part in slices(journeys, by, [*_RESULT, *times, *DIFFERENCE])]
    counted = summed(parts, keys)
    trial = pl.col("__target") == walk.width
    trials = counted.filter(trial).select(*keys[:-1], of="persons", __of="__owners")
    rows = (
        counted.filter(~trial)
        .sort("__target", maintain_order=True)  # so that few targets have their times held at once
        .join(trials, on=keys[:-1], how="left", nulls_equal=True, maintain_order="left")
        .with_columns(time_mean=(pl.col("__time") // pl.col("persons")).cast(pl.Int64).cast(pl.Duration("us")))
    )
    if times:
        pairs = rows.select(keys)
        rows = rows.with_columns(
            quantile_columns(
                rows["persons"].to_numpy(), quantiles, lambda *held: walk.fill(slices(journeys, by, ()), pairs, *held)
            )
        )
    ranks = [ranked_groups(rows[name])[1] for name in group_names(by)]
    persons, *codes = (rows[name].to_numpy() for name in ("persons", *_PAIR))
    rows = rows[ordered([*ranks, persons.max(initial=0) - persons, *codes])]  # codes are in the order of the names
    rows = with_absent(
        rows, by, versus, _PAIR, ["persons", "__owners"], ["of", "__of"], within=["__source"], totals=trials
    )
    names = journeys.touchpoints["touchpoint"].cast(pl.String)
    rows = rows.with_columns(
        *interval(rows, "persons", "of", level),
        rate=share(rows["persons"], rows["of"]),
        source=names.gather(rows["__source"]),
        target=names.gather(rows["__target"]),
    )
    rows = compared(rows, by, versus, _PAIR, "persons", "of", level)
    rows = hidden(rows, by, versus, min_persons, _PAIR, ["__owners"], [*_RESULT[2:], *times], "__of")
    rows = rows if versus is None else rows.filter("__shown")
    return rows.select(*group_names(by), *_RESULT, *times, *(DIFFERENCE if versus is not None else []))


class _Walk:
    """How paths are walked."""

    def __init__(self, journeys: Journeys, unit: Unit, within: int | None) -> None:
        self.width = journeys.touchpoints.height
        self._unit = unit
        self._within = np.iinfo(np.int64).max if within is None else within

    def count(self, part: Slice) -> pl.DataFrame:
        """Count the pairs of a slice; those with the target ``width`` are the paths with the source at all.

        Columns are the group, ``__source``, ``__target``, ``persons`` (paths), ``__owners`` and ``__time`` (sum).
        """
        from cjm.kernels import measure_follows as kernels
        from cjm.kernels.pair_numbers import empty_keys, empty_slots

        size = self._size(part)
        hashed = size > _CELLS
        slots, keys = (empty_slots(), empty_keys()) if hashed else (np.empty(0, dtype=np.int32), _NONE)
        rows = len(keys) if hashed else size
        cells = np.zeros(rows, dtype=kernels.CELL)
        owners = np.zeros(0 if self._unit == "person" else rows, dtype=kernels.OWNER)
        keys, cells, owners = kernels.count_follows(
            *self._given(part), slots, keys, cells, owners, np.empty(0, dtype=np.bool_), _NONE, _NONE
        )
        if hashed:
            there = np.arange(1, keys[0] + 1)
            pair = keys[there]
        else:
            there = pair = np.flatnonzero(cells["paths"])
        paths = cells["paths"][there].astype(np.int64)
        rest, source = np.divmod(pair, self.width) if self.width else (pair, pair)
        target, side = np.divmod(rest, self._groups(part))
        long, time = (pl.lit(pl.Series(cells[half][there])).cast(pl.Int128) for half in ("carry", "time"))
        frame = pl.DataFrame(
            {"__source": source.astype(np.int32), "__target": target.astype(np.int32), "persons": paths}
        ).with_columns(
            pl.Series("__owners", owners["count"][there].astype(np.int64) if len(owners) else paths),
            (long * kernels.LONG + time).alias("__time"),  # 64 bits are too few for a sum of microseconds
        )
        return frame if part.groups is None else frame.with_columns(part.groups.named(side))

    def fill(self, parts: Iterator[Slice], pairs: pl.DataFrame, place: IntArray, times: IntArray) -> None:
        """Write the times of those of ``pairs`` that have a place; see :func:`quantile_columns`."""
        from cjm.kernels.measure_follows import CELL, OWNER, count_follows
        from cjm.kernels.pair_numbers import numbered

        chosen = pairs.with_row_index("__row").filter(pl.Series(place >= 0))
        asked = np.zeros(self.width + 1, dtype=np.bool_)
        asked[chosen["__target"].to_numpy()] = True
        for part in parts:
            here = chosen
            side = np.zeros(1, dtype=np.int64)
            if part.groups is not None:
                labels = part.groups.labels.alias(part.groups.name).to_frame().with_row_index("__side")
                here = chosen.join(labels, on=part.groups.name, nulls_equal=True)
                side = here["__side"].to_numpy().astype(np.int64)
            row, source, target = (here[name].cast(pl.Int64).to_numpy() for name in ("__row", *_PAIR))
            pair = (target * self._groups(part) + side) * self.width + source
            slots, keys = np.empty(0, dtype=np.int32), _NONE
            if self._size(part) > _CELLS:
                slots, keys = numbered(pair)
                pair = np.arange(1, len(pair) + 1)
                free = np.full(len(pair) + 1, -1, dtype=np.int64)
            else:
                free = np.full(self._size(part), -1, dtype=np.int64)
            free[pair] = place[row]
            nothing = np.zeros(0, dtype=CELL), np.zeros(0, dtype=OWNER)
            count_follows(*self._given(part), slots, keys, *nothing, asked, free, times)
            place[row] = free[pair]

    def _groups(self, part: Slice) -> int:
        return 1 if part.groups is None else len(part.groups.labels)

    def _size(self, part: Slice) -> int:
        """Return how many pairs there can be."""
        size = self._groups(part) * self.width * (self.width + 1)
        if size >= 2**63:
            raise ArgumentError.at(
                f"{self._groups(part):,} groups are too many for {self.width:,} touchpoints",
                where="by=",
                hint="Split by something coarser",
            )
        return size

    def _given(self, part: Slice) -> tuple[IntArray, IntArray, CodeArray, IntArray, CodeArray, int, int, int]:
        from cjm.kernels._jit import as_array

        paths = paths_of(part.journeys, self._unit)
        group, groups = event_groups(part, paths)
        return (
            as_array(paths.offsets, np.int64),
            as_array(paths.owner, np.int64),
            as_array(paths.code, np.int32),
            as_array(paths.time, np.int64),
            as_array(group, np.int32),
            self.width,
            groups,
            self._within,
        )
