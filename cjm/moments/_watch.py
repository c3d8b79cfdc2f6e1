"""``Watch``: moments found as events come in, the same however the log was cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property

import numpy as np
import polars as pl

from cjm.contracts import TIME
from cjm.durations import Duration, to_us
from cjm.errors import ArgumentError
from cjm.kernels.matching_columns import PLACE, PLACES
from cjm.matching import Compiler
from cjm.moments._batch import checked, no_events, viewed
from cjm.moments._context import Running
from cjm.moments._layers import Idle, IntArray, Layer, Layers
from cjm.moments._moments import Moment, check_moments
from cjm.moments._plan import Plan
from cjm.moments._state import NEVER, WatchState

__all__ = ["Watch"]


class Watch:
    """Finds moments as events come in, batch by batch.

    Any way of cutting the log into batches gives the same matches, as one pass over all of it would. Events count in
    the order of their times and, where these are equal, of their arrival. They are shown to the moments up to the
    watermark: the latest time seen, less ``lateness``. Events above it wait; what comes below it is late, is set aside
    in ``state.late``, and changes nothing until :meth:`repair`. An absence is certain when no event of its window can
    come any more.

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
        self, events: pl.DataFrame | pl.LazyFrame, state: WatchState | None = None
    ) -> tuple[pl.DataFrame, WatchState]:
        """Take a batch in.

        Parameters
        ----------
        events : polars.DataFrame or LazyFrame
            ``person``, ``time`` (with a zone), ``channel``, ``event``, and the attributes that patterns test, such as
            ``journeys.frame``; in order of arrival.
        state : WatchState, optional
            From the batch before; without it this is the first. A moment that has changed since begins anew.

        Returns
        -------
        matches : polars.DataFrame
            Contract MATCHES: those that became certain with this batch; see :func:`cjm.moments.detect`.
        state : WatchState

        Raises
        ------
        ArgumentError
            If a column is missing or of the wrong type.
        InputError
            For null in ``person``, ``time``, ``channel`` or ``event``.
        """
        batch = checked(events, self._plan.needs)
        state = self._taken_up(state)
        time = batch["time"].to_physical()
        late = time <= state.complete
        source = pl.col("channel") if self.sources else pl.lit("").alias("channel")
        latest = batch.group_by(source).agg(pl.col("time").to_physical().max()).drop_nulls().rows()
        seen = dict(state.seen) | {name: max(state.seen.get(name, NEVER), most) for name, most in latest}
        wanted = [seen.get(source, NEVER) for source in self.sources or ("",)]
        reached = max(state.reached, min(wanted) - self.lateness_us) if min(wanted) > NEVER else state.reached
        state = replace(
            state,
            seen=seen,
            events=state.events + batch.height,
            late=_joined(state.late, batch.filter(late)) if late.any() else state.late,
            waiting=_joined(state.waiting, batch.filter(~late) if late.any() else batch),
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
        if not isinstance(time, datetime) or time.tzinfo is None:
            raise ArgumentError.at(f"{time!r} is no datetime with a time zone", where="Watch.advance_to")
        state = self._taken_up(state)
        at = int(pl.Series([time]).cast(TIME).to_physical()[0])
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
        ready = state.waiting["time"].to_physical() <= reached
        due = state.pending.filter(pl.col("confirmed_at").to_physical() <= complete)
        events, later = state.waiting, state.waiting.clear()
        if not ready.all():
            events, later = events.filter(ready), events.filter(~ready)
        person = np.unique(np.concatenate([events["person"].to_numpy(), due["person"].to_numpy()]))
        if not len(person):
            return plan.nobody, state
        held, held_at = state.layers.rows_of(person, state.width)
        view = viewed(events, person, plan.needs)
        outcome = plan.run(view, complete, held=held, held_at=held_at, partial=True)
        found, pending = outcome.found, state.pending
        if pending.height:
            touched = pending["person"].is_in(pl.Series(person).implode())
            again = found.filter(~pl.col("fresh")).select("moment", "person", "repeat", "pending", "fresh")
            known = pending.filter(touched).drop("repeat", "pending", "fresh")
            kept = known.join(again, on=["moment", "person"], how="inner", maintain_order="left")
            found = pl.concat([found.filter("fresh"), kept.select(found.columns)])
            pending = pending.filter(~touched)
        return plan.public(found.filter(~pl.col("pending"))), replace(
            state,
            layers=state.layers.with_layer(Layer.of(person, outcome.saved), self._idle(complete)),
            pending=pl.concat([pending, found.filter("pending")]),
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


def _joined(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    if before.is_empty() or after.is_empty():
        return after if before.is_empty() else before
    return pl.concat([before, after], how="diagonal_relaxed")


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
