"""What a pattern is made of: names, attribute tests, selectors and steps. All are frozen values that print as text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from cjm.durations import format_duration

__all__ = ["MAX_STEPS", "AttributeTest", "Expression", "Name", "Selector", "Step", "problem", "quoted"]

MAX_STEPS = 15
_MAX_COUNT = 100
_MAX_DURATION = 1 << 60  # microseconds; keeps every sum of limits inside 64 bits
_RING = 16

WORD = r"(?:[\w./+@%#&~$?']|-(?!>))+"
_PLAIN = re.compile(rf"{WORD}\Z")


def quoted(text: str) -> str:
    """Return ``text`` as it stands in a pattern: bare if it can be, else in double quotes with JSON escapes."""
    return text if _PLAIN.match(text) else json.dumps(text, ensure_ascii=False)


@dataclass(frozen=True)
class Name:
    """A touchpoint, or all of a channel (``event`` None), or an event in all channels (``channel`` None)."""

    channel: str | None
    event: str | None

    def __str__(self) -> str:
        return ":".join("*" if part is None else quoted(part) for part in (self.channel, self.event))


@dataclass(frozen=True)
class AttributeTest:
    """A test of one attribute. Literals are kept as JSON text, so that ``1``, ``1.0`` and ``true`` stay different."""

    attribute: str
    op: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        value = "{" + ", ".join(self.values) + "}" if self.op == "in" else self.values[0]
        return f"{quoted(self.attribute)} {self.op} {value}"


@dataclass(frozen=True, eq=False)
class Expression:
    """A Polars expression over the columns of ``Journeys.frame``, comparable and hashable."""

    expr: pl.Expr

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.expr.meta.eq(other.expr)

    def __hash__(self) -> int:
        return hash(str(self.expr))

    def __str__(self) -> str:
        return f"<{self.expr}>"


@dataclass(frozen=True)
class Selector:
    """Which events a step takes: one of ``names`` that passes all ``tests``, or those where ``expression`` is true."""

    names: tuple[Name, ...] = ()
    tests: tuple[AttributeTest, ...] = ()
    expression: Expression | None = None

    def __post_init__(self) -> None:
        ordered = sorted(set(self.names), key=lambda name: (name.channel or "", name.event or "", str(name)))
        object.__setattr__(self, "names", tuple(ordered))

    def __str__(self) -> str:
        if self.expression is not None:
            return str(self.expression)
        names = ", ".join(map(str, self.names))
        tests = f"[{', '.join(map(str, self.tests))}]" if self.tests else ""
        return (names if len(self.names) == 1 else f"{{{names}}}") + tests


@dataclass(frozen=True)
class Step:
    """One step of a pattern; limits are microseconds from the last event matched before it.

    Attributes
    ----------
    what : Selector
    within, after : int or None
        Longest and shortest time from the event before; ``within`` of an absence is its window.
    unless : Selector or None
        Ends the attempt when it comes between the event before and this step.
    strict : bool
        Only the very next event will do.
    count : int
        The step is complete with the ``count``-th such event.
    absent : bool
        The step says that no such event comes.
    """

    what: Selector
    within: int | None = None
    after: int | None = None
    unless: Selector | None = None
    strict: bool = False
    count: int = 1
    absent: bool = False

    def __str__(self) -> str:
        parts = ["not "] if self.absent else [f"{self.count} x "] if self.count != 1 else []
        parts.append(str(self.what))
        if self.within is not None:
            parts.append(f" within {format_duration(self.within)}")
        if self.after is not None:
            parts.append(f" after {format_duration(self.after)}")
        if self.unless is not None:
            parts.append(f" unless {self.unless}")
        return "".join(parts)


def attempts(step: Step, earliest: int) -> int:
    """Return how many attempts are kept that wait for ``step``.

    The latest one serves every later end where nothing but upper bounds, ``unless`` and the very next event count; a
    count needs one for each number of events still missing. With a shortest wait of ``earliest`` microseconds, older
    attempts can be ready when newer ones are not, and there is no such bound: a ring of 16 is kept.
    """
    return step.count if step.strict or earliest == 0 else max(_RING, step.count)


def problem(steps: Sequence[Step], span: int | None) -> tuple[int, str] | None:
    """Return the first step that cannot be meant and why, or None."""
    if not steps:
        return 0, "a pattern has at least one step"
    if len(steps) > MAX_STEPS:
        return MAX_STEPS, f"a pattern has at most {MAX_STEPS} steps, this one has {len(steps)}"
    window = -1  # longest absence since the last step that takes an event
    for index, step in enumerate(steps):
        fault = _fault(step, first=index == 0)
        if fault is None and not step.absent and step.within is not None and window >= step.within:
            fault = "can never match: its limit ends before the absence in front of it is certain"
        if fault is not None:
            return index, fault
        window = max(window, step.within or 0) if step.absent else -1
    if span is not None and span > _MAX_DURATION:
        return len(steps) - 1, "the duration is too long"
    return None


def _fault(step: Step, *, first: bool) -> str | None:
    if any(limit is not None and limit > _MAX_DURATION for limit in (step.within, step.after)):
        return "the duration is too long"
    if isinstance(step.count, bool) or not isinstance(step.count, int) or not 1 <= step.count <= _MAX_COUNT:
        return f"the count must be a whole number from 1 to {_MAX_COUNT}, not {step.count!r}"
    if step.absent:
        if first:
            return "a pattern cannot begin with an absence: nothing says from when on"
        if step.within is None:
            return 'an absence needs an end: "not ... within 1d"'
        if step.strict or step.after is not None or step.unless is not None or step.count != 1:
            return 'an absence takes "->" and "within" only'
        return None
    if first and (step.strict or step.after is not None):
        return "the first step has no step before it to measure from"
    if first and step.count == 1 and (step.within is not None or step.unless is not None):
        return 'the first step has no step before it: "within" and "unless" need a count there, as in "3 x"'
    if step.after is not None and step.within is not None and step.after > step.within:
        return '"after" is longer than "within", so it can never match'
    return None
