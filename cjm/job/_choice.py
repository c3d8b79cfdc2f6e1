"""Which mined paths deserve a hazard ratio."""

from __future__ import annotations

import numpy as np
import polars as pl

import cjm
from cjm.durations import Duration, format_duration
from cjm.journeys import Journeys
from cjm.survival import Subjects

__all__ = ["early_window", "frequent", "told_apart"]


def early_window(journeys: Journeys, subjects: Subjects, window: int) -> tuple[Journeys, pl.DataFrame]:
    """Return what persons did in the first ``window`` microseconds of their time at risk, and who left in the next.

    Only persons still at risk at the end of the window count whose next window was observed as well, and only events
    that could be known to be theirs by then. So everybody is seen for equally long before and after: nobody has a path
    for having stayed, or is taken for a stayer for having come late.

    Returns
    -------
    journeys : Journeys
    outcome : polars.DataFrame
        ``person``, ``outcome``: all persons who count.
    """
    frame = subjects.frame
    entry, exit_ = frame["entry"].to_physical(), frame["exit"].to_physical()
    counts = (exit_ > entry + window) & (subjects.end >= entry + 2 * window)
    counts &= frame["churned"] | (exit_ >= entry + 2 * window)
    arrays = journeys.arrays
    persons = frame["person"].to_numpy()
    place = np.minimum(np.searchsorted(persons, arrays.person), len(persons) - 1)
    ours = (persons[place] == arrays.person) & counts.to_numpy()[place]
    starts = np.where(ours, entry.to_numpy()[place], np.iinfo(np.int64).max)
    row = arrays.person_row
    inside = (arrays.time >= starts[row]) & ours[row]
    inside[inside] &= arrays.known[inside] <= starts[row[inside]] + window
    early = journeys.filter(pl.lit(pl.Series("inside", inside)))
    left = frame["churned"] & (exit_ <= entry + 2 * window)
    return early, frame.select("person", left.alias("outcome")).filter(counts)


def told_apart(
    early: Journeys,
    outcome: pl.DataFrame,
    paths: pl.DataFrame,
    top: int,
    max_gap: Duration | None,
    *,
    smallest: int,
    window: int,
    tables: dict[str, pl.DataFrame],
    notes: list[str],
) -> list[list[str]]:
    """Contrast all paths on everybody, into ``tables``; choose the best of one half of the persons (even numbers)."""
    seen = outcome.filter(pl.col("person").is_in(early.arrays.person))
    span = format_duration(window)
    if paths.is_empty() or not _enough(seen, smallest):
        notes.append(
            f"Those who left and those who stayed are not compared: fewer than {smallest} of one kind did anything in "
            f"their first {span}, were still there and could be seen for as long again."
        )
        return []
    contrast = cjm.contrast(early, paths, seen, max_gap=max_gap)
    tables["contrast"] = contrast
    left, stayed = contrast.select("of_true", "of_false").row(0)
    notes.append(
        f"What persons did in their first {span} is compared between the {left:,} who left in the next {span} and the "
        f"{stayed:,} who did not; {paths.height:,} paths were tested."
    )
    even = pl.col("person") % 2 == 0
    half = seen.filter(even)
    if top == 0 or not _enough(half, 1):
        return []
    ranked = cjm.contrast(early.filter(even), paths, half, max_gap=max_gap)
    clear = ranked.filter((pl.col("q") <= 0.05) & (pl.col("length") > 1) & ~pl.col("prefix_only"))
    return _unlike(clear["pattern"].to_list(), top)


def frequent(paths: pl.DataFrame, top: int) -> list[list[str]]:
    """Return the paths of two steps or more that most persons have."""
    return _unlike(paths.filter(pl.col("length") > 1)["pattern"].to_list(), top)


def _enough(outcome: pl.DataFrame, smallest: int) -> bool:
    left = int(outcome["outcome"].sum())
    return min(left, outcome.height - left) >= smallest


def _unlike(paths: list[list[str]], top: int) -> list[list[str]]:
    """Return the first ``top`` paths of which none lies within another: variations of one path say one thing."""
    chosen: list[list[str]] = []
    for path in paths:
        if len(chosen) < top and not any(_within(path, one) or _within(one, path) for one in chosen):
            chosen.append(path)
    return chosen


def _within(short: list[str], long: list[str]) -> bool:
    steps = iter(long)
    return all(step in steps for step in short)
