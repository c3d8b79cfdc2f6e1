"""A moment is a pattern that is watched, and the action it calls for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from cjm.durations import Duration, to_us
from cjm.errors import ArgumentError, PatternError
from cjm.journeys import Journeys
from cjm.moments._context import Running
from cjm.patterns import Pattern

__all__ = ["Moment", "check_moments", "detect"]

_MEANING = "1"  # goes up when the same text comes to mean something else


@dataclass(frozen=True)
class Moment:
    r"""A pattern that is watched. A frozen, hashable value.

    Conditions on what is known of the person stand in the pattern, as tests of attributes as of the event:
    ``"web:offer[segment = \"premium\"] -> store:visit within 3d"``. The attributes may be those of the event, figures
    such as :class:`Running`, or come from a table of attributes by date.

    Attributes
    ----------
    name : str
    pattern : Pattern
        May be given as text. To be watched, each step needs a limit in time, so that no attempt waits for ever.
    action : str
        What it calls for, as text for those who act.
    once_per : duration or None
        A match less than this after the last one that counted, from end to end, does not count.

    Raises
    ------
    ArgumentError
        For a blank name, or a length of zero in ``once_per``.

    Examples
    --------
    >>> str(Moment("offer seen", "web:view_offer -> store:visit within 3d", "call back", once_per="30d"))
    'offer seen: web:view_offer -> store:visit within 3d'
    """

    name: str
    pattern: Pattern
    action: str = ""
    once_per: Duration | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ArgumentError.at(f"{self.name!r} is no name of a moment")
        if isinstance(self.pattern, str):
            object.__setattr__(self, "pattern", Pattern.parse(self.pattern))
        if self.once_us == 0 and self.once_per is not None:
            raise ArgumentError.at(
                "once_per is zero", where=f"moment {self.name!r}", hint='Leave it out, or write "30d"'
            )

    def __str__(self) -> str:
        return f"{self.name}: {self.pattern}"

    @property
    def once_us(self) -> int:
        """``once_per`` in microseconds; 0 without."""
        return 0 if self.once_per is None else to_us(self.once_per, "once_per")

    def version(self, context: Sequence[Running] = ()) -> str:
        """Return a hash of what decides when it matches, 16 hexadecimal digits; the action is no part of it."""
        tested = {
            test.attribute
            for step in self.pattern.steps
            for selector in (step.what, step.unless)
            if selector is not None
            for test in selector.tests
        }
        figures = sorted(repr(figure) for figure in context if figure.name in tested)
        text = "\x1f".join([_MEANING, self.name, str(self.pattern), str(self.once_us), *figures])
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def check_moments(moments: Sequence[Moment], where: str, *, text: bool) -> tuple[Moment, ...]:
    """Return the moments; raise for two of one name, one that may wait for ever and, for ``text``, an expression."""
    for moment in moments:
        if not isinstance(moment, Moment):
            raise ArgumentError.at(f"{moment!r} is no cjm.Moment", where=where)
        if moment.pattern.horizon_us is None:
            raise ArgumentError.at(
                f"the pattern {moment.pattern} may wait for ever",
                where=f"moment {moment.name!r}",
                hint='Give each step a limit, such as "within 3d"',
            )
        steps = [(step.what, step.unless) for step in moment.pattern.steps]
        if text and any(one is not None and one.expression is not None for step in steps for one in step):
            raise PatternError.at(
                "a step is a Polars expression, which may look at more than its event",
                where=f"moment {moment.name!r}",
                hint="Write it as text, with tests of attributes in [...]",
            )
    names = [moment.name for moment in moments]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ArgumentError.at(f"two moments are named {twice[0]!r}", where=where, hint="Give each a name of its own")
    return tuple(moments)


def detect(
    journeys: Journeys,
    moments: Sequence[Moment],
    *,
    context: Sequence[Running] = (),
    attributes: pl.DataFrame | Sequence[pl.DataFrame] = (),
    complete_until: datetime | None = None,
) -> pl.DataFrame:
    """Find moments in journeys: what :class:`Watch` finds in the same events, in one pass over all of them.

    Parameters
    ----------
    journeys : Journeys
    moments : sequence of Moment
        Names differ.
    context : sequence of Running
        Figures that patterns may test, and that are captured with each match.
    attributes : polars.DataFrame or sequence of these
        Attributes by date, likewise: ``person``, ``valid_from``, ``valid_to`` (null: still valid), and attributes.
    complete_until : datetime, optional
        As for :func:`cjm.find`.

    Returns
    -------
    polars.DataFrame
        Contract MATCHES: ``moment``, ``version``, ``pattern`` (its text), ``match_id``, ``person``, ``start``, ``end``,
        ``span``, ``confirmed_at`` (when an absence at the end was certain, else null), ``steps`` (times of the matched
        events), ``action``, and the context as of the last matched event. Matches of one moment do not overlap for a
        person. Sorted by moment as given, person and time.

    Raises
    ------
    ArgumentError
        For two moments of one name, a pattern that may wait for ever, or one with a touchpoint or attribute that does
        not occur.
    """
    from cjm.moments._plan import Plan

    plan = Plan(check_moments(moments, "detect", text=False), context, attributes)
    return plan.detect(journeys, complete_until)
