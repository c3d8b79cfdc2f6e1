"""From where to where paths go, step by step."""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from cjm.journeys import Journeys
from cjm.measure._by import By, group_names, slices
from cjm.measure._common import END, OTHER, check_count, summed
from cjm.measure._path_groups import path_groups
from cjm.measure._rates import check_mask, masked
from cjm.measure._tally import tallied
from cjm.measure._unit import Unit, paths_of
from cjm.ragged import IntArray

__all__ = ["flow"]

_RESULT = ["step", "source", "target", "persons"]


def flow(
    journeys: Journeys,
    *,
    steps: int = 5,
    top: int = 8,
    unit: Unit = "person",
    by: By | None = None,
    min_persons: int = 0,
) -> pl.DataFrame:
    """Count who goes from where to where at each of the first steps: the table of a Sankey diagram.

    Parameters
    ----------
    journeys : Journeys
    steps : int
        How many steps from one touchpoint to the next.
    top : int
        Touchpoints kept by name: the most frequent among the events shown, of all groups together (of equals, the
        first by name). The others are ``(other)``.
    unit : {"person", "session"} or Goal
        Whose paths are shown.
    by : str, Cohort, Period, Goal or list of Goal, optional
        Split paths by the group of their first event.
    min_persons : int
        Hide the figures of rows about fewer persons.

    Returns
    -------
    polars.DataFrame
        ``by`` if given, ``step`` (k stands for the way from the k-th touchpoint to the next), ``source``, ``target``,
        ``persons`` (or sessions, or journeys: whatever the ``unit``). A path that is over goes to ``(end)`` once. By
        group and step, most persons first, then by source and target.

    Raises
    ------
    ArgumentError
        For an unknown ``unit`` or ``by``, or ``steps`` or ``top`` below 1.

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
    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_steps import flow_batch

    check_count("steps", steps)
    check_count("top", top)
    check_mask(min_persons)
    known = journeys.touchpoints.height
    kept = np.argsort(-_frequency(journeys, unit, by, steps + 1), kind="stable")[:top]
    label = np.full(known, len(kept), dtype=np.int32)  # (other)
    label[kept] = np.arange(len(kept), dtype=np.int32)
    labels = len(kept) + 2
    parts = []
    for part in slices(journeys, by, _RESULT):
        paths = paths_of(part.journeys, unit)
        fill = partial(
            flow_batch,
            as_array(paths.offsets, np.int64),
            as_array(paths.code, np.int32),
            as_array(path_groups(part, paths), np.int32),
            as_array(paths.owner, np.int64),
            as_array(label, np.int32),
            labels,
            steps,
        )
        key, count, owners = tallied(fill, len(paths.owner), steps)
        edge, target = np.divmod(key, labels)
        cell, source = np.divmod(edge, labels)
        group, step = np.divmod(cell, steps)
        found = pl.DataFrame(
            {"step": step + 1, "__source": source, "__target": target, "persons": count, "__persons": owners}
        )
        parts.append(found if part.groups is None else found.with_columns(part.groups.named(group)))
    keys = group_names(by)
    rows = summed(parts, [*keys, "step", "__source", "__target"])
    names = pl.Series([*journeys.touchpoints["touchpoint"].gather(pl.Series(kept)), OTHER, END], dtype=pl.String)
    rows = rows.with_columns(source=names.gather(rows["__source"]), target=names.gather(rows["__target"])).sort(
        *keys, "step", pl.col("persons").neg(), "source", "target", nulls_last=True
    )
    return masked(rows, min_persons, ["__persons"], ["persons"]).select(*keys, *_RESULT)


def _frequency(journeys: Journeys, unit: Unit, by: By | None, limit: int) -> IntArray:
    """Return how often each touchpoint is among the first events of the paths."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.measure_steps import add_frequency

    frequency = np.zeros(journeys.touchpoints.height, dtype=np.int64)
    for part in slices(journeys, by, _RESULT):
        paths = paths_of(part.journeys, unit)
        add_frequency(as_array(paths.offsets, np.int64), as_array(paths.code, np.int32), limit, frequency)
    return frequency
