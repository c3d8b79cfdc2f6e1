"""Frequent sequences of more persons than are mined at once: part by part, then counted in all of them.

References
----------
Savasere, Omiecinski and Navathe (1995), An efficient algorithm for mining association rules in large databases, VLDB:
what enough persons of all have, enough persons of some part have as well.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import RunError
from cjm.mining._count import count_sequences
from cjm.mining._family import Family, ragged_lists
from cjm.mining._limits import Limits
from cjm.mining._search import search, supports
from cjm.mining._units import Units
from cjm.ragged import Ragged

__all__ = ["search_in_parts"]

IntArray = npt.NDArray[np.int64]
_EVENTS = 5_000_000  # of a part, about: the search takes some 70 bytes each


def search_in_parts(units: Units, support: IntArray, *, min_count: int, limits: Limits, **rest: Any) -> Family:
    """Return what :func:`search` finds, which takes the same arguments, and hold only a part of the events at once.

    Only persons under limits that :func:`count_sequences` knows are mined in parts, if their journeys lie in buckets.
    """
    parts = list(units.journeys.parts(_EVENTS)) if _divisible(units, limits) else []
    family = None
    if len(parts) > 1:
        found = _candidates([replace(units, journeys=part) for part in parts], support, min_count, limits, rest)
        family = None if found is None else _counted(units, found, min_count, limits)
    if family is None or len(family.counts) > rest["max_patterns"]:
        return search(units, support, min_count=min_count, limits=limits, **rest)
    return family


def _divisible(units: Units, limits: Limits) -> bool:
    plain = isinstance(units.by, str) and units.by == "person" and units.above is None and not units.collapse
    everything = not len(units.required) and not len(units.ends)
    return plain and everything and limits == Limits(max_gap=limits.max_gap, within=limits.within)


def _candidates(
    parts: list[Units], support: IntArray, min_count: int, limits: Limits, rest: dict[str, Any]
) -> pl.DataFrame | None:
    """Return ``codes``, ``least`` and ``most`` persons of what may be frequent; None if chance makes that too many.

    The thresholds of the parts, each less one, add up to less than ``min_count``: what is frequent reaches one of them.
    """
    told = [supports(part) for part in parts]
    n = sum(persons for _, persons in told)
    found, missed = [], 0
    for part, (own, persons) in zip(parts, told, strict=True):
        own[support < min_count] = 0
        threshold = max(1, -(-min_count * persons // n))
        missed += threshold - 1
        try:
            family = search(part, own, min_count=threshold, limits=limits, **rest)
        except RunError:
            return None
        codes = ragged_lists(pl.Series(family.patterns.values), family.patterns.offsets)
        frame = pl.DataFrame({"codes": codes, "least": family.counts})
        found.append(frame.with_columns(more=pl.lit(1 - threshold, dtype=pl.Int64)))
    whole = pl.concat(found).group_by("codes").agg(pl.col("least", "more").sum())
    most = pl.col("least") + pl.col("more") + missed
    return whole.select("codes", "least", most.alias("most")).filter(pl.col("most") >= min_count).sort("codes")


def _counted(units: Units, found: pl.DataFrame, min_count: int, limits: Limits) -> Family:
    """Count the sequences that some part did not find, and keep those that are frequent."""
    unsure = pl.col("least") < pl.col("most")
    known, open_ = found.filter(~unsure), found.filter(unsure)
    if open_.height:
        patterns = _ragged(open_["codes"])
        names = ragged_lists(units.names.gather(pl.Series(patterns.values)), patterns.offsets)
        everybody = [(units.journeys, np.zeros_like)]
        counts = count_sequences(everybody, names, limits.max_gap, limits.within, units.where)[0][:, 0]
        counted = open_.with_columns(least=pl.Series(counts)).filter(pl.col("least") >= min_count)
        known = pl.concat([known, counted]).sort("codes")
    return Family(_ragged(known["codes"]), known["least"].to_numpy())


def _ragged(lists: pl.Series) -> Ragged:
    offsets = np.concatenate(([0], np.cumsum(lists.list.len()))).astype(np.int64)
    return Ragged(lists.explode(empty_as_null=False).to_numpy(), offsets)
