"""Whole paths: variants, the touchpoint at each step, and the flow from step to step."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from cjm.journeys import Journeys
from cjm.measure._common import END, OTHER, START, check_count, path_offsets, share
from cjm.ragged import IntArray, offsets_of_sorted

__all__ = ["flow", "step_matrix", "variants"]


def variants(
    journeys: Journeys,
    *,
    by: str = "person",
    collapse: bool = False,
    max_length: int | None = None,
    top: int | None = None,
) -> pl.DataFrame:
    """Count the distinct paths. Paths are compared touchpoint by touchpoint, so the count is exact.

    Parameters
    ----------
    journeys : Journeys
    by : {"person", "session"}
        Whose path it is.
    collapse : bool
        Take touchpoints that repeat immediately as one.
    max_length : int, optional
        Cut paths after this many touchpoints (after ``collapse``).
    top : int, optional
        Only the ``top`` first rows; shares stay those of all paths.

    Returns
    -------
    polars.DataFrame
        ``path`` List[String], ``length``, ``count``, ``share`` (of all paths), ``coverage`` (share of this and all
        rows above). Most frequent first, then in the order of their touchpoints.

    Raises
    ------
    ArgumentError
        For an unknown ``by``, or ``max_length`` or ``top`` below 1.

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
    for name, value in (("max_length", max_length), ("top", top)):
        if value is not None:
            check_count(name, value)
    offsets = path_offsets(journeys, by)
    code = journeys.arrays.code
    owner = np.repeat(np.arange(len(offsets) - 1, dtype=np.int64), np.diff(offsets))
    if collapse:
        keep = np.ones(len(code), dtype=bool)
        keep[1:] = (code[1:] != code[:-1]) | (owner[1:] != owner[:-1])
        code, owner = code[keep], owner[keep]
    if max_length is not None:
        keep = _position(offsets_of_sorted(owner)) < max_length
        code, owner = code[keep], owner[keep]
    # Codes are in the order of the names, so sorting lists of codes sorts the paths.
    rows = (
        pl.DataFrame({"__path": _lists(pa.array(code), offsets_of_sorted(owner))})
        .group_by("__path")
        .agg(count=pl.len().cast(pl.Int64))
        .sort("count", "__path", descending=[True, False])
    )
    count, total = rows["count"], len(offsets) - 1
    rows = rows.with_columns(
        length=pl.col("__path").list.len().cast(pl.Int64),
        share=share(count, total),
        coverage=share(count.cum_sum(), total),
    ).slice(0, top)
    names = journeys.touchpoints["touchpoint"].gather(rows["__path"].list.explode())
    path = _lists(names.to_arrow(), np.append(0, np.cumsum(rows["length"].to_numpy())))
    return rows.select(path.alias("path"), "length", "count", "share", "coverage")


def step_matrix(journeys: Journeys, *, steps: int = 10, align: str | None = None) -> pl.DataFrame:
    """Say at which touchpoint persons are at each step of their path.

    Parameters
    ----------
    journeys : Journeys
    steps : int
        How many steps to show; with ``align``, how many before and how many after it.
    align : str, optional
        A touchpoint: its first occurrence in the path of a person is step 0, and persons without it are left out.
        By default step 1 is the first event of each person.

    Returns
    -------
    polars.DataFrame
        One row a step and touchpoint that occurs there: ``step``, ``touchpoint``, ``persons`` who are there, ``of``
        (all persons shown, the same at every step), ``share``. Persons whose path is over are at ``(end)``, those
        whose path has not begun (with ``align``) at ``(start)``, so that the shares of a step add up to 1. By step,
        most persons first, then by touchpoint.

    Raises
    ------
    ArgumentError
        For a touchpoint that does not occur, or ``steps`` below 1.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-02T10:00Z"],
    ...                       "what": ["home", "cart", "home"], "who": ["a", "a", "b"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.step_matrix(journeys, steps=2).select("step", "touchpoint", "persons", "of").rows()
    [(1, 'web:home', 2, 2), (2, '(end)', 1, 2), (2, 'web:cart', 1, 2)]
    """
    check_count("steps", steps)
    arrays = journeys.arrays
    person = arrays.person_row
    if align is None:
        shown = np.arange(len(arrays.person), dtype=np.int64)
        step = _position(arrays.offsets) + 1
        grid = np.arange(1, steps + 1, dtype=np.int64)
    else:
        hits = np.flatnonzero(arrays.code == journeys.codes([align])[0])
        shown, first = np.unique(person[hits], return_index=True)
        anchor = np.full(len(arrays.person), -1, dtype=np.int64)
        anchor[shown] = hits[first]
        step = np.arange(len(person), dtype=np.int64) - anchor[person]
        step[anchor[person] < 0] = steps + 1  # beyond what is shown
        grid = np.arange(-steps, steps + 1, dtype=np.int64)
    code = pl.Series(arrays.code)
    counted = (
        pl.DataFrame({"step": step, "__code": code})
        .filter(pl.col("step").is_between(int(grid[0]), int(grid[-1])))
        .group_by("step", "__code")
        .agg(persons=pl.len().cast(pl.Int64))
    )
    there = counted.select(
        "step", journeys.touchpoints["touchpoint"].gather(counted["__code"]).alias("touchpoint"), "persons"
    )
    absent = (
        pl.DataFrame({"step": grid})
        .join(there.group_by("step").agg(pl.col("persons").sum()), on="step", how="left")
        .select(
            "step",
            pl.when(pl.col("step") < 0).then(pl.lit(START)).otherwise(pl.lit(END)).alias("touchpoint"),
            (len(shown) - pl.col("persons").fill_null(0)).alias("persons"),
        )
        .filter(pl.col("persons") > 0)
    )
    rows = pl.concat([there, absent])
    return rows.with_columns(of=pl.lit(len(shown), pl.Int64), share=share(rows["persons"], len(shown))).sort(
        "step", "persons", "touchpoint", descending=[False, True, False]
    )


