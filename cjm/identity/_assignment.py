"""What every policy hands over: whose event each one is, and whose each identifier is, when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import CONTRACTS, TIME
from cjm.identity._coding import Coded

__all__ = ["REASONS", "Assignment", "identifier_rows", "map_frame", "map_rows"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]

# In the order of the codes in kernels.identity_walks.
REASONS = pl.Enum(["own", "link", "live", "replay", "anonymous", "shared"])


@dataclass(frozen=True)
class Assignment:
    """Result of a policy; events in time order, persons named by the node of their anchor.

    Attributes
    ----------
    person : ndarray of int32, shape (events,)
        -1 for an event without identifiers.
    reason : ndarray of uint8, shape (events,)
        Code of the reason.
    known : ndarray of int64, shape (events,)
        When it could be known, microseconds.
    rows : polars.DataFrame
        The identity map, as :func:`map_rows` makes it.
    links, conflicts : polars.DataFrame
        Contracts LINKS and CONFLICTS.
    """

    person: Int32Array
    reason: npt.NDArray[np.uint8]
    known: Int64Array
    rows: pl.DataFrame
    links: pl.DataFrame
    conflicts: pl.DataFrame


def map_rows(
    *,
    node: npt.NDArray[np.integer],
    person: Int32Array,
    valid_to: pl.Series,
    known: Int64Array,
    reason: npt.NDArray[np.uint8],
    first: Int64Array,
    last: Int64Array,
    events: Int64Array,
) -> pl.DataFrame:
    """Return rows of the identity map with nodes for identifiers and persons, and times in microseconds."""
    return pl.DataFrame(
        {
            "node": node.astype(np.int32),
            "person": person.astype(np.int32),
            "valid_from": first,
            "valid_to": valid_to,
            "known_from": known,
            "reason": reason,
            "first_seen": first,
            "last_seen": last,
            "events": events,
        }
    )


def identifier_rows(
    coded: Coded, nodes: npt.NDArray[np.integer], person: Int32Array, known: Int64Array, reason: npt.NDArray[np.uint8]
) -> pl.DataFrame:
    """Return map rows of identifiers that belong to one person throughout."""
    return map_rows(
        node=nodes,
        person=person,
        valid_to=pl.repeat(None, len(nodes), dtype=pl.Int64, eager=True),
        known=known,
        reason=reason,
        first=coded.first[nodes],
        last=coded.last[nodes],
        events=coded.events[nodes],
    )


def map_frame(coded: Coded, rows: pl.DataFrame, numbers: Int64Array) -> pl.DataFrame:
    """Return contract IDENTITY_MAP, ordered by kind (by priority), identifier and time."""
    node = rows["node"].to_numpy()
    names = {"kind": coded.name_kinds(node), "id": coded.name_ids(node)}
    return rows.with_columns(
        **names,
        person=pl.Series(numbers[rows["person"].to_numpy()], dtype=pl.Int64),
        reason=pl.Series(REASONS.categories, dtype=pl.String).gather(rows["reason"].to_numpy()),
    ).select(
        pl.col(name).cast(TIME) if kind == TIME else pl.col(name)
        for name, kind in CONTRACTS["IDENTITY_MAP"].columns.items()
    )
