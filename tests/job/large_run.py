"""A run of any size, with all that a run may hold but stitching."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

CONFIGURATION = """
[output]
dir = "out"

[sources.web]
path = "web-*.parquet"
time = "at"
event = "what"
ids = {customer = "who"}

[identity]
person = "customer"

[journeys.funnel]
steps = ["web:home", "web:cart"]

[journeys.goals.buy]
start = "web:cart"
end = "web:pay"
timeout = "7d"

[mining]
min_support = 0.2
max_length = 3
max_gap = "7d"

[churn]
event = "web:leave"
patterns.searched = "web:search -> web:cart within 7d"

[moments.cart]
pattern = "web:home -> web:cart within 3d"
"""


def large_run(folder: Path, events: int) -> Path:
    """Write a configuration and its log in four files, 50 events a person; return the path of the configuration."""
    chance = np.random.default_rng(1)
    names = pl.Series(["home", "search", "cart", "pay", "help", "leave"])
    part = events // 4
    for number in range(4):
        at = np.sort(chance.integers(0, 180 * 86_400, part)) * 1_000_000 + 1_767_225_600_000_000
        what = chance.choice(6, part, p=[0.3, 0.3, 0.2, 0.1, 0.0998, 0.0002]).astype(np.uint32)
        frame = pl.DataFrame(
            {
                "at": pl.Series(at).cast(pl.Datetime("us", "UTC")),
                "what": names.gather(pl.Series(what)),
                "who": "customer-" + pl.Series(chance.integers(0, events // 50, part)).cast(pl.String),
            }
        )
        frame.write_parquet(folder / f"web-{number}.parquet", row_group_size=250_000)
    path = folder / "cjm.toml"
    path.write_text(CONFIGURATION)
    return path
