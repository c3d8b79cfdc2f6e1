"""The five logs of a block: each with its own columns, names of columns and way to write a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.datasets._design import CODES, DESIGN, TOUCHPOINTS, codes_of
from cjm.datasets._happen import Clock, Rows
from cjm.datasets._people import COOKIES, DEVICES, People, times

__all__ = ["Names", "Seen", "identify", "identities", "write_up"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_JUNK = len(DESIGN.junk)
_CLICK = CODES["email:clicked_news"]
_CAMPAIGNS = ("brand", "spring", "friends")


@dataclass(frozen=True)
class Names:
    """Texts of the identifiers of a block. After the real ones come the kiosk (cookies only), junk, and null."""

    customer: pl.Series
    email: pl.Series
    cookie: pl.Series
    device: pl.Series

    @classmethod
    def of(cls, people: People) -> Names:
        """Name the identifiers of a block's persons."""
        junk: list[str | None] = [*DESIGN.junk, None]
        number = pl.Series("customer", people.number)
        tables = (
            pl.select(pl.format("C{}", number.cast(pl.String).str.zfill(7))).to_series(),
            pl.select(pl.format("{}@mail.example", _hex("m", people.number))).to_series(),
            pl.concat([_hex("k", _global(people, COOKIES)), pl.Series(["k-kiosk-01"])]),
            _hex("d", _global(people, DEVICES)),
        )
        return cls(*(table.append(pl.Series(junk, dtype=pl.String)) for table in tables))


def _global(people: People, slots: int) -> Ints:
    return np.arange(len(people) * slots, dtype=np.int64) + people.base * slots


def _hex(prefix: str, number: Ints) -> pl.Series:
    """Return distinct texts that look random: an odd multiplier permutes the numbers below 2**40."""
    mixed = (number.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) & np.uint64((1 << 40) - 1)
    shifts = np.arange(36, -1, -4, dtype=np.uint64)
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[(mixed[:, None] >> shifts) & np.uint64(15)]
    text = np.concatenate([np.full((len(number), 1), ord(prefix), dtype=np.uint8), digits], axis=1)
    return pl.Series(np.ascontiguousarray(text).view(f"S{text.shape[1]}")[:, 0].astype(str), dtype=pl.String)


@dataclass(frozen=True)
class Seen:
    """Rows with the identifiers that stand on them.

    Attributes
    ----------
    rows : Rows
    cookie, device : ndarray of int64
        Place in the table of texts; -1 for none.
    """

    rows: Rows
    cookie: Ints
    device: Ints


def identify(rng: np.random.Generator, rows: Rows, people: People) -> Seen:
    """Put cookies and devices on the rows, spoil some, and see that every linked carrier has evidence."""
    web, app, email = (codes_of(channel)[rows.code] for channel in ("web", "app", "email"))
    kiosk, total = len(people) * COOKIES, len(people)
    slot = (people.resets[rows.person] <= rows.since[:, None]).sum(axis=1)
    cookie = np.where(rows.slot < 0, kiosk, people.cookie[rows.person, slot])
    cookie = np.where(web | (rows.code == _CLICK), cookie, -1)
    device = np.where(app, people.device[rows.person, np.maximum(rows.slot, 0)], -1)

    cookie_linked = np.append(people.cookie_linked, np.ones(1 + _JUNK + 1, dtype=np.bool_))  # -1 counts as linked
    device_linked = np.append(people.device_linked, np.ones(_JUNK + 1, dtype=np.bool_))
    cookie = np.where((rows.code == _CLICK) & ~cookie_linked[cookie], -1, cookie)
    known = rows.known & cookie_linked[cookie] & device_linked[device]
    counter = (rows.code == CODES["store:purchase"]) | (rows.code == CODES["call:question"])
    known &= ~(counter & (rng.random(len(known)) < DESIGN.junk_counter))
    spoilt = rows.noise & known & (rng.random(len(known)) < DESIGN.junk_carrier)
    junk = rng.integers(0, _JUNK, len(known))
    cookie = np.where(spoilt & web, kiosk + 1 + junk, cookie)
    device = np.where(spoilt & app, total * DEVICES + junk, device)

    offer = rows.code == CODES["web:view_offer"]  # mostly anonymous, and followed by a login
    may = (rows.person < people.customers) & (rows.time >= people.entry[rows.person]) & ~offer
    known = _with_evidence(known, web & cookie_linked[cookie] & (cookie <= kiosk), cookie, rows.person, may)
    known = _with_evidence(known, app & device_linked[device] & (device < total * DEVICES), device, rows.person, may)
    known = _with_evidence(known, email, rows.person, rows.person, may)
    return Seen(replace(rows, known=known), cookie, device)


def _groups(where: Bools, carrier: Ints, person: Ints) -> tuple[Ints, Ints]:
    """Return the rows of a mask by (carrier, person), in order of time inside, and where each pair begins."""
    index = np.flatnonzero(where)
    key = carrier[index] * (int(person.max(initial=0)) + 1) + person[index]
    order = np.argsort(key, kind="stable")
    key = key[order]
    begins = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.empty(0, dtype=np.int64)
    return index[order], begins


