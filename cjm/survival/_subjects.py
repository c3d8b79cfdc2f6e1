"""Persons as survival analysis sees them: entry, exit, churned or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from cjm.contracts import CONTRACTS, TIME
from cjm.durations import DAY_US, format_duration
from cjm.errors import ArgumentError, InputError
from cjm.journeys import Journeys
from cjm.statistics import in_first_part
from cjm.survival._audit import audit_table
from cjm.survival._churn import Churn, first_times
from cjm.survival._times import first_events, returns, signs_of_life, silences, touchpoint_times

__all__ = ["Subjects", "moment_us", "subjects"]

Moment = str | date | datetime
Ending = str | Sequence[str] | pl.DataFrame

_OWN = (*CONTRACTS["SUBJECTS"].columns, "entry_days")


@dataclass(frozen=True, eq=False)
class Subjects:
    """Persons under observation; made by :func:`subjects`.

    Attributes
    ----------
    frame : polars.DataFrame
        Contract SUBJECTS, sorted by person: ``person``, ``entry``, ``exit``, ``duration`` (days from time zero to
        exit), ``churned``, ``end``, then ``entry_days`` (days from time zero to entry: 0 unless the person came under
        observation late), with ``recurrent`` ``spell`` (from 1), and the attributes.
    churn : Churn
    end : int
        End of observation, microseconds since 1970 UTC.
    notes : tuple of str
        What was assumed, who was left out.
    """

    frame: pl.DataFrame
    churn: Churn
    end: int
    notes: tuple[str, ...]
    _audit: pl.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        spells = f", {self.frame.height:,} spells" if "spell" in self.frame.columns else ""
        churned = f"{int(self.frame['churned'].sum()):,} churned"
        return f"Subjects({self.frame['person'].n_unique():,} persons{spells}, {churned}: {self.churn})"

    def filter(self, predicate: pl.Expr) -> Subjects:
        """Keep the subjects for which ``predicate`` (over the columns of ``frame``) is true; the audit stays."""
        return replace(self, frame=self.frame.filter(predicate))

    def split(self, share: float = 0.5, *, seed: int = 0) -> tuple[Subjects, Subjects]:
        """Split the persons in two: for a fit, and for its test on persons who took no part in it.

        Parameters
        ----------
        share : float
            Of persons in the first part, about.
        seed : int
            The part of a person depends on it and on the person's number alone.

        Returns
        -------
        tuple of Subjects
        """
        if not 0 < share < 1:
            raise ArgumentError.at(f"the share is {share}", where="Subjects.split", hint="Give one between 0 and 1")
        chosen = pl.Series(in_first_part(self.frame["person"].to_numpy(), share, seed))
        return replace(self, frame=self.frame.filter(chosen)), replace(self, frame=self.frame.filter(~chosen))

    def audit(self) -> pl.DataFrame:
        """Return how the subjects came about.

        Returns
        -------
        polars.DataFrame
            ``measure``, ``count``, ``share`` (of what ``meaning`` says; null for a plain count), ``meaning``.
        """
        return self._audit


def subjects(
    journeys: Journeys,
    churn: Churn,
    *,
    persons: pl.DataFrame | None = None,
    origin: str | pl.DataFrame | None = None,
    end: Moment | None = None,
    competing: Mapping[str, Ending] | None = None,
    recurrent: bool = False,
) -> Subjects:
    """Say for each person when observation began and ended, and whether it ended in churn.

    Parameters
    ----------
    journeys : Journeys
    churn : Churn
        With silence, the person churns once the silence has lasted its gap (``exit`` is the last event plus the gap),
        and only the first such silence counts.
    persons : polars.DataFrame, optional
        Those at risk, one row a person: ``person``, attributes, and perhaps ``entry`` (a time from which they are at
        risk). By default all persons of the journeys, which leaves out customers who never did anything.
    origin : str or polars.DataFrame, optional
        Time zero of each person: a touchpoint (its first event), or columns ``person`` and ``time``. By default
        ``entry`` of ``persons`` where given, else the person's first event. Where it lies before the first event of the
        log, the person enters late, at the first event of the log: that they were still there is known, not observed.
    end : str, date or datetime, optional
        End of observation, UTC if it has no zone; by default the end of the data.
    competing : mapping of str to (str, sequence of str or polars.DataFrame), optional
        Other ends, such as a move abroad: touchpoints, or columns ``person`` and ``time``. Churn wins a tie.
    recurrent : bool
        Whether who churned is at risk anew from their next event on: a row a spell, each with its own time zero. For
        :func:`cox` with ``strata="spell"`` and ``cluster="person"``. An other end is final.

    Returns
    -------
    Subjects

    Raises
    ------
    ArgumentError
        For an unknown touchpoint, an ``end`` beyond the data, a column whose name is taken, or recurrent spells with
        churn that is a table.
    InputError
        If nobody is left.

    Examples
    --------
    >>> from datetime import datetime, timezone
    >>> from cjm.journeys import journeys_from_frame
    >>> events = pl.DataFrame({
    ...     "person": [1, 1, 2, 2], "channel": "account", "event": ["opened", "cancelled", "opened", "paid"],
    ...     "time": [datetime(2026, 1, day, tzinfo=timezone.utc) for day in (1, 5, 2, 8)]})
    >>> found = subjects(journeys_from_frame(events, gap=1), Churn.event("account:cancelled"))
    >>> found.frame.select("person", "duration", "churned").rows()
    [(1, 4.0, True), (2, 6.0, False)]
    """
    if journeys.height == 0:
        raise InputError.at("the journeys hold no events", where="subjects", hint="Was everything filtered out?")
    last = journeys.end if end is None else moment_us(end, "end")
    if last > journeys.end:
        raise ArgumentError.at(
            "the end of observation is later than the data are complete",
            where="subjects(end=...)",
            hint=f"Use at most {datetime.fromtimestamp(journeys.end / 1e6, UTC):%Y-%m-%d %H:%M:%S} UTC",
        )
    ends = {str(name): _ending(journeys, what) for name, what in (competing or {}).items()}
    if recurrent and churn.kind == "table":
        raise ArgumentError.at(
            "a table says when persons left, not when they were back",
            where="subjects(recurrent=True)",
            hint="Use Churn.event or Churn.inactive",
        )
    taken = [name for name in ends if name in ("churn", "censored")]
    if taken:
        raise ArgumentError.at(f"a competing end cannot be called {taken[0]!r}", where="subjects(competing=...)")
    table = _at_risk(journeys, persons)
    considered = table.height
    table = _origin(journeys, table, origin).with_columns(__last=pl.lit(last, dtype=pl.Int64))
    attributes = [name for name in table.columns if not name.startswith("__") and name != "person"]
    if recurrent and "spell" in attributes:
        raise ArgumentError.at(
            "the attribute 'spell' has a name that is taken", where="subjects(persons=...)", hint="Rename it"
        )
    for place, times in enumerate(ends.values()):
        table = table.join(
            times.select("person", pl.col("time").to_physical().alias(f"__end{place}")), on="person", how="left"
        )
    if recurrent:
        table = _spells(table, _breaks(journeys, churn, table))
        attributes = ["spell", *attributes]
    else:
        table = table.join(_churn_times(journeys, churn, table), on="person", how="left").sort("person")
    others = [f"__end{place}" for place in range(len(ends))]
    reasons = {
        "no time zero": ("no event that could be time zero", pl.col("__entry").is_null()),
        "ended before entry": ("churned, or ended otherwise, at or before entry", _any_before(["__churn", *others])),
        "entered too late": ("entered at or after the end of observation", pl.col("__entry") >= pl.col("__last")),
    }
    counts = []
    for name, (meaning, dropped) in reasons.items():
        out = table.filter(dropped.fill_null(False) & _first_spell(recurrent)).height
        counts.append((f"left out: {name}", out, out / max(considered, 1), f"share of persons considered: {meaning}"))
        table = table.filter(~dropped.fill_null(False))
    if table.is_empty():
        raise InputError.at(
            f"none of {considered} persons is left",
            where="subjects",
            hint="; ".join(f"{row[1]} {row[0]}" for row in counts),
        )
    exit_ = pl.min_horizontal("__churn", *others, "__last")
    label: Any = pl.when(pl.col("__churn") == pl.col("__exit")).then(pl.lit("churn"))
    for name, column in zip(ends, others, strict=True):
        label = label.when(pl.col(column) == pl.col("__exit")).then(pl.lit(name))
    table = table.with_columns(__exit=exit_).with_columns(end=label.otherwise(pl.lit("censored")))
    frame = table.select(
        "person",
        pl.col("__entry").cast(TIME).alias("entry"),
        pl.col("__exit").cast(TIME).alias("exit"),
        ((pl.col("__exit") - pl.col("__origin")) / DAY_US).alias("duration"),
        (pl.col("end") == "churn").alias("churned"),
        "end",
        ((pl.col("__entry") - pl.col("__origin")) / DAY_US).alias("entry_days"),
        *attributes,
    )
    audit = audit_table(journeys, churn, frame, considered=considered, left_out=counts, end=last)
    return Subjects(frame, churn, last, _notes(churn, audit, persons is None, origin, recurrent), audit)


def moment_us(value: Moment, name: str) -> int:
    """Return a time in microseconds since 1970 UTC; one without a zone is taken as UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ArgumentError.at(
                f"{name} cannot be read: {value!r}", hint="Write it as 2026-06-30 or 2026-06-30T12:00"
            ) from error
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    since = value - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _ending(journeys: Journeys, what: Ending) -> pl.DataFrame:
    if isinstance(what, pl.DataFrame):
        return first_times(what, where="subjects(competing=...)")
    return touchpoint_times(journeys, [what] if isinstance(what, str) else list(what))


