"""Which mined paths deserve a hazard ratio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

import cjm
from cjm.durations import Duration
from cjm.errors import InputError
from cjm.job._after_paths import usual_window
from cjm.journeys import Journeys
from cjm.mining import split_persons
from cjm.patterns import Pattern
from cjm.survival import Subjects, early_window, screen

__all__ = ["clearest", "compared"]

_SURE = 0.05


def compared(
    journeys: Journeys,
    subjects: Subjects,
    paths: pl.DataFrame,
    *,
    window: str | None,
    max_gap: Duration | None,
    smallest: int,
) -> tuple[pl.DataFrame | None, str]:
    """Contrast what those who left and those who stayed did in equal times before; say what was done.

    Parameters
    ----------
    paths : polars.DataFrame
        Contract SEQUENCES.
    smallest : int
        Fewest persons of each kind that are compared; None is returned for fewer.
    """
    window = window or usual_window(subjects)
    early, outcome = early_window(journeys, subjects, window=window)
    seen = outcome.join(early.persons.select("person").collect(), on="person", how="semi", maintain_order="left")
    left = int(seen["outcome"].sum())
    if paths.is_empty() or min(left, seen.height - left) < smallest:
        return None, (
            f"What those who left and those who stayed did is not compared: fewer than {smallest} of one kind did "
            f"anything in their first {window}, were still there and could be seen for as long again."
        )
    return cjm.contrast(early, paths, seen, max_gap=max_gap), (
        f"What persons did in their first {window} is compared between the {left:,} who left in the next {window} and "
        f"the {seen.height - left:,} who did not; {paths.height:,} paths were tested."
    )


def clearest(
    journeys: Journeys,
    subjects: Subjects,
    paths: Mapping[str, Sequence[str]],
    patterns: Mapping[str, Pattern],
    *,
    adjust: Sequence[str],
    top: int,
    smallest: int,
) -> dict[str, Pattern]:
    """Return the paths that matter most among the persons of the first half; see ``split_persons``.

    Variations of one path say one thing, so of paths that lie within each other only the first is returned.
    ``patterns`` are the same paths with the limits of the miner.
    """
    try:
        found = screen(subjects.split(0.5)[0], split_persons(journeys)[0], patterns, adjust=adjust)
    except InputError:  # nobody of this half churned
        return {}
    clear = found.filter((pl.col("q") <= _SURE) & (pl.col("exposed") >= smallest))["term"]
    chosen: list[str] = []
    for name in clear:
        path = paths[name]
        alike = any(_within(path, paths[one]) or _within(paths[one], path) for one in chosen)
        if len(chosen) < top and len(path) > 1 and not alike:
            chosen.append(name)
    return {name: patterns[name] for name in chosen}


def _within(short: Sequence[str], long: Sequence[str]) -> bool:
    steps = iter(long)
    return all(step in steps for step in short)