def _with_evidence(known: Bools, where: Bools, carrier: Ints, person: Ints, may: Bools) -> Bools:
    """Show the customer number on the first row that may have it, of each pair of carrier and customer.

    On the first one, and whatever comes later, so that being recognised says nothing about staying.
    """
    index, begins = _groups(where, carrier, person)
    if len(index) == 0:
        return known
    never = len(index)
    first = np.minimum.reduceat(np.where(may[index], np.arange(len(index)), never), begins)
    known = known.copy()
    known[index[first[first < never]]] = True
    return known


def identities(seen: Seen, people: People, names: Names) -> pl.DataFrame:
    """Return who truly stands behind each identifier, on how many rows, and whether a customer number says so."""
    rows = seen.rows
    email = codes_of("email")[rows.code]
    kiosk = len(people) * COOKIES
    kinds = (
        ("customer", names.customer, rows.known, rows.person),
        ("email", names.email, email, rows.person),
        ("device", names.device, (seen.device >= 0) & (seen.device < len(people) * DEVICES), seen.device),
        ("cookie", names.cookie, (seen.cookie >= 0) & (seen.cookie <= kiosk), seen.cookie),
    )
    parts = []
    for kind, table, where, carrier in kinds:
        index, begins = _groups(where, carrier, rows.person)
        known = rows.known[index].astype(np.int64)
        parts.append(
            pl.DataFrame(
                {
                    "kind": pl.repeat(kind, len(begins), dtype=pl.String, eager=True),
                    "id": table.gather(carrier[index[begins]]),
                    "person": people.number[rows.person[index[begins]]],
                    "events": np.diff(np.append(begins, len(index))),
                    "has_evidence": (np.add.reduceat(known, begins) if len(begins) else known) > 0,
                }
            )
        )
    return pl.concat(parts)


def write_up(
    rng: np.random.Generator, seen: Seen, people: People, names: Names, clock: Clock, block: int
) -> dict[str, pl.DataFrame]:
    """Return the logs as their systems keep them, in order of time."""
    rows = seen.rows
    order = np.argsort(rows.time, kind="stable")
    rows, cookie, device = rows.take(order), seen.cookie[order], seen.device[order]
    counter = codes_of("store", "call", "account")[rows.code]
    junk = counter | (rng.random(len(order)) < DESIGN.junk_customer)
    who = np.where(rows.known, rows.person, np.where(junk, len(people) + rng.integers(0, _JUNK, len(order)), -1))
    amount = np.where(rows.code == CODES["store:purchase"], np.round(rng.lognormal(3.5, 0.6, len(order)), 2), np.nan)
    offered = (rows.code == CODES["web:landing"]) | (rows.code == CODES["web:view_offer"])
    campaign = np.where(offered, rng.integers(0, len(_CAMPAIGNS), len(order)), len(_CAMPAIGNS))

    events = pl.Series([touchpoint.split(":")[1] for touchpoint in TOUCHPOINTS])
    channels = pl.Series([touchpoint.split(":")[0] for touchpoint in TOUCHPOINTS])
    campaigns = pl.Series([*_CAMPAIGNS, None])

    def of(*channel: str) -> tuple[Ints, Ints, pl.Series]:
        index = np.flatnonzero(codes_of(*channel)[rows.code])
        return index, rows.code[index], times(rows.time[index], clock.epoch)

    web, app, calls, store, email = (of("web"), of("app"), of("call", "account"), of("store"), of("email"))
    return {
        "web": pl.DataFrame(
            {
                "ts": web[2],
                "page": events.gather(web[1]),
                "cookie": _text(names.cookie, cookie[web[0]]),
                "user_id": _text(names.customer, who[web[0]]),
                "campaign": campaigns.gather(campaign[web[0]]),
            }
        ),
        "app": pl.DataFrame(
            {
                "at": app[2].dt.convert_time_zone(DESIGN.zone).dt.strftime("%Y-%m-%dT%H:%M:%S%:z"),
                "action": events.gather(app[1]),
                "device": _text(names.device, device[app[0]]),
                "user": _text(names.customer, who[app[0]]),
            }
        ),
        "call": pl.DataFrame(
            {
                "started": calls[2].dt.convert_time_zone(DESIGN.zone).dt.strftime("%Y-%m-%d %H:%M:%S"),
                "line": channels.gather(calls[1]),
                "topic": events.gather(calls[1]),
                "customer_no": _text(names.customer, who[calls[0]]),
                "ticket": pl.select(
                    pl.when(pl.Series(rows.ticket[calls[0]]) >= 0).then(
                        pl.format("T{}-{}", pl.lit(block), pl.Series(rows.ticket[calls[0]]))
                    )
                ).to_series(),
            }
        ),
        "store": pl.DataFrame(
            {
                "when": store[2].dt.convert_time_zone(DESIGN.zone).dt.strftime("%d.%m.%Y %H:%M:%S"),
                "what": events.gather(store[1]),
                "card": _text(names.customer, who[store[0]]),
                "amount": pl.Series(amount[store[0]]).fill_nan(None),
            }
        ),
        "email": pl.DataFrame(
            {
                "sent": email[2].dt.epoch("s"),
                "mail": events.gather(email[1]),
                "address": names.email.gather(rows.person[email[0]]),
                "cookie": _text(names.cookie, cookie[email[0]]),
                "customer": _text(names.customer, who[email[0]]),
            }
        ),
    }


def _text(table: pl.Series, place: Ints) -> pl.Series:
    """Look texts up; -1 stands for the null at the end of the table."""
    return table.gather(np.where(place < 0, len(table) - 1, place))
