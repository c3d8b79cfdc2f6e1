"""Three moments worth acting on, found in a simulated world.

Call: python moments.py [--persons 4000]

Prints how often each was found, how often the world says that it happened, and the last ones.
"""

from __future__ import annotations

import argparse

import polars as pl

import cjm
from cjm.moments import Moment

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


def main() -> None:
    """Make a world, look for the moments, compare with the truth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=4_000)
    world = cjm.datasets.simulate(parser.parse_args().persons, seed=1, moments=True)
    people = cjm.stitch(world.log)
    journeys = cjm.build_journeys(world.log, people)
    customers = people.with_person(world.persons, "customer")
    found = cjm.moments.detect(journeys, three_moments(customers.filter("premium")["person"]))
    happened = world.truth.moments.group_by("moment").agg(happened=pl.len())
    counted = found.group_by("moment", maintain_order=True).agg(found=pl.len(), action=pl.col("action").first())
    print(counted.join(happened, on="moment", how="left", maintain_order="left"))  # noqa: T201
    print(found.sort("end").select("moment", "start", "end", "confirmed_at").tail(5))  # noqa: T201


if __name__ == "__main__":
    main()