def _at_risk(journeys: Journeys, persons: pl.DataFrame | None) -> pl.DataFrame:
    seen = first_events(journeys).rename({"time": "__seen"})
    if persons is None:
        return seen.with_columns(__at=pl.lit(None, dtype=pl.Int64))
    if "person" not in persons.columns:
        raise ArgumentError.at(
            "there is no column 'person'",
            where="subjects(persons=...)",
            hint="Identities.with_person or cjm.person_numbers put person numbers on a table",
        )
    if not persons.schema["person"].is_integer():
        raise InputError.at(
            f"person is {persons.schema['person']}",
            where="subjects(persons=...)",
            hint="It must hold person numbers: see Identities.with_person and cjm.person_numbers",
        )
    twice = persons.filter(pl.col("person").is_duplicated() | pl.col("person").is_null())
    if twice.height:
        raise InputError.at(
            f"person {twice['person'][0]} has {twice.height} rows",
            where="subjects(persons=...)",
            hint="Give one row a person",
        )
    entry = pl.lit(None, dtype=pl.Int64)
    if "entry" in persons.columns:
        times = first_times(persons.select("person", time="entry"), where="subjects(persons=...), column entry as time")
        persons = persons.drop("entry").join(times.rename({"time": "__at"}), on="person", how="left")
        entry = pl.col("__at").to_physical()
    clash = [name for name in persons.columns if name in _OWN and name != "person"]
    if clash:
        raise ArgumentError.at(
            f"the attribute {clash[0]!r} has a name that is taken", where="subjects(persons=...)", hint="Rename it"
        )
    return persons.with_columns(pl.col("person").cast(pl.Int64), __at=entry).join(seen, on="person", how="left")


