"""Chance that can be repeated: a share of the persons, told by a hash that is the same in every version."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["draws"]


def draws(person: pl.Series, name: str) -> npt.NDArray[np.float64]:
    """Return a number in [0, 1) for each person, the same whenever the person and the name are the same.

    Draws of different names are independent of each other.

    References
    ----------
    Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators, OOPSLA: the finisher of SplitMix64.

    Examples
    --------
    >>> draws(pl.Series([1, 2, 1]), "spring").round(3).tolist()
    [0.101, 0.614, 0.101]
    """
    key = np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))
    mixed = person.cast(pl.Int64).to_numpy().view(np.uint64) ^ key
    for _ in range(2):  # one round leaves a trace of the difference between two names
        mixed = mixed + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return np.asarray((mixed >> np.uint64(11)) * 2.0**-53, dtype=np.float64)
