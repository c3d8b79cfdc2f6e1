"""Transitions against a slow twin, DuckDB SQL, and cases made by hand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from buckets import in_buckets
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import DAY, Event, logs, paths, quantile, to_journeys

from cjm.errors import ArgumentError
from cjm.journeys import Journeys, journeys_from_frame
from cjm.measure import _chains, _times
from cjm.measure._by import By, cohort, period
from cjm.measure._goal import goal
from cjm.measure._goals import goal_events
from cjm.measure._transitions import transitions
from cjm.patterns import Pattern
from cjm.statistics import newcombe, wilson

HOSPITAL = Path(__file__).parents[3] / "shared" / "data" / "events" / "hospital_billing.parquet"
START = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
few = settings(max_examples=50, deadline=None)


def day(time: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time - time % DAY)


BY: dict[str, tuple[By | None, Callable[[Event, list[Event]], object]]] = {
    "nothing": (None, lambda event, person: None),
    "group": ("group", lambda event, person: event.group),
    "channel": ("channel", lambda event, person: event.channel),
    "cohort": (cohort("1d"), lambda event, person: day(person[0].time)),
    "period": (period("1d"), lambda event, person: day(event.time)),
}


def written(event: Event) -> str:
    """As a pattern writes it."""
    return str(Pattern.from_touchpoints([event.touchpoint]))


def slow(
    log: list[Event], order: int, unit: str, split: Callable[[Event, list[Event]], object], ends: bool
) -> tuple[dict[tuple, tuple], dict[tuple, list[str]]]:
    """(group, source, target) to count, of, persons, mean time, and the times; and to the touchpoints."""
    persons = {events[0].person: events for events in paths(log, "person")}
    found: dict[tuple, list[tuple[int, int | None]]] = defaultdict(list)
    chains: dict[tuple, list[str]] = {}
    for events in paths(log, unit):
        padded: list[Event | None] = [None] * order + [*events, None] if ends else list(events)
        for i in range(order, len(padded)):
            source, target = padded[i - order : i], padded[i]
            names = [("(start)" if e is None else e.touchpoint if order == 1 else written(e)) for e in source]
            last = source[-1]
            event = last or target
            assert event is not None
            key = split(event, persons[event.person]), " -> ".join(names), target.touchpoint if target else "(end)"
            chains[key] = ["(start)" if e is None else e.touchpoint for e in source] + [key[2]]
            found[key].append((event.person, target.time - last.time if target and last else None))
    out = Counter()
    for (group, source, _), seen in found.items():
        out[group, source] += len(seen)
    rows = {}
    for (group, source, target), seen in found.items():
        times = [time for _, time in seen if time is not None]
        mean = sum(times) // len(times) if times else None
        rows[group, source, target] = (len(seen), out[group, source], len({p for p, _ in seen}), mean, times)
    return rows, chains


@few
@given(
    logs(),
    st.sampled_from([1, 1, 2, 3]),
    st.sampled_from(["person", "session"]),
    st.sampled_from(list(BY)),
    st.booleans(),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([1 << 22, 0]),  # a table of all pairs, and a hash table
    st.sampled_from([1 << 22, 5]),  # times of all edges at once, and of few
)
def test_transitions(
    log: list[Event], order: int, unit: str, split: str, ends: bool, buckets: int, cells: int, held: int
) -> None:
    by, group_of = BY[split]
    asked = {"order": order, "unit": unit, "by": by, "ends": ends, "quantiles": [0.5, 0, 0.9]}
    rows = transitions(to_journeys(log), **asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_chains, "_CELLS", cells)
        patch.setattr(_times, "_HELD", held)
        assert rows.equals(transitions(in_buckets(to_journeys(log), buckets), **asked))
    name = None if by is None else rows.columns[0]
    plain = rows.with_columns(pl.col(pl.Duration).to_physical())
    found = {}
    for row in plain.iter_rows(named=True):
        found[row.get(name), row["source"], row["target"]] = row
    expected, chains = slow(log, order, unit, group_of, ends)
    assert found.keys() == expected.keys()
    assert len(found) == rows.height
    for key, (count, of, persons, mean, times) in expected.items():
        row = found[key]
        assert (row["count"], row["of"], row["persons"], row["time_mean"]) == (count, of, persons, mean)
        assert row["share"] == count / of
        assert (row["low"], row["high"]) == tuple(bound[0] for bound in wilson([count], [of]))
        assert row["time_p50"] == quantile(times, 0.5)
        assert row["time_p0"] == min(times, default=None)
        assert row["time_p90"] == (None if not times else pytest.approx(quantile(times, 0.9), abs=1))
    groups = [None] if name is None else rows[name].unique().sort(nulls_last=True).to_list()
    places = [
        (groups.index(row.get(name)), -row["count"], chains[row.get(name), row["source"], row["target"]])
        for row in rows.iter_rows(named=True)
    ]
    assert places == sorted(places)


def journeys(*persons: list[tuple[float, str]], start: datetime = START, **attributes: list[object]) -> Journeys:
    """One list of (minute, event) a person; a single letter stands for an event of channel ``web``."""
    rows = [
        (i, start + minute * MINUTE, *(name.split(":", 1) if ":" in name else ("web", name)))
        for i, events in enumerate(persons)
        for minute, name in events
    ]
    schema = {"person": pl.Int64, "time": pl.Datetime("us", "UTC"), "channel": pl.String, "event": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return journeys_from_frame(
        frame.with_columns(**{k: pl.Series(v) for k, v in attributes.items()}), gap=30 * 60_000_000
    )


def walk(names: str) -> list[tuple[float, str]]:
    return [(float(minute), name) for minute, name in enumerate(names)]


def test_columns() -> None:
    rows = transitions(journeys(walk("AB")), quantiles=[0.5, 0.995])
    assert dict(rows.schema) == {
        "source": pl.String(),
        "target": pl.String(),
        "count": pl.Int64(),
        "of": pl.Int64(),
        "share": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "persons": pl.Int64(),
        "time_mean": pl.Duration("us"),
        "time_p50": pl.Duration("us"),
        "time_p99.5": pl.Duration("us"),
    }


@pytest.mark.parametrize("order", [1, 2, 3])
def test_sources_that_reach_back_before_the_path_are_padded(order: int) -> None:
    rows = transitions(journeys(walk("AB")), order=order, ends=True).sort("target")
    start = ["(start)"] * order
    sources = [[*start, "web:A", "web:B"][i : i + order] for i in (2, 0, 1)]
    assert rows["target"].to_list() == ["(end)", "web:A", "web:B"]
    assert rows["source"].to_list() == [" -> ".join(source) for source in sources]
    assert rows["time_mean"].to_list() == [None, None, MINUTE]


@pytest.mark.parametrize("order", [2, 3])
def test_sources_of_several_touchpoints_read_as_patterns(order: int) -> None:
    names = ["a:b -> c:d", 'a:say "x"', "ż ó:łw", "a:b", "c:d", "x:y,z", "a:[1]"]
    log = journeys([(minute, name) for minute, name in enumerate(names)])
    found = transitions(log, order=order)["source"].to_list()
    assert [Pattern.parse(text) for text in sorted(found)] == sorted(
        (Pattern.from_touchpoints(names[i : i + order]) for i in range(len(names) - order)), key=str
    )


def test_names_with_separators_stay_apart() -> None:
    log = journeys([(0, "a:b,c"), (1, "a:d")], [(0, "a:b"), (1, "c:a:d")], [(0, "a:b -> a:d")])
    assert transitions(log).select("source", "target").rows() == [("a:b", "c:a:d"), ("a:b,c", "a:d")]


def test_a_name_that_looks_like_an_end_sorts_among_them() -> None:
    log = journeys([(0, "!:A"), (1, "(:B"), (2, "(x:C")], [(0, "(x:C")])
    rows = transitions(log, ends=True)
    assert rows.equals(rows.sort(-pl.col("count"), "source", "target"))
    assert {"(start)", "!:A", "(:B"} < set(rows["source"])


def test_ties_and_repeats() -> None:
    log = journeys([(0, "B"), (0, "A"), (0, "A")])
    assert transitions(log).select("source", "target", "time_mean").rows() == [
        ("web:A", "web:A", timedelta(0)),
        ("web:B", "web:A", timedelta(0)),
    ]


def test_a_pause_of_exactly_the_gap_is_inside_a_session() -> None:
    log = journeys([(0, "A"), (30, "B"), (60 + 1 / 60, "C")])
    assert transitions(log, unit="session").select("source", "target").rows() == [("web:A", "web:B")]
    assert transitions(log).height == 2


def test_between_far_events_the_mean_is_exact() -> None:
    far = 100_000_000  # minutes: the sum of the microseconds would not fit in 64 bits for 2,000 persons
    log = journeys(*[[(0, "A"), (far, "B"), (far, "C")]] * 2_000, start=datetime(1800, 1, 1, tzinfo=UTC))
    for order in (1, 2):
        rows = transitions(log, order=order)
        assert dict(rows.select("target", "time_mean").rows())["web:C"] == timedelta(0)
    assert transitions(log).filter(pl.col("target") == "web:B")["time_mean"].to_list() == [timedelta(minutes=far)]
    turned = journeys(*[[(0, "A"), (0, "B"), (far, "C")]] * 2_000, start=datetime(1800, 1, 1, tzinfo=UTC))
    assert transitions(turned, order=2)["time_mean"].to_list() == [timedelta(minutes=far)]


@pytest.mark.parametrize("cells", [1 << 22, 0])
def test_more_transitions_than_a_cell_can_count(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_chains, "_CELLS", cells)
    n = 140_000
    frame = pl.select(
        person=pl.int_range(n + 1, dtype=pl.Int64) // 70_000,
        time=pl.int_range(n + 1, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
        channel=pl.lit("web"),
        event=pl.lit("A"),
    )
    rows = transitions(journeys_from_frame(frame, gap=1), quantiles=[0.5])
    assert rows.select("count", "of", "persons", "time_mean", "time_p50").row(0) == (
        2 * 69_999,
        2 * 69_999,
        2,
        timedelta(microseconds=1),
        timedelta(microseconds=1),
    )


def test_towards_goals() -> None:
    log = journeys(walk("xAByA"), walk("AxB"), walk("AyxAB"), walk("xyx"))
    buy = goal("buy", start="web:A", end="web:B")
    look = goal("look", start="web:x", timeout="1m")
    inside = goal_events(log, [buy, look])
    for one in (buy, look):
        events = inside.filter(pl.col("goal") == one.name)
        pairs = Counter(
            (a["touchpoint"], b["touchpoint"])
            for _, run in events.group_by("journey")
            for a, b in zip(run.to_dicts(), run.to_dicts()[1:], strict=False)
        )
        rows = transitions(in_buckets(log, 2), unit=one, quantiles=[0.5])
        assert {row[:2]: row[2] for row in rows.select("source", "target", "count").rows()} == dict(pairs)
    both = transitions(in_buckets(log, 3), by=[buy, look])
    assert both["goal"].unique().sort().to_list() == ["buy", "look"]
    assert both.filter(pl.col("goal") == "buy").drop("goal").equals(transitions(log, by=buy).drop("goal"))


def test_difference_to_a_group_and_small_numbers_hidden() -> None:
    persons = [walk("AB")] * 6 + [walk("AC")] * 4 + [walk("AB")] * 3 + [walk("AC")] * 1
    device = ["tv"] * 20 + ["app"] * 8
    log = journeys(*persons, device=device)
    rows = transitions(log, by="device", versus="tv")
    found = {(row["device"], row["target"]): row for row in rows.to_dicts()}
    assert found["tv", "web:B"]["difference"] is None
    app = found["app", "web:B"]
    assert app["difference"] == 3 / 4 - 6 / 10
    bounds = (app["difference_low"], app["difference_high"])
    assert bounds == tuple(bound[0] for bound in newcombe([3], [4], [6], [10]))

    masked = {(row["device"], row["target"]): row for row in transitions(
        in_buckets(log, 3), by="device", versus="tv", min_persons=4, quantiles=[0.5]
    ).to_dicts()}  # fmt: skip
    assert masked["tv", "web:B"]["count"] == 6
    figures = ["count", "share", "low", "high", "persons", "time_mean", "time_p50", "difference", "difference_low"]
    for small in (("app", "web:B"), ("app", "web:C")):
        assert [masked[small][name] for name in figures] == [None] * len(figures)
    # A small reference would be known from the difference.
    turned = {(row["device"], row["target"]): row for row in transitions(
        log, by="device", versus="app", min_persons=4
    ).to_dicts()}  # fmt: skip
    assert turned["tv", "web:B"]["share"] == 0.6
    assert turned["tv", "web:B"]["difference"] is None


@pytest.mark.parametrize("order", [1, 2, 3])
def test_one_event_and_no_events(order: int) -> None:
    log = journeys(walk("ABCA"), walk("B"), device=pl.Series(["tv", None, None, "tv", "tv"], dtype=pl.Categorical))
    for ends in (False, True):
        asked = {"order": order, "ends": ends, "by": "device", "quantiles": [0.5]}
        full = transitions(log, **asked)
        assert not full.is_empty()
        one = transitions(log.filter(pl.col("person") == 1), **asked)
        assert one.height == (2 if ends else 0)
        empty = transitions(log.filter(pl.lit(False)), **asked)
        assert empty.is_empty()
        assert empty.schema == full.schema == one.schema


def test_touchpoints_that_no_longer_occur() -> None:
    log = journeys(walk("ABC"), walk("ACAC"))
    rows = transitions(log.filter(pl.col("event") != "B"), ends=True)
    assert rows.select("source", "target", "count").rows() == [
        ("web:A", "web:C", 3),
        ("(start)", "web:A", 2),
        ("web:C", "(end)", 2),
        ("web:C", "web:A", 1),
    ]


@pytest.mark.parametrize(("order", "n"), [(1, 1_000_000), (3, 300_000)])
def test_a_million_touchpoints(order: int, n: int) -> None:
    frame = pl.select(
        person=pl.int_range(n + 2, dtype=pl.Int64) // (n // 2 + 1),
        time=pl.int_range(n + 2, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
        channel=pl.lit("web"),
        event=(pl.int_range(n + 2, dtype=pl.Int64) * 7 % n).cast(pl.String),
    )
    rows = transitions(journeys_from_frame(frame, gap=1), order=order, ends=True, by="channel")
    assert rows["count"].sum() == n + 4
    assert rows["of"].max() == 2
    far = rows.filter(pl.col("target") == "web:777")
    assert far["source"].to_list() == [" -> ".join(f"web:{777 - 7 * i}" for i in range(order, 0, -1))]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"order": 0}, "order=: must be 1, 2 or 3, not 0"),
        ({"order": 4}, "must be 1, 2 or 3"),
        ({"order": True}, "must be 1, 2 or 3"),
        ({"unit": "visit"}, "unit=: unknown value 'visit'"),
        ({"by": "chanel"}, "unknown column 'chanel'. Did you mean \"channel\"?"),
        ({"by": "time_p50", "quantiles": [0.5]}, "the result has a column 'time_p50' of its own"),
        ({"by": "of"}, "the result has a column 'of' of its own"),
        ({"level": 95}, "must lie between 0 and 1"),
        ({"min_persons": -1}, "zero or more"),
        ({"quantiles": 0.5}, "must be a list of numbers from 0 to 1, not 0.5"),
        ({"quantiles": [50]}, "must be a list of numbers from 0 to 1"),
        ({"quantiles": [0.5, 0.5]}, "'time_p50' is asked for twice"),
        ({"versus": "web"}, "there is no by="),
        ({"versus": "wb", "by": "channel"}, 'Did you mean "web"?'),
    ],
)
def test_errors_say_what_is_wrong(asked: dict[str, object], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        transitions(journeys(walk("AB"), time_p50=[1, 2], of=[1, 2]), **asked)
    assert words in str(caught.value)


# Neighbours of a person, in order; touchpoints in a row up to the order.
SQL = """
    with e as (
        select person, t, touchpoint, row_number() over (partition by person order by i) as k from frame
    ), c as (
        select person, touchpoint as target, t - lag(t) over w as wait, {chain} as source from e
        window w as (partition by person order by k)
    )
    select source, target, count(*) as count, sum(count(*)) over (partition by source)::bigint as of,
        count(*) / sum(count(*)) over (partition by source) as share, count(distinct person) as persons,
        cast(sum(wait::hugeint) // count(*) as bigint) as time_mean,
        cast(floor(quantile_cont(wait, 0.5)) as bigint) as time_p50
    from c where source is not null group by source, target order by count desc, source, target
"""
CHAINS = {
    1: "lag(touchpoint) over w",
    2: "lag(touchpoint, 2) over w || ' -> ' || lag(touchpoint) over w",
    3: "lag(touchpoint, 3) over w || ' -> ' || lag(touchpoint, 2) over w || ' -> ' || lag(touchpoint) over w",
}


def same_as_sql(log: Journeys, order: int) -> None:
    columns = ["person", pl.col("time").to_physical().alias("t"), "touchpoint"]
    frame = log.frame.select(columns).with_row_index("i").collect()
    connection = duckdb.connect()
    connection.register("frame", frame.to_arrow())
    found = transitions(log, order=order, quantiles=[0.5])
    plain = found.with_columns(pl.col(pl.Duration).to_physical()).drop("low", "high")
    assert plain.height > 20
    assert plain.equals(connection.sql(SQL.format(chain=CHAINS[order])).pl().cast(dict(plain.schema)))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_against_sql(order: int) -> None:
    rng = np.random.default_rng(11)
    n = 30_000
    minute = rng.integers(0, 18, n) * 7 * 1440 + rng.integers(0, 90, n)  # whole minutes make ties
    frame = pl.DataFrame(
        {
            "person": np.minimum(rng.geometric(0.001, n), 3_000),
            "time": pl.Series(minute * 60_000_000 + 1_700_000_000_000_000).cast(pl.Datetime("us", "UTC")),
            "channel": pl.Series(["web", "app", "store"]).gather(rng.choice(3, n, p=[0.6, 0.3, 0.1])),
            "event": pl.Series(list("abcdefgh")).gather(np.minimum(rng.geometric(0.35, n), 8) - 1),
        }
    )
    same_as_sql(in_buckets(journeys_from_frame(frame, gap=30 * 60_000_000), 3), order)


@pytest.mark.skipif(not HOSPITAL.exists(), reason="the hospital billing log is not beside the checkout")
@pytest.mark.parametrize("order", [1, 3])
def test_hospital_billing(order: int) -> None:
    frame = pl.read_parquet(HOSPITAL, columns=["case_id", "activity", "timestamp"]).drop_nulls("case_id")
    log = journeys_from_frame(
        frame.select(
            person=pl.col("case_id").rank("dense").cast(pl.Int64),
            time=pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            channel=pl.lit("billing"),
            event=pl.col("activity").str.replace_all(" ", "_"),
        ),
        gap=30 * 60_000_000,
    )
    same_as_sql(log, order)
