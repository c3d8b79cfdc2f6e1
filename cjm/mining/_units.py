"""Whose sequences are mined, and what stands in them: persons, sessions or journeys, touchpoints and their groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError, ContractError
from cjm.journeys import Journeys
from cjm.mining._family import unit_offsets
from cjm.ragged import offsets_of_sorted

__all__ = ["Part", "Taxonomy", "Units", "codes_of", "units_of"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
Taxonomy: TypeAlias = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, eq=False)
class Part:
    """Unit ``i`` has the items ``[offsets[i], offsets[i + 1])``; items with the same ``event`` stand for one event.

    Where simultaneous events are taken together, all of them are one event, with each item once, in ascending order.

    Attributes
    ----------
    code : ndarray of int32
        Places in ``Units.names``.
    offsets : ndarray of int64, shape (units + 1,)
    event : ndarray of int64
        Number of the event of each item, ascending.
    time : ndarray of int64
        Of each item, microseconds.
    unit : ndarray of int64, shape (units,)
        Number of the person, session or journey.
    """

    code: CodeArray
    offsets: IntArray
    event: IntArray
    time: IntArray
    unit: IntArray


@dataclass(frozen=True, eq=False)
class Units:
    """What is mined, bucket by bucket.

    Attributes
    ----------
    names : polars.Series
        Touchpoints and groups, ascending.
    """

    journeys: Journeys
    by: str | pl.DataFrame
    where: str
    names: pl.Series
    collapse: bool
    simultaneous: bool
    required: IntArray
    ends: IntArray
    new_code: CodeArray
    above: IntArray | None
    above_offsets: IntArray | None

    def parts(self) -> Iterator[Part]:
        """Yield the units of each bucket; those that lack what is required are there without items."""
        if isinstance(self.by, pl.DataFrame):
            yield self._prepared(*_of_frame(self.by, self.journeys, self.where))
            return
        for bucket in self.journeys.buckets():
            offsets = unit_offsets(bucket, self.by, self.where)  # type: ignore[arg-type]
            unit = bucket.arrays.person if self.by == "person" else bucket.arrays.session_number
            yield self._prepared(bucket.arrays.code, offsets, bucket.arrays.time, unit)

    def _prepared(self, code: CodeArray, offsets: IntArray, time: IntArray, unit: IntArray) -> Part:
        event = np.arange(len(code), dtype=np.int64)
        if self.collapse and len(code):
            keep = np.ones(len(code), dtype=np.bool_)
            keep[1:] = code[1:] != code[:-1]
            keep[offsets[:-1][np.diff(offsets) > 0]] = True
            kept_before = np.concatenate(([0], np.cumsum(keep)))
            code, time, offsets = code[keep], time[keep], kept_before[offsets]
            event = np.arange(len(code), dtype=np.int64)
        if self.above is not None and self.above_offsets is not None:
            number = np.diff(self.above_offsets)[code]
            item_offsets = np.concatenate(([0], np.cumsum(number)))
            event = np.repeat(event, number)
            place = np.arange(item_offsets[-1]) - item_offsets[event] + self.above_offsets[code][event]
            code, time, offsets = self.above[place].astype(np.int32), time[event], item_offsets[offsets]
        elif not np.array_equal(self.new_code, np.arange(len(self.new_code))):
            code = self.new_code[code]
        if self.simultaneous:
            code, offsets, event, time = _together(code, offsets, time, len(self.names))
        for wanted in [*([one] for one in self.required), *([self.ends] if len(self.ends) else [])]:
            code, offsets, event, time = _holding(code, offsets, event, time, np.asarray(wanted))
        return Part(code, offsets, event, time, unit)


def units_of(
    journeys: Journeys,
    by: str | pl.DataFrame,
    *,
    where: str,
    taxonomy: Taxonomy | None = None,
    collapse: bool = False,
    simultaneous: bool = False,
    required: Sequence[str] = (),
    end: Sequence[str] = (),
) -> Units:
    """Check the arguments that say what is mined.

    Raises
    ------
    ArgumentError
        For an unknown unit or touchpoint, a group that bears the name of a touchpoint, or groups that hold each other.
    """
    touchpoints: list[str] = journeys.touchpoints["touchpoint"].to_list()
    groups = _groups(taxonomy or {}, touchpoints, where)
    names = pl.Series(
        "touchpoint", touchpoints + sorted({g for held in groups.values() for g in held}), dtype=pl.String
    )
    names = names.sort()
    place = {name: index for index, name in enumerate(names.to_list())}
    above = above_offsets = None
    if taxonomy is not None:
        lists = [sorted([place[name], *(place[group] for group in groups.get(name, ()))]) for name in touchpoints]
        above = np.array([code for codes in lists for code in codes], dtype=np.int64)
        above_offsets = np.concatenate(([0], np.cumsum([len(codes) for codes in lists]))).astype(np.int64)
    return Units(
        journeys,
        by,
        where,
        names,
        collapse,
        simultaneous,
        np.array(sorted(codes_of(required, names, "required", where)), dtype=np.int64),
        np.array(sorted(codes_of(end, names, "end", where)), dtype=np.int64),
        np.array([place[name] for name in touchpoints], dtype=np.int32),
        above,
        above_offsets,
    )


def codes_of(wanted: Sequence[str], names: pl.Series, argument: str, where: str) -> list[int]:
    """Return the places of names.

    Raises
    ------
    ArgumentError
        For a name that there is not, with the nearest one.
    """
    known = {name: code for code, name in enumerate(names.to_list())} if wanted else {}
    for name in wanted:
        if name not in known:
            raise ArgumentError.unknown("touchpoint", str(name), known, where=f"{where}({argument}=...)")
    return [known[name] for name in wanted]


def _groups(taxonomy: Taxonomy, touchpoints: Sequence[str], where: str) -> dict[str, list[str]]:
    """Return the groups of each touchpoint, those of its groups and so on."""
    parents = {name: [held] if isinstance(held, str) else list(held) for name, held in taxonomy.items()}
    there = set(touchpoints)
    groups = {group for held in parents.values() for group in held}
    clash = sorted(groups & there)
    if clash:
        raise ArgumentError.at(
            f"the group {clash[0]!r} bears the name of a touchpoint", where=f"{where}(taxonomy=...)", hint="Rename it"
        )
    for name in parents:
        if name not in there and name not in groups:
            raise ArgumentError.unknown("touchpoint", name, [*there, *groups], where=f"{where}(taxonomy=...)")
    result = {}
    for name in there & parents.keys():
        found: list[str] = []
        waiting = list(parents[name])
        while waiting:
            group = waiting.pop()
            if group not in found:
                found.append(group)
                waiting += parents.get(group, [])
        result[name] = found
    return result


def _of_frame(frame: pl.DataFrame, journeys: Journeys, where: str) -> tuple[CodeArray, IntArray, IntArray, IntArray]:
    """Return codes, offsets, times and numbers of the journeys in a frame that ``goal_events`` returned."""
    for name in ("journey", "touchpoint", "time"):
        if name not in frame.columns:
            raise ContractError.at(
                f"column {name!r} is missing",
                where=f"{where}(by=...)",
                hint="Give 'person', 'session', or the frame that cjm.goal_events returns",
            )
    if not frame["journey"].is_sorted():
        raise ArgumentError.at("journeys are not in order", where=f"{where}(by=...)", hint='Sort by "journey", "step"')
    distinct = frame["touchpoint"].unique().cast(pl.String)
    codes = pl.DataFrame({"touchpoint": distinct, "code": journeys.codes(distinct.to_list())})
    joined = frame.select(pl.col("touchpoint").cast(pl.String)).join(codes, on="touchpoint", maintain_order="left")
    journey = frame["journey"].cast(pl.Int64).to_numpy()
    offsets = offsets_of_sorted(journey)
    time = frame["time"].cast(pl.Datetime("us", "UTC")).to_physical().to_numpy()
    return joined["code"].to_numpy(), offsets, time, journey[offsets[:-1]]


def _together(
    code: CodeArray, offsets: IntArray, time: IntArray, n_names: int
) -> tuple[CodeArray, IntArray, IntArray, IntArray]:
    """Take events of one unit at one time as one, with each item once, in ascending order."""
    opens = np.ones(len(code), dtype=np.bool_)
    opens[1:] = time[1:] != time[:-1]
    opens[offsets[:-1][np.diff(offsets) > 0]] = True
    before = np.concatenate(([0], np.cumsum(opens)))  # how many of them begin before an item
    keys = np.sort((before[1:] - 1) * n_names + code)
    new = np.ones(len(keys), dtype=np.bool_)
    new[1:] = keys[1:] != keys[:-1]
    event, item = np.divmod(keys[new], n_names)
    return item.astype(np.int32), np.searchsorted(event, before[offsets]), event, time[opens][event]


def _holding(
    code: CodeArray, offsets: IntArray, event: IntArray, time: IntArray, wanted: IntArray
) -> tuple[CodeArray, IntArray, IntArray, IntArray]:
    """Empty the units in which none of the ``wanted`` items stands."""
    places = np.flatnonzero(np.isin(code, wanted))
    keep = np.zeros(len(offsets) - 1, dtype=np.bool_)
    keep[np.searchsorted(offsets, places, side="right") - 1] = True
    lengths = np.diff(offsets)
    items = np.repeat(keep, lengths)
    kept = np.concatenate(([0], np.cumsum(np.where(keep, lengths, 0)))).astype(np.int64)
    return code[items], kept, event[items], time[items]
