"""How subjects came about, in numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from cjm.durations import format_duration
from cjm.journeys import Journeys
from cjm.ragged import places_in_sorted
from cjm.survival._churn import Churn
from cjm.survival._counts import median_of, time_rows
from cjm.survival._times import signs_of_life, silences

__all__ = ["audit_table"]

Row = tuple[str, int | None, float | None, str]


def audit_table(
    journeys: Journeys,
    churn: Churn,
    frame: pl.DataFrame,
    *,
    considered: int,
    left_out: Sequence[Row],
    end: int,
) -> pl.DataFrame:
    """Return ``measure``, ``count``, ``share``, ``meaning``."""
    size = frame.height
    rows: list[Row] = [("persons considered", considered, None, "persons at risk before any were left out"), *left_out]
    spells = frame.filter(pl.col("spell") > 1).height if "spell" in frame.columns else 0
    persons = size - spells
    rows.append(("subjects", persons, persons / considered, "share of persons considered: those that are analysed"))
    if "spell" in frame.columns:
        rows.append(("later spells", spells, spells / size, "share of spells: after an earlier churn of the person"))
    counted = "spells" if "spell" in frame.columns else "subjects"
    ends = dict(frame["end"].value_counts().iter_rows())
    for name in ["churn", "censored", *sorted(set(ends) - {"churn", "censored"})]:
        count = ends.get(name, 0)
        rows.append((f"end: {name}", count, count / size, f"share of {counted}: how observation ended"))
    late = int((frame["entry_days"] > 0).sum())
    rows.append(("late entries", late, late / size, "share of subjects: were there before they were observed"))
    churned = frame.filter("churned")
    tied = int(churned["duration"].is_duplicated().sum())
    rows.append(
        ("tied churn times", tied, tied / max(churned.height, 1), "share of churned: same duration as another's")
    )
    days = (frame["duration"] - frame["entry_days"]).to_numpy()
    rows.append(("days at risk", round(float(days.sum())), None, "days for which subjects were observed, together"))
    rows.append(("follow-up", *_follow_up(frame), "median days if nobody had churned (reverse Kaplan-Meier)"))
    after = _events_after(journeys, churned if spells == 0 else _last(frame).filter("churned"), end)
    rows.append(("events after churn", after, None, "events of churned subjects after their exit; they are not used"))
    if churn.kind == "inactive":
        rows += _inactivity(signs_of_life(journeys, churn.touchpoints), churn.gap, end, frame["person"])
    return pl.DataFrame(
        rows,
        schema={"measure": pl.String, "count": pl.Int64, "share": pl.Float64, "meaning": pl.String},
        orient="row",
    )


def _last(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the last spell of each person."""
    return frame.unique("person", keep="last", maintain_order=True)


def _follow_up(frame: pl.DataFrame) -> tuple[int | None, None]:
    rows = time_rows(frame["entry_days"].to_numpy(), frame["duration"].to_numpy(), ~frame["churned"].to_numpy())
    median = median_of(rows)
    return (None if np.isnan(median) else round(median)), None


def _events_after(journeys: Journeys, churned: pl.DataFrame, end: int) -> int:
    after = 0
    for bucket in journeys.buckets():
        arrays = bucket.arrays
        place = places_in_sorted(arrays.person, churned["person"].to_numpy())
        known = place >= 0
        limit = np.full(len(arrays.person), np.iinfo(np.int64).max)
        limit[place[known]] = churned["exit"].to_physical().to_numpy()[known]
        after += int(((arrays.time > limit[arrays.person_row]) & (arrays.time <= end)).sum())
    return after


def _inactivity(journeys: Journeys, gap: int, end: int, persons: pl.Series) -> list[Row]:
    """Return the false-churn rate at the gap, at half and at twice of it."""
    rows: list[Row] = []
    for length in (gap // 2, gap, 2 * gap):
        found = silences(journeys, length, end).filter(pl.col("person").is_in(persons.implode()))
        back = int(found["returned"].sum())
        text = format_duration(length)
        rows.append((f"silences > {text}", found.height, None, "silences of subjects that were seen to last longer"))
        rows.append(
            (
                f"false churn at {text}",
                back,
                back / max(found.height, 1),
                "share of those silences that ended in a return",
            )
        )
    return rows