def _origin(journeys: Journeys, table: pl.DataFrame, origin: str | pl.DataFrame | None) -> pl.DataFrame:
    """Add time zero and entry: the latest of time zero, the given entry and the start of the log."""
    start = journeys.start
    if origin is None:
        table = table.with_columns(__origin=pl.coalesce("__at", "__seen"))
        return table.with_columns(__entry=pl.col("__origin").clip(lower_bound=start))
    if isinstance(origin, str):
        times = touchpoint_times(journeys, [origin])
    else:
        times = first_times(origin, where="subjects(origin=...)")
    table = table.join(times.select("person", pl.col("time").to_physical().alias("__origin")), on="person", how="left")
    late = pl.max_horizontal("__origin", "__at", pl.lit(start, dtype=pl.Int64))
    return table.with_columns(__entry=pl.when(pl.col("__origin").is_not_null()).then(late))


def _churn_times(journeys: Journeys, churn: Churn, table: pl.DataFrame) -> pl.DataFrame:
    """Return ``person`` and ``__churn`` in microseconds; of a silence, the instant at which it has lasted the gap."""
    if churn.kind == "inactive":
        last = int(table["__last"][0])
        alive = signs_of_life(journeys, churn.touchpoints)
        silent = silences(alive, churn.gap, last).join(table.select("person", "__entry"), on="person")
        return (
            silent.filter(pl.col("time") >= pl.col("__entry"))
            .group_by("person")
            .agg((pl.col("time").min() + churn.gap).alias("__churn"))
        )
    times = touchpoint_times(journeys, churn.touchpoints) if churn.times is None else churn.times
    return times.select("person", pl.col("time").to_physical().alias("__churn"))


