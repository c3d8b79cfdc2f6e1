"""What is known of a person as of an event: figures that add up within a calendar period, and attributes by date."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import TIME
from cjm.durations import DAY_US
from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.kernels.matching_columns import HELD_END, HELD_SEEN, HELD_START, PLACE, WHO
from cjm.matching import Compiler
from cjm.patterns import Pattern, Step
from cjm.periods import check_every, check_zone, periods

__all__ = ["NEVER", "Attributes", "Running", "as_of", "figures"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

NEVER = -(1 << 62)  # before every time
_FEW = 20_000  # events that plain Python adds up while the compiler would still be starting


@dataclass(frozen=True)
class Running:
    """A figure that adds up within a calendar period: how often something happened, or the sum of a value.

    As of an event it holds what has happened in the period up to and including that event. It is an attribute of
    events for the patterns of moments: ``"atm:no_funds[spent >= 500]"``.

    Attributes
    ----------
    name : str
        The attribute it becomes.
    of : str
        The events that count, as a step of a pattern: ``"card:*"``, ``'shop:paid[value > 10]'``.
    value : str or None
        The attribute that is added up; null adds nothing. None: events are counted.
    every : str
        Length of the period, such as ``"1mo"``; see :func:`cjm.period`.
    time_zone : str
        Whose calendar.

    Raises
    ------
    ArgumentError
        For ``of`` that is more than one step, an unknown time zone or an unreadable length.

    Examples
    --------
    >>> Running("spent", "card:paid", value="value", time_zone="Europe/Warsaw").every
    '1mo'
    """

    name: str
    of: str
    value: str | None = None
    every: str = "1mo"
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        check_every(self.every)
        check_zone(self.time_zone)
        pattern = Pattern.parse(self.of)
        if pattern != Pattern((Step(pattern.steps[0].what),)):
            raise ArgumentError.at(
                f"{self.of!r} is more than one step", where=f"figure {self.name!r}", hint='Such as "card:*"'
            )

    @property
    def needs(self) -> set[str]:
        """The attributes of events that it looks at."""
        tested = {test.attribute for test in Pattern.parse(self.of).steps[0].what.tests}
        return tested | ({self.value} if self.value is not None else set())

    @property
    def dtype(self) -> type[pl.DataType]:
        """Type of the attribute it becomes."""
        return pl.Int64 if self.value is None else pl.Float64


class Attributes:
    """A table of attributes by person and time: ``valid_from <= t < valid_to``, made ready to look up."""

    def __init__(self, table: pl.DataFrame) -> None:
        for name in ("person", "valid_from"):
            if name not in table.columns:
                raise ArgumentError.at(
                    f"column {name!r} is missing", where="attributes=", hint="person, valid_from, valid_to, attributes"
                )
        ends = "valid_to" in table.columns
        if not ends:  # each row holds until the next one of the person
            table = table.with_columns(valid_to=pl.lit(None, dtype=TIME))
        try:
            times = table.with_columns(pl.col("person").cast(pl.Int64), pl.col("valid_from", "valid_to").cast(TIME))
        except pl.exceptions.PolarsError as error:
            raise ArgumentError.at(f"cannot be used ({error})", where="attributes=") from error
        if times.select(pl.col("person", "valid_from").null_count()).sum_horizontal().item():
            raise ArgumentError.at("person or valid_from is null", where="attributes=")
        self.table = times.sort("person", "valid_from")
        until = pl.col("valid_to").fill_null(pl.lit(1 << 61).cast(TIME)).shift(1)
        follows = (pl.col("person") == pl.col("person").shift(1)) & (pl.col("valid_from") < until)
        twice = self.table.filter(follows)
        if ends and twice.height:
            raise ArgumentError.at(
                f"{twice.height} rows begin while another of the same person is valid",
                where="attributes=",
                hint="valid_from <= t < valid_to must hold for one row at most",
            )
        self.person = self.table["person"].to_numpy()
        self.names = [name for name in self.table.columns if name not in ("person", "valid_from", "valid_to")]

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Names and types of the attributes."""
        return {name: self.table.schema[name] for name in self.names}


def as_of(attributes: Attributes, person: IntArray, row: IntArray, time: IntArray) -> pl.DataFrame:
    """Return the attributes as of events: ``row`` is the place of their person in ``person``, both ascending."""
    first, stop = (np.searchsorted(attributes.person, person, side) for side in ("left", "right"))
    counts = stop - first
    rows = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    known = attributes.table[rows].with_columns(row=pl.Series(np.repeat(np.arange(len(person)), counts)))
    events = pl.DataFrame({"row": row, "time": time}).with_columns(pl.col("time").cast(TIME))
    joined = events.join_asof(known, left_on="time", right_on="valid_from", by="row", check_sortedness=False)
    over = pl.col("valid_to").is_not_null() & (pl.col("time") >= pl.col("valid_to"))
    return joined.select(pl.when(~over).then(pl.col(name)).alias(name) for name in attributes.names)


