"""What every policy hands over: whose event each one is, and whose each identifier is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.identity._coding import Coded
from cjm.identity._links import Guard
from cjm.identity._merge import Refused

__all__ = ["REASONS", "Assignment", "barred"]

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
        Nodes that link nothing: they met too many or were erased, or met an erased one.
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


def barred(coded: Coded, guarded: Guard, *, by_erased: bool) -> Flags:
    """Return the nodes that link nothing; with ``by_erased`` those that met an erased one as well.

    An identifier of a person who was erased must not come to another one.
    """
    found = guarded.tripped | coded.erased
    if by_erased and coded.erased.any():
        for one in coded.codes:
            rows = coded.codes[:, (one >= 0) & coded.erased[one]]
            found[rows[rows >= 0]] = True
        a, b = coded.declared.a, coded.declared.b
        found[np.concatenate([b[coded.erased[a]], a[coded.erased[b]]])] = True
    return found
