"""``Pattern``: the value that a mined sequence, a funnel, a moment and a survival covariate share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from cjm.durations import Duration, format_duration, to_us
from cjm.errors import PatternError
from cjm.patterns._parse import parse_pattern, parse_selector
from cjm.patterns._parts import Expression, Name, Selector, Step, attempts, problem

__all__ = ["Pattern", "Wait", "pattern", "waits_of"]

_ATTEMPT_BYTES = 48


@dataclass(frozen=True)
class Pattern:
    """Steps in order, with limits on time and events that must not come. A frozen, hashable value.

    Build one with :func:`cjm.pattern` or read one with :meth:`parse`; ``str`` gives the text back, unless a step is a
    Polars expression, which has no text form (``str`` shows it and :meth:`parse` refuses it).

    All limits are measured from the last event matched before the step. An absence matches no event, so a step after
    an absence is measured from the event in front of the absence, and it must come after the absence's window has
    passed: in ``a:b -> not c:d within 1d -> e:f within 7d``, ``e:f`` comes later than one day and at most seven days
    after ``a:b``.

    Attributes
    ----------
    steps : tuple of Step
    span_us : int or None
        Bound from the first matched event to the last, microseconds (``within ... of start``).

    Examples
    --------
    >>> p = pattern("web:view_offer").then("store:visit", within="3d").without("store:renew", within="1d")
    >>> str(p)
    'web:view_offer -> store:visit within 3d -> not store:renew within 1d'
    >>> Pattern.parse(str(p)) == p
    True
    """

    steps: tuple[Step, ...]
    span_us: int | None = None

    def __post_init__(self) -> None:
        wrong = problem(self.steps, self.span_us)
        if wrong is not None:
            index, what = wrong
            shown = f" ({self.steps[index]})" if index < len(self.steps) else ""
            raise PatternError.at(what, where=f"pattern, step {index + 1}{shown}")

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read a pattern from text.

        Parameters
        ----------
        text : str
            Steps joined by ``->`` (later) or ``=>`` (the very next event). A step is ``channel:event``,
            ``channel:*``, ``*:event`` or a set ``{a:b, c:d}``, with attribute tests in ``[...]`` (``= != < <= > >=``
            and ``in {...}``, all of which must hold), a count ``3 x`` before it, and ``within 3d``, ``after 1h``,
            ``unless e:f`` behind it. ``not a:b within 1d`` is an absence; ``within 7d of start`` at the end bounds the
            whole. Parts with odd characters stand in double quotes with JSON escapes.

        Raises
        ------
        PatternError
            With the place in the text.

        Examples
        --------
        >>> Pattern.parse('web:offer[segment = "premium"] => 2 x store:* within 3d unless store:renew').steps[1].count
        2
        """
        if not isinstance(text, str):
            raise PatternError.at(f"a pattern is read from text, not from {text!r}")
        steps, span = parse_pattern(text)
        return cls(steps, span)

    @classmethod
    def from_touchpoints(
        cls,
        touchpoints: Sequence[str],
        *,
        max_gap: Duration | None = None,
        within: Duration | None = None,
        min_gap: Duration | None = None,
    ) -> Pattern:
        """Make the pattern of a mined sequence.

        Parameters
        ----------
        touchpoints : sequence of str
            Touchpoints as they stand in the data; no character in them has a special meaning.
        max_gap : duration, optional
            Longest time between neighbours.
        within : duration, optional
            Longest time from the first to the last.
        min_gap : duration, optional
            Shortest time between neighbours.

        Examples
        --------
        >>> str(Pattern.from_touchpoints(["web:view offer", "store:visit"], max_gap="7d"))
        'web:"view offer" -> store:visit within 7d'
        """
        gap, least = _us(max_gap, "max_gap"), _us(min_gap, "min_gap")
        steps: list[Step] = []
        for touchpoint in touchpoints:
            channel, colon, event = touchpoint.partition(":")
            if not colon:
                raise PatternError.at(f"{touchpoint!r} is no touchpoint", hint="A touchpoint is written channel:event")
            first = not steps
            what = Selector((Name(channel, event),))
            steps.append(Step(what, within=None if first else gap, after=None if first else least))
        return cls(tuple(steps), None if within is None else to_us(within, "within"))

    def then(
        self,
        step: str | pl.Expr,
        *,
        within: Duration | None = None,
        after: Duration | None = None,
        unless: str | pl.Expr | None = None,
        strict: bool = False,
        count: int = 1,
    ) -> Pattern:
        """Add a step that comes later.

        Parameters
        ----------
        step : str or polars.Expr
            As in the text form, or an expression over the columns of ``Journeys.frame``; null is false.
        within, after : duration, optional
            Longest and shortest time from the event before, both inclusive.
        unless : str or polars.Expr, optional
            An event that ends the attempt if it comes in between.
        strict : bool
            Only the very next event will do (with a count, the next ones).
        count : int
            The ``count``-th such event within the limits completes the step.
        """
        refused = None if unless is None else _selector(unless)
        added = Step(_selector(step), _us(within, "within"), _us(after, "after"), refused, strict, count)
        return replace(self, steps=(*self.steps, added))

    def without(self, step: str | pl.Expr, *, within: Duration) -> Pattern:
        """Add an absence: no such event up to and including ``within`` after the event before."""
        return replace(self, steps=(*self.steps, Step(_selector(step), to_us(within, "within"), absent=True)))

    def span(self, within: Duration) -> Pattern:
        """Bound the whole: at most ``within`` from the first matched event to the last (``within ... of start``)."""
        return replace(self, span_us=to_us(within, "within"))

    def __str__(self) -> str:
        parts = [str(self.steps[0])]
        parts += [f" {'=>' if step.strict else '->'} {step}" for step in self.steps[1:]]
        if self.span_us is not None:
            parts.append(f" within {format_duration(self.span_us)} of start")
        return "".join(parts)

    def __repr__(self) -> str:
        return f"Pattern({str(self)!r})"

    @property
    def confirm_us(self) -> int | None:
        """Time from the last matched event until the absences at the end are certain; None without any."""
        return max((absence.within or 0 for absence in waits_of(self)[1]), default=None)

    @property
    def horizon_us(self) -> int | None:
        """Longest time from the first event until a match is certain, microseconds; None if nothing bounds it."""
        waits = [step.within for step in self.steps[1:] if not step.absent]
        if self.steps[0].count > 1:
            waits.append(self.steps[0].within)
        bounds = [] if self.span_us is None else [self.span_us]
        if None not in waits:
            bounds.append(sum(wait for wait in waits if wait is not None))
        return min(bounds) + (self.confirm_us or 0) if bounds else None

    def explain(self) -> str:
        """Describe the steps, the tables they compile to, the state that matching keeps, and the horizon.

        Each wait between two events of a match is a row: what it waits for, its limits, the event that ends it, the
        absences in front of it, and how many attempts are kept there. A saved attempt takes 48 bytes and 8 for each
        event that a match has.

        Examples
        --------
        >>> print(Pattern.parse("web:offer -> 2 x call:failed within 2h -> not store:renew within 1d").explain())
        1. web:offer
        2. then 2 x call:failed within 2h
        3. then not store:renew within 1d
        wait  for          within  after  count  strict  unless  absences               attempts
           1  call:failed      2h     0s      2      no       -  -                             2
         end  -                 -      -      -       -       -  store:renew within 1d         -
        state: up to 2 waiting attempts a person, 128 bytes; a match is certain at most 1d2h after its start
        """
        lines = [f"1. {self.steps[0]}"]
        for number, step in enumerate(self.steps[1:], start=2):
            lines.append(f"{number}. {'at once' if step.strict else 'then'} {step}")
        if self.span_us is not None:
            lines.append(f"all within {format_duration(self.span_us)} of the start")
        waits, at_end = waits_of(self)
        lines += _table_of(waits, at_end)
        state = sum(wait.attempts for wait in waits)
        horizon = self.horizon_us
        end = (
            "no limit on the wait"
            if horizon is None
            else (f"a match is certain at most {format_duration(horizon)} after its start")
        )
        size = state * (_ATTEMPT_BYTES + 8 * (len(waits) + 1))
        lines.append(f"state: up to {state} waiting attempt{'' if state == 1 else 's'} a person, {size:,} bytes; {end}")
        return "\n".join(lines)


