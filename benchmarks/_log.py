"""A seeded log of customers' visits: 60 event types, 10 channels, string ids, as a daily export would bring it.

About 50 events and 6 visits a customer. Times strictly increase inside a customer, so that no tool's way with ties can
change a result. The same arguments give the same rows.
"""

from __future__ import annotations

import numpy as np
import polars as pl

CHANNELS = ["direct", "seo", "sem", "display", "email", "sms", "app", "call_center", "store", "social"]
# fmt: off
EVENTS = [
    "home", "search", "category", "product", "reviews", "compare", "wishlist", "cart_add", "cart_view", "cart_remove",
    "checkout", "shipping", "payment", "payment_error", "purchase", "thank_you", "login", "logout", "register",
    "profile", "consent_in", "consent_out", "letter_in", "letter_out", "mail_sent", "mail_open", "mail_click",
    "sms_sent", "sms_click", "push_sent", "push_open", "ad_view", "ad_click", "social_click", "store_visit",
    "store_purchase", "call_start", "call_end", "complaint", "ticket_open", "ticket_close", "chat_start", "chat_end",
    "return_request", "refund", "invoice_view", "bill_pay", "plan_view", "plan_change", "cancel_view",
    "cancel_request", "keep_offer", "offer_view", "offer_accept", "offer_reject", "app_install", "app_open",
    "app_uninstall", "survey_sent", "survey_answer",
]
# fmt: on
SECOND = 1_000_000  # microseconds, as all times here
HALF_HOUR = 1_800 * SECOND
DAY = 86_400 * SECOND
SUCCESSORS = 256


def make_log(events: int, seed: int = 7, first_customer: int = 0) -> pl.DataFrame:
    """Return ``events`` rows ordered by time; customers are numbered from ``first_customer``."""
    rng = np.random.default_rng(seed)
    lengths = rng.geometric(1 / 8.5, events // 8 + 100)
    visits = int(np.searchsorted(np.cumsum(lengths), events)) + 1
    lengths = lengths[:visits]
    lengths[-1] -= lengths.sum() - events
    starts = np.cumsum(lengths) - lengths
    newcomer = rng.random(visits) < 1 / 6
    newcomer[0] = True
    owner = np.cumsum(newcomer) - 1  # of each visit

    # Four kinds of customers; each event has few strong successors and a thin tail.
    chains = np.random.default_rng(1)  # not of the seed: files of one log share their habits
    follow = np.empty((4, len(EVENTS), SUCCESSORS), dtype=np.uint8)
    for kind, event in np.ndindex(4, len(EVENTS)):
        weights = 0.97 * chains.dirichlet(np.full(len(EVENTS), 0.08)) + 0.03 / len(EVENTS)
        follow[kind, event] = chains.choice(len(EVENTS), SUCCESSORS, p=weights)
    kind = rng.integers(0, 4, owner[-1] + 1)[owner]
    event = np.empty(events, dtype=np.uint8)
    alive, now = np.arange(visits), rng.choice(follow[0, 0], visits)
    for step in range(int(lengths.max())):
        event[starts[alive] + step] = now
        stays = lengths[alive] > step + 1
        alive, now = alive[stays], now[stays]
        now = follow[kind[alive], now, rng.integers(0, SUCCESSORS, len(alive))]

    channel = rng.integers(0, len(CHANNELS), visits)
    same = np.flatnonzero(~newcomer & (rng.random(visits) < 0.5))  # half of the visits come by the channel of the last
    channel[same] = channel[same - 1]

    pause = np.minimum(SECOND + (rng.exponential(40, events) * SECOND).astype(np.int64), 25 * 60 * SECOND)
    pause[starts] = HALF_HOUR + 60 * SECOND + (rng.exponential(6, visits) * DAY).astype(np.int64)
    first = starts[newcomer]
    pause[first] = (rng.random(len(first)) * 60 * DAY).astype(np.int64)
    time = np.cumsum(pause)
    before = np.concatenate([[0], time[first[1:] - 1]])  # what the customers before have used up
    time += 1_704_067_200 * SECOND - np.repeat(before, np.diff(first, append=events))

    value = np.where(event == EVENTS.index("purchase"), np.round(rng.gamma(2.0, 30.0, events), 2), 0.0)
    number = pl.Series(np.repeat(owner + first_customer, lengths))
    return pl.DataFrame(
        {
            "customer": "u" + number.cast(pl.String).str.zfill(9),
            "timestamp": pl.Series(time).cast(pl.Datetime("us")),
            "event": pl.Series(EVENTS).gather(event),
            "channel": pl.Series(CHANNELS).gather(np.repeat(channel, lengths)),
            "revenue": value,
        }
    ).sort("timestamp", maintain_order=True)
