"""``Watch``: moments found as events come in, the same however the log was cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import TIME
from cjm.durations import Duration, to_us
from cjm.errors import ArgumentError
from cjm.kernels.matching_columns import PATTERN, PENDING, PERSON, PLACE, PLACES, TO
from cjm.matching import Compiler
from cjm.moments._batch import checked, no_events, viewed
from cjm.moments._context import Running
from cjm.moments._layers import Idle, IntArray, Layer, Layers
from cjm.moments._moments import Moment, check_moments
from cjm.moments._plan import Plan
from cjm.moments._state import NEVER, WatchState
from cjm.ragged import places_in_sorted

__all__ = ["Watch"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Watch:
    """Finds moments as events come in, batch by batch.

    Any way of cutting the log into batches gives the same matches, as one pass over all of it would. Events count in
    the order of their times and, where these are equal, of their arrival. They are shown to the moments up to the
    watermark: the latest time seen that is not after the clock, less ``lateness``. Events above it wait; what comes
    below it is late, is set aside in ``state.late``, and changes nothing until :meth:`repair`. An absence is certain
    when no event of its window can come any more.

    Parameters
    ----------
    moments : sequence of Moment
        Names differ; patterns have a text form (no Polars expressions).
    context : sequence of Running
        Figures that patterns may test, and that are captured with each match.
    attributes : polars.DataFrame or sequence of these
        Attributes by date, likewise: ``person``, ``valid_from``, ``valid_to`` (null: still valid; without the column a
        row holds until the next one), and attributes.
    lateness : duration
        By how much an event may come later than another that happened after it.
    sources : sequence of str
        Channels without which the watermark does not move: it is the least of theirs. Default: the latest event counts.
    touchpoints : sequence of str
        The touchpoints that there are: a moment that names another is refused. Default: nothing is checked.

    Raises
    ------
    ArgumentError
        For two moments of one name, names of context that are taken, or a touchpoint that there is not, with the
        nearest that there is.

    Examples
    --------
    >>> import polars as pl
    >>> times = pl.Series(["2026-01-01T10:00Z", "2026-01-02T10:00Z"]).str.to_datetime(time_unit="us", time_zone="UTC")
    >>> events = pl.DataFrame({"person": [7, 7], "time": times, "channel": "web", "event": ["offer", "visit"]})
    >>> watch = Watch([Moment("followed", "web:offer -> web:visit within 3d", "call back")])
    >>> matches, state = watch.update(events[:1])
    >>> matches.height
    0
    >>> matches, state = watch.update(events[1:], state)
    >>> matches.select("moment", "person", "span").row(0)
    ('followed', 7, datetime.timedelta(days=1))
    """

    def __init__(
        self,
        moments: Sequence[Moment],
        *,
        context: Sequence[Running] = (),
        attributes: pl.DataFrame | Sequence[pl.DataFrame] = (),
        lateness: Duration = "0s",
        sources: Sequence[str] = (),
        touchpoints: Sequence[str] = (),
    ) -> None:
        self.moments = check_moments(moments, "Watch", text=True)
        self.lateness_us = to_us(lateness, "lateness")
        self.sources = tuple(sources)
        self._plan = Plan(self.moments, context, attributes)
        if touchpoints:
            _check_touchpoints(self.moments, touchpoints)

    def __repr__(self) -> str:
        return f"Watch({', '.join(moment.name for moment in self.moments)})"

    def update(
        self, events: pl.DataFrame | pl.LazyFrame, state: WatchState | None = None, *, now: datetime | None = None
    ) -> tuple[pl.DataFrame, WatchState]:
        """Take a batch in.

        Parameters
        ----------
        events : polars.DataFrame or LazyFrame
            ``person``, ``time`` (with a zone), ``channel``, ``event``, and the attributes that patterns test, such as
            ``journeys.frame``; in order of arrival.
        state : WatchState, optional
            From the batch before; without it this is the first. A moment that has changed since begins anew.
        now : datetime, optional
            The time, with a zone. Events after it come from a clock that is wrong: they do not move the watermark, and
            wait until it has reached them. Default: the clock of the machine.

        Returns
        -------
        matches : polars.DataFrame
            Contract MATCHES: those that became certain with this batch; see :func:`cjm.moments.detect`.
        state : WatchState

        Raises
        ------
        ArgumentError
            If a column is missing or of the wrong type, or ``now`` has no zone.
        InputError
            For null in ``person``, ``time``, ``channel`` or ``event``.
        """
        clock = _instant(datetime.now(UTC) if now is None else now, "Watch.update, now")
        batch = checked(events, self._plan.needs)
        state = self._taken_up(state)
        time = batch["time"].to_physical().to_numpy()
        late, rest = _parted(batch, time <= state.complete)
        trusted = time <= clock
        counted = {name: trusted & (batch["channel"] == name).to_numpy() for name in self.sources} or {"": trusted}
        latest = {name: int(time[rows].max(initial=state.seen.get(name, NEVER))) for name, rows in counted.items()}
        slowest = min(latest.values())
        reached = max(state.reached, slowest - self.lateness_us) if slowest > NEVER else state.reached
        state = replace(
            state,
            seen=dict(state.seen) | latest,
            events=state.events + batch.height,
            late=_joined(state.late, late),
            waiting=_joined(state.waiting, rest),
        )
        return self._shown(state, reached, max(state.complete, reached - 1))

    def advance_to(self, time: datetime, state: WatchState | None = None) -> tuple[pl.DataFrame, WatchState]:
        """Say that every event up to and including ``time`` has come, as a clock does for a scheduled job.

        Returns
        -------
        As :meth:`update`: absences may have become certain, and events that waited may have been shown.

        Raises
        ------
        ArgumentError
            For a time without a zone.
        """
        at = _instant(time, "Watch.advance_to")
        state = self._taken_up(state)
        return self._shown(state, max(state.reached, at), max(state.complete, at))

    def repair(self, history: pl.DataFrame | pl.LazyFrame, state: WatchState) -> tuple[pl.DataFrame, WatchState]:
        """Give late events their place, by finding the moments of their persons anew.

        Parameters
        ----------
        history : polars.DataFrame or LazyFrame
            All events of these persons (others are passed over) that were taken in so far, without the late ones.
        state : WatchState

        Returns
        -------
        changes : polars.DataFrame
            ``change`` (``added`` or ``withdrawn``), then contract MATCHES.
        state : WatchState
            Without late events.
        """
        state = self._taken_up(state)
        person = state.late["person"].unique().sort()
        past = checked(history, self._plan.needs)
        past = past.filter(pl.col("person").is_in(person.implode()), pl.col("time").to_physical() <= state.reached)
        begun = replace(self._nothing, seen=state.seen)
        waiting = (past, _joined(past, state.late))
        (before, _), (after, new) = (
            self._shown(replace(begun, waiting=events), state.reached, state.complete) for events in waiting
        )
        added = after.join(before, on="match_id", how="anti", maintain_order="left")
        withdrawn = before.join(after, on="match_id", how="anti", maintain_order="left")
        changes = pl.concat(
            [
                added.select(pl.lit("added").alias("change"), "*"),
                withdrawn.select(pl.lit("withdrawn").alias("change"), "*"),
            ]
        )
        numbers = person.to_numpy()
        rows, rows_at = new.layers.rows_of(numbers, state.width)
        rows[:, 0] = np.repeat(np.arange(len(numbers)), np.diff(rows_at))
        return changes, replace(
            state,
            late=state.late.clear(),
            pending=pl.concat([state.pending.filter(~pl.col("person").is_in(person.implode())), new.pending]),
            layers=state.layers.with_layer(Layer.of(numbers, rows), self._idle(state.complete)),
        )

    def _shown(self, state: WatchState, reached: int, complete: int) -> tuple[pl.DataFrame, WatchState]:
        """Show the events up to ``reached`` to the moments, and decide what is certain by ``complete``."""
        plan = self._plan
        state = replace(state, reached=reached, complete=complete)
        events, later = _parted(state.waiting, state.waiting["time"].to_physical().to_numpy() <= reached)
        due = state.pending["confirmed_at"].to_physical().to_numpy() <= complete
        person = np.unique(np.concatenate([events["person"].to_numpy(), state.pending["person"].to_numpy()[due]]))
        if not len(person):
            return plan.nobody, state
        held, held_at = state.layers.rows_of(person, state.width)
        view = viewed(events, person, plan.needs)
        outcome = plan.run(view, complete, held=held, held_at=held_at, partial=True)
        fresh, still = outcome.rows[:, TO] >= 0, outcome.rows[:, PENDING] == 1
        pending, certain = _settled(state.pending, outcome.rows[~fresh], person)
        return plan.public(_joined(certain, plan.found(outcome, fresh & ~still))), replace(
            state,
            layers=state.layers.with_layer(Layer.of(person, outcome.saved), self._idle(complete)),
            pending=_joined(pending, plan.found(outcome, fresh & still)),
            waiting=later,
            suppressed=state.suppressed + outcome.suppressed,
            refused=state.refused + outcome.refused,
        )

    def _idle(self, complete: int) -> Idle:
        return lambda rows: self._plan.idle(rows, complete)

    @cached_property
    def _nothing(self) -> WatchState:
        """The state before the first event."""
        plan = self._plan
        return WatchState(
            moments=tuple((moment.name, version) for moment, version in zip(self.moments, plan.versions, strict=True)),
            context=tuple(repr(figure) for figure in plan.context),
            width=plan.width,
            layers=Layers(),
            pending=plan.nothing,
            waiting=no_events(),
            late=no_events(),
        )

    def _taken_up(self, state: WatchState | None) -> WatchState:
        """Return a state that fits the moments: what it holds of those that have changed is left out."""
        mine = self._nothing
        if state is None:
            return mine
        if (state.moments, state.context, state.width) == (mine.moments, mine.context, mine.width):
            return state
        places = np.full(len(state.moments), -1, dtype=np.int64)
        for place, moment in enumerate(state.moments):
            if moment in mine.moments:
                places[place] = mine.moments.index(moment)
        figures = np.array([mine.context.index(one) if one in mine.context else -1 for one in state.context] + [-1])

        def change(rows: IntArray) -> IntArray:
            moment, wait = np.divmod(rows[:, PLACE], PLACES)
            figure = rows[:, PLACE] < 0
            moment = np.append(places, -1)[np.where(figure, -1, moment)]
            number = figures[np.where(figure, -1 - rows[:, PLACE], -1)]
            kept = np.where(figure, number, moment) >= 0
            changed = np.zeros((int(kept.sum()), mine.width), dtype=np.int64)
            shared = min(mine.width, rows.shape[1])
            changed[:, :shared] = rows[kept, :shared]
            changed[:, PLACE] = np.where(figure, -1 - number, moment * PLACES + wait)[kept]
            return changed

        numbers = pl.DataFrame(
            {"moment": [name for name, _ in mine.moments], "version": [version for _, version in mine.moments]},
            schema={"moment": pl.String, "version": pl.String},
        ).with_row_index("number")
        pending = state.pending.drop("number").join(numbers.cast({"number": pl.Int64}), on=["moment", "version"])
        return replace(
            state,
            moments=mine.moments,
            context=mine.context,
            width=mine.width,
            layers=state.layers.mapped(change),
            pending=pl.concat([mine.pending, pending], how="diagonal").select(mine.pending.columns),
        )


def _instant(time: datetime, where: str) -> int:
    if not isinstance(time, datetime) or time.tzinfo is None:
        raise ArgumentError.at(f"{time!r} is no datetime with a time zone", where=where)
    return (time - _EPOCH) // timedelta(microseconds=1)


def _parted(frame: pl.DataFrame, chosen: npt.NDArray[np.bool_]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows that are chosen, and the others."""
    count = np.count_nonzero(chosen)
    if count in (0, len(chosen)):
        return (frame, frame.clear()) if count else (frame.clear(), frame)
    return frame.filter(chosen), frame.filter(~chosen)


