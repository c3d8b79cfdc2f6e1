"""Person numbers: a stable hash of the identifier that names the person."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import InputError

if TYPE_CHECKING:
    from cjm.identity._names import Names

__all__ = ["Numbers", "bytes_of", "hash_ids", "person_numbers"]

Int64Array = npt.NDArray[np.int64]

_FEW = 5_000  # texts that are hashed before the compiler would have started


def person_numbers(ids: pl.Series, kind: str, *, salt: str | bytes | None = None) -> pl.Series:
    """Return the person number of each identifier that names a person of its own.

    The number is SipHash-2-4 of the kind and the identifier, without the lowest bit, so it is the same in every run
    and on every machine. :func:`cjm.stitch` numbers its persons in this way.

    Parameters
    ----------
    ids : polars.Series
        Identifiers of one kind, text; null stays null.
    kind : str
        Their kind, such as ``"customer"``.
    salt : str or bytes, optional
        Secret that keys the hash: without it nobody can tell which number belongs to an identifier.

    Returns
    -------
    polars.Series
        Int64, named ``person``; zero or more.

    Raises
    ------
    InputError
        When two identifiers get one number.

    References
    ----------
    Aumasson and Bernstein (2012), SipHash: a fast short-input PRF.

    Examples
    --------
    >>> import polars as pl
    >>> person_numbers(pl.Series(["c1", None, "c1"]), "customer").to_list()
    [1531702311528641996, None, 1531702311528641996]
    """
    texts = ids.cast(pl.String)
    numbers = pl.Series("person", hash_ids(texts, kind, salt))
    numbers = pl.select(pl.when(texts.is_not_null()).then(numbers).alias("person")).to_series()
    if numbers.n_unique() != texts.n_unique():
        raise collision(kind)
    return numbers


@dataclass(frozen=True)
class Numbers:
    """Person numbers of nodes.

    Attributes
    ----------
    of : ndarray of int64, shape (nodes,)
        -1 where a node was never a person.
    in_order : ndarray of int64
        Those that were given, in ascending order.
    """

    of: Int64Array
    in_order: Int64Array

    @classmethod
    def none(cls) -> Numbers:
        """Return no numbers."""
        return cls(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))

    def without(self, nodes: npt.NDArray[np.integer]) -> Numbers:
        """Return the same without the numbers of some nodes: who knows an identifier can compute its number."""
        of = self.of.copy()
        of[nodes[nodes < len(of)]] = -1
        return Numbers(of, np.sort(of[of >= 0]))

    def extended(
        self, names: Names, kinds: Sequence[str], nodes: npt.NDArray[np.integer], salt: str | bytes | None
    ) -> Numbers:
        """Return the same with numbers of more nodes.

        Raises
        ------
        InputError
            When two nodes get one number.
        """
        of = np.full(len(names), -1, dtype=np.int64)
        of[: len(self.of)] = self.of
        fresh = nodes[of[nodes] < 0]
        kind = names.kind[fresh]
        for number, name in enumerate(kinds):
            of_kind = fresh[kind == number]
            if len(of_kind):
                of[of_kind] = hash_ids(names.texts.gather(pl.Series(of_kind.astype(np.uint32))), name, salt)
        new = np.sort(of[fresh])
        at = np.searchsorted(self.in_order, new)
        if np.any(new[1:] == new[:-1]) or np.any(np.append(self.in_order, -1)[at] == new):
            raise collision(", ".join(kinds))
        return Numbers(of, np.insert(self.in_order, at, new) if len(self.in_order) else new)


def collision(kinds: str) -> Exception:
    """Return the error for two identifiers with one number."""
    return InputError.at(
        "two identifiers have the same person number", where=f"kind {kinds}", hint="Set salt= or choose another one"
    )


def hash_ids(ids: pl.Series, kind: str, salt: str | bytes | None) -> Int64Array:
    """Return the numbers of texts, without a check for collisions; null counts as empty text."""
    prefix = f"{kind}\x1f".encode()
    key = np.zeros(2, dtype="<u8")
    if salt is not None:
        secret = salt.encode() if isinstance(salt, str) else salt
        key = np.frombuffer(hashlib.blake2b(secret, digest_size=16).digest(), dtype="<u8")
    if len(ids) <= _FEW and "cjm.kernels.siphash" not in sys.modules:
        texts = ids.fill_null("")
        known = {text: _siphash(prefix + text.encode(), *key.tolist()) >> 1 for text in texts.unique()}
        return np.array([known[text] for text in texts], dtype=np.int64)
    from cjm.kernels._jit import as_array
    from cjm.kernels.siphash import siphash

    data, offsets = bytes_of(ids.fill_null("") if ids.null_count() else ids)
    hashed = siphash(
        as_array(np.frombuffer(prefix, dtype=np.uint8), np.uint8),
        as_array(data, np.uint8),
        as_array(offsets, np.int64),
        np.uint64(key[0]),
        np.uint64(key[1]),
    )
    return (hashed >> np.uint64(1)).astype(np.int64)


def _siphash(data: bytes, key0: int, key1: int) -> int:
    """Return SipHash-2-4 of a text, as the kernel does: for a few, the compiler need not be started."""
    v0, v1 = key0 ^ 0x736F6D6570736575, key1 ^ 0x646F72616E646F6D
    v2, v3 = key0 ^ 0x6C7967656E657261, key1 ^ 0x7465646279746573
    mask = 0xFFFFFFFFFFFFFFFF

    def turn(times: int) -> None:
        nonlocal v0, v1, v2, v3
        for _ in range(times):
            v0, v2 = (v0 + v1) & mask, (v2 + v3) & mask
            v1 = ((v1 << 13 | v1 >> 51) & mask) ^ v0
            v3 = ((v3 << 16 | v3 >> 48) & mask) ^ v2
            v0 = (v0 << 32 | v0 >> 32) & mask
            v2, v0 = (v2 + v1) & mask, (v0 + v3) & mask
            v1 = ((v1 << 17 | v1 >> 47) & mask) ^ v2
            v3 = ((v3 << 21 | v3 >> 43) & mask) ^ v0
            v2 = (v2 << 32 | v2 >> 32) & mask

    end = len(data) - len(data) % 8
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, end, 8)]
    for word in (*words, int.from_bytes(data[end:], "little") | (len(data) & 0xFF) << 56):
        v3 ^= word
        turn(2)
        v0 ^= word
    v2 ^= 0xFF
    turn(4)
    return v0 ^ v1 ^ v2 ^ v3


def bytes_of(texts: pl.Series) -> tuple[npt.NDArray[np.uint8], Int64Array]:
    """Return the UTF-8 bytes of all texts end to end, and where each starts (one more at the end)."""
    if texts.is_empty():
        return np.empty(0, dtype=np.uint8), np.zeros(1, dtype=np.int64)
    array = texts.to_arrow(compat_level=pl.CompatLevel.oldest())  # the layout with 64-bit offsets
    _, offsets, data = array.buffers()
    first = array.offset
    return np.frombuffer(data, dtype=np.uint8), np.frombuffer(offsets, dtype=np.int64)[first : first + len(array) + 1]
