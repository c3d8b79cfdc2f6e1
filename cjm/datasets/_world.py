"""A world of customers whose truth is known: generate it, keep it in memory or in a folder, read it back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cjm.datasets._design import DESIGN, PATHS
from cjm.datasets._happen import Clock, Rows, happen
from cjm.datasets._logs import Names, Seen, identify, identities, write_up
from cjm.datasets._moments import merged, plant
from cjm.datasets._outcome import churn_times, first_completion
from cjm.datasets._people import FOREVER, consent_frame, draw_people, times
from cjm.errors import ArgumentError, InputError

if TYPE_CHECKING:
    from cjm.events import EventLog, Source

__all__ = ["Truth", "World", "open_world", "simulate"]

FILES = {
    "web": "web-*.parquet",
    "app": "app.ndjson",
    "call": "calls.csv",
    "store": "store.csv",
    "email": "email-*.arrow",
}
MOMENT_FILES = {"network": "network-*.parquet", "card": "card-*.parquet"}  # only where moments are planted
_MEANING: dict[str, dict[str, Any]] = {
    "web": {"time": "ts", "event": "page", "ids": {"customer": "user_id", "cookie": "cookie"}},
    "app": {"time": "at", "event": "action", "ids": {"customer": "user", "device": "device"}},
    "call": {
        "time": "started", "time_zone": DESIGN.zone, "event": "topic", "channel": "line",
        "ids": {"customer": "customer_no"}, "options": {"separator": ";"},
    },
    "store": {
        "time": "when", "time_format": "%d.%m.%Y %H:%M:%S", "time_zone": DESIGN.zone, "event": "what",
        "ids": {"customer": "card"}, "value": "amount",
    },
    "email": {
        "time": "sent", "time_format": "s", "event": "mail",
        "ids": {"customer": "customer", "email": "address", "cookie": "cookie"},
    },
    "network": {"time": "time", "event": "event", "ids": {"customer": "customer"}},
    "card": {
        "time": "time", "event": "event", "channel": "channel", "ids": {"customer": "customer"}, "value": "amount",
    },
}  # fmt: skip
_NO_MOMENTS = pl.DataFrame(
    schema={"moment": pl.String, "person": pl.Int64, "customer": pl.String}
    | dict.fromkeys(("start", "end", "confirmed_at"), pl.Datetime("us", "UTC"))
)
_TRUTH = ("identities", "occurrences", "hazards", "churn")


@dataclass(frozen=True)
class Truth:
    """What really is so.

    Attributes
    ----------
    identities : DataFrame
        kind, id, person (Int64), events (rows that carry the id for this person), has_evidence (the id was seen
        with the person's customer number). A shared id has a row for each of its persons.
    occurrences : DataFrame
        pattern (term), person, customer, start, end: the first completion of each path by each customer, before churn.
    hazards : DataFrame
        term, pattern (text; null for ``premium``), hazard_ratio.
    churn : DataFrame
        person, customer, time.
    moments : DataFrame
        moment, person, customer, start, end, confirmed_at (null unless it ends with an absence): when the moments of
        ``cjm.datasets.MOMENTS`` fire; empty unless they were planted.
    """

    identities: pl.DataFrame
    occurrences: pl.DataFrame
    hazards: pl.DataFrame
    churn: pl.DataFrame
    moments: pl.DataFrame


@dataclass(frozen=True)
class World:
    """Five logs (seven with planted moments), two tables and the truth behind them.

    Attributes
    ----------
    logs : mapping of str to str or DataFrame
        Where each log is: a path (or glob), or the frame itself.
    persons : DataFrame
        customer, person (Int64), premium, registered, entry (start of observation), household (the number of its
        first member; null if alone). Customers only; visitors are known to ``truth.identities`` alone.
    consent : DataFrame
        customer, purpose, given, from, to (null: still holds).
    truth : Truth
    """

    logs: Mapping[str, str | pl.DataFrame]
    persons: pl.DataFrame
    consent: pl.DataFrame
    truth: Truth

    @property
    def sources(self) -> dict[str, Source]:
        """The logs as sources, ready for :func:`cjm.scan_events`."""
        from cjm.events import Source

        return {name: Source(log, **_MEANING[name]) for name, log in self.logs.items()}

    @cached_property
    def log(self) -> EventLog:
        """The event log of all sources; always the same object, so that what was stitched can be applied to it."""
        from cjm.events import scan_events

        return scan_events(self.sources)


def simulate(
    persons: int,
    *,
    days: int = 180,
    seed: int = 0,
    path: str | Path | None = None,
    linkable: float = 1.0,
    intensity: float = 1.0,
    start: date = DESIGN.start,
    block: int = 50_000,
    moments: bool = False,
) -> World:
    """Simulate the logs of a company on five channels, with customers who leave for known reasons.

    Persons use the web (several cookies, one after the other), an app (own or shared devices), the call centre, shops
    and e-mail. Some are customers from before the first day, others register later, and some visitors never do. Two
    paths change the hazard of churn from their first completion on, one is frequent and harmless, and ``premium``
    confounds: premium customers take the risky path more often and leave less. All rates stand in
    ``cjm.datasets.DESIGN``, ``VISITS`` and ``PATHS``.

    Parameters
    ----------
    persons : int
        Customers. One visitor who never registers comes with every five of them.
    days : int
        Length of the period, at least 14.
    seed : int
        Equal arguments give equal worlds.
    path : str or Path, optional
        A folder to write; it must not exist, or be empty. Without it everything stays in memory.
    linkable : float
        Share of cookies and devices that are ever seen with a customer number.
    intensity : float
        Scales the number of ordinary visits; 1 gives about 40 events a person in 180 days.
    start : date
        First day (midnight UTC).
    block : int
        Persons are made in blocks of this size, each from ``(seed, number of the block)`` alone; memory grows with the
        block, not with ``persons``.
    moments : bool
        Whether to plant ``cjm.datasets.MOMENTS`` as well. It adds rows, and logs of the network and of cards; what the
        world holds without them stays as it is. They change no hazard.

    Returns
    -------
    World

    Raises
    ------
    ArgumentError
        If an argument is out of range.
    InputError
        If the folder is not empty.

    Examples
    --------
    >>> world = simulate(200, days=60, seed=1)
    >>> sorted(world.logs)
    ['app', 'call', 'email', 'store', 'web']
    >>> world.truth.hazards.select("term", "hazard_ratio").rows()
    [('risk', 3.0), ('protective', 0.4), ('harmless', 1.0), ('premium', 0.6)]
    """
    for name, value, low in (("persons", persons, 1), ("days", days, 14), ("block", block, 1)):
        if value < low:
            raise ArgumentError.at(f"{name} is {value}", where="simulate", hint=f"Give {low} or more")
    if not 0 <= linkable <= 1 or intensity < 0:
        raise ArgumentError.at(
            f"linkable is {linkable} and intensity {intensity}",
            where="simulate",
            hint="linkable lies between 0 and 1, intensity is not negative",
        )
    clock = Clock.of(start, days)
    stride = block + round(block * DESIGN.visitors)
    sizes = [min(block, persons - first) for first in range(0, persons, block)]
    blocks = (
        _block(seed, number, number * stride, size, clock, linkable, intensity, moments=moments)
        for number, size in enumerate(sizes)
    )
    if path is None:
        made = list(blocks)
        logs = {name: pl.concat([one[0][name] for one in made]) for name in made[0][0]}
        return _world(logs, [one[1] for one in made])
    return _write(Path(path), blocks)


def _block(
    seed: int, number: int, base: int, size: int, clock: Clock, linkable: float, intensity: float, *, moments: bool
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    """Return the logs and the tables of one block."""
    rng = np.random.default_rng([seed, number])
    people = draw_people(rng, base=base, customers=size, days=clock.days, linkable=linkable)
    rows = happen(rng, people, clock, intensity)
    spans = {path.term: first_completion(rows, path, len(people)) for path in PATHS}
    churn = churn_times(rng, people, clock, {term: end for term, (_, end) in spans.items()})
    undisturbed = rows
    rows = rows.take(rows.time < churn[rows.person])
    left = np.flatnonzero(churn < FOREVER)
    rows = Rows.concat([rows, Rows.plain(left, churn[left], "account:cancelled")])
    rows = rows.take(np.argsort(rows.person * FOREVER + rows.time, kind="stable"))

    names = Names.of(people)
    seen = everything = identify(rng, rows, people)
    if moments:
        planted = plant(np.random.default_rng([seed, number, 1]), undisturbed, people, churn, clock, names)
        none = np.full(len(planted.rows.time), -1)
        everything = Seen(
            Rows.concat([seen.rows, planted.rows]), np.append(seen.cookie, none), np.append(seen.device, none)
        )
    epoch, true = clock.epoch, people.number
    who = np.arange(size)
    occurrences = []
    for term, (begin, end) in spans.items():
        done = np.flatnonzero((end[:size] < FOREVER) & (end[:size] < churn[:size]))
        occurrences.append(
            pl.DataFrame(
                {
                    "pattern": pl.repeat(term, len(done), dtype=pl.String, eager=True),
                    "person": true[done],
                    "customer": names.customer.gather(done),
                    "start": times(begin[done], epoch),
                    "end": times(end[done], epoch),
                }
            )
        )
    tables = {
        "persons": pl.DataFrame(
            {
                "customer": names.customer.gather(who),
                "person": true[:size],
                "premium": people.premium[:size],
                "registered": times(people.registered[:size], epoch),
                "entry": times(people.entry[:size], epoch),
                "household": pl.Series(people.household[:size]).replace(-1, None),
            }
        ),
        "consent": consent_frame(rng, people, names.customer, churn, days=clock.days, epoch=epoch),
        "identities": identities(everything, people, names),
        "occurrences": pl.concat(occurrences),
        "churn": pl.DataFrame(
            {"person": true[left], "customer": names.customer.gather(left), "time": times(churn[left], epoch)}
        ),
    }
    logs = write_up(rng, seen, people, names, clock, number)
    if moments:
        logs, tables["moments"] = merged(logs, planted, names, clock), planted.truth
    return logs, tables


def _world(logs: Mapping[str, str | pl.DataFrame], parts: list[dict[str, pl.DataFrame]]) -> World:
    tables = {name: pl.concat([part[name] for part in parts]) for name in parts[0]}
    hazards: list[tuple[str, str | None, float]] = [(path.term, path.text, path.hazard_ratio) for path in PATHS]
    hazards.append(("premium", None, DESIGN.premium_hazard_ratio))
    schema = {"term": pl.String, "pattern": pl.String, "hazard_ratio": pl.Float64}
    truth = Truth(
        identities=tables["identities"],
        occurrences=tables["occurrences"],
        hazards=pl.DataFrame(hazards, schema=schema, orient="row"),
        churn=tables["churn"],
        moments=tables.get("moments", _NO_MOMENTS),
    )
    return World(logs, tables["persons"], tables["consent"], truth)


def _write(folder: Path, blocks: Iterator[tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]]) -> World:
    """Write block by block beside the folder, then put it in place whole."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError.at("the folder is not empty", where=str(folder), hint="Name a new one")
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "truth").mkdir(parents=True)
    parts = []
    for number, (logs, tables) in enumerate(blocks):
        for name in logs.keys() & {"web", *MOMENT_FILES}:
            logs[name].write_parquet(partial / f"{name}-{number:05}.parquet", compression="zstd", compression_level=12)
        logs["email"].write_ipc(partial / f"email-{number:05}.arrow", compression="zstd")
        with open(partial / FILES["app"], "ab") as file:
            logs["app"].write_ndjson(file)
        for name, separator in (("call", ";"), ("store", ",")):
            with open(partial / FILES[name], "ab") as file:
                logs[name].write_csv(file, separator=separator, include_header=number == 0)
        parts.append(tables)
    world = _world(_paths(folder, moments="moments" in parts[0]), parts)
    tables = {
        "persons": world.persons.select("customer", "premium", "registered"),
        "consent": world.consent,
        "truth/persons": world.persons,
        **{f"truth/{name}": getattr(world.truth, name) for name in _TRUTH},
    }
    if "moments" in parts[0]:
        tables["truth/moments"] = world.truth.moments
    for name, table in tables.items():
        table.write_parquet(partial / f"{name}.parquet", compression="zstd", compression_level=12)
    os.replace(partial, folder)
    return world


def open_world(path: str | Path) -> World:
    """Read a world back that :func:`simulate` wrote to a folder.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    World

    Raises
    ------
    InputError
        If the folder holds no simulated world.
    """
    folder = Path(path)
    if not (folder / "truth").is_dir():
        raise InputError.at("this is no simulated world", where=str(folder), hint="Name a folder that simulate() wrote")
    planted = folder / "truth" / "moments.parquet"
    truth = Truth(
        **{name: pl.read_parquet(folder / "truth" / f"{name}.parquet") for name in _TRUTH},
        moments=pl.read_parquet(planted) if planted.exists() else _NO_MOMENTS,
    )
    persons = pl.read_parquet(folder / "truth" / "persons.parquet")
    return World(_paths(folder, moments=planted.exists()), persons, pl.read_parquet(folder / "consent.parquet"), truth)


def _paths(folder: Path, *, moments: bool) -> dict[str, str]:
    files = FILES | MOMENT_FILES if moments else FILES
    return {name: str(folder / file) for name, file in files.items()}
