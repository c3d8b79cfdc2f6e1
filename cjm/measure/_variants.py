"""Distinct paths and how many share them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from cjm.journeys import Journeys
from cjm.measure._by import By, group_names, slices
from cjm.measure._common import check_count
from cjm.measure._labels import Merged, hidden, labels_of, with_absent
from cjm.measure._path_groups import path_groups
from cjm.measure._rates import DIFFERENCE, check_level, check_mask, compared, interval, masked, share
from cjm.measure._unit import Unit, paths_of
from cjm.ragged import IntArray

__all__ = ["variants"]

_RESULT = ["path", "length", "count", "persons", "of", "share", "low", "high", "coverage"]
_ENDLESS = np.iinfo(np.int64).max


def variants(
    journeys: Journeys,
    *,
    unit: Unit = "person",
    by: By | None = None,
    collapse: bool = False,
    max_length: int | None = None,
    top: int | None = None,
    versus: object = None,
    level: float = 0.95,
    min_persons: int = 0,
) -> pl.DataFrame:
    """Count the distinct paths. Paths are compared touchpoint by touchpoint, so the count is exact.

    Parameters
    ----------
    journeys : Journeys
    unit : {"person", "session"} or Goal
        Whose path it is.
    by : str, Cohort, Period, Goal or list of Goal, optional
        Split paths by the group of their first event.
    collapse : bool
        Take touchpoints that repeat immediately as one.
    max_length : int, optional
        Cut paths after this many touchpoints (after ``collapse``).
    top : int, optional
        Only the ``top`` first rows of each group; shares stay those of all its paths.
    versus : object, optional
        A group of ``by``: compare the shares of the others with its own.
    level : float
        Confidence level of the intervals, between 0 and 1.
    min_persons : int
        Hide the figures of paths that fewer persons take.

    Returns
    -------
    polars.DataFrame
        ``by`` if given, ``path`` List[String], ``length``, ``count``, ``persons`` (whose paths these are), ``of`` (all
        paths of the group), ``share`` and its Wilson interval ``low``, ``high``, ``coverage`` (share of this and all
        rows above, in the group). By group, most frequent first, then in the order of their touchpoints. With
        ``versus``: ``difference``, ``difference_low``, ``difference_high``.

    Raises
    ------
    ArgumentError
        For an unknown ``unit``, ``by`` or ``versus``, or ``max_length`` or ``top`` below 1.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-02T10:00Z"],
    ...                       "what": ["home", "cart", "home"], "who": ["a", "a", "b"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.variants(journeys).select("path", "count", "share").rows()
    [(['web:home'], 1, 0.5), (['web:home', 'web:cart'], 1, 0.5)]
    """
    from cjm.kernels.measure_variants import gathered

    for name, value in (("max_length", max_length), ("top", top)):
        if value is not None:
            check_count(name, value)
    check_level(level)
    check_mask(min_persons)
    keys = group_names(by)
    found = _distinct(journeys, unit, by, collapse, _ENDLESS if max_length is None else max_length)
    order, coverage = found.ranked(journeys.touchpoints.height, top)
    # The group that others are compared with may have their paths below its own top.
    rows = found.table(order) if versus is None else found.compared_table()
    rows = with_absent(rows, by, versus, ["__path"], ["count", "persons"], ["of", "__of"])
    rows = rows.with_columns(interval(rows, "count", "of", level)).with_columns(share=share(rows["count"], rows["of"]))
    rows = compared(rows, by, versus, ["__path"], "count", "of", level)
    figures = ["count", "persons", "share", "low", "high"]
    rows = hidden(rows, by, versus, min_persons, ["__path"], ["persons"], figures, "__of")
    rows = masked(rows, min_persons, ["__of"], ["of"])
    rows = rows if versus is None else rows[order]
    codes, bounds = gathered(found.values, found.ends, order)
    rows = rows.with_columns(
        _lists(journeys.touchpoints["touchpoint"].gather(pl.Series(codes)), bounds).alias("path"),
        length=pl.Series(np.diff(bounds)),
        coverage=pl.when(pl.col("count").is_not_null()).then(coverage),
    )
    return rows.select(*keys, *_RESULT, *(DIFFERENCE if versus is not None else []))


@dataclass(frozen=True, eq=False)
class _Distinct:
    """Distinct paths of each group, in order of appearance.

    Attributes
    ----------
    values, ends : ndarray
        Path ``i`` is ``values[ends[i]:ends[i + 1]]``.
    group, count, persons : ndarray, one value a path
    labels : polars.Series
        The groups.
    of, people : ndarray, one value a group
        All its paths and persons.
    """

    values: npt.NDArray[np.int32]
    ends: IntArray
    group: npt.NDArray[np.int32]
    count: IntArray
    persons: IntArray
    labels: pl.Series
    of: IntArray
    people: IntArray

    def ranked(self, known: int, top: int | None) -> tuple[IntArray, pl.Series]:
        """Return the paths in the order of the result, the ``top`` of each group, and their coverage."""
        from cjm.kernels.measure_variants import sort_ties

        order = np.lexsort((-self.count, self.group))
        group, count = self.group[order], self.count[order]
        starts = np.searchsorted(group, np.arange(len(self.labels)))
        place = np.arange(len(order)) - starts[group]
        ties = np.ones(len(order) + 1, dtype=bool)
        ties[1:-1] = (group[1:] != group[:-1]) | (count[1:] != count[:-1])
        runs = np.flatnonzero(ties)
        summed = np.concatenate([[0], np.cumsum(count)])
        covered = summed[1:] - summed[starts[group]]
        coverage = share(pl.Series(covered), pl.Series(self.of[group]))
        wanted = np.ones(len(order), dtype=bool) if top is None else place < top
        # Of runs that begin below the top, the order does not matter.
        first = runs[:-1][wanted[runs[:-1]]]
        sort_ties(order, first, runs[1:][wanted[runs[:-1]]], self.values, self.ends, max(known, 1).bit_length())
        return order[wanted], coverage.filter(pl.Series(wanted))

    def table(self, rows: IntArray) -> pl.DataFrame:
        """Return group, ``count``, ``persons``, ``of`` and ``__of`` (persons) of some paths."""
        group = self.group[rows]
        return pl.DataFrame(
            {
                self.labels.name: self.labels.gather(pl.Series(group)),
                "count": self.count[rows],
                "persons": self.persons[rows],
                "of": self.of[group],
                "__of": self.people[group],
            }
        )

    def compared_table(self) -> pl.DataFrame:
        """Return the table of all paths with a column ``__path``, the same for equal paths of several groups."""
        every = np.arange(len(self.count))
        kind = _found(self.ends, self.values, np.zeros(len(every), dtype=np.int32), every)[-1]
        return self.table(every).with_columns(pl.Series("__path", kind))


def _distinct(journeys: Journeys, unit: Unit, by: By | None, collapse: bool, limit: int) -> _Distinct:
    """Find the distinct paths bucket by bucket, then among those of all buckets."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_variants import group_totals

    labels, totals, parts = [], [], []
    for part in slices(journeys, by, [*_RESULT, *DIFFERENCE]):
        paths = paths_of(part.journeys, unit)
        group = path_groups(part, paths)
        values, ends, first, count, persons, _ = _found(
            paths.offsets, paths.code, group, paths.owner, collapse=collapse, limit=limit
        )
        parts.append((values, ends, group[first], count, persons))
        labels.append(labels_of(part))
        totals.append(group_totals(as_array(group, np.int32), as_array(paths.owner, np.int64), len(labels[-1])))
    merged = Merged(labels)
    (name,) = group_names(by) or [merged.labels.name]
    of, people = np.zeros((2, len(merged.labels)), dtype=np.int64)
    for place, (of_part, people_part) in zip(merged.places, totals, strict=True):
        of[place] += of_part
        people[place] += people_part
    groups = [place[part[2]] for place, part in zip(merged.places, parts, strict=True)]
    values, ends, _, count, persons = parts[0]
    group = groups[0].astype(np.int32)
    if len(parts) > 1:
        lengths = np.concatenate([np.diff(part[1]) for part in parts])
        group = np.concatenate(groups).astype(np.int32)
        values, ends, first, count, persons, _ = _found(
            np.concatenate([[0], np.cumsum(lengths)]),
            np.concatenate([part[0] for part in parts]),
            group,
            np.arange(len(group)),
            np.concatenate([part[3] for part in parts]),
            np.concatenate([part[4] for part in parts]),
        )
        group = group[first]
    return _Distinct(values, ends, group, count, persons, merged.labels.alias(name), of, people)


def _found(
    offsets: IntArray,
    code: npt.NDArray[np.int32],
    group: npt.NDArray[np.int32],
    owner: IntArray,
    weight: IntArray | None = None,
    people: IntArray | None = None,
    *,
    collapse: bool = False,
    limit: int = _ENDLESS,
) -> tuple[npt.NDArray[Any], ...]:
    """Call the kernel; each path counts once, and for one person, unless it is said for how many."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_variants import distinct_paths

    once = np.ones(len(group), dtype=np.int64)
    return distinct_paths(
        as_array(offsets, np.int64),
        as_array(code, np.int32),
        as_array(group, np.int32),
        as_array(owner, np.int64),
        as_array(once if weight is None else weight, np.int64),
        as_array(once if people is None else people, np.int64),
        collapse,
        limit,
    )


def _lists(values: pl.Series, offsets: IntArray) -> pl.Series:
    """Return ``values`` as one list a run of ``offsets``, without a copy of the values."""
    newest = values.to_arrow(compat_level=pl.CompatLevel.newest())
    return pl.Series(pl.from_arrow(pa.LargeListArray.from_arrays(pa.array(offsets), newest)))
