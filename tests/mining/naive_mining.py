"""Slow, obvious miners to check the fast ones against, and random journeys."""

import gzip
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise

import numpy as np
import polars as pl
from hypothesis import strategies as st

from cjm.journeys import Journeys
from cjm.journeys._build import journeys_from_frame
from cjm.ragged import Ragged

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SESSION_GAP = 2 * MINUTE


def journeys_of(rows, gap=SESSION_GAP):
    """Journeys from (person, minute, event) in order of arrival; the channel is what stands before a ":"."""
    frame = pl.DataFrame(
        {
            "person": [row[0] for row in rows],
            "time": [START + row[1] * MINUTE for row in rows],
            "channel": ["web"] * len(rows),
            "event": [row[2] for row in rows],
        },
        schema={"person": pl.Int64, "time": pl.Datetime("us", "UTC"), "channel": pl.String, "event": pl.String},
    )
    return journeys_from_frame(frame, gap=gap // timedelta(microseconds=1))


def in_buckets(journeys, first):
    """The same journeys in two buckets (one if the second would be empty)."""
    buckets = [journeys.filter(pl.col("person") <= first), journeys.filter(pl.col("person") > first)]
    held = [bucket for part in buckets if part.height for bucket in part._buckets]
    return Journeys(held, journeys.touchpoints, journeys.schema, rule=journeys.rule, start=0, end=journeys.end)


NAMES = ["a", "b", 'c -> "d", e:f', "ż"]
random_rows = st.integers(1, 4).flatmap(
    lambda kinds: st.lists(
        st.tuples(st.integers(1, 5), st.integers(0, 6), st.sampled_from(NAMES[:kinds])), min_size=1, max_size=15
    )
)


def units(journeys, by):
    """The events (time, touchpoint) of each person or session."""
    frame = journeys.frame.collect()
    return [
        list(zip(part["time"], part["touchpoint"], strict=True)) for part in frame.partition_by(by, maintain_order=True)
    ]


def subsequences(events, longest, max_gap=None, within=None):
    """Every pattern that some occurrence within the limits shows."""
    found = set()
    for length in range(1, min(longest, len(events)) + 1):
        for chosen in combinations(events, length):
            times = [time for time, _ in chosen]
            if max_gap is not None and any(b - a > max_gap for a, b in pairwise(times)):
                continue
            if within is not None and times[-1] - times[0] > within:
                continue
            found.add(tuple(name for _, name in chosen))
    return found


def contains(longer, shorter):
    rest = iter(longer)
    return all(step in rest for step in shorter)


def contains_unbroken(longer, shorter):
    n = len(shorter)
    return any(longer[i : i + n] == shorter for i in range(len(longer) - n + 1))


def reduce_kind(family, kind, inside):
    """Keep closed or maximal patterns, or generators, by comparing all with all."""
    if kind == "all":
        return family
    if kind == "generator":
        return {
            pattern: count
            for pattern, count in family.items()
            if not any(
                len(other) < len(pattern) and inside(pattern, other) and other_count == count
                for other, other_count in family.items()
            )
        }
    return {
        pattern: count
        for pattern, count in family.items()
        if not any(
            len(other) > len(pattern) and inside(other, pattern) and (kind == "maximal" or other_count == count)
            for other, other_count in family.items()
        )
    }


def naive_sequences(
    journeys, min_count, min_length=1, max_length=None, kind="all", max_gap=None, within=None, by="person"
):
    counted = Counter()
    for events in units(journeys, by):
        counted.update(subsequences(events, max_length or len(events), max_gap, within))
    family = {p: n for p, n in counted.items() if n >= min_count and len(p) >= min_length}
    return reduce_kind(family, kind, contains if max_gap is None else contains_unbroken)


def naive_itemsets(journeys, min_count, max_length=None, kind="all", by="session"):
    counted = Counter()
    for events in units(journeys, by):
        names = sorted({name for _, name in events})
        for length in range(1, min(max_length or len(names), len(names)) + 1):
            counted.update(combinations(names, length))
    family = {p: n for p, n in counted.items() if n >= min_count}
    return reduce_kind(family, kind, lambda longer, shorter: set(shorter) <= set(longer))


def read_lists(path):
    """The lines of an spmf or dat file as lists of numbers."""
    with gzip.open(path, "rt") as file:
        return [[int(word) for word in line.split() if not word.startswith("-")] for line in file]


def to_ragged(lists):
    values = np.array([item for items in lists for item in items], dtype=np.int64)
    codes = np.unique(values, return_inverse=True)[1].astype(np.int32)
    return Ragged(codes, np.concatenate(([0], np.cumsum([len(items) for items in lists]))).astype(np.int64))
