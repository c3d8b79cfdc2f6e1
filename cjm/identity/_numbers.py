"""Person numbers: a stable hash of the identifier that names the person."""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import InputError

__all__ = ["hash_ids", "person_numbers"]

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


def collision(kinds: str) -> Exception:
    """Return the error for two identifiers with one number."""
    return InputError.at(
        "two identifiers have the same person number", where=f"kind {kinds}", hint="Set salt= or choose another one"
    )


def hash_ids(ids: pl.Series, kind: str, salt: str | bytes | None) -> Int64Array:
    """Return the numbers of texts, without a check for collisions; null counts as empty text."""
    texts = pl.select((pl.lit(f"{kind}\x1f") + ids.fill_null("")).alias("text")).to_series()
    key = np.zeros(2, dtype="<u8")
    if salt is not None:
        secret = salt.encode() if isinstance(salt, str) else salt
        key = np.frombuffer(hashlib.blake2b(secret, digest_size=16).digest(), dtype="<u8")
    if len(ids) <= _FEW and "cjm.kernels.siphash" not in sys.modules:
        known = {text: _siphash(text.encode(), *key.tolist()) >> 1 for text in texts.unique()}
        return np.array([known[text] for text in texts], dtype=np.int64)
    from cjm.kernels._jit import as_array
    from cjm.kernels.siphash import siphash

    data, offsets = _bytes_of(texts)
    hashed = siphash(as_array(data, np.uint8), as_array(offsets, np.int64), np.uint64(key[0]), np.uint64(key[1]))
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


def _bytes_of(texts: pl.Series) -> tuple[npt.NDArray[np.uint8], Int64Array]:
    """Return the UTF-8 bytes of all texts end to end, and where each starts (one more at the end)."""
    if texts.is_empty():
        return np.empty(0, dtype=np.uint8), np.zeros(1, dtype=np.int64)
    array = texts.to_arrow(compat_level=pl.CompatLevel.oldest())  # the layout with 64-bit offsets
    _, offsets, data = array.buffers()
    first = array.offset
    return np.frombuffer(data, dtype=np.uint8), np.frombuffer(offsets, dtype=np.int64)[first : first + len(array) + 1]
