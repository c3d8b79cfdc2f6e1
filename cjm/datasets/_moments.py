"""Three moments, planted into a finished world: nothing of it changes, rows are added, and the truth says which fire.

Each is planted together with what almost is one: just too late, one too few, in the other order, in the month before.
They are planted where nothing else that happens can make or break them, and what fires is told by the rule itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.datasets._design import CODES, DAY, DESIGN, HOUR, TOUCHPOINTS, codes_of
from cjm.datasets._happen import Clock, Rows
from cjm.datasets._logs import Names
from cjm.datasets._people import FOREVER, People, times

__all__ = ["MOMENTS", "SPENT", "Planted", "PlantedMoment", "merged", "plant"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SPENT = 2_000.0  # what is high spending in a month of the world's zone


@dataclass(frozen=True)
class PlantedMoment:
    """A moment of the world: what happens, and what must hold of the customer when it does.

    Attributes
    ----------
    name, pattern : str
    condition : str
        In words; empty if there is none.
    share : float
        Of customers to whom it, or almost it, happens.
    """

    name: str
    pattern: str
    condition: str
    share: float


MOMENTS = (
    PlantedMoment(
        "offer, no renewal",
        "web:retention_offer -> store:visit within 3d -> not store:renew within 1d",
        "premium when the offer is seen",
        0.12,
    ),
    PlantedMoment("third failure", "network:handset_change -> 3 x network:connection_failed within 2h", "", 0.05),
    PlantedMoment(
        "no funds",
        "atm:insufficient_funds",
        f"card payments of at least {SPENT:,.0f} since the first of the month, {DESIGN.zone}, before it",
        0.05,
    ),
)
_WAIT, _ABSENT, _FAILURES = 3 * DAY, DAY, 2 * HOUR  # the limits in the patterns
_QUIET = 4 * DAY, 9 * DAY  # before and after an offer nothing else of its kind happens


@dataclass(frozen=True)
class Planted:
    """Rows that were added to a block, the amounts on them (NaN for none), and the moments that they make."""

    rows: Rows
    amount: npt.NDArray[np.float64]
    truth: pl.DataFrame


def plant(rng: np.random.Generator, rows: Rows, people: People, churn: Ints, clock: Clock, names: Names) -> Planted:
    """Plant the moments; ``rows`` is what happens as if nobody ever left, by person and time."""
    offer, failure, funds = (np.flatnonzero(_drawn(rng, people, moment.share)) for moment in MOMENTS)
    parts = [*_offers(rng, rows, people, clock, offer), *_failures(rng, people, clock, failure)]
    spending, amounts = _spending(rng, people, clock, funds)
    amount = np.concatenate([np.full(sum(len(part.time) for part in parts), np.nan), amounts])
    added = Rows.concat([*parts, spending])
    added = _apart(rows, added)
    kept = (added.time < np.minimum(churn, clock.end)[added.person]) & (added.time >= people.entry[added.person])
    added, amount = added.take(kept), amount[kept]
    found = [
        _no_renewal(added, people),
        _third_failure(added, len(people)),
        _no_funds(added, amount, clock, len(people)),
    ]
    truth = []
    for moment, (person, start, end, confirmed) in zip(MOMENTS, found, strict=True):
        truth.append(
            pl.DataFrame(
                {
                    "moment": pl.repeat(moment.name, len(person), dtype=pl.String, eager=True),
                    "person": people.number[person],
                    "customer": names.customer.gather(person),
                    "start": times(start, clock.epoch),
                    "end": times(end, clock.epoch),
                    "confirmed_at": times(confirmed, clock.epoch),
                }
            )
        )
    return Planted(added, amount, pl.concat(truth))


def _drawn(rng: np.random.Generator, people: People, share: float) -> Bools:
    return (rng.random(len(people)) < share) & (np.arange(len(people)) < people.customers)


def _day(rng: np.random.Generator, people: People, clock: Clock, who: Ints) -> Ints:
    """Return a day at which something may begin: after entry, and early enough to end within the data."""
    first: Ints = np.minimum(people.entry[who] // DAY + 1, clock.days - 11)
    return first + (rng.random(len(who)) * (clock.days - 10 - first)).astype(np.int64)


def _offers(rng: np.random.Generator, rows: Rows, people: People, clock: Clock, who: Ints) -> list[Rows]:
    """Offer, visit, renewal: 0 and 1 fire; 2 to 4 do not (renewed, too late, no visit); half are at the very limit."""
    # a whole number of days, or nearly so, lies between, so that shops are open
    view = clock.local(_day(rng, people, clock, who), rng.integers(10 * HOUR, 17 * HOUR, len(who)))
    key = rows.person * FOREVER + rows.time
    key = key[(rows.code == CODES["store:visit"]) | (rows.code == CODES["web:view_offer"])]
    near = who * FOREVER + view
    quiet = np.searchsorted(key, near - _QUIET[0]) == np.searchsorted(key, near + _QUIET[1])
    who, view = who[quiet & (view >= _QUIET[0])], view[quiet & (view >= _QUIET[0])]
    kind, limit = rng.integers(0, 5, len(who)), rng.random(len(who)) < 0.5
    about = rng.integers(-HOUR, HOUR, len(who))
    soon = np.where(limit, _WAIT, rng.integers(1, 3, len(who)) * DAY + about)
    late = np.where(limit, _WAIT + 1, rng.integers(4, 6, len(who)) * DAY + about)
    visit = view + np.where(kind == 3, late, soon)
    renewed = np.where(limit, _ABSENT, rng.integers(60, HOUR, len(who)))
    after = np.where(limit, _ABSENT + 1, 2 * _ABSENT + about)
    renew = visit + np.where(kind == 2, renewed, after)
    went, renews = kind != 4, (kind == 1) | (kind == 2)
    return [
        Rows.plain(who, view, "web:retention_offer"),
        Rows.plain(who[went], visit[went], "store:visit"),
        Rows.plain(who[renews], renew[renews], "store:renew"),
    ]


def _failures(rng: np.random.Generator, people: People, clock: Clock, who: Ints) -> list[Rows]:
    """Handset, failures: 0 to 2 fire (inside, at the limit, four of them); 3 to 6 do not.

    Those have the third a second too late, two only, two of the three before the change, or no change at all.
    """
    kind = rng.integers(0, 7, len(who))
    change = clock.local(_day(rng, people, clock, who), rng.integers(9 * HOUR, 19 * HOUR, len(who)))
    fail = np.sort(rng.integers(30, _FAILURES - 30, (len(who), 4)), axis=1)
    fail[:, 2] = np.select([kind == 1, kind == 3], [_FAILURES, _FAILURES + 1], fail[:, 2])
    fail[:, :2] -= np.where(kind == 5, _FAILURES, 0)[:, None]
    many = np.select([kind == 2, kind == 4], [4, 2], 3)
    changed = kind != 6
    return [
        Rows.plain(who[changed], change[changed], "network:handset_change"),
        *(Rows.plain(who[many > n], (change + fail[:, n])[many > n], "network:connection_failed") for n in range(4)),
    ]


def _spending(
    rng: np.random.Generator, people: People, clock: Clock, who: Ints
) -> tuple[Rows, npt.NDArray[np.float64]]:
    """Payments in a month, then no funds: amounts below, at and above the limit, times around the turn of the month.

    0: in the middle of the month; 1: late in the last evening; 2: early on the first of the next one, which is still
    the last of the month in UTC; 3: before most of the payments.
    """
    epoch = pl.Series([clock.epoch * 1_000_000]).cast(pl.Datetime("us", "UTC"))
    local = epoch.dt.convert_time_zone(DESIGN.zone)[0].date()
    days = pl.date_range(local, pl.lit(local).dt.offset_by(f"{clock.days - 8}d"), "1d", eager=True)
    firsts = np.flatnonzero((days.dt.day() == 1).to_numpy())
    lengths = days.dt.days_in_month().to_numpy().astype(np.int64)[firsts]
    whole = firsts + lengths < clock.days - 8
    firsts, lengths = firsts[whole], lengths[whole]
    if len(firsts) == 0:
        return Rows.plain(who[:0], who[:0], "card:payment"), np.empty(0)
    month = rng.integers(0, len(firsts), len(who))
    first, length = firsts[month], lengths[month]
    kind = rng.integers(0, 4, len(who))
    last_day = np.select([kind == 0, kind == 1, kind == 2], [first + 20, first + length - 1, first + length], first + 5)
    second = np.select([kind == 1, kind == 2], [23 * HOUR + 1_800, 1_800], 12 * HOUR) + rng.integers(0, 900, len(who))
    event = clock.local(last_day, second)
    parts = 5
    day = first[:, None] + np.sort(rng.integers(0, 20, (len(who), parts)), axis=1)
    day[:, 0] = first  # in its first hour, which is still the month before in UTC
    clockwork = rng.integers(13 * HOUR, 22 * HOUR, (len(who), parts))
    clockwork[:, 0] = rng.integers(60, 1_800, len(who))
    paid = clock.local(day, clockwork)
    # quarters, so that sums are exact in any order
    total = 4 * SPENT + np.array([-1, 0, 400, 4_000, -4_000])[rng.integers(0, 5, len(who))]
    shares = np.floor(rng.dirichlet(np.ones(parts), len(who)) * total[:, None])
    shares[:, 0] += total - shares.sum(axis=1)
    rows = Rows.concat(
        [
            Rows.plain(np.repeat(who, parts), paid.ravel(), "card:payment"),
            Rows.plain(who, event, "atm:insufficient_funds"),
        ]
    )
    return rows, np.append(shares.ravel() / 4, np.full(len(who), np.nan))


def _apart(rows: Rows, added: Rows) -> Rows:
    """Move added rows on by seconds until no two of a person happen at one time."""
    taken = rows.person * FOREVER + rows.time
    key = added.person * FOREVER + added.time
    while True:
        order = np.argsort(key, kind="stable")
        again = np.zeros(len(key), dtype=np.bool_)
        again[order[1:]] = key[order[1:]] == key[order[:-1]]
        again |= np.isin(key, taken)
        if not again.any():
            return replace(added, time=key - added.person * FOREVER)
        key = key + again


Found = tuple[Ints, Ints, Ints, Ints]  # person, start, end, confirmed


def _firsts(rows: Rows, touchpoint: str, persons: int) -> Ints:
    """Return the time of the only such row of each person; ``FOREVER`` for none."""
    found = np.full(persons, FOREVER)
    which = rows.code == CODES[touchpoint]
    found[rows.person[which]] = rows.time[which]
    return found


def _no_renewal(rows: Rows, people: People) -> Found:
    view, visit, renew = (
        _firsts(rows, name, len(people)) for name in ("web:retention_offer", "store:visit", "store:renew")
    )
    fires = people.premium & (visit < FOREVER) & (visit - view <= _WAIT) & ~(renew - visit <= _ABSENT)
    person = np.flatnonzero(fires)
    return person, view[person], visit[person], visit[person] + _ABSENT


def _third_failure(rows: Rows, persons: int) -> Found:
    change = _firsts(rows, "network:handset_change", persons)
    failed = rows.take((rows.code == CODES["network:connection_failed"]) & (rows.time > change[rows.person]))
    failed = failed.take(np.argsort(failed.person * FOREVER + failed.time))
    nth = np.arange(len(failed.person)) - np.searchsorted(failed.person, failed.person)
    third = np.flatnonzero((nth == 2) & (failed.time - change[failed.person] <= _FAILURES))
    person, end = failed.person[third], failed.time[third]
    return person, change[person], end, np.full(len(person), FOREVER)


def _no_funds(rows: Rows, amount: npt.NDArray[np.float64], clock: Clock, persons: int) -> Found:
    event = _firsts(rows, "atm:insufficient_funds", persons)
    paid = (rows.code == CODES["card:payment"]) & (rows.time < event[rows.person]) & (event[rows.person] < FOREVER)
    person = rows.person[paid]
    same = _month(rows.time[paid], clock) == _month(event[person], clock)
    spent = np.bincount(person[same], amount[paid][same], persons)
    found = np.flatnonzero(spent >= SPENT)
    return found, event[found], event[found], np.full(len(found), FOREVER)


def _month(seconds: Ints, clock: Clock) -> Ints:
    return times(seconds, clock.epoch).dt.convert_time_zone(DESIGN.zone).dt.strftime("%Y%m").cast(pl.Int64).to_numpy()


def merged(logs: dict[str, pl.DataFrame], planted: Planted, names: Names, clock: Clock) -> dict[str, pl.DataFrame]:
    """Return the logs with the rows that were added, in order of time, and two more: of the network and of cards.

    Rows that are added carry the customer number and nothing else, so that they change nothing about who is who.
    """
    rows = planted.rows
    events, channels = (pl.Series([name.split(":")[part] for name in TOUCHPOINTS]) for part in (1, 0))

    def of(*channel: str) -> tuple[Ints, pl.DataFrame]:
        index = np.flatnonzero(codes_of(*channel)[rows.code])
        index = index[np.argsort(rows.time[index], kind="stable")]
        columns = {
            "time": times(rows.time[index], clock.epoch),
            "channel": channels.gather(rows.code[index]),
            "event": events.gather(rows.code[index]),
            "customer": names.customer.gather(rows.person[index]),
        }
        return index, pl.DataFrame(columns)

    (_, web), (_, store), (_, network), (index, card) = of("web"), of("store"), of("network"), of("card", "atm")
    wall = pl.col("time").dt.convert_time_zone(DESIGN.zone).dt.strftime("%d.%m.%Y %H:%M:%S")
    web = web.select(ts="time", page="event", user_id="customer")
    store = store.select(when=wall, what="event", card="customer")
    return logs | {
        "web": pl.concat([logs["web"], web], how="diagonal").sort("ts", maintain_order=True),
        "store": pl.concat([logs["store"], store], how="diagonal").sort(
            pl.col("when").str.to_datetime("%d.%m.%Y %H:%M:%S"), maintain_order=True
        ),
        "network": network.drop("channel"),
        "card": card.with_columns(amount=pl.Series(planted.amount[index]).fill_nan(None)),
    }
