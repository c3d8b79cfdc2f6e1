"""Figures on a map: how much was identified, and how large persons are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from cjm.identity._assignment import REASONS, Assignment
from cjm.identity._coding import Coded
from cjm.identity._evidence import NEVER, Evidence
from cjm.identity._frames import present

__all__ = ["count", "sizes", "summary"]

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


def count(coded: Coded, found: Assignment, evidence: Evidence) -> dict[str, int]:
    """Return how many events, persons and identifiers there are, and of what sort.

    The assignment is in the order of ``coded``.
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.identity_walks import OWN, earliest

    names = [*REASONS.categories.to_list(), "unidentified"]
    reasons = np.bincount(found.reason, minlength=len(names))
    later = evidence.events - len(coded.time)  # what as_of left out
    reasons[-1] += later
    persons = np.unique(found.person[found.person >= 0])
    known = int(np.sum(coded.kind[persons] < coded.unique))
    shared = coded.kind >= coded.unique
    met = _met(coded)
    columns = range(len(coded.columns))
    unique_columns = columns[: coded.unique_columns]
    never = (coded.first_code(unique_columns) < 0) & (coded.first_code(columns[coded.unique_columns :]) >= 0)
    for codes in coded.codes[coded.unique_columns :]:
        never &= (codes < 0) | ~met[codes]
    there = present(coded)

    known_person = (found.person >= 0) & (coded.kind[found.person] < coded.unique)
    own = found.reason == OWN
    since = np.full(len(coded.kind), NEVER, dtype=np.int64)
    earliest(as_array(found.person[own], np.int32), as_array(coded.time[own], np.int64), since)
    before = known_person & (coded.time < since[found.person])
    return {
        "events": evidence.events,
        **{f"events_{name}": int(count) for name, count in zip(names, reasons, strict=True)},
        "events_never_known": int(never.sum()),
        "events_known_before": int(own.sum()),
        "events_known_after": int(known_person.sum()),
        "events_known_later": int(np.sum(known_person & (found.known > coded.time))),
        "events_before_registration": int(before.sum()),
        "persons": len(persons),
        "persons_known": known,
        "persons_anonymous": len(persons) - known,
        "identifiers": int(there.sum()),
        "identifiers_never_known": int(np.sum(there & shared & ~met)),
    }


def _met(coded: Coded) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which nodes were seen with one of a unique kind; who is stuck was."""
    met = coded.stuck.copy()
    for column in range(coded.unique_columns):
        for other in coded.codes:
            if other is not coded.codes[column]:
                met[other[(coded.codes[column] >= 0) & (other >= 0)]] = True
    a, b = coded.declared.a, coded.declared.b
    met[b[coded.kind[a] < coded.unique]] = True
    return met


def sizes(map: pl.DataFrame, unique: Sequence[str], labels: pl.DataFrame) -> pl.DataFrame:
    """Return the figures of :meth:`Identities.sizes`."""
    events = labels.drop_nulls("person").group_by("person").agg(events=pl.len().cast(pl.Int64))
    persons = (
        map.group_by("person")
        .agg(identifiers=pl.struct("kind", "id").n_unique().cast(pl.Int64), known=pl.col("kind").is_in(unique).any())
        .join(events, on="person", how="left")
    )
    return (
        persons.group_by("identifiers")
        .agg(
            persons=pl.len().cast(pl.Int64),
            known=pl.col("known").sum().cast(pl.Int64),
            events=pl.col("events").fill_null(0).sum(),
        )
        .sort("identifiers")
    )
