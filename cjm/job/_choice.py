"""Which mined paths deserve a hazard ratio."""

from __future__ import annotations

import polars as pl

import cjm
from cjm.durations import Duration
from cjm.journeys import Journeys

__all__ = ["frequent", "told_apart"]


def told_apart(
    early: Journeys,
    outcome: pl.DataFrame,
    paths: pl.DataFrame,
    top: int,
    max_gap: Duration | None,
    *,
    smallest: int,
    window: str,
    tables: dict[str, pl.DataFrame],
    notes: list[str],
) -> list[list[str]]:
    """Contrast all paths on everybody, into ``tables``; choose the best of one half of the persons (even numbers)."""
    seen = outcome.filter(pl.col("person").is_in(early.arrays.person))
    if paths.is_empty() or not _enough(seen, smallest):
        notes.append(
            f"Those who left and those who stayed are not compared: fewer than {smallest} of one kind did anything in "
            f"their first {window}, were still there and could be seen for as long again."
        )
        return []
    contrast = cjm.contrast(early, paths, seen, max_gap=max_gap)
    tables["contrast"] = contrast
    left, stayed = contrast.select("of_true", "of_false").row(0)
    notes.append(
        f"What persons did in their first {window} is compared between the {left:,} who left in the next {window} and "
        f"the {stayed:,} who did not; {paths.height:,} paths were tested."
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
