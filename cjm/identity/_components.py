"""The policy ``components``: identifiers that links connect are one person."""

from __future__ import annotations

import numpy as np

from cjm.identity._assignment import Assignment, dissolved
from cjm.identity._coding import Coded
from cjm.identity._links import Guard
from cjm.identity._merge import merge, since

__all__ = ["components"]


def components(coded: Coded, guarded: Guard, *, max_size: int | None) -> Assignment:
    """Assign each identifier to a component, and each event to that of its first identifier by priority."""
    from cjm.kernels.identity_walks import ANONYMOUS, ERASED, LINK, NOBODY, OWN, SHARED

    tripped, columns = guarded.tripped, range(len(coded.columns))
    merged, theirs = dissolved(coded, merge(coded, columns, ~tripped, max_size))
    bar = tripped | theirs
    nothing = np.empty(0, dtype=np.int32)
    if not len(coded.time):
        return Assignment(merged.anchor, bar, tripped, merged.refused, nothing, nothing.astype(np.uint8), coded.time)

    # A unique identifier first; then a shared one that links; one that met too many only where there is no other.
    unique_columns, shared_columns = columns[: coded.unique_columns], columns[coded.unique_columns :]
    unique_code = coded.first_code(unique_columns)
    code = np.where(unique_code >= 0, unique_code, coded.first_code(shared_columns, without=tripped))
    code = np.where(code >= 0, code, coded.first_code(shared_columns))
    person = np.where(code >= 0, merged.anchor[code], -1).astype(np.int32)
    lost = theirs[code]
    if coded.linking is not coded.codes:  # an identifier that may not be linked has its own events to itself
        free = (coded.linking == code).any(axis=0)
        person = np.where(free, person, code)
        lost &= free
    gone = (code >= 0) & coded.erased[code]
    if gone.any():
        person = np.where(gone, coded.first_code(columns, without=coded.erased), person)
    is_unique = coded.kind < coded.unique
    reason = np.select(
        [person < 0, gone, unique_code >= 0, lost, tripped[code], is_unique[person]],
        [NOBODY, ERASED, OWN, ERASED, SHARED, LINK],
        ANONYMOUS,
    ).astype(np.uint8)
    joined = since(coded, columns, ~bar, merged.anchor)[code]
    known = np.where(person == merged.anchor[code], np.maximum(coded.time, joined), coded.time)
    return Assignment(merged.anchor, bar, tripped, merged.refused, person, reason, known)
