"""Events of a batch, checked, and as journeys for the matcher."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import TIME
from cjm.errors import ArgumentError, InputError
from cjm.journeys import EventArrays, Journeys, SessionRule
from cjm.journeys._bucket import MemoryBucket

__all__ = ["checked", "no_events", "viewed"]

IntArray = npt.NDArray[np.int64]

_COLUMNS = ("person", "time", "channel", "event")


def checked(events: pl.DataFrame | pl.LazyFrame, needs: Sequence[str]) -> pl.DataFrame:
    """Return the columns that are looked at, of the right types; text as String."""
    columns = [*_COLUMNS, *needs]
    known = events.collect_schema().names()
    for name in columns:
        if name not in known:
            raise ArgumentError.unknown("column", name, known, where="Watch, events")
    frame = events.lazy().select(columns).collect()
    dtype = frame.schema["time"]
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
        raise ArgumentError.at(
            f"column 'time' is {dtype}, not a time with a zone", where="Watch, events", hint="Such as journeys.frame"
        )
    text = pl.col(pl.Categorical, pl.Enum).cast(pl.String)
    frame = frame.with_columns(text).with_columns(
        pl.col("time").dt.convert_time_zone("UTC").cast(TIME), pl.col("person").cast(pl.Int64)
    )
    for name in _COLUMNS:
        if frame[name].null_count():
            raise InputError.at(
                f"column {name!r} is null in {frame[name].null_count():,} of {frame.height:,} rows",
                where="Watch, events",
                hint="Leave these rows out",
            )
    return frame.with_columns(pl.col("channel", "event").cast(pl.String))


def viewed(events: pl.DataFrame, person: IntArray, needs: Sequence[str]) -> Journeys:
    """Return events as journeys of ``person``, ascending, some without events perhaps; equal times keep their order."""
    ordered = events.sort("person", "time", maintain_order=True)
    names = ordered.select((pl.col("channel") + ":" + pl.col("event")).alias("touchpoint"), "channel", "event")
    touchpoints = names.unique("touchpoint", keep="first").sort("touchpoint")
    code = names["touchpoint"].cast(pl.Enum(touchpoints["touchpoint"])).to_physical().cast(pl.Int32).to_numpy()
    edges = np.searchsorted(ordered["person"].to_numpy(), np.append(person, person[-1] + 1 if len(person) else 0))
    offsets = edges.astype(np.int64)
    time = ordered["time"].to_physical().to_numpy()
    arrays = EventArrays(person, offsets, time, code, np.arange(len(person), dtype=np.int64), offsets)
    attributes = ordered.select(needs).with_columns(pl.col(pl.String).cast(pl.Categorical))
    start, end = (int(time.min()), int(time.max())) if len(time) else (0, 0)
    bucket = MemoryBucket(arrays, attributes)
    return Journeys([bucket], touchpoints, attributes.schema, rule=SessionRule(None), start=start, end=end)


def no_events() -> pl.DataFrame:
    """Return a frame of no events."""
    return pl.DataFrame(schema={"person": pl.Int64, "time": TIME, "channel": pl.String, "event": pl.String})
