"""Who lives in a block of the world: customers, visitors, their cookies, devices, households and consent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.datasets._design import DAY, DESIGN, HOUR

__all__ = ["COOKIES", "DEVICES", "FOREVER", "People", "consent_frame", "draw_people", "times"]

FOREVER = 1 << 40  # seconds; later than any event
COOKIES, DEVICES = len(DESIGN.cookies), len(DESIGN.devices) - 1
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class People:
    """The persons of one block: customers first, then visitors. Times are seconds since the start of the world.

    Attributes
    ----------
    base : int
        Number of the persons in the blocks before; person ``i`` of the block has the true number ``base + i + 1``.
    customers : int
        How many of the persons are customers.
    premium, activity, registered, entry, household : ndarray, shape (persons,)
        ``entry`` is when the customer comes under observation; never for visitors. ``household`` is -1 for none.
    resets : ndarray of int64, shape (persons, COOKIES - 1)
        When the cookie is replaced by the next.
    cookie, device : ndarray of int64, shape (persons, COOKIES or DEVICES)
        The carrier in each slot, as a number within the block; -1 for no device.
    cookie_linked, device_linked : ndarray of bool
        Whether a carrier is ever seen with a customer number.
    """

    base: int
    customers: int
    premium: Bools
    activity: npt.NDArray[np.float64]
    registered: Ints
    entry: Ints
    household: Ints
    resets: Ints
    cookie: Ints
    device: Ints
    cookie_linked: Bools
    device_linked: Bools

    def __len__(self) -> int:
        return len(self.entry)

    @property
    def number(self) -> Ints:
        """True person numbers."""
        return np.arange(self.base + 1, self.base + 1 + len(self), dtype=np.int64)


def draw_people(rng: np.random.Generator, *, base: int, customers: int, days: int, linkable: float) -> People:
    """Draw the persons of a block."""
    total = customers + round(customers * DESIGN.visitors)
    end = days * DAY
    is_customer = np.arange(total) < customers
    before = rng.random(total) < DESIGN.registered_before
    old = -rng.integers(1, 720 * DAY, total)
    # registration happens in the daytime, and not on the very first day
    fresh = rng.integers(1, round(days * DESIGN.registration_span), total) * DAY + rng.integers(7, 19, total) * HOUR
    fresh += rng.integers(0, HOUR, total)
    registered = np.where(is_customer, np.where(before, old, fresh), FOREVER)
    entry = np.maximum(registered, 0)

    paired = np.repeat(rng.random((total + 1) // 2) < DESIGN.household, 2)[:total] & is_customer
    paired &= (np.arange(total) | 1) < customers
    second = paired & (np.arange(total) % 2 == 1)
    slots = np.arange(total, dtype=np.int64)

    cookies = 1 + rng.choice(COOKIES, total, p=DESIGN.cookies)
    first_use = np.where(is_customer, entry, 0)[:, None]
    resets = first_use + (rng.random((total, COOKIES - 1)) * np.maximum(end - first_use, 0)).astype(np.int64)
    resets[np.arange(COOKIES - 1)[None, :] >= (cookies - 1)[:, None]] = FOREVER
    resets.sort(axis=1)
    cookie = slots[:, None] * COOKIES + np.arange(COOKIES)
    shared = second & np.repeat(rng.random((total + 1) // 2) < DESIGN.household_cookie, 2)[:total]
    cookie[shared, 0] = cookie[np.flatnonzero(shared) - 1, 0]

    devices = np.where(paired, np.maximum(1, rng.choice(DEVICES + 1, total, p=DESIGN.devices)), 0)
    devices = np.where(paired, devices, rng.choice(DEVICES + 1, total, p=DESIGN.devices)) * is_customer
    device = slots[:, None] * DEVICES + np.arange(DEVICES)
    device[second, 0] = device[np.flatnonzero(second) - 1, 0]
    device[np.arange(DEVICES)[None, :] >= devices[:, None]] = -1

    return People(
        base=base,
        customers=customers,
        premium=(rng.random(total) < DESIGN.premium) & is_customer,
        activity=rng.gamma(DESIGN.activity_shape, 1 / DESIGN.activity_shape, total)
        * np.where(is_customer, 1.0, DESIGN.visitor_activity),
        registered=registered,
        entry=entry,
        household=np.where(paired, base + 1 + (np.arange(total) & ~1), -1),  # the number of the first of the two
        resets=resets,
        cookie=cookie,
        device=device,
        cookie_linked=rng.random(total * COOKIES) < linkable,
        device_linked=rng.random(total * DEVICES) < linkable,
    )


def times(seconds: npt.NDArray[Any], epoch: int) -> pl.Series:
    """Return seconds since the start of the world as UTC times; null from ``FOREVER`` on."""
    us = pl.Series(np.where(seconds >= FOREVER, 0, (seconds + epoch) * 1_000_000))
    return us.cast(pl.Datetime("us", "UTC")).set(pl.Series(seconds >= FOREVER), None)


def consent_frame(
    rng: np.random.Generator, people: People, customer: pl.Series, churn: Ints, *, days: int, epoch: int
) -> pl.DataFrame:
    """Return consent as intervals: customer, purpose, given, from, to (null = still holds)."""
    count = people.customers
    entry, leave = people.entry[:count], np.minimum(churn[:count], days * DAY)
    parts = []
    for purpose, share, change in DESIGN.consent:
        given = rng.random(count) < share
        moments = np.sort(entry + rng.random((2, count)) * (days * DAY - entry), axis=0).astype(np.int64)
        changes = (rng.random(count) < change).astype(np.int64)
        changes += changes * (rng.random(count) < DESIGN.consent_return)
        # a change after the customer has left does not happen
        edges = [people.registered[:count]]
        edges += [np.where((changes > k) & (moments[k] < leave), moments[k], FOREVER) for k in range(2)]
        for k, since in enumerate(edges):
            until = edges[k + 1] if k < 2 else np.full(count, FOREVER)
            rows = np.flatnonzero(since < FOREVER)
            parts.append(
                pl.DataFrame(
                    {
                        "customer": customer.gather(rows),
                        "purpose": pl.repeat(purpose, len(rows), dtype=pl.String, eager=True),
                        "given": given[rows] ^ (k % 2 == 1),
                        "from": times(since[rows], epoch),
                        "to": times(until[rows], epoch),
                    }
                )
            )
    return pl.concat(parts).sort("customer", "purpose", "from")
