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

_TEXT = ("channel", "event")
_COLUMNS = ("person", "time", *_TEXT)


def checked(events: pl.DataFrame | pl.LazyFrame, needs: Sequence[str]) -> pl.DataFrame:
    """Return the columns that are looked at, of the right types; text as String."""
    columns = [*_COLUMNS, *needs]
    schema = events.collect_schema()
    for name in columns:
        if name not in schema:
            raise ArgumentError.unknown("column", name, schema.names(), where="Watch, events")
    dtype = schema["time"]
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
        raise ArgumentError.at(
            f"column 'time' is {dtype}, not a time with a zone", where="Watch, events", hint="Such as journeys.frame"
        )
    text = [name for name in columns if name in _TEXT or isinstance(schema[name], (pl.Categorical, pl.Enum))]
    types = pl.Schema({"person": pl.Int64(), "time": TIME, **dict.fromkeys(text, pl.String())})
    frame = events.select(columns).collect() if isinstance(events, pl.LazyFrame) else events.select(columns)
    if any(schema[name] != dtype for name, dtype in types.items()):
        frame = frame.with_columns(pl.col("time").dt.convert_time_zone("UTC")).cast(types)
    for name in _COLUMNS:
        if frame[name].null_count():
            raise InputError.at(
                f"column {name!r} is null in {frame[name].null_count():,} of {frame.height:,} rows",
                where="Watch, events",
                hint="Leave these rows out",
            )
    return frame


def viewed(events: pl.DataFrame, person: IntArray, needs: Sequence[str]) -> Journeys:
    """Return events as journeys of ``person``, ascending, some without events perhaps; equal times keep their order."""
    whose, time = events["person"].to_numpy(), events["time"].to_physical().to_numpy()
    order = np.lexsort((time, whose))
    named = (events["channel"] + ":" + events["event"]).alias("touchpoint")
    first = named.arg_unique().to_numpy()
    touchpoints = pl.DataFrame([names[first] for names in (named, events["channel"], events["event"])])
    code = named.cast(pl.Enum(touchpoints["touchpoint"])).to_physical().cast(pl.Int32).to_numpy()
    edges = np.searchsorted(whose[order], np.append(person, person[-1] + 1 if len(person) else 0))
    offsets = edges.astype(np.int64)
    arrays = EventArrays(person, offsets, time[order], code[order], np.arange(len(person), dtype=np.int64), offsets)
    columns = [events[name][order] for name in needs]
    attributes = pl.DataFrame([one.cast(pl.Categorical) if one.dtype == pl.String else one for one in columns])
    start, end = (int(time.min()), int(time.max())) if len(time) else (0, 0)
    bucket = MemoryBucket(arrays, attributes)
    return Journeys([bucket], touchpoints, attributes.schema, rule=SessionRule(None), start=start, end=end)


def no_events() -> pl.DataFrame:
    """Return a frame of no events."""
    return pl.DataFrame(schema={"person": pl.Int64, "time": TIME, "channel": pl.String, "event": pl.String})
