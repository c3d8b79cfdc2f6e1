"""Key figures by hand: groups, days, further figures, edges, errors."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from buckets import in_buckets
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import MINUTE
from splits import walk, walks

from cjm.errors import ArgumentError
from cjm.journeys import Journeys, journeys_from_frame
from cjm.measure._by import cohort, period
from cjm.measure._goal import goal
from cjm.measure._kpi_registry import _REGISTERED, Kpi, kpi, register_kpi, registered_kpis
from cjm.measure._kpis import kpis
from cjm.statistics import newcombe


def figures(rows: pl.DataFrame) -> dict[str, float]:
    return dict(rows.select("kpi", "value").rows())


def test_kpis_of_a_group_are_those_of_its_own_events() -> None:
    log = walks([(0, "A"), (1, "store:B"), (100, "store:B"), (102, "store:B")])
    rows = kpis(log, by="channel")
    web, store = (figures(rows.filter(pl.col("channel") == channel)) for channel in ("web", "store"))
    assert (web["sessions"], web["bounce_rate"]) == (1, 1)
    assert (store["sessions"], store["bounce_rate"], store["session_length_median"]) == (2, 0.5, 120)
    assert store["session_pause_median"] == pytest.approx(99 / 1440)
    assert store["multichannel_rate"] == 0
    assert store["switches_per_session"] == 0
    assert store["stickiness"] is None
    assert figures(kpis(log))["switches_per_session"] == 0.5


def test_days_are_those_of_the_zone_and_may_have_23_hours() -> None:
    # 30 March 2024 23:30 UTC is the 31st in Warsaw, which ends at 22:00 UTC: one day there, two in UTC.
    log = walks([(0, "A"), (22 * 60, "A")], start=datetime(2024, 3, 30, 23, 30, tzinfo=UTC))
    assert kpis(log).filter(pl.col("kpi") == "daily_active_persons").select("numerator", "denominator").row(0) == (2, 2)
    warsaw = kpis(log, time_zone="Europe/Warsaw").filter(pl.col("kpi") == "daily_active_persons")
    assert warsaw.select("numerator", "denominator").row(0) == (1, 1)


def test_periods_and_cohorts_have_days_of_their_own() -> None:
    month = 31 * 1440
    log = walks([(0, "A"), (month, "A"), (month + 1440, "A")], [(month, "A"), (month + 2 * 1440, "A")])
    rows = kpis(log, by=period("1mo")).filter(pl.col("kpi") == "daily_active_persons")
    assert rows.select("numerator", "denominator").rows() == [(1, 31), (4, 3)]
    rows = kpis(log, by=cohort("1mo")).filter(pl.col("kpi") == "daily_active_persons")
    assert rows.select("numerator", "denominator").rows() == [(3, 34), (2, 3)]


def test_by_goals_each_is_measured_on_the_events_of_its_journeys() -> None:
    log = walks([(0, "o"), (1, "A"), (2, "e"), (3, "B")], [(0, "A"), (1, "o")])
    order = goal("order", start="web:o", end="web:e", timeout="1h")
    aims = [order, goal("nothing", start="web:B", end="web:o", idle="1s")]
    rows = kpis(log, by=aims, goals=aims[:1])
    order = rows.filter(pl.col("goal") == "order")
    assert rows["goal"].unique(maintain_order=True).to_list() == ["nothing", "order"]
    assert figures(order)["events"] == 4
    assert figures(order)["goal_journeys"] == 2
    assert order.filter(pl.col("kpi") == "completion_rate").select("numerator", "denominator").row(0) == (1, 1)


def test_figures_are_named_after_what_they_are_about() -> None:
    log = walks([(0, "A"), (1, "call:in"), (2, "call:out")])
    rows = kpis(log, contacts="call:*", first_value=["web:A", "call:in"], goals=goal("g", start="web:A", timeout="1h"))
    named = {name: about for name, about in rows.select("kpi", "about").rows() if about is not None}
    assert named.pop("contacts_per_person") == "call:*"
    assert named.pop("first_value_rate") == named.pop("first_value_time_median") == "{call:in, web:A}"
    assert set(named.values()) == {"g"}
    assert figures(rows)["contacts_per_person"] == figures(rows)["contacts_per_journey"] == 2


def test_versus_and_small_groups() -> None:
    paths = [walk("A")] * 8 + [[(0, "A"), (60, "store:A")]] * 12 + [[(0, "A"), (60, "A")]] * 4
    device = ["tv" if i < 20 else "pc" for i, path in enumerate(paths) for _ in path]
    log = walks(*paths, device=device)
    rows = kpis(log, by="device", versus="tv")
    assert rows.filter(device="tv")["difference"].is_null().all()
    pc = {row["kpi"]: row for row in rows.filter(device="pc").iter_rows(named=True)}
    low, high = newcombe([4], [4], [12], [20])
    returning = pc["returning_rate"]
    assert [returning[c] for c in ("difference", "difference_low", "difference_high")] == [0.4, low[0], high[0]]
    assert pc["sessions_per_person"]["difference"] == 2 - 32 / 20
    assert pc["sessions_per_person"]["difference_low"] is None
    masked = kpis(log, by="device", versus="tv", min_persons=5)
    assert masked.filter(device="pc").select("value", "numerator", "difference").null_count().row(0) == (16, 16, 16)
    tv = figures(masked.filter(device="tv"))
    assert tv["returning_rate"] == 0.6
    assert figures(kpis(log, by="device", min_persons=9).filter(device="tv"))["returning_rate"] is None  # 8 did not
    other = kpis(log, by="device", versus="pc", min_persons=5).filter(device="tv")
    assert other["difference"].is_null().all()
    assert other["value"].is_not_null().any()


@pytest.fixture
def registry() -> Iterator[None]:
    before = dict(_REGISTERED)
    yield
    _REGISTERED.clear()
    _REGISTERED.update(before)


def test_further_figures_over_each_table() -> None:
    value = [0.1, 0.2, None, float("nan")]
    log = walks([(0, "A"), (1, "B"), (60, "A")], [(0, "B")], value=value, paid=[True, None, True, False])
    more = [
        kpi("revenue_per_event", numerator=pl.col("value"), unit="EUR"),
        kpi("paid_rate", numerator=pl.col("paid"), interval=True),
        kpi("long_sessions", numerator=pl.col("events") > 1, over="sessions", interval=True),
        kpi("mean", numerator=pl.col("events"), denominator=pl.col("sessions"), over="persons"),
        kpi("nothing", numerator=pl.col("value"), denominator=pl.col("value") < 0),
    ]
    rows = kpis(log, more=more).tail(len(more))
    assert rows["kpi"].to_list() == [figure.name for figure in more]
    assert rows.select("value", "numerator", "denominator", "unit").rows() == [
        (float((Fraction(0.1) + Fraction(0.2)) / 4), None, 4, "EUR"),
        (0.5, 2, 4, "share"),
        (1 / 3, 1, 3, "share"),
        (4 / 3, 4, 3, ""),
        (None, None, 0, ""),
    ]
    assert rows["low"].is_not_null().to_list() == [False, True, True, False, False]


def test_further_figures_of_groups_see_their_own_events() -> None:
    log = walks([(0, "A"), (1, "store:B"), (2, "A"), (60, "A")], [(0, "store:B")], value=[1.0, 2, 3, 4, 5.5])
    more = [
        kpi("value", numerator=pl.col("value")),
        kpi("bounce", numerator=pl.col("events") == 1, over="sessions"),
        kpi("seconds", numerator=pl.col("last_seen") - pl.col("first_seen") > pl.duration(minutes=1), over="persons"),
        kpi("starts_with_a", numerator=pl.col("first") == "web:A", over="sessions"),
    ]
    for buckets in (1, 2):
        rows = kpis(in_buckets(log, buckets), by="channel", more=more)
        rows = rows.filter(pl.col("kpi").is_in([figure.name for figure in more]))
        got = rows.select("channel", "kpi", "value", "denominator").rows()
        assert got == [
            ("store", "value", 7.5 / 2, 2),
            ("store", "bounce", 1.0, 2),
            ("store", "seconds", 0.0, 2),
            ("store", "starts_with_a", 0.0, 2),
            ("web", "value", 8 / 3, 3),
            ("web", "bounce", 0.5, 2),
            ("web", "seconds", 1.0, 1),
            ("web", "starts_with_a", 1.0, 2),
        ]


NUMBERS = st.floats(-1e15, 1e15).filter(lambda x: x == 0 or abs(x) > 1e-3)


@settings(max_examples=30, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=30), st.randoms())
def test_sums_are_exact_in_any_order_and_any_buckets(values: list[float], chance: random.Random) -> None:
    figure = kpi("value", numerator=pl.col("value"))
    wanted = float(sum(map(Fraction, values)) / len(values))
    for buckets in (1, 3):
        chance.shuffle(values)
        log = walks(*[[(0, "A")]] * len(values), value=values)
        assert figures(kpis(in_buckets(log, buckets), more=[figure]))["value"] == wanted


def test_whole_numbers_are_summed_exactly() -> None:
    log = walks(*[walk("A")] * 3, n=[2**62, 2**62 + 1, -5])
    row = kpis(log, more=[kpi("n", numerator=pl.col("n"))]).row(-1, named=True)
    assert row["value"] == (2**63 - 4) / 3
    assert row["numerator"] == 2**63 - 4


@pytest.mark.usefixtures("registry")
def test_registered_figures_are_always_there() -> None:
    figure = kpi("paid_rate", numerator=pl.col("event") == "A", interval=True)
    register_kpi(figure)
    assert registered_kpis()[-1] == figure
    assert figures(kpis(walks(walk("AB"))))["paid_rate"] == 0.5
    with pytest.raises(ArgumentError, match="there is a figure 'paid_rate' already"):
        register_kpi(kpi("paid_rate", numerator=pl.col("value")))
    with pytest.raises(ArgumentError, match="there is a figure 'paid_rate' already"):
        kpis(walks(walk("AB")), more=[figure])
    with pytest.raises(ArgumentError, match="there is a figure 'bounce_rate' already"):
        register_kpi(kpi("bounce_rate", numerator=pl.col("value")))


def test_a_kpi_is_a_value() -> None:
    one, same = (kpi("n", numerator=pl.col("a") * 2, denominator=pl.col("b")) for _ in range(2))
    assert one == same
    assert len({one, same, kpi("n", numerator=pl.col("a") * 3, denominator=pl.col("b"))}) == 2
    assert str(one) == 'n: sum of [(col("a")) * (dyn int: 2)] / sum of col("b"), over events, '
    assert isinstance(one, Kpi)


def test_empty_journeys_give_no_rows_of_the_same_types() -> None:
    log = walks(walk("AB"), walk("A"), device=pl.Series([None, "tv", None], dtype=pl.Categorical))
    options = {
        "goals": goal("g", start="web:A", end="web:B"),
        "contacts": "web:*",
        "more": [kpi("n", numerator=pl.col("events"), over="persons")],
    }
    for by in (None, "device", "channel", period("1d"), cohort("1w")):
        full, empty = kpis(log, by=by, **options), kpis(log.filter(pl.lit(False)), by=by, **options)
        assert not full.is_empty()
        assert empty.is_empty()
        assert empty.schema == full.schema


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda j: kpis(j, by="chanel"), "unknown column 'chanel'. Did you mean \"channel\"?"),
        (lambda j: kpis(j, by="value"), "the result has a column 'value' of its own"),
        (lambda j: kpis(j, contacts="call:*"), "contacts=: unknown channel 'call'"),
        (lambda j: kpis(j, cancel=["web:a"]), "cancel=: unknown touchpoint 'web:a'. Did you mean \"web:A\"?"),
        (lambda j: kpis(j, goals=["order"]), "must be a goal or a list of goals"),
        (lambda j: kpis(j, more=[pl.col("value")]), "must be a list of key figures"),
        (lambda j: kpis(j, time_zone="Mars/Base"), "unknown time zone 'Mars/Base'"),
        (lambda j: kpis(j, level=95), "must lie between 0 and 1"),
        (lambda j: kpis(j, min_persons=True), "min_persons=: must be a whole number"),
        (lambda j: kpis(j, versus="web"), "there is no by="),
        (lambda j: kpis(j, by="channel", versus="wep"), "unknown group 'wep'. Did you mean \"web\"?"),
        (lambda _: kpi("", numerator=pl.col("value")), "a key figure needs a name"),
        (lambda _: kpi("n", numerator="value"), "kpi('n'), numerator=: must be a Polars expression, not 'value'"),
        (lambda _: kpi("n", numerator=pl.col("value"), over="visits"), "over=: unknown table 'visits'"),
        (lambda j: one(j, pl.col("valeu")), "kpi('n'), numerator=: unknown column 'valeu'. Did you mean \"value\"?"),
        (lambda j: one(j, pl.col("value").sum()), "gives 1 values for 2 rows"),
        (lambda j: one(j, pl.col("event") + 1), "fails"),
        (lambda j: one(j, pl.col("event")), "gives String"),
        (lambda j: one(j, pl.col("duration"), over="sessions"), "of a duration take .dt.total_seconds()"),
        (lambda j: one(j, pl.col("value") * 1e300), "numbers too large to add up"),
        (lambda j: one(j, pl.col("value"), interval=True), "1.5 of 2 is no share of rows"),
    ],
)
def test_wrong_calls_say_what_is_wrong(call: Callable[[Journeys], object], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call(walks(walk("AB"), value=[1.0, 0.5]))
    assert words in str(caught.value)


def one(log: Journeys, numerator: pl.Expr, **options: object) -> pl.DataFrame:
    return kpis(log, more=[kpi("n", numerator=numerator, **options)])


def test_many_groups_and_touchpoints() -> None:
    n = 1_000_000
    frame = pl.DataFrame(
        {
            "person": np.arange(n) // 4,
            "time": pl.Series(np.arange(n) % 4 * MINUTE).cast(pl.Datetime("us", "UTC")),
            "channel": pl.Series(np.arange(n) % 1000).cast(pl.String),
            "event": pl.Series(np.arange(n)).cast(pl.String),
        }
    )
    log = journeys_from_frame(frame, gap=30 * MINUTE)
    got = figures(kpis(log, contacts="7:*"))
    assert (got["channels_per_person"], got["contacts_per_person"]) == (4, (n // 1000) / (n // 4))
    rows = kpis(log, by="channel").filter(pl.col("kpi") == "persons")
    assert (rows.height, rows["value"].unique().to_list()) == (1000, [n // 1000])
