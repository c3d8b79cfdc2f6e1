"""Which mined paths deserve a hazard ratio."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

import cjm
from cjm.durations import Duration
from cjm.journeys import Journeys
from cjm.statistics import in_first_part

__all__ = ["Choice", "frequent", "told_apart"]


@dataclass(frozen=True)
class Choice:
    """Chosen paths, the comparison they come from (None where there was too little to compare), and what was done."""

    paths: list[list[str]]
    contrast: pl.DataFrame | None
    note: str


def told_apart(
    early: Journeys,
    outcome: pl.DataFrame,
    paths: pl.DataFrame,
    *,
    top: int,
    max_gap: Duration | None,
    smallest: int,
    window: str,
) -> Choice:
    """Contrast all paths on everybody; choose the best of one half of the persons (the first of ``split_persons``).

    Parameters
    ----------
    early, outcome
        From :func:`cjm.survival.early_window`.
    paths : polars.DataFrame
        Contract SEQUENCES.
    top : int
        How many paths to choose at most.
    smallest : int
        Fewest persons of each kind that are compared.
    window : str
        Length of the window, for the note.
    """
    acted = early.persons.select("person").collect()
    seen = outcome.join(acted, on="person", how="semi", maintain_order="left")
    if paths.is_empty() or not _enough(seen, smallest):
        return Choice(
            [],
            None,
            f"Those who left and those who stayed are not compared: fewer than {smallest} of one kind did anything in "
            f"their first {window}, were still there and could be seen for as long again.",
        )
    contrast = cjm.contrast(early, paths, seen, max_gap=max_gap)
    left, stayed = contrast.select("of_true", "of_false").row(0)
    note = (
        f"What persons did in their first {window} is compared between the {left:,} who left in the next {window} and "
        f"the {stayed:,} who did not; {paths.height:,} paths were tested."
    )
    half = seen.filter(pl.Series(in_first_part(seen["person"].to_numpy(), 0.5)))
    if top == 0 or not _enough(half, 1):
        return Choice([], contrast, note)
    ranked = cjm.contrast(cjm.split_persons(early)[0], paths, half, max_gap=max_gap)
    clear = ranked.filter((pl.col("q") <= 0.05) & (pl.col("length") > 1) & ~pl.col("prefix_only"))
    return Choice(_unlike(clear["pattern"].to_list(), top), contrast, note)


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