def figures(
    context: Sequence[Running], view: Journeys, compiler: Compiler, held: IntArray, complete: int
) -> tuple[pl.DataFrame, IntArray]:
    """Return the figures as of each event, and what to save of them.

    Parameters
    ----------
    held : ndarray of int64
        Saved rows of figures; ``WHO`` is the row of the person in ``view.arrays.person``.
    complete : int
        Periods that end at or before the instant after it are not saved.
    """
    arrays = view.arrays
    columns: list[pl.Series] = []
    saved = [held[:0]]
    for number, figure in enumerate(context):
        mine = held[held[:, PLACE] == -1 - number]
        since = np.full(len(arrays.person), NEVER, dtype=np.int64)
        until = since.copy()
        value = np.zeros(len(arrays.person))
        since[mine[:, WHO]], until[mine[:, WHO]] = mine[:, HELD_START], mine[:, HELD_END]
        value[mine[:, WHO]] = mine[:, HELD_SEEN].copy().view(np.float64)
        sums = np.empty(0)
        if len(arrays.time):
            days = (int(arrays.time.min()) // DAY_US, int(arrays.time.max()) // DAY_US)
            starts = _starts(figure.every, figure.time_zone, *days)
            counts, amount = _amounts(figure, view, compiler)
            sums = _add(arrays.offsets, arrays.time, starts, counts, amount, (since, until, value))
        columns.append(pl.Series(figure.name, sums).cast(figure.dtype))
        keep = np.flatnonzero((value != 0) & (until > complete + 1))
        rows = np.zeros((len(keep), held.shape[1]), dtype=np.int64)
        rows[:, WHO], rows[:, PLACE], rows[:, HELD_SEEN] = keep, -1 - number, value[keep].view(np.int64)
        rows[:, HELD_START], rows[:, HELD_END] = since[keep], until[keep]
        saved.append(rows)
    return pl.DataFrame(columns), np.concatenate(saved)


@lru_cache(maxsize=64)
def _starts(every: str, time_zone: str, first: int, last: int) -> IntArray:
    """Return where the periods begin that hold the days from ``first`` to ``last``, counted from 1970."""
    return periods(every, time_zone, first * DAY_US, (last + 1) * DAY_US - 1).starts


def _amounts(figure: Running, view: Journeys, compiler: Compiler) -> tuple[Flags, FloatArray]:
    """Return which events count, and what they add; NaN stands for nothing."""
    what = Pattern.parse(figure.of).steps[0].what
    chosen = np.zeros(max(len(compiler.code), 1), dtype=bool)
    chosen[compiler.codes(what, f"figure {figure.name!r}")] = True
    counts = chosen[view.arrays.code]
    if what.tests:
        counts &= compiler.events(what.tests, f"figure {figure.name!r}")
    if figure.value is None:
        return counts, counts.astype(np.float64)
    column = view.attribute(figure.value)
    if not column.dtype.is_numeric():
        raise ArgumentError.at(f"attribute {figure.value!r} is {column.dtype}", where=f"figure {figure.name!r}")
    return counts, column.cast(pl.Float64).to_numpy()  # null becomes NaN


def _add(
    offsets: IntArray,
    time: IntArray,
    starts: IntArray,
    counts: Flags,
    amount: FloatArray,
    held: tuple[IntArray, IntArray, FloatArray],
) -> FloatArray:
    """Return the sums as of each event; ``held`` are the period at hand (from, to) and the sum in it of each person."""
    out = np.empty(len(time))
    if _plainly(len(time)):
        _add_plainly(offsets, time, starts, np.where(counts & ~np.isnan(amount), amount, 0.0), *held, out)
        return out
    from cjm.kernels._jit import as_array
    from cjm.kernels.moments import running

    offsets, time, starts = (as_array(array, np.int64) for array in (offsets, time, starts))
    running(offsets, time, starts, as_array(counts, np.bool_), as_array(amount, np.float64), *held, out)
    return out


def _plainly(events: int) -> bool:
    """Tell whether plain Python would be done before the compiled sums are loaded."""
    return events <= _FEW and "cjm.kernels.moments" not in sys.modules


def _add_plainly(
    offsets: IntArray,
    time: IntArray,
    starts: IntArray,
    amount: FloatArray,
    since: IntArray,
    until: IntArray,
    value: FloatArray,
    out: FloatArray,
) -> None:
    places = np.searchsorted(starts, time, side="right") - 1
    for person, (first, stop) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
        for i in range(first, stop):
            place = places[i]
            if starts[place] != since[person]:
                since[person], until[person], value[person] = starts[place], starts[place + 1], 0.0
            value[person] += amount[i]
            out[i] = value[person]
