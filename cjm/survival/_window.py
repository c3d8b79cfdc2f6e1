"""Equal windows: what persons did first, and who left next."""

from __future__ import annotations

import numpy as np
import polars as pl

from cjm.durations import Duration, to_us
from cjm.errors import ArgumentError
from cjm.journeys import Journeys
from cjm.ragged import places_in_sorted
from cjm.survival._subjects import Subjects

__all__ = ["early_window"]


def early_window(journeys: Journeys, subjects: Subjects, *, window: Duration) -> tuple[Journeys, pl.DataFrame]:
    """Return what persons did in their first days at risk, and who of them left in as many days after.

    For :func:`cjm.contrast`. Only persons still at risk at the end of the window count whose next window was observed
    as well, and only events that could be known to be theirs by then. So everybody is seen for equally long before and
    after: nobody has a path for having stayed, or is taken for a stayer for having come late.

    Parameters
    ----------
    journeys : Journeys
    subjects : Subjects
    window : duration
        Length of both windows.

    Returns
    -------
    journeys : Journeys
        Events from entry up to the end of the first window.
    outcome : polars.DataFrame
        ``person``, ``outcome`` (whether they left in the second window): all persons who count.

    Raises
    ------
    ArgumentError
        For churn by silence: whoever is more active has more of every path and fewer silences.

    References
    ----------
    Anderson, Cain and Gelber (1983), Analysis of survival by tumor response, Journal of Clinical Oncology 1.

    Examples
    --------
    >>> from cjm.survival._example import example, example_journeys
    >>> early, outcome = early_window(example_journeys(), example(), window="1d")
    >>> outcome.columns
    ['person', 'outcome']
    """
    if subjects.churn.kind == "inactive":
        raise ArgumentError.at(
            "those who are silent later were less active before, whatever they did",
            where="early_window",
            hint="Use PathHazard, which compares events with the same number",
        )
    length = to_us(window, "window")
    frame = subjects.frame
    entry, exit_ = frame["entry"].to_physical(), frame["exit"].to_physical()
    counts = (exit_ > entry + length) & (subjects.end >= entry + 2 * length)
    counts &= frame["churned"] | (exit_ >= entry + 2 * length)
    parts = []
    for bucket in journeys.buckets():
        arrays = bucket.arrays
        place = places_in_sorted(frame["person"].to_numpy(), arrays.person)
        ours = (place >= 0) & counts.to_numpy()[place]
        starts = np.where(ours, entry.to_numpy()[place], np.iinfo(np.int64).max)
        row = arrays.person_row
        inside = (arrays.time >= starts[row]) & ours[row]
        inside[inside] &= arrays.known[inside] <= starts[row[inside]] + length
        parts.append(inside)
    early = journeys.filter(pl.lit(pl.Series("inside", np.concatenate(parts))))
    left = frame["churned"] & (exit_ <= entry + 2 * length)
    return early, frame.select("person", left.alias("outcome")).filter(counts)