def _settled(pending: pl.DataFrame, again: IntArray, person: IntArray) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return which matches are pending still, and which are certain.

    Those of ``person`` that are not in ``again`` came to nothing. A person has one pending match of a moment at most.
    """
    place = places_in_sorted(person, pending["person"].to_numpy())
    keys, wanted = again[:, PERSON] << 32 | again[:, PATTERN], place << 32 | pending["number"].to_numpy()
    still, certain = (np.isin(wanted, keys[again[:, PENDING] == flag]) for flag in (1, 0))
    return _parted(pending, still | (place < 0))[0], _parted(pending, certain)[0]


def _joined(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    if before.is_empty() or after.is_empty():
        return after if before.is_empty() else before
    return pl.concat([before, after], how="diagonal_relaxed", rechunk=True)


def _check_touchpoints(moments: Sequence[Moment], touchpoints: Sequence[str]) -> None:
    parts = [touchpoint.split(":", 1) for touchpoint in touchpoints if ":" in touchpoint]
    schema = {"channel": pl.String, "event": pl.String}
    there = pl.DataFrame(parts, schema=schema, orient="row").with_columns(person=0, time=pl.lit(0).cast(TIME))
    compiler = Compiler(viewed(there, np.zeros(1, dtype=np.int64), ()))
    for moment in moments:
        for step in moment.pattern.steps:
            for selector in (step.what, step.unless):
                if selector is not None:
                    compiler.codes(selector, f"moment {moment.name!r}")
