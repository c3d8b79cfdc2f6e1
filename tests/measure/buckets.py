"""The same journeys in several buckets."""

from __future__ import annotations

import numpy as np

from cjm.journeys import Journeys
from cjm.journeys._bucket import MemoryBucket


def in_buckets(journeys: Journeys, n: int) -> Journeys:
    """Cut the persons into at most ``n`` ranges of about equal number, a bucket each; all numbers stay."""
    offsets = journeys.arrays.offsets
    columns = journeys.attributes
    buckets = []
    for persons in np.array_split(np.arange(len(offsets) - 1), n):
        if len(persons):
            rows = np.arange(offsets[persons[0]], offsets[persons[-1] + 1])
            buckets.append(MemoryBucket(journeys.arrays.take(rows), columns[rows]))
    if not buckets:
        return journeys
    return Journeys(
        buckets, journeys.touchpoints, journeys.schema, rule=journeys.rule, start=journeys.start, end=journeys.end
    )
