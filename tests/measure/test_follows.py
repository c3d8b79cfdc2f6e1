"""What comes after what, sooner or later, against a slow twin, DuckDB SQL, and cases made by hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import duckdb
import polars as pl
import pytest
from buckets import in_buckets
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import DAY, MINUTE, Event, logs, paths, quantile, to_journeys

from cjm.errors import ArgumentError
from cjm.journeys import Journeys, journeys_from_frame
from cjm.measure import _follows, _times
from cjm.measure._by import By, cohort, period
from cjm.measure._follows import follows
from cjm.measure._goal import goal
from cjm.statistics import newcombe, wilson

HOSPITAL = Path(__file__).parents[3] / "shared" / "data" / "events" / "hospital_billing.parquet"
START = datetime(2024, 1, 1, tzinfo=UTC)
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


def slow(
    log: list[Event], unit: str, split: Callable[[Event, list[Event]], object], within: int | None
) -> dict[tuple, tuple]:
    """(group, source, target) to units with both, units with the source, and the times."""
    persons = {events[0].person: events for events in paths(log, "person")}
    found: dict[tuple, list[int]] = defaultdict(list)
    of: dict[tuple, int] = defaultdict(int)
    for events in paths(log, unit):
        names = [event.touchpoint for event in events]
        for source in set(names):
            first = names.index(source)
            group = split(events[first], persons[events[0].person])
            of[group, source] += 1
            for target in set(names[first + 1 :]):
                wait = events[names.index(target, first + 1)].time - events[first].time
                if within is None or wait <= within:
                    found[group, source, target].append(wait)
    return {key: (len(times), of[key[:2]], times) for key, times in found.items()}


@few
@given(
    st.one_of(logs(), logs(persons=2, min_events=8)),
    st.sampled_from(["person", "session"]),
    st.sampled_from(list(BY)),
    st.sampled_from([None, 0, 15 * MINUTE, 30 * MINUTE, 10 * DAY]),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([1 << 22, 0]),  # a table of all pairs, and a hash table
    st.sampled_from([1 << 22, 5]),  # times of all pairs at once, and of few
)
def test_follows(
    log: list[Event], unit: str, split: str, within: int | None, buckets: int, cells: int, held: int
) -> None:
    by, group_of = BY[split]
    limit = None if within is None else f"{within}us"
    asked = {"unit": unit, "by": by, "within": limit, "quantiles": [0.5, 1, 0.25]}
    rows = follows(to_journeys(log), **asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_follows, "_CELLS", cells)
        patch.setattr(_times, "_HELD", held)
        assert rows.equals(follows(in_buckets(to_journeys(log), buckets), **asked))
    name = None if by is None else rows.columns[0]
    found = {
        (row.get(name), row["source"], row["target"]): row
        for row in rows.with_columns(pl.col(pl.Duration).to_physical()).iter_rows(named=True)
    }
    expected = slow(log, unit, group_of, within)
    assert found.keys() == expected.keys()
    assert len(found) == rows.height
    for key, (both, of, times) in expected.items():
        row = found[key]
        assert (row["persons"], row["of"], row["rate"]) == (both, of, both / of)
        assert (row["low"], row["high"]) == tuple(bound[0] for bound in wilson([both], [of]))
        assert row["time_mean"] == sum(times) // both
        assert (row["time_p50"], row["time_p100"]) == (quantile(times, 0.5), max(times))
        assert row["time_p25"] == pytest.approx(quantile(times, 0.25), abs=1)
    assert rows.equals(rows.sort([*([name] if name else []), -pl.col("persons"), "source", "target"], nulls_last=True))


def journeys(*persons: list[tuple[float, str]], start: datetime = START, **attributes: list[object]) -> Journeys:
    """One list of (minute, event) a person, all in channel ``web``."""
    rows = [
        (i, start + timedelta(minutes=minute), "web", name)
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


def pairs(rows: pl.DataFrame) -> set[str]:
    return {source[-1] + target[-1] for source, target in rows.select("source", "target").rows()}


def test_columns() -> None:
    rows = follows(journeys(walk("AB")), quantiles=[0.5])
    assert dict(rows.schema) == {
        "source": pl.String(),
        "target": pl.String(),
        "persons": pl.Int64(),
        "of": pl.Int64(),
        "rate": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "time_mean": pl.Duration("us"),
        "time_p50": pl.Duration("us"),
    }


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (walk("A"), set()),  # one event is not two
        (walk("AA"), {"AA"}),
        (walk("ABA"), {"AB", "BA", "AA"}),
        (walk("BCAB"), {"BC", "BA", "BB", "CA", "CB", "AB"}),
        ([(0, "A"), (0, "B")], {"AB"}),  # a tie counts in order of arrival
    ],
)
def test_one_person(events: list[tuple[float, str]], expected: set[str]) -> None:
    assert pairs(follows(journeys(events))) == expected


def test_time_runs_from_the_first_source_to_the_first_target_after_it() -> None:
    log = journeys([(0, "B"), (1, "A"), (5, "A"), (8, "B"), (9, "B")])
    rows = follows(log, quantiles=[0.5])
    found = {(s[-1], t[-1]): time for s, t, time in rows.select("source", "target", "time_p50").rows()}
    assert {pair: time / timedelta(minutes=1) for pair, time in found.items()} == {
        ("A", "B"): 7,
        ("A", "A"): 4,
        ("B", "A"): 1,
        ("B", "B"): 8,
    }


def test_a_limit_counts_from_the_first_source_only() -> None:
    log = journeys([(0, "A"), (50, "A"), (60, "B")])
    assert pairs(follows(log, within="1h")) == {"AA", "AB"}  # exactly the limit
    assert pairs(follows(log, within=timedelta(minutes=59, seconds=59))) == {"AA"}  # the A before B is not the first


def test_between_far_events_the_mean_is_exact() -> None:
    far = 100_000_000  # minutes: the sum of the microseconds would not fit in 64 bits for 2,000 persons
    rows = follows(journeys(*[[(0, "A"), (far, "B")]] * 2_000, start=datetime(1800, 1, 1, tzinfo=UTC)))
    assert rows["time_mean"].to_list() == [timedelta(minutes=far)]


def test_towards_a_goal() -> None:
    buy = goal("buy", start="web:A", end="web:B")
    log = journeys(walk("xAyAB"), walk("AxB"), walk("ABxxAyB"))
    rows = follows(in_buckets(log, 2), unit=buy)
    found = {(s[-1] + t[-1]): (n, of) for s, t, n, of in rows.select("source", "target", "persons", "of").rows()}
    assert found == {"AB": (4, 4), "Ay": (2, 4), "yB": (2, 2), "yA": (1, 2), "AA": (1, 4), "Ax": (1, 4), "xB": (1, 1)}
    assert follows(log, by=[buy]).select("goal", "persons").max().row(0) == ("buy", 3)


def test_difference_to_a_group_and_small_numbers_hidden() -> None:
    persons = [walk("AB")] * 6 + [walk("AC")] * 4 + [walk("AB")] * 5 + [walk("AC")] * 1
    log = journeys(*persons, device=["tv"] * 20 + ["app"] * 12)
    found = {(row["device"], row["target"]): row for row in follows(log, by="device", versus="tv").to_dicts()}
    app = found["app", "web:B"]
    assert found["tv", "web:B"]["difference"] is None
    assert app["difference"] == 5 / 6 - 6 / 10
    bounds = (app["difference_low"], app["difference_high"])
    assert bounds == tuple(bound[0] for bound in newcombe([5], [6], [6], [10]))

    asked = {"by": "device", "versus": "app", "min_persons": 4, "quantiles": [0.5]}
    rows = follows(in_buckets(log, 3), **asked)
    masked = {(row["device"], row["target"]): row for row in rows.to_dicts()}
    figures = ["persons", "of", "rate", "low", "high", "time_mean", "time_p50"]
    # 5 of 6 leave one person, who did not; the share of "tv" may be seen, but not how far it is from that of "app".
    for small in (("app", "web:B"), ("app", "web:C")):
        assert [masked[small][name] for name in figures] == [None] * len(figures)
    assert masked["tv", "web:B"]["rate"] == 0.6
    assert masked["tv", "web:B"]["difference"] is None


def test_sessions_of_one_person_are_one_person_when_small_numbers_are_hidden() -> None:
    visits = [(minute, name) for start in range(0, 500, 100) for minute, name in ((start, "A"), (start + 1, "B"))]
    log = journeys(visits, walk("AC"))
    for buckets in (1, 2):
        seen = follows(in_buckets(log, buckets), unit="session")
        assert seen.select("target", "persons", "of").rows() == [("web:B", 5, 6), ("web:C", 1, 6)]
        hidden = follows(in_buckets(log, buckets), unit="session", min_persons=2)
        assert hidden["persons"].to_list() == [None, None]


def test_one_event_and_no_events() -> None:
    log = journeys(walk("ABCA"), walk("B"), device=pl.Series(["tv", None, None, "tv", "tv"], dtype=pl.Categorical))
    for by in (None, "device"):
        full = follows(log, by=by, quantiles=[0.5])
        assert not full.is_empty()
        for none in (log.filter(pl.lit(False)), log.filter(pl.col("person") == 1)):
            rows = follows(none, by=by, quantiles=[0.5])
            assert rows.is_empty()
            assert rows.schema == full.schema


def test_touchpoints_that_no_longer_occur() -> None:
    log = journeys(walk("ABC"), walk("ACAC")).filter(pl.col("event") != "B")
    assert follows(log).select("source", "target", "persons", "of").rows() == [
        ("web:A", "web:C", 2, 2),
        ("web:A", "web:A", 1, 2),
        ("web:C", "web:A", 1, 2),
        ("web:C", "web:C", 1, 2),
    ]


def test_many_touchpoints() -> None:
    n = 1_000_000
    number = pl.int_range(n, dtype=pl.Int64)
    frame = pl.select(
        person=number // 4,
        time=number.cast(pl.Datetime("us", "UTC")),
        channel=pl.lit("web"),
        event=(number * 7 % n).cast(pl.String),
        group=number // 4 % 2,
    )
    log = journeys_from_frame(frame, gap=1)
    rows = follows(log, by="group", quantiles=[0.5])
    assert rows.height == n // 4 * 6
    assert rows["rate"].unique().to_list() == [1.0]
    assert rows["time_p50"].equals(rows["time_mean"].alias("time_p50"))
    found = rows.filter(pl.col("source") == "web:28").sort("time_p50")  # the first event of person 1
    assert found.select("group", "target", "of", pl.col("time_p50").to_physical()).rows() == [
        (1, f"web:{28 + 7 * i}", 1, i) for i in (1, 2, 3)
    ]


def test_a_long_path_is_walked_once() -> None:
    n, width = 20_000, 300
    number = pl.int_range(n, dtype=pl.Int64)
    frame = pl.select(
        person=number // n,
        time=number.cast(pl.Datetime("us", "UTC")),
        channel=pl.lit("web"),
        event=(number % width).cast(pl.String).str.zfill(3),
    )
    rows = follows(journeys_from_frame(frame, gap=1)).with_columns(pl.col("time_mean").to_physical())
    expected = {
        (f"web:{s:03}", f"web:{t:03}"): (t - s) if t > s else (t - s + width)
        for s, t in product(range(width), repeat=2)
    }
    assert dict(zip(rows.select("source", "target").rows(), rows["time_mean"], strict=True)) == expected


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"within": 7}, "A bare number has no unit"),
        ({"unit": "visit"}, "unit=: unknown value 'visit'"),
        ({"by": "chanel"}, "unknown column 'chanel'. Did you mean \"channel\"?"),
        ({"by": "rate"}, "the result has a column 'rate' of its own"),
        ({"level": 0}, "must lie between 0 and 1"),
        ({"min_persons": 1.5}, "zero or more"),
        ({"quantiles": "0.5"}, "must be a list of numbers from 0 to 1"),
        ({"versus": "web"}, "there is no by="),
    ],
)
def test_errors_say_what_is_wrong(asked: dict[str, object], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        follows(journeys(walk("AB"), rate=[1, 2]), **asked)
    assert words in str(caught.value)


SQL = """
    with e as (
        select person, t, touchpoint, row_number() over (partition by person order by i) as k from frame
    ), s as (
        select person, touchpoint as source, min(k) as k, min(t) as t from e group by all
    ), f as (
        select s.person, source, e.touchpoint as target, min(e.t) - min(s.t) as wait
        from s join e on e.person = s.person and e.k > s.k group by all
    ), o as (
        select source, count(*) as of from s group by source
    )
    select source, target, count(*) as persons, of, count(*) / of as rate,
        cast(sum(wait::hugeint) // count(*) as bigint) as time_mean,
        cast(floor(quantile_cont(wait, 0.5)) as bigint) as time_p50
    from f join o using (source) group by source, target, of order by persons desc, source, target
"""


@pytest.mark.skipif(not HOSPITAL.exists(), reason="the hospital billing log is not beside the checkout")
def test_hospital_billing() -> None:
    frame = pl.read_parquet(HOSPITAL, columns=["case_id", "activity", "timestamp"]).drop_nulls("case_id")
    log = journeys_from_frame(
        frame.select(
            person=pl.col("case_id").rank("dense").cast(pl.Int64),
            time=pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            channel=pl.lit("billing"),
            event="activity",
        ),
        gap=30 * 60_000_000,
    )
    columns = ["person", pl.col("time").to_physical().alias("t"), "touchpoint"]
    connection = duckdb.connect()
    connection.register("frame", log.frame.select(columns).with_row_index("i").collect().to_arrow())
    found = follows(in_buckets(log, 3), quantiles=[0.5])
    plain = found.with_columns(pl.col(pl.Duration).to_physical()).drop("low", "high")
    assert plain.height > 100
    assert plain.equals(connection.sql(SQL).pl().cast(dict(plain.schema)))
