"""Turn the tables of the completejourney data into event logs: store visits, mailings and coupons of households.

Call: python prepare.py FOLDER_WITH_THE_TABLES [FOLDER_TO_WRITE]
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

# Households are watched from the day of the first mailing; what they did before tells frequent shoppers from others.
ENTRY = datetime(2017, 3, 1, tzinfo=UTC)


def store_visits(tables: Path) -> pl.DataFrame:
    """One row a basket: its time, its kind, what was paid."""
    lines = pl.read_parquet(tables / "transactions.parquet")
    products = pl.read_parquet(tables / "products.parquet").select("product_id", "department")
    kind = (
        pl.when((pl.col("department") == "FUEL").all())
        .then(pl.lit("fuel"))
        .when(pl.col("sales_value").sum() >= 50)
        .then(pl.lit("main_shop"))
        .when(pl.col("product_id").n_unique() <= 3)
        .then(pl.lit("quick_trip"))
        .otherwise(pl.lit("top_up"))
    )
    return (
        lines.join(products, on="product_id", how="left")
        .group_by("household_id", "basket_id")
        .agg(time=pl.col("transaction_timestamp").min(), visit=kind, paid=pl.col("sales_value").sum().round(2))
        .sort("time", "basket_id")
    )


def mailings(tables: Path) -> pl.DataFrame:
    """One row a household and campaign: the day it began, its type."""
    described = pl.read_parquet(tables / "campaign_descriptions.parquet")
    return (
        pl.read_parquet(tables / "campaigns.parquet")
        .join(described, on="campaign_id")
        .select(
            "household_id",
            time="start_date",
            campaign=pl.col("campaign_type").cast(pl.String).str.to_lowercase().str.replace(" ", "_"),
        )
        .sort("time", "household_id")
    )


def coupons(tables: Path) -> pl.DataFrame:
    """One row a household and day on which it redeemed coupons."""
    redeemed = pl.read_parquet(tables / "coupon_redemptions.parquet")
    return (
        redeemed.select("household_id", time="redemption_date", what=pl.lit("redeemed"))
        .unique()
        .sort("time", "household_id")
    )


def households(tables: Path, visits: pl.DataFrame) -> pl.DataFrame:
    """One row a household that shopped before ``ENTRY``, with what is known of it by then."""
    before = visits.filter(pl.col("time").dt.replace_time_zone("UTC") < ENTRY)
    shopped = before.group_by("household_id").agg(baskets=pl.len(), spent=pl.col("paid").sum())
    told = pl.read_parquet(tables / "demographics.parquet").select("household_id", pl.col("income").cast(pl.String))
    return (
        shopped.join(told, on="household_id", how="left")
        .select(
            pl.col("household_id").alias("household"),
            entry=pl.lit(ENTRY).dt.cast_time_unit("us"),
            frequent=pl.col("baskets") >= pl.col("baskets").median(),
            shoppers=pl.when(pl.col("baskets") >= pl.col("baskets").median())
            .then(pl.lit("frequent"))
            .otherwise(pl.lit("occasional")),
            income=pl.col("income").fill_null("not told"),
        )
        .sort("household")
    )


def main() -> None:
    """Read the tables and write the logs."""
    tables = Path(sys.argv[1])
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent
    visits = store_visits(tables)
    visits.write_parquet(target / "store.parquet")
    mailings(tables).write_parquet(target / "mail.parquet")
    coupons(tables).write_parquet(target / "coupon.parquet")
    households(tables, visits).write_parquet(target / "households.parquet")


if __name__ == "__main__":
    main()