def _table_of(waits: list[Wait], at_end: tuple[Step, ...]) -> list[str]:
    """Return the lines of the table of waits; columns of numbers are aligned on the right."""
    rows = [("wait", "for", "within", "after", "count", "strict", "unless", "absences", "attempts")]
    for number, wait in enumerate(waits, start=1):
        step = wait.step
        within = "-" if step.within is None else format_duration(step.within)
        limits = (within, format_duration(wait.earliest), str(step.count), "yes" if step.strict else "no")
        unless = "-" if step.unless is None else str(step.unless)
        rows.append((str(number), str(step.what), *limits, unless, _windows(wait.absences), str(wait.attempts)))
    if at_end:
        rows.append(("end", *"------", _windows(at_end), "-"))
    if len(rows) == 1:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = {1, 7}
    return [
        "  ".join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _windows(absences: tuple[Step, ...]) -> str:
    shown = (f"{absence.what} within {format_duration(absence.within or 0)}" for absence in absences)
    return ", ".join(shown) or "-"


@dataclass(frozen=True)
class Wait:
    """The wait for one event-taking step, with the absences in front of it.

    Attributes
    ----------
    step : Step
    absences : tuple of Step
    earliest : int
        Shortest time from the event before, microseconds: ``after``, and later than every absence's window.
    attempts : int
        How many attempts are kept in this wait.
    """

    step: Step
    absences: tuple[Step, ...]
    earliest: int
    attempts: int


def waits_of(pattern: Pattern) -> tuple[list[Wait], tuple[Step, ...]]:
    """Return the waits between the events of a match, and the absences at its end.

    A counted first step is its first event and a wait for the rest.
    """
    first = pattern.steps[0]
    rest = list(pattern.steps[1:])
    if first.count > 1:
        rest.insert(0, replace(first, count=first.count - 1))
    waits: list[Wait] = []
    absences: list[Step] = []
    for step in rest:
        if step.absent:
            absences.append(step)
            continue
        earliest = max([step.after or 0, *((absence.within or 0) + 1 for absence in absences)])
        waits.append(Wait(step, tuple(absences), earliest, attempts(step, earliest)))
        absences = []
    return waits, tuple(absences)


def pattern(
    step: str | pl.Expr, *, count: int = 1, within: Duration | None = None, unless: str | pl.Expr | None = None
) -> Pattern:
    """Begin a pattern.

    Parameters
    ----------
    step : str or polars.Expr
        The first step: ``"channel:event"``, ``"channel:*"``, ``"*:event"``, a set ``"{a:b, c:d}"``, any of these with
        tests ``[attribute = "x"]``, or an expression over the columns of ``Journeys.frame``.
    count : int
        How many such events make the step; the match starts with the first of them.
    within : duration, optional
        With a count: longest time from the first of them to the last.
    unless : str or polars.Expr, optional
        With a count: an event that ends the attempt if it comes between them.

    Returns
    -------
    Pattern
        Add steps with ``then`` and ``without``, and a bound on the whole with ``span``.

    Raises
    ------
    PatternError
        If the step cannot be read, with the place in its text.

    Examples
    --------
    >>> pattern("call:failed", count=3, within="2h").without("store:visit", within="1d")
    Pattern('3 x call:failed within 2h -> not store:visit within 1d')
    """
    refused = None if unless is None else _selector(unless)
    return Pattern((Step(_selector(step), _us(within, "within"), unless=refused, count=count),))


def _selector(step: str | pl.Expr) -> Selector:
    if isinstance(step, pl.Expr):
        return Selector(expression=Expression(step))
    if isinstance(step, str):
        return parse_selector(step)
    raise PatternError.at(f"a step is text or a Polars expression, not {step!r}")


def _us(value: Duration | None, name: str) -> int | None:
    return None if value is None else to_us(value, name)
