"""Goals: what a journey is towards, when it begins and how it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cjm.durations import Duration, format_duration, to_us
from cjm.errors import ArgumentError, PatternError
from cjm.patterns import Pattern, Selector, Step

__all__ = ["Goal", "check_goals", "goal"]


@dataclass(frozen=True)
class Goal:
    """A kind of journey, made by :func:`cjm.goal`. A frozen, hashable value that prints as text.

    Attributes
    ----------
    name : str
    start : Pattern
        Opens a journey.
    end, abandon : Pattern or None
        Close it, reached or abandoned.
    timeout, idle : int or None
        Longest journey, and longest pause in it, microseconds.
    key : str or None
        Attribute of events that tells journeys of one person apart.
    """

    name: str
    start: Pattern
    end: Pattern | None
    abandon: Pattern | None
    timeout: int | None
    idle: int | None
    key: str | None

    def __str__(self) -> str:
        parts = [f"starts with {self.start}"]
        parts += [f"reached with {self.end}"] if self.end else []
        parts += [f"abandoned with {self.abandon}"] if self.abandon else []
        parts += [f"abandoned after {format_duration(self.idle)} without an event"] if self.idle is not None else []
        parts += [f"times out after {format_duration(self.timeout)}"] if self.timeout is not None else []
        parts += [f"one for each {self.key}"] if self.key is not None else []
        return f"{self.name}: {'; '.join(parts)}"


def goal(
    name: str,
    *,
    start: Pattern | str | Sequence[str],
    end: Pattern | str | Sequence[str] | None = None,
    abandon: Pattern | str | Sequence[str] | None = None,
    timeout: Duration | None = None,
    idle: Duration | None = None,
    key: str | None = None,
) -> Goal:
    """Say what a journey is towards, when it begins and how it ends.

    A person has at most one journey of a goal open at a time (one for each value of ``key``); a start while it is open
    is just one of its events. All events of the person from the first to the last of the journey belong to it, so an
    event may be in the journeys of several goals. A journey ends in one of four states:

    ``reached``
        At the first event that completes ``end``, at most ``timeout`` after the start (exactly at the limit counts).
    ``abandoned``
        At the first event that completes ``abandon``; or at its last event, if a pause longer than ``idle`` follows (a
        pause exactly as long does not end it). An event that completes both ``end`` and ``abandon`` reaches the goal.
    ``timed out``
        At start + ``timeout``, if that has passed and nothing of the above came before.
    ``open``
        Not at all: the data end first.

    After that the next start opens the next journey. If the event that ends a journey is a start as well, it belongs to
    both: it ends the one and opens the next.

    Parameters
    ----------
    name : str
        Name of the goal in results.
    start, end, abandon : Pattern, str or list of str
        A pattern, its text, a touchpoint (``"store:purchase"``, ``"store:*"``, ``"*:purchase"``; parts with odd
        characters in quotes, as in a pattern), or a list of touchpoints, any of which will do. With a ``start`` of
        several events the journey starts with the first of them and is open from the last one on; they must lie after
        the journey before, and no farther apart than ``timeout``. An ``end`` or ``abandon`` of several events must
        begin within the journey and be complete after it opened.
    timeout : duration, optional
        Longest time from the start to the end.
    idle : duration, optional
        Longest pause between two events of an open journey.
    key : str, optional
        An attribute such as an order number: journeys of one person that differ in it run side by side. An event with
        a key belongs to the journey with that key only; an event without one (null) to every open journey of the
        person. A start without a key opens none. ``start``, ``end`` and ``abandon`` must be single events then.

    Returns
    -------
    Goal

    Raises
    ------
    ArgumentError
        For an empty name, nothing that would close a journey, a bare number as duration, or a pattern that ends with
        an absence (no event completes it).
    PatternError
        For a pattern or touchpoint that cannot be read.

    Examples
    --------
    >>> import cjm
    >>> print(cjm.goal("checkout", start="web:cart", end=["web:purchase", "store:purchase"], idle="1d"))
    checkout: starts with web:cart; reached with {store:purchase, web:purchase}; abandoned after 1d without an event
    """
    where = f"goal({name!r})"
    if not isinstance(name, str) or not name.strip():
        raise ArgumentError.at("a goal needs a name", where=where)
    if end is None and abandon is None and timeout is None and idle is None:
        raise ArgumentError.at(
            "nothing would close its journeys", where=where, hint="Give one of end=, abandon=, timeout=, idle="
        )
    if key is not None and (not isinstance(key, str) or not key):
        raise ArgumentError.at(f"key must be the name of an attribute, not {key!r}", where=where)
    given = {"start": start, "end": end, "abandon": abandon}
    patterns = {part: _pattern(what, f"{where}, {part}=") for part, what in given.items() if what is not None}
    for part, pattern in patterns.items():
        if pattern.confirm_us is not None:
            raise ArgumentError.at(
                f"{str(pattern)!r} ends with an absence, which no event completes",
                where=f"{where}, {part}=",
                hint="For silence give idle= or timeout=",
            )
        if key is not None and (len(pattern.steps) > 1 or pattern.steps[0].count > 1):
            raise ArgumentError.at(
                f"{str(pattern)!r} takes several events, and key= tells them apart one by one",
                where=f"{where}, {part}=",
                hint="Give touchpoints, or leave out key=",
            )
    return Goal(
        name,
        patterns["start"],
        patterns.get("end"),
        patterns.get("abandon"),
        None if timeout is None else to_us(timeout, "timeout"),
        None if idle is None else to_us(idle, "idle"),
        key,
    )


def check_goals(goals: Goal | Sequence[Goal]) -> list[Goal]:
    """Return the goals as a list.

    Raises
    ------
    ArgumentError
        Unless there is at least one, and no two bear the same name.
    """
    listed = [goals] if isinstance(goals, Goal) else list(goals)
    if not listed or not all(isinstance(goal, Goal) for goal in listed):
        raise ArgumentError.at(
            f"must be a goal or a list of goals, not {goals!r}", where="goals", hint="Make them with cjm.goal"
        )
    names = [goal.name for goal in listed]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ArgumentError.at(f"two goals are called {twice!r}", where="goals", hint="Name them apart")
    return listed


def _pattern(what: Pattern | str | Sequence[str], where: str) -> Pattern:
    if isinstance(what, Pattern):
        return what
    if isinstance(what, str):
        return _parse(what, where)
    listed = [_parse(touchpoint, where) for touchpoint in what]
    selectors = [pattern.steps[0].what for pattern in listed]
    for pattern, selector in zip(listed, selectors, strict=True):
        if pattern != Pattern((Step(selector),)) or selector.tests:
            raise PatternError.at(
                f"{str(pattern)!r} is more than a touchpoint", where=where, hint="Give it alone, not in a list"
            )
    if not selectors:
        raise PatternError.at("the list of touchpoints is empty", where=where)
    return Pattern((Step(Selector(tuple(name for selector in selectors for name in selector.names))),))


def _parse(text: str, where: str) -> Pattern:
    try:
        return Pattern.parse(text)
    except PatternError as error:
        quoted = 'A part with blanks or other odd characters is quoted: web:"view offer"'
        raise PatternError.at(f"{error}\n{quoted}", where=where) from None
