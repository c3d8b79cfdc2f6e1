"""Three moments worth acting on, found in a simulated world, and what could be done about them.

Call: python moments.py [--persons 20000] [--report report.html]

Prints how often each was found, how often the world says that it happened, and the last ones; writes a page on request.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

import cjm
from cjm.moments import Action, Moment

ZONE = "Europe/Warsaw"
HIGH_SPENDING = 2_000.0  # in a calendar month


def three_moments(premium: pl.Series) -> list[Moment]:
    """Return the moments; ``premium`` are the numbers of the premium customers."""
    offer = (pl.col("touchpoint") == "web:retention_offer") & pl.col("person").is_in(premium.implode())
    month = pl.col("time").dt.convert_time_zone(ZONE).dt.truncate("1mo")
    paid = pl.when(pl.col("touchpoint") == "card:payment").then("value").otherwise(0.0)
    spent = paid.fill_null(0.0).cum_sum().over("person", month)
    return [
        Moment(
            "offer, no renewal",
            cjm.pattern(offer).then("store:visit", within="3d").without("store:renew", within="1d"),
            "call before the competition does",
        ),
        Moment(
            "third failure",
            cjm.Pattern.parse("network:handset_change -> 3 x network:connection_failed within 2h"),
            "have a technician call",
        ),
        Moment(
            "no funds",
            cjm.pattern((pl.col("touchpoint") == "atm:insufficient_funds") & (spent >= HIGH_SPENDING)),
            "offer a credit line",
        ),
    ]


ACTIONS = [
    Action("retention call", "phone", ("offer, no renewal",), within="30d", purpose="marketing", cost=6),
    Action("technician calls", "phone", ("third failure",), within="30d", cost=8),
    Action("credit line in the app", "app", ("no funds",), within="30d", cost=0.5, value=40, counts=False),
]
EFFECTS = pl.DataFrame(
    {
        "moment": [action.moments[0] for action in ACTIONS],
        "action": [action.name for action in ACTIONS],
        "effect": [0.05, 0.03, 0.03],
        "basis": "assumed: nobody has been left alone yet to measure it",
    }
)


def decided(matches: pl.DataFrame, customers: pl.DataFrame, consent: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Return what could be done, for whom, and why not for the others."""
    worth = customers.select("person", value=pl.when("premium").then(360.0).otherwise(120.0))
    return cjm.decide(matches, ACTIONS, at=at, persons=worth, effects=EFFECTS, consent=consent, holdout=0.2)


def main() -> None:
    """Make a world, look for the moments, compare with the truth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=20_000)
    parser.add_argument("--report", type=Path)
    given = parser.parse_args()
    world = cjm.datasets.simulate(given.persons, seed=1, moments=True)
    people = cjm.stitch(world.log)
    journeys = cjm.build_journeys(world.log, people)
    customers = people.with_person(world.persons, "customer")
    found = cjm.moments.detect(journeys, three_moments(customers.filter("premium")["person"]))
    happened = world.truth.moments.group_by("moment").agg(happened=pl.len())
    counted = found.group_by("moment", maintain_order=True).agg(found=pl.len(), action=pl.col("action").first())
    print(counted.join(happened, on="moment", how="left", maintain_order="left"))  # noqa: T201
    print(found.sort("end").select("moment", "start", "end", "confirmed_at").tail(5))  # noqa: T201
    if given.report:
        consent = people.with_person(world.consent, "customer")
        options = decided(found, customers, consent, datetime(2025, 5, 1, tzinfo=UTC))
        tables = {"moments": found.drop("pattern"), "decisions": options}  # expressions are no reading matter
        cjm.report.write_report(tables, {"title": "Three moments"}, given.report)


if __name__ == "__main__":
    main()
