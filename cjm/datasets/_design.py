"""The laws of the simulated world: every rate, share and hazard ratio stands here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from cjm.durations import to_us

__all__ = [
    "CODES",
    "DAY",
    "DESIGN",
    "HOUR",
    "MINUTE",
    "OPEN_HOURS",
    "PATHS",
    "TOUCHPOINTS",
    "TWIN_TICKETS",
    "VISITS",
    "Design",
    "PlantedPath",
    "Visit",
    "codes_of",
]

MINUTE, HOUR, DAY = 60, 3_600, 86_400


@dataclass(frozen=True)
class PlantedPath:
    """Two steps in order within a time, and what their first completion does to the hazard from then on."""

    term: str
    first: str
    last: str
    within: str
    hazard_ratio: float

    @property
    def text(self) -> str:
        """The path as pattern text."""
        return f"{self.first} -> {self.last} within {self.within}"

    @property
    def seconds(self) -> int:
        """The longest time between the two steps, inclusive."""
        return to_us(self.within) // 1_000_000


@dataclass(frozen=True)
class Visit:
    """A kind of visit: what happens, in order.

    Attributes
    ----------
    rate : float
        Visits in 180 days of a customer of average activity.
    steps : tuple of str
        Touchpoints.
    gaps : tuple of int
        Mean seconds before each step. From a day on: whole days, so that the hour of the day stays sensible.
    login : float
        Share of these visits in which the customer number is seen.
    """

    rate: float
    steps: tuple[str, ...]
    gaps: tuple[int, ...]
    login: float


@dataclass(frozen=True)
class Design:
    """Shares, rates and hazards of the world. Shares are of customers unless said otherwise."""

    start: date = date(2025, 1, 1)
    zone: str = "Europe/Warsaw"
    # persons
    registered_before: float = 0.60
    registration_span: float = 0.50  # the others register within this share of the days
    visitors: float = 0.20  # persons who never register, per customer
    premium: float = 0.30
    activity_shape: float = 2.0  # gamma, mean 1
    visitor_activity: float = 0.5
    # identifiers
    cookies: tuple[float, ...] = (0.50, 0.35, 0.15)  # one, two or three, one after the other
    devices: tuple[float, ...] = (0.20, 0.60, 0.20)  # none, one or two
    second_device: float = 0.30  # of the visits of those with two
    household: float = 0.24  # live in a household of two that shares a device
    household_cookie: float = 0.20  # of households also share a cookie
    kiosk: float = 0.01  # of web visits happen on the one kiosk cookie
    junk: tuple[str, ...] = ("undefined", "null", "0000000000", "-1")
    junk_carrier: float = 0.01  # of logged-in noise rows have a junk cookie or device
    junk_customer: float = 0.03  # of rows without a customer number have a junk one instead
    junk_counter: float = 0.04  # of store purchases and call questions have a junk customer number
    # planted paths
    risk: float = 0.075
    risk_premium: float = 2.0  # times as often if premium
    protective: float = 0.28  # of those with a device
    plant_span: float = 0.50  # plants start within this share of a customer's time
    anonymous: float = 0.93  # of offer views happen without a customer number
    company: float = 0.50  # of planted steps come with the page or mail that usually goes before them
    risk_decoys: tuple[float, float, float] = (0.10, 0.05, 0.05)  # first alone, reversed, too far apart
    protective_decoys: tuple[float, float, float, float] = (0.12, 0.08, 0.05, 0.05)  # same, and last alone second
    # churn
    hazard_a_day: float = 0.00120
    premium_hazard_ratio: float = 0.6
    # consent: share given at first, and share who change their mind once
    consent: tuple[tuple[str, float, float], ...] = (("analytics", 0.96, 0.05), ("marketing", 0.85, 0.12))
    consent_return: float = 0.30  # of those who changed change back


DESIGN = Design()

PATHS = (
    PlantedPath("risk", "web:view_offer", "store:visit", "3d", 3.0),
    PlantedPath("protective", "email:opened_tips", "app:setup_done", "7d", 0.4),
    PlantedPath("harmless", "web:product", "web:cart", "1h", 1.0),
)

VISITS = (
    Visit(2.6, ("web:home", "web:product"), (0, 90), 0.30),
    Visit(1.0, ("web:home", "web:search", "web:product", "web:product"), (0, 40, 60, 150), 0.30),
    Visit(1.0, ("web:home", "web:product", "web:cart"), (0, 80, 120), 0.35),
    Visit(0.9, ("web:home", "web:product", "web:cart", "web:checkout"), (0, 80, 120, 180), 0.60),
    Visit(0.7, ("web:home", "web:help"), (0, 60), 0.20),
    Visit(1.0, ("web:login", "web:account"), (0, 30), 1.00),
    Visit(3.2, ("app:open", "app:balance"), (0, 20), 0.70),
    Visit(0.9, ("app:open", "app:offers", "app:balance"), (0, 30, 60), 0.60),
    Visit(0.4, ("app:open", "app:settings"), (0, 40), 0.50),
    Visit(1.7, ("store:visit",), (0,), 1.00),
    Visit(1.5, ("store:visit", "store:purchase"), (0, 600), 1.00),
    Visit(0.6, ("call:question",), (0,), 1.00),
    Visit(0.2, ("call:complaint",), (0,), 1.00),
    Visit(3.0, ("email:sent_news",), (0,), 0.60),
    Visit(1.5, ("email:sent_news", "email:opened_news"), (0, 4 * HOUR), 0.60),
    Visit(
        0.6,
        ("email:sent_news", "email:opened_news", "email:clicked_news", "web:landing", "web:product"),
        (0, 4 * HOUR, 40, 2, 60),
        0.50,
    ),
    Visit(0.15, ("web:upgrade_start", "web:upgrade_options", "web:upgrade_done"), (0, DAY, 2 * DAY), 0.80),
    Visit(0.12, ("web:upgrade_start", "web:upgrade_options"), (0, DAY), 0.60),
    Visit(0.22, ("call:ticket_opened", "call:ticket_closed"), (0, 4 * DAY), 1.00),
    Visit(0.12, ("call:ticket_opened", "call:ticket_info", "call:ticket_closed"), (0, 2 * DAY, 3 * DAY), 1.00),
    Visit(0.04, ("call:ticket_opened",), (0,), 1.00),
)
TWIN_TICKETS = 0.30  # of tickets are followed by a second one while the first is open
OPEN_HOURS = {"web": (7, 23), "app": (7, 23), "store": (9, 19), "call": (8, 19), "email": (7, 10)}  # local, of visits

_OTHERS = (
    "web:view_offer", "email:sent_statement", "email:sent_tips", "email:opened_tips", "app:setup_start",
    "app:setup_done", "web:register_done", "account:registered", "account:cancelled",
    "web:retention_offer", "store:renew", "network:handset_change", "network:connection_failed", "card:payment",
    "atm:insufficient_funds",
)  # fmt: skip
TOUCHPOINTS: tuple[str, ...] = tuple(dict.fromkeys([*(step for visit in VISITS for step in visit.steps), *_OTHERS]))
CODES = {touchpoint: code for code, touchpoint in enumerate(TOUCHPOINTS)}


def codes_of(*channels: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return, for each touchpoint code, whether it belongs to one of these channels."""
    return np.array([touchpoint.split(":")[0] in channels for touchpoint in TOUCHPOINTS])
