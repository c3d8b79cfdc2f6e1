"""Worlds in which no path means anything: what a run says of them must be nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

import cjm
from cjm.contracts import TIME
from cjm.durations import DAY_US
from cjm.journeys import journeys_from_frame
from cjm.survival import PathHazard

ZERO = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
CANCEL = cjm.Churn.event("account:cancelled")
PATH = {"path": "web:offer -> web:cart"}


def times(days: np.ndarray) -> pl.Series:
    return pl.Series(ZERO + (np.asarray(days) * DAY_US).astype(np.int64)).cast(TIME)


def rows(days: np.ndarray, event: str, **ids: list[str | None]) -> pl.DataFrame:
    columns = {name: pl.Series(values, dtype=pl.String) for name, values in ids.items()}
    return pl.DataFrame({"t": times(days), "e": [event] * len(days), **columns})


def late_login(seed: int, n: int = 2_000) -> tuple[cjm.EventLog, pl.DataFrame]:
    """Customers walk the path anonymously and log in some days later, unless they have left by then."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 60, n)
    leave = np.minimum(start + rng.exponential(60, n), 180)
    path = start + rng.exponential(40, n)
    login = path + rng.uniform(0.1, 25, n)
    name = np.array([f"c{i}" for i in range(n)])
    cookie = np.array([f"k{i}" for i in range(n)])
    walked, back, left = path < leave, login < leave, leave < 180
    none: list[str | None] = [None] * int(walked.sum())
    web = pl.concat(
        [
            rows(path[walked], "offer", cookie=cookie[walked].tolist(), customer=none),
            rows(path[walked] + 0.01, "cart", cookie=cookie[walked].tolist(), customer=none),
            rows(
                login[back & walked],
                "login",
                cookie=cookie[back & walked].tolist(),
                customer=name[back & walked].tolist(),
            ),
        ]
    )
    account = pl.concat(
        [rows(start, "opened", customer=name.tolist()), rows(leave[left], "cancelled", customer=name[left].tolist())]
    )
    both = {"cookie": "cookie", "customer": "customer"}
    log = cjm.scan_events(
        {
            "web": cjm.Source(web, time="t", event="e", ids=both),
            "account": cjm.Source(account, time="t", event="e", ids={"customer": "customer"}),
        }
    )
    return log, pl.DataFrame({"customer": name, "entry": times(start)})


@pytest.mark.parametrize("seed", range(3))
def test_logging_in_later_is_no_protection(seed: int) -> None:
    log, customers = late_login(seed)
    people = cjm.stitch(log)
    journeys = cjm.build_journeys(log, people)
    subjects = cjm.subjects(journeys, CANCEL, persons=people.with_person(customers, "customer").drop("customer"))
    row = PathHazard(patterns=PATH).fit(journeys, subjects).summary.row(0, named=True)
    assert abs(row["z"]) < 3
    assert 0.8 < row["hazard_ratio"] < 1.25
    found = cjm.find(journeys, PATH, occurrence="first")
    assert found.height > 500


def test_the_world_would_show_a_protection_if_paths_were_dated_back() -> None:
    log, customers = late_login(0)
    people = cjm.stitch(log)
    journeys = cjm.build_journeys(log, people)
    arrays = journeys.arrays
    looked_ahead = arrays.known > arrays.time
    assert looked_ahead.mean() > 0.2
    arrays.known[:] = arrays.time
    subjects = cjm.subjects(journeys, CANCEL, persons=people.with_person(customers, "customer").drop("customer"))
    assert PathHazard(patterns=PATH).fit(journeys, subjects).summary["hazard_ratio"][0] < 0.7


