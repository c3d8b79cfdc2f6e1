"""How often the intervals of off-policy values hold the truth, in worlds where the truth is known.

Call: python benchmarks/off_policy.py [--worlds 2000] [--persons 1500]

Two decisions a person, logged by a rule that depends on the segment; persons differ in ways that no column tells. The
policy acts for one segment only. Printed are, for each estimator, the share of 95 % intervals that hold the true value
and the true gain, the mean error in its own standard errors, the spread of the errors, and the mean of the standard
errors that were reported.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import polars as pl

from cjm.moments import off_policy_value

PREMIUM, ACTS = 0.3, (0.2, 0.7)  # share of premium customers; probability of a call without and with premium
BRINGS = (-0.5, 1.5)  # what a call changes without and with premium
TRUTH = 1 + PREMIUM * (2 + BRINGS[1])
LOGGED = 1 + PREMIUM * (2 + ACTS[1] * BRINGS[1]) + (1 - PREMIUM) * ACTS[0] * BRINGS[0]
POLICY = pl.when("premium").then(pl.lit("call")).otherwise(pl.lit("wait"))


def world(seed: int, persons: int) -> pl.DataFrame:
    """Return a log of decisions."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(persons), 2) + seed * persons
    premium = np.repeat(rng.random(persons) < PREMIUM, 2)
    liking = np.repeat(rng.normal(0, 0.5, persons), 2)
    chance = np.where(premium, ACTS[1], ACTS[0])
    call = rng.random(len(person)) < chance
    gain = np.where(call, np.where(premium, BRINGS[1], BRINGS[0]), 0.0)
    return pl.DataFrame(
        {
            "person": person,
            "action": np.where(call, "call", "wait"),
            "propensity": np.where(call, chance, 1 - chance),
            "reward": 1 + 2 * premium + gain + liking + rng.normal(0, 1, len(person)),
            "premium": premium,
        }
    )


def main() -> None:
    """Simulate, estimate, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=2_000)
    parser.add_argument("--persons", type=int, default=1_500)
    given = parser.parse_args()
    since = time.process_time()
    parts = [off_policy_value(world(seed, given.persons), POLICY, strata=["premium"]) for seed in range(given.worlds)]
    truth = pl.when(pl.col("estimator") == "logged").then(LOGGED).otherwise(TRUTH)
    table = (
        pl.concat(parts)
        .with_columns(truth=truth, error=pl.col("value") - truth)
        .group_by("estimator", maintain_order=True)
        .agg(
            value_held=pl.col("truth").is_between("low", "high").mean(),
            gain_held=pl.lit(TRUTH - LOGGED).is_between("gain_low", "gain_high").mean(),
            bias=pl.col("error").mean() / (pl.col("error").std() / pl.len().sqrt()),
            spread=pl.col("error").std(),
            reported=pl.col("se").mean(),
        )
    )
    print(f"{given.worlds:,} worlds of {2 * given.persons:,} decisions, {time.process_time() - since:.0f} CPU s\n")
    print("| estimator | value held | gain held | bias, in its errors | spread of errors | reported error |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, value, gain, bias, spread, reported in table.iter_rows():
        shown = "" if name == "logged" else f"{gain:.3f}"
        print(f"| {name} | {value:.3f} | {shown} | {bias:+.1f} | {spread:.4f} | {reported:.4f} |")


if __name__ == "__main__":
    main()