def flow(journeys: Journeys, *, steps: int = 5, top: int = 8, by: str = "person") -> pl.DataFrame:
    """Count who goes from where to where at each of the first steps: the table of a Sankey diagram.

    Parameters
    ----------
    journeys : Journeys
    steps : int
        How many steps from one touchpoint to the next.
    top : int
        Touchpoints kept by name: the most frequent among the events shown (of equals, the first by name). The others
        are ``(other)``.
    by : {"person", "session"}
        Whose paths are shown.

    Returns
    -------
    polars.DataFrame
        ``step`` (k stands for the way from the k-th touchpoint to the next), ``source``, ``target``, ``persons``
        (number of persons, or of sessions if ``by="session"``). A path that is over goes to ``(end)`` once. By step,
        most persons first, then by source and target.

    Raises
    ------
    ArgumentError
        For an unknown ``by``, or ``steps`` or ``top`` below 1.

    Examples
    --------
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-01T10:05Z", "2026-01-02T10:00Z"],
    ...                       "what": ["home", "cart", "home"], "who": ["a", "a", "b"]})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> cjm.flow(journeys).rows()
    [(1, 'web:home', '(end)', 1), (1, 'web:home', 'web:cart', 1), (2, 'web:cart', '(end)', 1)]
    """
    check_count("steps", steps)
    check_count("top", top)
    offsets = path_offsets(journeys, by)
    code = journeys.arrays.code
    position = _position(offsets)
    known = journeys.touchpoints.height
    frequency = np.bincount(code[position <= steps], minlength=known)
    label = np.full(known + 1, known, dtype=np.int32)  # (other)
    kept = np.argsort(-frequency, kind="stable")[:top]
    label[kept] = kept
    target = np.full(len(code), known + 1, dtype=np.int32)  # (end)
    inner = np.ones(len(code), dtype=bool)
    inner[offsets[1:] - 1] = False
    target[inner] = label[code[1:]][inner[:-1]]
    shown = position < steps
    names = pl.Series([*journeys.touchpoints["touchpoint"], OTHER, END], dtype=pl.String)
    counted = (
        pl.DataFrame({"step": position[shown] + 1, "__source": label[code[shown]], "__target": target[shown]})
        .group_by("step", "__source", "__target")
        .agg(persons=pl.len().cast(pl.Int64))
    )
    return counted.select(
        "step",
        names.gather(counted["__source"]).alias("source"),
        names.gather(counted["__target"]).alias("target"),
        "persons",
    ).sort("step", "persons", "source", "target", descending=[False, True, False, False])


def _position(offsets: IntArray) -> IntArray:
    """Return the place of each event in its path, from 0."""
    return np.arange(offsets[-1], dtype=np.int64) - np.repeat(offsets[:-1], np.diff(offsets))


def _lists(values: pa.Array, offsets: IntArray) -> pl.Series:
    """Return ``values`` as one list a run of ``offsets``, without a copy of the values."""
    return pl.Series(pl.from_arrow(pa.LargeListArray.from_arrays(pa.array(offsets), values)))