@pytest.mark.parametrize("seed", range(3))
def test_longer_tenure_is_no_sign(seed: int) -> None:
    """The hazard falls with tenure and customers join at different times: nobody has more paths for having stayed."""
    rng = np.random.default_rng(seed)
    n = 4_000
    joined = rng.uniform(0, 100, n)
    leave = joined + 50 * rng.weibull(0.5, n)
    counts = rng.poisson(np.maximum(np.minimum(leave, 200) - joined, 0) / 12)
    person = np.repeat(np.arange(n), counts)
    at = joined[person] + rng.random(len(person)) * (np.minimum(leave, 200) - joined)[person]
    kind = rng.choice(["home", "help", "cart", "news"], len(person))
    frame = pl.concat(
        [
            pl.DataFrame({"person": np.arange(n), "time": times(joined), "event": "joined"}),
            pl.DataFrame({"person": person, "time": times(at), "event": kind}),
            pl.DataFrame(
                {"person": np.flatnonzero(leave < 200), "time": times(leave[leave < 200]), "event": "cancelled"}
            ),
        ]
    ).with_columns(channel=pl.lit("account"))
    journeys = journeys_from_frame(frame, gap=DAY_US)
    subjects = cjm.subjects(journeys, CANCEL)
    early, outcome = cjm.survival.early_window(journeys, subjects, window="30d")
    paths = cjm.mine_sequences(journeys, min_support=0.02, max_length=2)
    seen = outcome.filter(pl.col("person").is_in(early.arrays.person))
    contrast = cjm.contrast(early, paths.filter(~pl.col("pattern").list.contains("account:cancelled")), seen)
    assert contrast.height > 10
    assert contrast.filter(pl.col("q") <= 0.05).height <= 1


def test_an_early_window_is_equally_long_for_all() -> None:
    log, customers = late_login(1, n=400)
    people = cjm.stitch(log)
    journeys = cjm.build_journeys(log, people)
    subjects = cjm.subjects(journeys, CANCEL, persons=people.with_person(customers, "customer").drop("customer"))
    early, outcome = cjm.survival.early_window(journeys, subjects, window="20d")
    frame = early.frame.collect().join(subjects.frame.select("person", "entry", "exit"), on="person")
    assert ((frame["time"] - frame["entry"]).dt.total_days() < 20).all()
    assert ((frame["exit"] - frame["entry"]).dt.total_seconds() > 20 * 86_400).all()
    assert (early.arrays.known - early.arrays.time >= 0).all()
    days = (subjects.frame["exit"] - subjects.frame["entry"]).dt.total_seconds() / 86_400
    seen = (journeys.end - subjects.frame["entry"].to_physical()) / DAY_US
    counts = subjects.frame.filter((days > 20) & (seen >= 40))
    assert outcome["person"].to_list() == counts["person"].to_list()
    assert (
        outcome["outcome"].to_list()
        == counts.select(pl.col("churned") & ((pl.col("exit") - pl.col("entry")).dt.total_seconds() <= 40 * 86_400))
        .to_series()
        .to_list()
    )


@pytest.mark.parametrize("seed", range(3))
def test_coming_late_is_no_sign(seed: int) -> None:
    """Constant hazard, customers join all the time: those who came late have had less time to leave."""
    rng = np.random.default_rng(seed)
    n = 4_000
    joined = np.where(rng.random(n) < 0.5, 0.0, rng.uniform(0, 100, n))
    leave = joined + rng.exponential(150, n)
    events = {"counted": joined[joined == 0], "joined": joined[joined > 0], "cancelled": leave[leave < 180]}
    who = {"counted": joined == 0, "joined": joined > 0, "cancelled": leave < 180}
    frame = pl.concat(
        [
            pl.DataFrame({"person": np.flatnonzero(who[event]), "time": times(at), "event": event})
            for event, at in events.items()
        ]
    ).with_columns(channel=pl.lit("account"))
    subjects = cjm.subjects(journeys_from_frame(frame, gap=DAY_US), CANCEL)
    early, outcome = cjm.survival.early_window(journeys_from_frame(frame, gap=DAY_US), subjects, window="40d")
    contrast = cjm.contrast(early, [["account:counted"], ["account:joined"]], outcome)
    assert contrast["p"].min() > 0.005