def _breaks(journeys: Journeys, churn: Churn, table: pl.DataFrame) -> pl.DataFrame:
    """Return ``person``, ``__churn`` and ``again`` (both microseconds) of each churn after entry, in order."""
    entries = table.select("person", "__entry").drop_nulls()
    if churn.kind == "event":
        return returns(journeys, churn.touchpoints, entries).rename({"time": "__churn"})
    last = int(table["__last"][0])
    silent = silences(signs_of_life(journeys, churn.touchpoints), churn.gap, last).join(entries, on="person")
    silent = silent.filter(pl.col("time") >= pl.col("__entry")).sort("person", "time")
    return silent.select("person", (pl.col("time") + churn.gap).alias("__churn"), "again")


def _spells(table: pl.DataFrame, breaks: pl.DataFrame) -> pl.DataFrame:
    """Return a row a spell: from entry or from the return to the next churn."""
    breaks = breaks.with_columns(spell=pl.int_range(1, pl.len() + 1).over("person"))
    later = breaks.drop_nulls("again").select("person", (pl.col("spell") + 1).alias("spell"), "again")
    begun = pl.concat(
        [table.select("person", pl.lit(1, dtype=pl.Int64).alias("spell"), again=None), later], how="vertical_relaxed"
    )
    spells = begun.join(breaks.drop("again"), on=["person", "spell"], how="left").join(table, on="person", how="left")
    spells = spells.with_columns(__entry=pl.coalesce("again", "__entry"), __origin=pl.coalesce("again", "__origin"))
    return spells.drop("again").sort("person", "spell")


def _first_spell(recurrent: bool) -> pl.Expr:
    return pl.col("spell") == 1 if recurrent else pl.lit(True)


def _any_before(columns: Sequence[str]) -> pl.Expr:
    return pl.any_horizontal([(pl.col(name) <= pl.col("__entry")).fill_null(False) for name in columns])


def _notes(churn: Churn, audit: pl.DataFrame, everyone: bool, origin: object, recurrent: bool) -> tuple[str, ...]:
    notes = [f"Churn: {churn}"]
    if recurrent:
        notes.append(
            "After churn a person is at risk anew from the next event on; spells of a person are not independent"
        )
    elif churn.kind == "inactive":
        notes.append(
            f"Churn is final and dated when the silence has lasted {format_duration(churn.gap)}; "
            "a return after it counts as a false churn in audit()"
        )
    if everyone:
        notes.append("At risk: every person with an event; persons= would add those without and drop the anonymous")
    if origin is None:
        notes.append("Time zero: entry where given, else the first event of the person")
    left = audit.filter(pl.col("measure").str.starts_with("left out") & (pl.col("count") > 0))
    notes += [f"{count} persons {measure}" for measure, count in left.select("measure", "count").iter_rows()]
    return tuple(notes)
