"""Identifiers under a key: pseudonyms in their place, and marks by which those who were forgotten are known again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from cjm.codes import Dictionary
from cjm.errors import ArgumentError, InputError
from cjm.files import write_text
from cjm.identifiers import clean_ids

__all__ = ["Privacy", "Tombstones", "pseudonym"]

_VERSION = 1
_SHORTEST, _LONGEST = 16, 64  # bytes of a key


def pseudonym(ids: pl.Series, key: bytes) -> pl.Series:
    """Return the pseudonym of each identifier, as ``[privacy] pseudonyms`` puts it in the place of the identifier.

    It is the keyed BLAKE2b hash of the text, of 16 bytes, in hexadecimal digits. Who has the key and a list of
    identifiers finds out in this way whose row a pseudonym names; nobody else does.

    Parameters
    ----------
    ids : polars.Series
        Identifiers as :class:`cjm.Cleaning` writes them: without blanks around them, after the rules of their kind.
    key : bytes
        The content of the key file: 16 to 64 bytes, without blanks around them.

    Returns
    -------
    polars.Series
        Text of 32 characters, under the name of ``ids``; null stays null.

    Raises
    ------
    ArgumentError
        For a key that is too short or too long.
    InputError
        For a column that holds no identifiers.

    References
    ----------
    Saarinen and Aumasson (2015), RFC 7693: The BLAKE2 Cryptographic Hash and Message Authentication Code.

    Examples
    --------
    >>> pseudonym(pl.Series(["c1", None]), b"sixteen bytes or more").to_list()
    ['fc534299e7a198faccbc2047aa5d06c3', None]
    """
    distinct = Dictionary()
    codes = distinct.encode(clean_ids(ids)).to_physical()
    return _hashed(distinct.texts, _checked(key)).gather(codes).alias(ids.name)


def _hashed(texts: pl.Series, key: bytes, purpose: bytes = b"") -> pl.Series:
    """Return the keyed hash of each of some distinct texts; hashes for one purpose tell nothing about another."""
    blake2b = hashlib.blake2b
    hashes = [blake2b(text.encode(), digest_size=16, key=key, person=purpose).hexdigest() for text in texts.to_list()]
    return pl.Series(hashes, dtype=pl.String)


def _checked(key: bytes, where: str = "pseudonym(key=...)") -> bytes:
    key = key.strip()
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ArgumentError.at(
            f"the key has {len(key)} bytes", where=where, hint=f"Give {_SHORTEST} to {_LONGEST} bytes drawn at random"
        )
    return key


@dataclass(frozen=True, eq=False)
class Tombstones:
    """Marks of the identifiers that were forgotten, and a receipt of each time that some were.

    Attributes
    ----------
    marks : polars.Series
        Text, distinct, in ascending order.
    receipts : tuple of dict
    """

    marks: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.String))
    receipts: tuple[dict[str, Any], ...] = ()

    @classmethod
    def open(cls, path: Path, key: bytes) -> Tombstones:
        """Read a file of tombstones; there are none where there is no file.

        Raises
        ------
        InputError
            If it is damaged, or was written with another key: those who were forgotten would not be known again.
        """
        if not path.exists():
            return cls()
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            checksum = held.pop("checksum")
        except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise _damaged(path) from error
        if checksum != _checksum(held) or held.get("version") != _VERSION:
            raise _damaged(path)
        if held["key"] != _key_mark(key):
            raise InputError.at(
                "written with another key", where=str(path), hint="Name the key file that was used when it was written"
            )
        return cls(pl.Series(held["marks"], dtype=pl.String), tuple(held["receipts"]))

    def write(self, path: Path, key: bytes) -> None:
        """Write the file, in the place of a former one.

        Raises
        ------
        RunError
            If it cannot be written.
        """
        held = {"version": _VERSION, "key": _key_mark(key), "marks": self.marks.to_list(), "receipts": self.receipts}
        write_text(path, json.dumps({**held, "checksum": _checksum(held)}, indent=1))

    def with_receipt(self, receipt: dict[str, Any]) -> Tombstones:
        """Return the same with one more receipt."""
        return replace(self, receipts=(*self.receipts, receipt))

    def __add__(self, marks: pl.Series) -> Tombstones:
        return replace(self, marks=pl.concat([self.marks, marks]).unique().sort())


def _key_mark(key: bytes) -> str:
    """Return by what a key is known again; it does not give the key away."""
    return str(_hashed(pl.Series(["key"]), key, b"cjm key")[0])


def _checksum(held: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def _damaged(path: Path) -> InputError:
    return InputError.at(
        "the file of those who were forgotten is damaged", where=str(path), hint="Take it from a backup"
    )


@dataclass(frozen=True, eq=False)
class Privacy:
    """What is done to identifiers as they are read.

    Parameters
    ----------
    key : bytes
        16 to 64 bytes; blanks around them do not count.
    pseudonyms : sequence of str, optional
        Kinds of identifiers that are replaced by pseudonyms; see :func:`pseudonym`.
    tombstones : Tombstones, optional
        Rows with one of these identifiers are set aside.

    Raises
    ------
    ArgumentError
        For a key that is too short or too long.

    Examples
    --------
    >>> import cjm
    >>> events = pl.DataFrame({"at": ["2026-01-01T10:00Z"], "what": ["home"], "who": ["c1"]})
    >>> web = cjm.Source(events, time="at", event="what", ids={"customer": "who"})
    >>> key = b"sixteen bytes or more"
    >>> rules = cjm.Cleaning(privacy=cjm.Privacy(key, pseudonyms=["customer"]))
    >>> log = cjm.scan_events({"web": web}, cleaning=rules)
    >>> log.frame.collect()["customer"].equals(cjm.pseudonym(events["who"], key))
    True
    """

    key: bytes = field(repr=False)
    pseudonyms: Sequence[str] = ()
    tombstones: Tombstones = field(default_factory=Tombstones)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", _checked(self.key, "Privacy(key=...)"))

    def with_tombstones(self, tombstones: Tombstones) -> Privacy:
        """Return the same with tombstones."""
        return replace(self, tombstones=tombstones)

    def stored(self, ids: pl.Series, kind: str) -> pl.Series:
        """Return identifiers of a kind as they are stored: as pseudonyms, or as they are."""
        return pseudonym(ids, self.key) if kind in self.pseudonyms else ids

    def marks(self, stored: pl.Series, kind: str) -> pl.Series:
        """Return the marks of identifiers of a kind as they are stored: the same with pseudonyms as without."""
        hidden = stored if kind in self.pseudonyms else pseudonym(stored, self.key)
        return _hashed(kind + "\x1f" + hidden, self.key, b"cjm forgotten")

    def forgotten(self, stored: pl.Series, kind: str) -> pl.Series:
        """Return which identifiers of a kind, as they are stored, were forgotten."""
        return self.marks(stored, kind).is_in(self.tombstones.marks.implode())
