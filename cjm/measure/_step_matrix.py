"""At which touchpoint paths are at each of their steps."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
import polars as pl

from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.measure._by import By, group_names, slices
from cjm.measure._common import END, START, check_count, summed
from cjm.measure._labels import hidden, with_absent
from cjm.measure._path_groups import path_groups
from cjm.measure._rates import DIFFERENCE, check_level, check_mask, compared, interval, masked, share
from cjm.measure._tally import tallied
from cjm.measure._unit import Unit, paths_of

__all__ = ["step_matrix"]

_RESULT = ["step", "touchpoint", "persons", "of", "share", "low", "high"]


def step_matrix(
    journeys: Journeys,
    *,
    steps: int = 10,
    align: str | None = None,
    before: int | None = None,
    occurrence: Literal["first", "last"] = "first",
    unit: Unit = "person",
    by: By | None = None,
    versus: object = None,
    level: float = 0.95,
    min_persons: int = 0,
) -> pl.DataFrame:
    """Say at which touchpoint persons are at each step of their path.

    Parameters
    ----------
    journeys : Journeys
    steps : int
        How many steps to show; with ``align``, how many after it, and before it unless ``before`` says otherwise.
    align : str, optional
        A touchpoint: where it occurs in a path is step 0, and paths without it are left out. By default step 1 is the
        first event of each path.
    before : int, optional
        With ``align``: how many steps before it to show, 0 or more.
    occurrence : {"first", "last"}
        With ``align``: which of its occurrences in a path is step 0.
    unit : {"person", "session"} or Goal
        Whose paths are shown.
    by : str, Cohort, Period, Goal or list of Goal, optional
        Split paths by the group of their first event.
    versus : object, optional
        A group of ``by``: compare the shares of the others with its own.
    level : float
        Confidence level of the intervals, between 0 and 1.
    min_persons : int
        Hide the figures of rows about fewer persons.

    Returns
    -------
    polars.DataFrame
        One row a step and touchpoint that occurs there: ``by`` if given, ``step``, ``touchpoint``, ``persons`` who are
        there (or sessions, or journeys: whatever the ``unit``), ``of`` (all that are shown, the same at every step),
        ``share`` and its Wilson interval ``low``, ``high``. Paths that are over are at ``(end)``, those that have not
        begun (with ``align``) at ``(start)``, so that the shares of a step add up to 1. By group and step, most
        persons first, then by touchpoint. With ``versus``: ``difference``, ``difference_low``, ``difference_high``.

    Raises
    ------
    ArgumentError
        For a touchpoint that does not occur, ``steps`` below 1, ``before`` without ``align``, or unknown values.

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
    check_level(level)
    check_mask(min_persons)
    low = _first_step(steps, align, before)
    if occurrence not in ("first", "last"):
        raise ArgumentError.unknown("value", str(occurrence), ("first", "last"), where="occurrence=")
    target = -1 if align is None else int(journeys.codes([align])[0])
    keys = group_names(by)
    counted = _counted(journeys, unit, by, target, occurrence == "last", low, steps)
    whole = pl.col("step") > steps  # the step after the last stands for all paths that are shown
    totals = counted.filter(whole).select(*keys, of="persons", __of="__persons")
    there = counted.filter(~whole)
    rows = there.join(totals, on=keys, how="left", nulls_equal=True) if keys else there.join(totals, how="cross")
    names = pl.Series([*journeys.touchpoints["touchpoint"], END, START], dtype=pl.String)
    rows = rows.with_columns(names.gather(rows["__code"]).alias("touchpoint")).sort(
        *keys, "step", pl.col("persons").neg(), "touchpoint", nulls_last=True
    )
    cell = ["step", "touchpoint"]
    rows = with_absent(rows, by, versus, cell, ["persons", "__persons"], ["of", "__of"])
    rows = rows.with_columns(interval(rows, "persons", "of", level)).with_columns(
        share=share(rows["persons"], rows["of"])
    )
    rows = compared(rows, by, versus, cell, "persons", "of", level)
    rows = hidden(rows, by, versus, min_persons, cell, ["__persons"], ["persons", "share", "low", "high"], "__of")
    rows = masked(rows, min_persons, ["__of"], ["of"])
    return rows.filter("__shown").select(*keys, *_RESULT, *(DIFFERENCE if versus is not None else []))


def _first_step(steps: int, align: str | None, before: int | None) -> int:
    if align is None:
        if before is not None:
            raise ArgumentError.at("there is nothing to be before", where="before=", hint="Give align= as well")
        return 1
    if before is None:
        return -steps
    if not isinstance(before, int) or isinstance(before, bool) or before < 0:
        raise ArgumentError.at(f"must be a whole number, zero or more, not {before!r}", where="before=")
    return -before


def _counted(
    journeys: Journeys, unit: Unit, by: By | None, target: int, latest: bool, low: int, high: int
) -> pl.DataFrame:
    """Return ``by``, ``step``, ``__code``, ``persons`` (paths) and ``__persons`` (persons), in no order.

    Rows of the step ``high + 1`` say how many paths are shown.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_steps import step_batch

    known = journeys.touchpoints.height
    width = high - low + 2
    parts = []
    for part in slices(journeys, by, [*_RESULT, *DIFFERENCE]):
        paths = paths_of(part.journeys, unit)
        fill = partial(
            step_batch,
            as_array(paths.offsets, np.int64),
            as_array(paths.code, np.int32),
            as_array(path_groups(part, paths), np.int32),
            as_array(paths.owner, np.int64),
            target,
            latest,
            low,
            high,
            known,
        )
        key, count, owners = tallied(fill, len(paths.owner), width)
        cell, code = np.divmod(key, known + 2)
        group, step = np.divmod(cell, width)
        found = pl.DataFrame({"step": step + low, "__code": code, "persons": count, "__persons": owners})
        parts.append(found if part.groups is None else found.with_columns(part.groups.named(group)))
    return summed(parts, [*group_names(by), "step", "__code"])
