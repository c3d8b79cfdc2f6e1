"""The public tables of journeys, made bucket by bucket from the arrays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cjm.contracts import TIME

if TYPE_CHECKING:
    import numpy.typing as npt

    from cjm.journeys._core import Journeys

    IntArray = npt.NDArray[np.int64]
    Rows = Callable[[Journeys, Collection[str]], Mapping[str, pl.Series]]

__all__ = ["event_rows", "lazily", "person_rows", "session_rows"]


def lazily(
    buckets: Callable[[], Iterator[Journeys]], rows: Rows, schema: Mapping[str, pl.DataType | type[pl.DataType]]
) -> pl.LazyFrame:
    """Return a lazy frame of ``schema`` that makes its columns with ``rows``, and only those that are asked for."""
    from polars.io.plugins import register_io_source

    def source(
        wanted: list[str] | None, predicate: pl.Expr | None, limit: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        names = list(schema) if wanted is None else wanted
        for bucket in buckets():
            made = rows(bucket, names)
            frame = pl.DataFrame([made[name].alias(name) for name in names])
            if limit is not None:
                frame = frame.head(limit)
                limit -= frame.height
            yield frame if predicate is None else frame.filter(predicate)
            if limit == 0:
                break

    return register_io_source(source, schema=dict(schema), is_pure=True)


def event_rows(bucket: Journeys, names: Collection[str]) -> dict[str, pl.Series]:
    """Return columns of contract JOURNEY_EVENTS."""
    arrays = bucket.arrays
    made: dict[str, pl.Series] = {}
    for name in names:
        if name == "person":
            made[name] = pl.Series(np.repeat(arrays.person, np.diff(arrays.offsets)))
        elif name == "time":
            made[name] = pl.Series(arrays.time).cast(TIME)
        elif name == "session":
            made[name] = pl.Series(arrays.session)
        elif name in bucket.touchpoints.columns:
            made[name] = bucket.touchpoints[name].gather(pl.Series(arrays.code))
        else:
            column = bucket.attribute(name)
            made[name] = column.cast(pl.String) if isinstance(column.dtype, pl.Categorical) else column
    return made


def session_rows(bucket: Journeys, names: Collection[str]) -> dict[str, pl.Series]:
    """Return columns of contract SESSIONS."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.journey_tables import session_ends

    arrays = bucket.arrays
    owner, start, end, entry, leave = session_ends(
        as_array(arrays.person, np.int64),
        as_array(arrays.offsets, np.int64),
        as_array(arrays.session_offsets, np.int64),
        as_array(arrays.time, np.int64),
        as_array(arrays.code, np.int32),
    )
    made = {
        "person": pl.Series(owner),
        "session": pl.Series(arrays.session_number),
        "start": pl.Series(start).cast(TIME),
        "end": pl.Series(end).cast(TIME),
        "duration": pl.Series(end - start).cast(pl.Duration("us")),
        "events": pl.Series(np.diff(arrays.session_offsets)),
    }
    for name, code in (("first", entry), ("last", leave)):
        if name in names:
            made[name] = bucket.touchpoints["touchpoint"].gather(pl.Series(code))
    if "channels" in names:
        made["channels"] = _channels(bucket, arrays.session_offsets)
    return made


def person_rows(bucket: Journeys, names: Collection[str]) -> dict[str, pl.Series]:
    """Return columns of contract PERSONS."""
    arrays = bucket.arrays
    first, last = arrays.offsets[:-1], arrays.offsets[1:] - 1
    made = {
        "person": pl.Series(arrays.person),
        "first_seen": pl.Series(arrays.time[first]).cast(TIME),
        "last_seen": pl.Series(arrays.time[last]).cast(TIME),
        "events": pl.Series(np.diff(arrays.offsets)),
    }
    if "sessions" in names:
        made["sessions"] = pl.Series(np.diff(np.searchsorted(arrays.session_offsets, arrays.offsets)))
    if "channels" in names:
        made["channels"] = _channels(bucket, arrays.offsets)
    return made


def _channels(bucket: Journeys, offsets: IntArray) -> pl.Series:
    """Return how many channels each run of events has."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.journey_tables import distinct_in_runs

    channel = bucket.touchpoints["channel"].rank("dense").to_numpy() - 1
    count = int(channel.max()) + 1 if len(channel) else 0
    found = distinct_in_runs(
        as_array(offsets, np.int64), as_array(bucket.arrays.code, np.int32), as_array(channel, np.int32), count
    )
    return pl.Series(found)
