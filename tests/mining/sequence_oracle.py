"""A slow, obvious miner of sequences with every option, and journeys from lists of codes."""

from collections import Counter
from datetime import timedelta
from itertools import combinations, pairwise, product

import numpy as np
import polars as pl
from naive_mining import contains, contains_unbroken, units

from cjm.journeys._build import journeys_from_frame


def collapsed(events):
    return [event for i, event in enumerate(events) if i == 0 or events[i - 1][1] != event[1]]


def ancestors(name, taxonomy):
    found = set()
    waiting = [name]
    while waiting:
        held = (taxonomy or {}).get(waiting.pop(), ())
        groups = {held} if isinstance(held, str) else set(held)
        waiting += groups - found
        found |= groups
    return found


def shown_by(events, longest, options):
    """Every pattern that some occurrence within the limits shows."""
    within, max_gap, min_gap = (options.get(name) for name in ("within", "max_gap", "min_gap"))
    most, least = options.get("max_gap_events"), options.get("min_gap_events")
    names = [sorted({name} | ancestors(name, options.get("taxonomy"))) for _, name in events]
    found = set()
    for length in range(1, min(longest, len(events)) + 1):
        for places in combinations(range(len(events)), length):
            times = [events[place][0] for place in places]
            gaps = [b - a for a, b in pairwise(times)]
            steps = [b - a for a, b in pairwise(places)]
            if max_gap is not None and any(gap > max_gap for gap in gaps):
                continue
            if min_gap is not None and any(gap < min_gap for gap in gaps):
                continue
            if most is not None and any(step > most for step in steps):
                continue
            if least is not None and any(step < least for step in steps):
                continue
            if within is not None and times[-1] - times[0] > within:
                continue
            found |= set(product(*(names[place] for place in places)))
    return found


def as_list(names):
    return [names] if isinstance(names, str) else list(names)


def sequences_of(lists, min_count, **options):
    """Mine lists of (time, touchpoint)."""
    lists = [collapsed(events) if options.get("collapse") else events for events in lists]
    counted = Counter()
    for events in lists:
        counted.update(shown_by(events, options.get("max_length") or len(events), options))
    start, end, required, forbidden = (
        set(as_list(options.get(name, ()))) for name in ("start", "end", "required", "forbidden")
    )
    family = {
        pattern: count
        for pattern, count in counted.items()
        if count >= min_count
        and len(pattern) >= (options.get("min_length") or 1)
        and (not start or pattern[0] in start)
        and (not end or pattern[-1] in end)
        and required <= set(pattern)
        and not forbidden & set(pattern)
    }
    unbroken = options.get("max_gap") is not None or options.get("max_gap_events") is not None
    inside = contains_unbroken if unbroken else contains
    kind = options.get("kind", "all")

    def kept(pattern, count):
        if kind == "generator":
            return not any(
                len(other) < len(pattern) and inside(pattern, other) and same == count for other, same in family.items()
            )
        return not any(
            len(other) > len(pattern) and inside(other, pattern) and (kind == "maximal" or same == count)
            for other, same in family.items()
        )

    rows = [(p, n) for p, n in family.items() if kind == "all" or kept(p, n)]
    rows.sort(key=lambda row: (-row[1], len(row[0]), row[0]))
    return rows[: options.get("top_k")]


def sequences_in(journeys, min_count, by="person", **options):
    return sequences_of(units(journeys, by), min_count, **options)


def journeys_of_lists(lists):
    """Journeys of persons whose events are codes, a second apart."""
    lengths = [len(items) for items in lists]
    codes = np.array([item for items in lists for item in items], dtype=np.int64)
    frame = pl.DataFrame(
        {
            "person": np.repeat(np.arange(len(lists), dtype=np.int64), lengths),
            "time": np.arange(len(codes), dtype=np.int64) * 1_000_000,
            "channel": np.full(len(codes), "c"),
            "event": codes,
        }
    ).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")), pl.col("event").cast(pl.String))
    return journeys_from_frame(frame, gap=timedelta(minutes=30) // timedelta(microseconds=1))
