"""What can go wrong, under one root.

A message says what is wrong, where (source, column, row, count) and how to mend it. Use the named constructors so
that all messages keep that shape.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Self

__all__ = [
    "ArgumentError",
    "BusyError",
    "CjmError",
    "ConfigError",
    "ContractError",
    "InputError",
    "PatternError",
    "RunError",
    "excerpt",
    "masked",
    "printable",
]


# Control characters, and those that reorder or hide the text around them.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")

_SHOWN = 100  # characters of a text from data


def printable(text: str, *, keep: str = "") -> str:
    r"""Return text from data as a terminal or a log may show it: escapes in place of characters that do something.

    Examples
    --------
    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return _UNSEEN.sub(lambda sign: sign[0] if sign[0] in keep else ascii(sign[0])[1:-1], text)


def excerpt(text: str) -> str:
    """Return the beginning of a text from data, printable, for a message or a table of findings."""
    return printable(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")


def masked(id: str) -> str:
    """Return how an identifier is written, for a message that must not tell which one it is.

    Examples
    --------
    >>> masked("Kowalska-1017@web.pl")
    'Aaaaaaaa-9999@aaa.aa'
    """
    signs = ("9" if sign.isdigit() else "A" if sign.isupper() else "a" if sign.isalnum() else sign for sign in id)
    return excerpt("".join(signs))


class CjmError(Exception):
    """Root of every error that cjm raises on purpose."""

    @classmethod
    def at(cls, what: str, *, where: str = "", hint: str = "") -> Self:
        """Build the message ``where: what. hint`` (the parts that are given)."""
        text = printable(f"{what}. {hint}" if hint else what, keep="\n")
        return cls(f"{printable(where)}: {text}" if where else text)

    @classmethod
    def unknown(cls, what: str, name: str, options: Iterable[str], *, where: str = "") -> Self:
        """Name the unknown word and the nearest one that exists."""
        return cls.at(f"unknown {what} {name!r}", where=where, hint=did_you_mean(name, options))


class InputError(CjmError):
    """The data cannot be used as they are: a file, a column, a row."""


class ArgumentError(CjmError, ValueError):
    """A call is wrong: an argument has a value that cannot be meant."""


class ConfigError(ArgumentError):
    """The configuration file of a run is wrong."""


class PatternError(ArgumentError):
    """A pattern cannot be read or cannot be built."""


class ContractError(CjmError):
    """A frame lacks a column, or a column has another type than its contract says."""


class RunError(CjmError):
    """A run could not go on: disk, lock, a step that failed."""


class BusyError(RunError):
    """Another process is at work where only one may be."""


def did_you_mean(name: str, options: Iterable[str], *, show: int = 8) -> str:
    """Return a hint with the nearest of ``options``, or the first few of them where none is near.

    Examples
    --------
    >>> did_you_mean("web:crt", ["web:cart", "store:visit"])
    'Did you mean "web:cart"?'
    >>> did_you_mean("xyz", ["a", "b"])
    'Known: a, b'
    """
    known = sorted(map(excerpt, options))
    lowered = {option.lower(): option for option in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    if near:
        return f'Did you mean "{lowered[near[0]]}"?'
    if not known:
        return "There are none"
    more = f", ... ({len(known)} in all)" if len(known) > show else ""
    return "Known: " + ", ".join(known[:show]) + more
