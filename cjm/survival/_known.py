"""Paths as they could be known: never earlier than the persons of their events."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from cjm.contracts import TIME
from cjm.journeys import Journeys
from cjm.patterns import Pattern

__all__ = ["known_completions"]


def known_completions(journeys: Journeys, patterns: Mapping[str, Pattern | str], *, every: bool) -> pl.DataFrame:
    """Return when paths were complete and known.

    Stitching may give an anonymous event to a customer who logs in later. That the customer was still there to log in
    must not count for the path: it is dated when the last of the events from its start to its end could be known to be
    the person's. For a path that ends with an absence the window must have passed too.

    Parameters
    ----------
    journeys : Journeys
    patterns : mapping of str to Pattern or str
    every : bool
        All completions that were known at the completing event itself; otherwise the first of each person.

    Returns
    -------
    polars.DataFrame
        ``pattern``, ``person``, ``end``; sorted by pattern in the order given, and by person.
    """
    from cjm.matching import find_matches, named_patterns

    named = named_patterns(dict(patterns))
    arrays = journeys.arrays
    last_known = np.append(arrays.known, 0)
    parts = []
    for name, found in find_matches(journeys, named, occurrence="all").items():
        ranges = np.column_stack((found.start, found.end + 1)).ravel()
        known = np.maximum.reduceat(last_known, ranges)[::2] if len(ranges) else np.empty(0, dtype=np.int64)
        at = arrays.time[found.end] + (named[name].confirm_us or 0)
        dated = pl.DataFrame(
            {"person": arrays.person[found.person], "end": np.maximum(at, known), "at": at},
            schema={"person": pl.Int64, "end": pl.Int64, "at": pl.Int64},
        )
        if every:
            dated = dated.filter(pl.col("end") == pl.col("at")).sort("person", "end")
        else:
            dated = dated.group_by("person").agg(pl.col("end").min()).sort("person")
        parts.append(dated.select(pl.lit(name).alias("pattern"), "person", pl.col("end").cast(TIME)))
    return pl.concat(parts)
