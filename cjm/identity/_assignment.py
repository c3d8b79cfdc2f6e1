"""What every policy hands over: whose event each one is, and whose each identifier is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.identity._coding import Coded
from cjm.identity._merge import Merged, Refused

__all__ = ["REASONS", "Assignment", "dissolved"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# In the order of the codes in kernels.identity_walks.
REASONS = pl.Enum(["own", "link", "live", "replay", "anonymous", "shared", "erased"])


@dataclass(frozen=True)
class Assignment:
    """Result of a policy; persons named by the node of their anchor.

    Attributes
    ----------
    anchor : ndarray of int32, shape (nodes,)
        Whose each identifier is by links alone.
    barred : ndarray of bool, shape (nodes,)
        Nodes that link nothing: they met too many, or one of their person was erased.
    tripped : ndarray of bool, shape (nodes,)
        Nodes that met too many.
    refused : Refused
    person : ndarray of int32, shape (events,)
        In the order of ``coded``; -1 for an event without identifiers.
    reason : ndarray of uint8, shape (events,)
        Code of the reason.
    known : ndarray of int64, shape (events,)
        When it could be known, microseconds.
    """

    anchor: Int32Array
    barred: Flags
    tripped: Flags
    refused: Refused
    person: Int32Array
    reason: npt.NDArray[np.uint8]
    known: Int64Array


def dissolved(coded: Coded, merged: Merged) -> tuple[Merged, Flags]:
    """Return the persons, and which nodes belonged to one of whom an identifier was erased: each is for itself now.

    As the erased ones took part when persons were made, nothing that was theirs is open to others.
    """
    anchor, refused = merged.anchor, merged.refused
    theirs = np.zeros(len(anchor), dtype=bool)
    if not coded.erased.any():
        return merged, theirs
    theirs[anchor[coded.erased]] = True
    theirs = theirs[anchor]
    stays = ~theirs[refused.a] & ~theirs[refused.b]
    return Merged(np.where(theirs, np.arange(len(anchor), dtype=np.int32), anchor), refused.take(stays)), theirs
