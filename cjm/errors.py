"""What can go wrong, under one root.

A message says what is wrong, where (source, column, row, count) and how to mend it. Use the named constructors so
that all messages keep that shape.
"""

from __future__ import annotations

import difflib
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
]


class CjmError(Exception):
    """Root of every error that cjm raises on purpose."""

    @classmethod
    def at(cls, what: str, *, where: str = "", hint: str = "") -> Self:
        """Build the message ``where: what. hint`` (the parts that are given)."""
        text = f"{where}: {what}" if where else what
        return cls(f"{text}. {hint}" if hint else text)

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
    """Another run is writing the same output; it may be tried again later."""


def did_you_mean(name: str, options: Iterable[str], *, show: int = 8) -> str:
    """Return a hint with the nearest of ``options``, or the first few of them where none is near.

    Examples
    --------
    >>> did_you_mean("web:crt", ["web:cart", "store:visit"])
    'Did you mean "web:cart"?'
    >>> did_you_mean("xyz", ["a", "b"])
    'Known: a, b'
    """
    known = sorted(options)
    lowered = {option.lower(): option for option in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    if near:
        return f'Did you mean "{lowered[near[0]]}"?'
    if not known:
        return "There are none"
    more = f", ... ({len(known)} in all)" if len(known) > show else ""
    return "Known: " + ", ".join(known[:show]) + more
