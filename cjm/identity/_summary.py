"""Figures on a map: how much was identified, and how large persons are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.identity._assignment import REASONS, Assignment
from cjm.identity._coding import declared_links
from cjm.identity._evidence import NEVER, Evidence

__all__ = ["count", "sizes", "summary"]

Flags = npt.NDArray[np.bool_]
Int64Array = npt.NDArray[np.int64]

_MEANINGS = {
    "events": "events in the log",
    "events_own": "events that carry a unique identifier, so their person is certain",
    "events_link": "events without a unique identifier whose identifiers are linked to one",
    "events_live": "events given to the person last seen on the same shared identifier",
    "events_replay": "events given to the person seen later on the same shared identifier",
    "events_anonymous": "events left with their shared identifier, because nobody else is known for it in time",
    "events_shared": "events left with their shared identifier, because too many persons use it",
    "events_erased": "events left with an identifier that they carry, because their person was erased",
    "events_unidentified": "events without any identifier, or later than the result looks; they are left out",
    "events_never_known": "events on identifiers that were never seen with a unique one, which nothing can assign",
    "events_known_before": "events whose person is known without stitching",
    "events_known_after": "events whose person is known with stitching",
    "events_known_later": "events whose person could not be known yet when they happened",
    "events_before_registration": "events given to a known person from before the first event with a unique identifier",
    "persons": "persons that have events",
    "persons_known": "persons with a unique identifier",
    "persons_anonymous": "persons without a unique identifier",
    "identifiers": "distinct identifiers of all kinds",
    "identifiers_never_known": "identifiers that were never seen with a unique one",
    "conflicts": "guards that tripped, links that were refused and events that name two persons",
}


def summary(counts: Mapping[str, int]) -> pl.DataFrame:
    """Return the figures of :meth:`Identities.summary`: those of :func:`count`, and ``conflicts``."""
    rows = []
    for measure, meaning in _MEANINGS.items():
        whole = counts.get(measure.partition("_")[0], 0) if measure != "conflicts" else 0
        count = counts[measure]
        rows.append((measure, count, count / whole if whole else None, meaning))
    schema = {"measure": pl.String, "count": pl.Int64, "share": pl.Float64, "meaning": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def count(evidence: Evidence, found: Assignment, stuck: Flags | None = None) -> dict[str, int]:
    """Return how many events, persons and identifiers there are, and of what sort.

    Nodes that are ``stuck`` met one of a unique kind, on these events or others.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.identity_walks import OWN
    from cjm.kernels.label_counts import count_labels, meet

    names = [*REASONS.categories.to_list(), "unidentified"]
    nodes, unique, as_of = len(found.anchor), evidence.unique, evidence.policy.as_of
    kind = evidence.names.kind[:nodes]
    erased = np.zeros(nodes, dtype=bool)
    erased[evidence.erased] = True
    gone = erased & (kind >= unique)
    there, met, is_person = (np.zeros(nodes, dtype=bool) for _ in range(3))
    since = np.full(nodes, NEVER, dtype=np.int64)
    reasons, counts = np.zeros(len(names), dtype=np.int64), np.zeros(4, dtype=np.int64)
    rules = (as_of if isinstance(as_of, int) else NEVER, unique, gone)
    ends = np.cumsum([0, *(len(part.time) for part in evidence.parts)])
    parts = [
        (
            as_array(part.time, np.int64),
            as_array(part.codes, np.int32),
            as_array(found.person[start:stop], np.int32),
            as_array(found.reason[start:stop], np.uint8),
            as_array(found.known[start:stop], np.int64),
        )
        for part, (start, stop) in zip(evidence.parts, pairwise(ends), strict=True)
    ]
    for time, codes, person, reason, _ in parts:
        meet(time, codes, person, reason, *rules, reasons, there, met, is_person, since)
    declared = declared_links(evidence)
    there[declared.a] = there[declared.b] = True
    met[declared.b[kind[declared.a] < unique]] = True
    if stuck is not None:
        met |= stuck
    is_known = is_person & (kind < unique)
    for time, codes, person, _, known in parts:
        count_labels(time, codes, person, known, *rules, met, is_known, since, counts)
    there &= ~erased
    never, after, later, before = map(int, counts)
    persons, known_persons = int(is_person.sum()), int(is_known.sum())
    return {
        "events": evidence.events,
        **{f"events_{name}": int(count) for name, count in zip(names, reasons, strict=True)},
        "events_never_known": never,
        "events_known_before": int(reasons[OWN]),
        "events_known_after": after,
        "events_known_later": later,
        "events_before_registration": before,
        "persons": persons,
        "persons_known": known_persons,
        "persons_anonymous": persons - known_persons,
        "identifiers": int(there.sum()),
        "identifiers_never_known": int(np.sum(there & (kind >= unique) & ~met)),
    }


def sizes(map: pl.DataFrame, unique: Sequence[str], found: Assignment, numbers: Int64Array) -> pl.DataFrame:
    """Return the figures of :meth:`Identities.sizes`; ``numbers`` are those of the nodes."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.label_counts import count_events

    counts = count_events(as_array(found.person, np.int32), len(numbers))
    numbered, of_row = np.unique(map["person"].to_numpy(), return_inverse=True)
    nodes = np.flatnonzero(counts)
    nodes = nodes[np.isin(numbers[nodes], numbered)]  # with consent that ends a person may be in no row of the map
    identifier = map.select(pl.struct("kind", "id").rle_id()).to_series().to_numpy()
    used = np.unique(of_row.astype(np.int64) << 32 | identifier) >> 32  # an identifier may come back to a person
    known = np.zeros(len(numbered), dtype=bool)
    known[of_row[map["kind"].is_in(unique).to_numpy()]] = True
    events = np.zeros(len(numbered), dtype=np.int64)
    events[np.searchsorted(numbered, numbers[nodes])] = counts[nodes]
    persons = pl.DataFrame(
        {"identifiers": np.bincount(used, minlength=len(numbered)), "known": known, "events": events}
    )
    return (
        persons.group_by("identifiers")
        .agg(
            persons=pl.len().cast(pl.Int64),
            known=pl.col("known").sum().cast(pl.Int64),
            events=pl.col("events").sum(),
        )
        .sort("identifiers")
    )
