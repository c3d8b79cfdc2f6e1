"""Touchpoints that a caller names: one, all of a channel, an event in every channel, or a list of these."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from cjm.errors import ArgumentError, PatternError
from cjm.matching._tables import Compiler
from cjm.patterns import Name, Pattern, Selector, Step
from cjm.ragged import IntArray

__all__ = ["Chosen", "Touchpoints", "chosen"]

Touchpoints: TypeAlias = str | Collection[str]


@dataclass(frozen=True, eq=False)
class Chosen:
    """What was named: how it reads in a result, and the codes."""

    label: str
    codes: IntArray


def chosen(compiler: Compiler, what: Touchpoints, where: str) -> Chosen:
    """Return the touchpoints that ``what`` names; a list names those of any of its members.

    A text that is a touchpoint of the journeys is that one, whatever its characters; any other is read as in a pattern.

    Raises
    ------
    ArgumentError
        If a name does not occur (with the nearest that does), or is more than touchpoints.
    """
    if isinstance(what, str):
        return Chosen(what, compiler.codes(Selector(_names(compiler, what, where)), where))
    if not isinstance(what, Collection) or not what or not all(isinstance(text, str) for text in what):
        raise ArgumentError.at(
            f"must be a touchpoint or a list of touchpoints, not {what!r}", where=where, hint='Such as "store:*"'
        )
    selector = Selector(tuple(name for text in what for name in _names(compiler, text, where)))
    return Chosen(str(selector), compiler.codes(selector, where))


def _names(compiler: Compiler, text: str, where: str) -> tuple[Name, ...]:
    code = compiler.code.get(text)
    if code is not None:
        return (Name(compiler.names["channel"][code], compiler.names["event"][code]),)
    try:
        pattern = Pattern.parse(text)
    except PatternError:
        raise ArgumentError.unknown("touchpoint", text, compiler.code, where=where) from None
    what = pattern.steps[0].what
    if pattern != Pattern((Step(what),)) or what.tests:
        raise ArgumentError.at(f"{text!r} is more than touchpoints", where=where, hint='Such as "store:*"')
    return what.names
