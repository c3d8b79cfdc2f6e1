"""The simulated world is what its truth says."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cjm.datasets import DESIGN, PATHS, simulate
from cjm.errors import ArgumentError

KINDS = {
    "web": {"customer": "user_id", "cookie": "cookie"},
    "app": {"customer": "user", "device": "device"},
    "call": {"customer": "customer_no"},
    "store": {"customer": "card"},
    "email": {"customer": "customer", "email": "address", "cookie": "cookie"},
}


@pytest.fixture(scope="module")
def world():
    return simulate(3_000, days=120, seed=7, block=1_000)


def plain_log(world):
    """The logs as one frame, read with nothing but polars: time, touchpoint, the identifiers."""
    wall = {"call": ("started", "%Y-%m-%d %H:%M:%S"), "store": ("when", "%d.%m.%Y %H:%M:%S")}
    names = {"web": "page", "app": "action", "call": "topic", "store": "what", "email": "mail"}
    parts = []
    for log, frame in world.logs.items():
        if log in wall:
            column, pattern = wall[log]
            time = pl.col(column).str.to_datetime(pattern, time_unit="us").dt.replace_time_zone(DESIGN.zone)
            time = time.dt.convert_time_zone("UTC")
        else:
            time = {
                "web": pl.col("ts"),
                "app": pl.col("at").str.to_datetime("%Y-%m-%dT%H:%M:%S%z", time_unit="us", time_zone="UTC"),
                "email": pl.from_epoch("sent", time_unit="s").cast(pl.Datetime("us", "UTC")),
            }[log]
        channel = pl.col("line") if log == "call" else pl.lit(log)
        parts.append(
            frame.select(
                time=time,
                touchpoint=pl.format("{}:{}", channel, names[log]),
                **{kind: pl.col(column) for kind, column in KINDS[log].items()},
            )
        )
    return pl.concat(parts, how="diagonal")


def certain(world):
    """Rows of the log with the person who stands behind them, where one identifier alone tells."""
    log = plain_log(world).with_row_index("row")
    ids = world.truth.identities
    lone = ids.filter(pl.len().over("kind", "id") == 1)
    owner = log
    for kind in ("customer", "email", "device", "cookie"):
        table = lone.filter(pl.col("kind") == kind).select(
            pl.col("id").alias(kind), pl.col("person").alias(f"by_{kind}")
        )
        owner = owner.join(table, on=kind, how="left", maintain_order="left")
    return owner.with_columns(person=pl.coalesce("^by_.*$")).sort("person", "time", "row")


def test_equal_arguments_give_equal_worlds(world):
    again = simulate(3_000, days=120, seed=7, block=1_000)
    for name in world.logs:
        assert_frame_equal(world.logs[name], again.logs[name])
    assert_frame_equal(world.truth.identities, again.truth.identities)
    assert_frame_equal(world.consent, again.consent)
    other = simulate(3_000, days=120, seed=8, block=1_000)
    assert not world.truth.churn.equals(other.truth.churn)


def test_a_block_does_not_depend_on_the_others(world):
    first = simulate(1_000, days=120, seed=7, block=1_000)
    last = world.persons["person"].unique().sort()
    assert last.len() == 3_000
    assert_frame_equal(first.persons, world.persons.head(1_000))
    assert_frame_equal(first.truth.churn, world.truth.churn.head(first.truth.churn.height))
    assert_frame_equal(first.logs["web"], world.logs["web"].head(first.logs["web"].height))


def test_identifiers_of_blocks_do_not_meet(world):
    shared = world.truth.identities.filter(pl.len().over("kind", "id") > 1, ~pl.col("id").str.starts_with("k-kiosk"))
    household = shared.join(world.persons.select("person", "household"), on="person", how="left")
    assert household["household"].null_count() == 0
    assert household.group_by("kind", "id").agg(pl.col("household").n_unique())["household"].max() == 1


def test_first_completions_agree_with_a_slow_scan_of_the_logs(world):
    rows = certain(world)
    ids = world.truth.identities
    unclear = ids.filter(pl.len().over("kind", "id") > 1)["person"].unique()
    clear = world.persons.filter(~pl.col("person").is_in(unclear.implode()))["person"].to_list()
    assert len(clear) > 1_500
    events = {person: [] for person in clear}
    for person, time, touchpoint in rows.select("person", "time", "touchpoint").iter_rows():
        if person in events:
            events[person].append((time, touchpoint))
    truth = {
        (pattern, person): (start, end)
        for pattern, person, _, start, end in world.truth.occurrences.iter_rows()
        if person in events
    }
    found = {}
    for path in PATHS:
        window = timedelta(seconds=path.seconds)
        for person, history in events.items():
            for place, (time, touchpoint) in enumerate(history):
                starts = [t for t, step in history[:place] if step == path.first and time - t <= window]
                if touchpoint == path.last and starts:
                    found[path.term, person] = (starts[-1], time)
                    break
    assert found == truth
    assert {term for term, _ in found} == {"risk", "protective", "harmless"}


def test_nothing_happens_after_churn_and_churn_is_the_last_event(world):
    rows = certain(world).join(
        world.truth.churn.select("person", churn="time"), on="person", how="left", maintain_order="left"
    )
    assert rows.filter(pl.col("time") > pl.col("churn")).is_empty()
    cancelled = rows.filter(pl.col("touchpoint") == "account:cancelled").select("person", "time")
    assert_frame_equal(cancelled, world.truth.churn.select("person", "time"), check_row_order=False)
    assert (
        world.truth.occurrences.join(world.truth.churn, on="person").filter(pl.col("end") >= pl.col("time")).is_empty()
    )
    assert 0.06 < world.truth.churn.height / 3_000 < 0.20


def test_no_two_events_of_a_person_at_one_time(world):
    rows = certain(world).drop_nulls("person")
    assert rows.select("person", "time").is_duplicated().sum() == 0


def test_every_event_lies_in_the_period_and_after_registration_if_it_carries_a_customer(world):
    rows = certain(world)
    start = datetime(2025, 1, 1, tzinfo=UTC)
    assert rows["time"].min() >= start
    assert rows["time"].max() < start + timedelta(days=120)
    named = rows.join(world.persons.select("person", "customer", "registered"), on=["person", "customer"])
    assert named.height > 30_000
    assert named.filter(pl.col("time") < pl.col("registered")).is_empty()
    assert named["person"].n_unique() == 3_000
    before = rows.join(world.persons.select("person", "registered"), on="person").filter(
        pl.col("time") < pl.col("registered")
    )
    assert before.height > 500
    assert before["customer"].is_in([*DESIGN.junk, None], nulls_equal=True).all()


@pytest.mark.parametrize("linkable", [1.0, 0.6, 0.0])
def test_evidence_is_where_linkable_says(linkable):
    world = simulate(2_000, days=90, seed=3, linkable=linkable)
    log = plain_log(world).join(world.persons.select("customer", "person"), on="customer")
    seen = pl.concat(
        [log.drop_nulls(kind).select(pl.lit(kind).alias("kind"), pl.col(kind).alias("id"), "person")
         for kind in ("customer", "email", "device", "cookie")]
    ).unique()  # fmt: skip
    truth = world.truth.identities.join(
        seen.with_columns(seen=True), on=["kind", "id", "person"], how="left"
    ).with_columns(pl.col("seen").fill_null(False))
    assert (truth["seen"] == truth["has_evidence"]).all()
    carriers = truth.join(world.persons, on="person", how="semi").filter(
        pl.col("kind").is_in(["cookie", "device"]), ~pl.col("id").str.starts_with("k-kiosk")
    )
    rates = carriers.group_by("kind").agg(pl.col("seen").mean())
    if linkable in (0, 1):
        assert rates["seen"].to_list() == [linkable] * 2
    else:
        assert rates["seen"].is_between(linkable - 0.05, linkable + 0.05).all()
    assert truth.filter(pl.col("kind").is_in(["customer", "email"]))["seen"].all()


def test_the_counts_of_identities_are_those_of_the_logs(world):
    log = plain_log(world)
    for kind in ("customer", "email", "device", "cookie"):
        counted = log.drop_nulls(kind).group_by(pl.col(kind).alias("id")).agg(pl.len().cast(pl.Int64).alias("events"))
        truth = world.truth.identities.filter(pl.col("kind") == kind).group_by("id").agg(pl.col("events").sum())
        real = counted.filter(~pl.col("id").is_in(DESIGN.junk))
        assert_frame_equal(real, truth, check_row_order=False, check_dtypes=False)


def test_offers_are_seen_anonymously_and_a_login_follows(world):
    web = world.logs["web"]
    offers = web.filter(pl.col("page") == "view_offer").rename({"ts": "start"})
    cookies = world.truth.identities.filter(pl.col("kind") == "cookie").select("person", cookie="id")
    first = (
        world.truth.occurrences.filter(pl.col("pattern") == "risk")
        .join(offers, on="start")
        .join(cookies, on=["person", "cookie"], how="semi")
    )
    assert first.height >= 0.98 * (world.truth.occurrences["pattern"] == "risk").sum()
    anonymous = first.filter(pl.col("user_id").is_null() | pl.col("user_id").is_in(DESIGN.junk))
    assert anonymous.height / first.height >= 0.85
    logins = web.filter(~pl.col("user_id").is_in(DESIGN.junk)).select("ts", "cookie", user="user_id")
    follow = (
        anonymous.join(logins, on="cookie")
        .filter(pl.col("user") == pl.col("customer"), pl.col("ts") > pl.col("start"), pl.col("ts") < pl.col("end"))
        .filter(pl.col("ts") <= pl.col("start") + timedelta(days=20))
    )
    assert follow["person"].n_unique() == anonymous["person"].n_unique()  # before completion: churn cannot cut it off


def test_decoys_exist(world):
    rows = certain(world).drop_nulls("person")
    risk = world.truth.occurrences.filter(pl.col("pattern") == "risk")["person"].implode()
    viewed = rows.filter(pl.col("touchpoint") == "web:view_offer", ~pl.col("person").is_in(risk)).select(
        "person", "time"
    )
    visits = rows.filter(pl.col("touchpoint") == "store:visit").select("person", visit="time")
    both = viewed.join(visits, on="person").with_columns(gap=pl.col("visit") - pl.col("time"))
    assert both.filter(pl.col("gap").is_between(timedelta(days=-3), timedelta())).height > 50
    assert both.filter(pl.col("gap").is_between(timedelta(days=3), timedelta(days=10))).height > 50
    assert viewed.join(visits, on="person", how="anti").height > 50


def test_junk_kiosk_households_and_tickets(world):
    spoilt = {"web": ["user_id", "cookie"], "app": ["user", "device"], "call": ["customer_no"], "store": ["card"]}
    for name, column in [(name, column) for name, columns in spoilt.items() for column in columns]:
        share = world.logs[name][column].is_in(DESIGN.junk).fill_null(False).mean()
        assert 0.0005 < share < 0.05, (name, column)
    ids = world.truth.identities
    assert ids.filter(pl.col("id") == "k-kiosk-01").height > 50
    assert ids.filter(pl.col("kind") == "device").group_by("id").len()["len"].max() == 2
    assert ids.filter(pl.col("kind") == "cookie").group_by("person").len()["len"].max() >= 3
    tickets = world.logs["call"].drop_nulls("ticket")
    assert tickets.filter(~pl.col("topic").str.starts_with("ticket_")).is_empty()
    spans = tickets.group_by("customer_no", "ticket").agg(a=pl.col("started").min(), b=pl.col("started").max())
    pairs = spans.join(spans, on="customer_no").filter(
        pl.col("ticket") != pl.col("ticket_right"), pl.col("a") < pl.col("a_right"), pl.col("a_right") < pl.col("b")
    )
    assert pairs.height > 20


def test_consent_is_a_row_of_intervals(world):
    consent = world.consent.sort("customer", "purpose", "from")
    key = ["customer", "purpose"]
    assert consent.select(key).n_unique() == 6_000
    assert consent.filter(pl.col("from") >= pl.col("to")).is_empty()
    inner = consent.with_columns(
        next_from=pl.col("from").shift(-1).over(key), next_given=pl.col("given").shift(-1).over(key)
    )
    assert inner.filter(pl.col("to").is_null())["next_from"].is_null().all()
    changed = inner.drop_nulls("to")
    assert changed.height > 200
    assert (changed["to"] == changed["next_from"]).all()
    assert (changed["given"] != changed["next_given"]).all()
    late = consent.join(world.truth.churn, on="customer").filter(pl.col("from") >= pl.col("time"))
    assert late.is_empty()
    assert consent.group_by("purpose").agg(pl.col("given").mean())["given"].min() > 0.7


@pytest.mark.parametrize("start", [date(2025, 10, 10), date(2025, 3, 20)])
def test_local_times_name_one_instant(start):
    world = simulate(1_500, days=30, seed=5, start=start)
    log = plain_log(world)  # raises at a wall time that does not exist or exists twice
    assert log["time"].min() >= datetime(start.year, start.month, start.day, tzinfo=UTC)


def test_a_short_world_and_a_single_person():
    assert simulate(1, days=14, seed=0).persons.height == 1
    world = simulate(3, days=14, seed=0, intensity=0.0, block=1)
    assert world.persons["person"].to_list() == [1, 2, 3]
    assert world.log is not None


@pytest.mark.parametrize(
    "arguments",
    [{"persons": 0}, {"days": 3}, {"linkable": 1.5}, {"intensity": -1.0}, {"block": 0}, {"linkable": np.nan}],
)
def test_senseless_arguments_are_refused(arguments):
    with pytest.raises(ArgumentError, match="Give|lies between"):
        simulate(**{"persons": 10, **arguments})
