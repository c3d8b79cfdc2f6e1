"""The policy ``components``: identifiers that links connect are one person."""

from __future__ import annotations

import numpy as np
import polars as pl

from cjm.identity._assignment import Assignment, identifier_rows
from cjm.identity._coding import Coded
from cjm.identity._links import Guard, Links, link_frame
from cjm.identity._merge import guard_conflicts, link_conflicts, merge, owner_conflicts

__all__ = ["components"]


def components(coded: Coded, links: Links, guarded: Guard, *, max_size: int | None) -> Assignment:
    """Assign each identifier to a component, and each event to that of its first identifier by priority."""
    from cjm.kernels.identity_walks import ANONYMOUS, LINK, NOBODY, OWN, SHARED

    tripped, shared = guarded.tripped, range(coded.unique, len(coded.kinds))
    merged = merge(coded, links, ~tripped[links.a] & ~tripped[links.b], max_size)

    # A unique identifier first; then a shared one that links; one that met too many only where there is no other.
    unique_code, any_code = coded.first_code(range(coded.unique)), coded.first_code(shared)
    code = np.where(unique_code >= 0, unique_code, coded.first_code(shared, without=tripped))
    code = np.where(code >= 0, code, any_code)
    person = np.where(code >= 0, merged.anchor[code], -1).astype(np.int32)
    is_unique = coded.kind < coded.unique
    reason = np.select(
        [code < 0, unique_code >= 0, tripped[code], is_unique[person]], [NOBODY, OWN, SHARED, LINK], ANONYMOUS
    ).astype(np.uint8)

    nodes, anchor = np.arange(len(coded.ids)), merged.anchor
    map_reason = np.select([tripped & ~is_unique, anchor != nodes, is_unique], [SHARED, LINK, OWN], ANONYMOUS)
    return Assignment(
        person=person,
        reason=reason,
        known=np.where(code >= 0, np.maximum(coded.time, merged.since[code]), coded.time),
        rows=identifier_rows(coded, nodes, anchor, merged.since, map_reason.astype(np.uint8)),
        links=link_frame(coded, links, merged.verdict),
        conflicts=pl.concat(
            [
                guard_conflicts(coded, guarded, "links nothing"),
                link_conflicts(coded, links, merged),
                owner_conflicts(coded, np.where(unique_code >= 0, person, -1), anchor),
            ]
        ),
    )
