"""What happens in a block: ordinary visits, planted paths and their decoys, registrations."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.datasets._design import (
    CODES,
    DAY,
    DESIGN,
    HOUR,
    MINUTE,
    OPEN_HOURS,
    TWIN_TICKETS,
    VISITS,
    codes_of,
)
from cjm.datasets._people import FOREVER, People

__all__ = ["Clock", "Rows", "happen"]

Ints = npt.NDArray[np.int64]
_STEPS = max(len(visit.steps) for visit in VISITS)


@dataclass(frozen=True)
class Rows:
    """Events as columns.

    Attributes
    ----------
    person : ndarray of int64
        Number within the block.
    time : ndarray of int64
        Seconds since the start of the world.
    code : ndarray of int64
        Touchpoint, a place in ``TOUCHPOINTS``.
    known : ndarray of bool
        Whether the customer number is on the row.
    since : ndarray of int64
        Time at which the visit began: decides which cookie is in use.
    slot : ndarray of int64
        Which of the person's devices; -1 for the kiosk instead of the person's cookie.
    noise : ndarray of bool
        Whether the row belongs to no planted path, so that its identifiers may be spoilt.
    ticket : ndarray of int64
        Number of the support ticket within the block, or -1.
    """

    person: Ints
    time: Ints
    code: Ints
    known: npt.NDArray[np.bool_]
    since: Ints
    slot: Ints
    noise: npt.NDArray[np.bool_]
    ticket: Ints

    def take(self, index: npt.NDArray[Any]) -> Rows:
        """Return the rows of an index or a mask."""
        return Rows(*(getattr(self, column.name)[index] for column in fields(self)))

    @staticmethod
    def concat(parts: list[Rows]) -> Rows:
        """Return all rows of several parts."""
        return Rows(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Rows)))

    @staticmethod
    def plain(
        person: Ints, time: Ints, touchpoint: str, *, known: npt.ArrayLike = True, since: Ints | None = None
    ) -> Rows:
        """Return one touchpoint for each of some persons."""
        n = len(person)
        return Rows(
            person=person,
            time=time,
            code=np.full(n, CODES[touchpoint]),
            known=np.broadcast_to(np.asarray(known, dtype=np.bool_), n),
            since=time if since is None else since,
            slot=np.zeros(n, dtype=np.int64),
            noise=np.zeros(n, dtype=np.bool_),
            ticket=np.full(n, -1, dtype=np.int64),
        )


@dataclass(frozen=True)
class Clock:
    """The calendar of a world: its first instant, its days, and local time in seconds of UTC."""

    epoch: int
    days: int
    offset: Ints

    @classmethod
    def of(cls, start: date, days: int) -> Clock:
        """Return the clock of a world that starts at midnight UTC of ``start``."""
        first = datetime(start.year, start.month, start.day, tzinfo=UTC)
        noons = pl.datetime_range(
            first + timedelta(hours=12), first + timedelta(days=days + 31), "1d", time_zone="UTC", eager=True
        )
        local = noons.dt.convert_time_zone(DESIGN.zone)
        offset = (local.dt.base_utc_offset() + local.dt.dst_offset()).dt.total_seconds()
        return cls(int(first.timestamp()), days, offset.to_numpy().astype(np.int64))

    @property
    def end(self) -> int:
        """Seconds after which nothing is seen."""
        return self.days * DAY

    def local(self, day: Ints, second: npt.NDArray[Any]) -> Ints:
        """Return the instant of a local time of day (not in the small hours, when clocks change)."""
        return day * DAY + second.astype(np.int64) - self.offset[np.minimum(day, len(self.offset) - 1)]

    def unambiguous(self, time: Ints) -> Ints:
        """Move instants in the hour that local clocks show twice to two hours later."""
        utc = pl.Series((time + self.epoch) * 1_000_000).cast(pl.Datetime("us", "UTC"))
        wall = [
            (utc + timedelta(hours=shift)).dt.convert_time_zone(DESIGN.zone).dt.replace_time_zone(None)
            for shift in (-1, 0, 1)
        ]
        twice = ((wall[0] == wall[1]) | (wall[1] == wall[2])).to_numpy()
        return np.where(twice, time + 2 * HOUR, time)


def happen(rng: np.random.Generator, people: People, clock: Clock, intensity: float) -> Rows:
    """Return all events of a block as if nobody ever left, by person and time; no two of a person at one time."""
    rows = Rows.concat(
        [_visits(rng, people, clock, intensity), *_risk(rng, people, clock), *_protective(rng, people, clock),
         *_registrations(people, clock)]
    )  # fmt: skip
    entered = rows.time >= people.entry[rows.person]
    rows = replace(rows, known=rows.known & entered)
    # before they register persons are only seen on the web
    rows = rows.take((rows.time >= 0) & (rows.time < clock.end) & (entered | codes_of("web")[rows.code]))
    key = rows.person * FOREVER + rows.time
    order = np.argsort(key, kind="stable")
    rank = np.arange(len(order))
    apart = np.maximum.accumulate(key[order] - rank) + rank  # a tie moves on by a second
    rows = rows.take(order)
    rows = replace(rows, time=apart - rows.person * FOREVER)
    return rows.take(rows.time < clock.end)


def _visits(rng: np.random.Generator, people: People, clock: Clock, intensity: float) -> Rows:
    kinds = len(VISITS)
    channels = [visit.steps[0].split(":")[0] for visit in VISITS]
    step = np.zeros((kinds, _STEPS), dtype=np.int64)
    gap = np.zeros((kinds, _STEPS))
    for place, visit in enumerate(VISITS):
        step[place, : len(visit.steps)] = [CODES[touchpoint] for touchpoint in visit.steps]
        gap[place, : len(visit.steps)] = visit.gaps
    lengths = np.array([len(visit.steps) for visit in VISITS])
    login = np.array([visit.login for visit in VISITS])
    is_web = np.array([channel == "web" for channel in channels])
    is_ticket = step[:, 0] == CODES["call:ticket_opened"]

    rate = np.array([visit.rate for visit in VISITS]) * intensity * clock.days / 180
    expected = people.activity[:, None] * rate
    expected[people.customers :, ~is_web] = 0
    expected[np.ix_(people.device[:, 0] < 0, np.array([channel == "app" for channel in channels]))] = 0
    cell = np.repeat(np.arange(expected.size), rng.poisson(expected).ravel())
    person, kind = cell // kinds, cell % kinds
    low, high = (np.array([OPEN_HOURS[channel][side] * HOUR for channel in channels])[kind] for side in (0, 1))
    start = clock.local(rng.integers(0, clock.days, len(kind)), low + (high - low) * rng.beta(1.5, 1.5, len(kind)))

    twin = np.flatnonzero(is_ticket[kind] & (rng.random(len(kind)) < TWIN_TICKETS))
    person, kind = np.concatenate([person, person[twin]]), np.concatenate([kind, kind[twin]])
    start = np.concatenate([start, start[twin] + DAY])
    visits = len(kind)

    row = np.repeat(np.arange(visits), lengths[kind])
    begin = np.cumsum(lengths[kind]) - lengths[kind]
    nth = np.arange(len(row)) - begin[row]
    mean = gap[kind[row], nth]
    wait = rng.exponential(mean)
    wait = np.where(mean >= DAY, DAY * (1 + wait // DAY) + rng.integers(0, 1800, len(row)), wait + (nth > 0))
    passed = np.cumsum(wait.astype(np.int64))
    code = step[kind[row], nth]
    # the login is on the first row of the visit or comes with the second
    known = (rng.random(visits) < login[kind])[row] & (nth >= rng.integers(0, 2, visits)[row])
    at_counter = codes_of("store", "call")[code]
    known = (known | at_counter) & (code != CODES["email:opened_news"])
    kiosk = is_web[kind] & (rng.random(visits) < DESIGN.kiosk)
    second = (people.device[person, 1] >= 0) & (rng.random(visits) < DESIGN.second_device)
    return Rows(
        person=person[row],
        time=start[row] + passed - passed[begin][row],
        code=code,
        known=known,
        since=start[row],
        slot=np.where(kiosk, -1, second)[row].astype(np.int64),
        noise=np.ones(len(row), dtype=np.bool_),
        ticket=np.where(is_ticket[kind], np.arange(visits), -1)[row],
    )


def _risk(rng: np.random.Generator, people: People, clock: Clock) -> list[Rows]:
    """Offer seen, then a shop within three days; and the same steps alone, reversed and too far apart."""
    share = DESIGN.risk * np.where(people.premium, DESIGN.risk_premium, 1.0)
    planted = _chosen(rng, people, share)
    alone, reverse, far = (_chosen(rng, people, part) for part in DESIGN.risk_decoys)
    who = np.concatenate([planted, alone, reverse, far])
    kind = np.repeat(np.arange(4), [len(planted), len(alone), len(reverse), len(far)])
    day = _some_day(rng, people, clock, who)
    later = np.choose(kind, [rng.integers(1, 3, len(who)), rng.integers(4, 10, len(who)), -rng.integers(1, 3, len(who)),
                             rng.integers(4, 10, len(who))])  # fmt: skip
    # the offer is seen after the shops close, and a login on the same cookie follows before they open again: whoever
    # completes the path can be recognised before, so that leaving early hides nobody
    view = clock.local(day, rng.integers(19 * HOUR + 900, 22 * HOUR, len(who)))
    login = view + rng.integers(40 * MINUTE, 9 * HOUR, len(who))
    visit = clock.local(np.maximum(day + later, 0), rng.integers(9 * HOUR, 19 * HOUR, len(who)))
    signed = rng.random(len(who)) >= DESIGN.anonymous
    shop = kind != 1
    # what surrounds the path varies, so that no longer path is as good a sign as the path itself
    home = rng.random(len(who)) < DESIGN.company
    page = rng.integers(0, 3, len(who))
    return [
        Rows.plain(who[home], (view - rng.integers(20, 200, len(who)))[home], "web:home", known=signed[home],
                   since=view[home]),
        Rows.plain(who, view, "web:view_offer", known=signed),
        *(Rows.plain(who[page == n], login[page == n], name, since=view[page == n])
          for n, name in enumerate(("web:login", "web:account", "web:help"))),
        Rows.plain(who[shop], visit[shop], "store:visit"),
    ]  # fmt: skip


def _protective(rng: np.random.Generator, people: People, clock: Clock) -> list[Rows]:
    """Tips opened, then the app set up within seven days; and the decoys."""
    with_device = people.device[:, 0] >= 0
    planted = _chosen(rng, people, DESIGN.protective * with_device)
    first, last, reverse, far = (_chosen(rng, people, part * with_device) for part in DESIGN.protective_decoys)
    who = np.concatenate([planted, first, last, reverse, far])
    kind = np.repeat(np.arange(5), [len(planted), len(first), len(last), len(reverse), len(far)])
    day = _some_day(rng, people, clock, who)
    n = len(who)
    later = np.choose(kind, [rng.integers(1, 7, n), np.zeros(n, np.int64), np.zeros(n, np.int64),
                             -rng.integers(1, 4, n), rng.integers(8, 15, n)])  # fmt: skip
    sent = clock.local(day, rng.integers(7 * HOUR, 9 * HOUR, n))
    opened = sent + 60 + rng.exponential(2 * HOUR, n).astype(np.int64)
    done = clock.local(np.maximum(day + later, 0), rng.integers(9 * HOUR, 22 * HOUR, n))
    mail, app = kind != 2, kind != 1
    noted = mail & (rng.random(n) < DESIGN.company)
    began = app & (rng.random(n) < DESIGN.company)
    return [
        Rows.plain(who[noted], sent[noted], "email:sent_tips"),
        Rows.plain(who[mail], opened[mail], "email:opened_tips", known=False),
        Rows.plain(who[began], done[began] - rng.integers(100, 400, int(began.sum())), "app:setup_start"),
        Rows.plain(who[app], done[app], "app:setup_done"),
    ]


def _registrations(people: People, clock: Clock) -> list[Rows]:
    """Return what marks the beginning of observation.

    The back office notes who registers, and the next page shows on which cookie; the others get a statement by mail.
    """
    fresh = (people.registered > 0) & (people.registered < clock.end)
    new, old = np.flatnonzero(fresh), np.flatnonzero(people.registered <= 0)
    at = people.registered[new]
    return [
        Rows.plain(new, at, "account:registered"),
        Rows.plain(new, at, "web:register_done"),
        Rows.plain(old, np.ones(len(old), dtype=np.int64), "email:sent_statement"),
    ]


def _chosen(rng: np.random.Generator, people: People, share: float | npt.NDArray[np.floating[Any]]) -> Ints:
    """Return the customers to whom something happens."""
    chosen = rng.random(len(people)) < share
    return np.flatnonzero(chosen[: people.customers])


def _some_day(rng: np.random.Generator, people: People, clock: Clock, who: Ints) -> Ints:
    """Return a day in the first part of each customer's time, at the earliest the day after entry."""
    entry = people.entry[who]
    return (entry + (clock.end - entry) * DESIGN.plant_span * rng.random(len(who))).astype(np.int64) // DAY + 1
