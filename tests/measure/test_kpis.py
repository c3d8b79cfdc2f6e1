"""Key figures: against a slow twin, and against SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest
from buckets import in_buckets
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import DAY, MINUTE, TOUCHPOINTS, Event, by_person, by_session, logs

from cjm.journeys import Journeys, journeys_from_frame
from cjm.measure._goal import goal
from cjm.measure._instances import STATES, instances_of
from cjm.measure._kpi_registry import kpi
from cjm.measure._kpis import kpis
from cjm.statistics import wilson

few = settings(max_examples=30, deadline=None)
HOSPITAL = Path(__file__).parents[3] / "shared" / "data" / "events" / "hospital_billing.parquet"
VALUE, CANCEL, CONTACT = TOUCHPOINTS[:2], TOUCHPOINTS[2], "store:*"
GOALS = [
    goal("quick", start='"a,b":*', end="*:x", timeout="2h"),
    goal("slow", start="web:*", end="store:*", abandon='*:"żółw"', idle="5d"),
]


def to_journeys(log: list[Event]) -> Journeys:
    """Build journeys in which every touchpoint is known, whether or not it occurs in ``log``."""
    last = max(event.time for event in log)
    known = [Event(0, last, *touchpoint.split(":", 1), None) for touchpoint in TOUCHPOINTS]
    rows = [(e.person, e.time, e.channel, e.event, e.group) for e in known + log]
    schema = {"person": pl.Int64, "time": pl.Int64, "channel": pl.String, "event": pl.String, "group": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))
    return journeys_from_frame(frame, gap=30 * MINUTE).filter(pl.col("person") > 0)


def day_of(us: int, zone: str) -> int:
    moment = datetime.fromtimestamp(us // 1_000_000, UTC).astimezone(ZoneInfo(zone))
    return moment.toordinal()


def ratio(a: int, b: int) -> tuple[float | None, int, int]:
    return (a / b if b else None, a, b)


def middle(values: list[int], us: int) -> tuple[float | None, None, int]:
    return (median(values) / us if values else None, None, len(values))


def switches(runs: list[list[Event]]) -> int:
    return sum(a.channel != b.channel for run in runs for a, b in pairwise(run))


def expected(log: list[Event], whole: list[Event], zone: str) -> dict[str, tuple]:
    """Each figure of the events ``log`` (one group of the ``whole``): value, numerator, denominator."""
    members = set(map(id, log))
    persons = [mine for events in by_person(whole).values() if (mine := [e for e in events if id(e) in members])]
    sessions = [mine for events in by_session(whole) if (mine := [e for e in events if id(e) in members])]
    ours: dict[int, list[list[Event]]] = defaultdict(list)
    for session in sessions:
        ours[session[0].person].append(session)
    pauses = [b[0].time - a[-1].time for mine in ours.values() for a, b in pairwise(mine)]
    lengths = [session[-1].time - session[0].time for session in sessions if len(session) > 1]
    days = [{day_of(event.time, zone) for event in events} for events in persons]
    first, last = day_of(min(e.time for e in whole), zone), day_of(max(e.time for e in whole), zone)

    def active(window: int, begin: int) -> int:
        return sum(
            any(day - window < seen <= day for seen in mine) for mine in days for day in range(first + begin, last + 1)
        )

    channels = [len({event.channel for event in events}) for events in persons]
    there = [[e.time - events[0].time for e in events if e.touchpoint in VALUE][:1] for events in persons]
    waits = [wait for found in there for wait in found]
    return {
        "events": (len(log), len(log), None),
        "persons": (len(persons), len(persons), None),
        "sessions": (len(sessions), len(sessions), None),
        "sessions_per_person": ratio(len(sessions), len(persons)),
        "events_per_session": ratio(len(log), len(sessions)),
        "bounce_rate": ratio(sum(len(session) == 1 for session in sessions), len(sessions)),
        "returning_rate": ratio(sum(len(mine) > 1 for mine in ours.values()), len(persons)),
        "channels_per_person": ratio(sum(channels), len(persons)),
        "multichannel_rate": ratio(sum(n > 1 for n in channels), len(persons)),
        "session_pause_median": middle(pauses, DAY),
        "session_length_median": middle(lengths, 1_000_000),
        "stickiness": ratio(active(1, 29), active(30, 29)),
        "daily_active_persons": ratio(active(1, 0), last - first + 1),
        "weekly_active_persons": ratio(active(7, 6), max(last - first - 5, 0)),
        "monthly_active_persons": ratio(active(30, 29), max(last - first - 28, 0)),
        "switches_per_session": ratio(switches(sessions), len(sessions)),
        "first_value_rate": ratio(len(waits), len(persons)),
        "first_value_time_median": middle(waits, DAY),
        "cancellation_rate": ratio(sum(any(e.touchpoint == CANCEL for e in p) for p in persons), len(persons)),
        "contacts_per_person": ratio(sum(e.channel == "store" for e in log), len(persons)),
    }


def of_goals(log: list[Event], journeys: Journeys, group: str | None, grouped: bool) -> Iterator[tuple]:
    """Figures of journeys towards goals, from the instances and plain events."""
    events = [event for mine in by_person(log).values() for event in mine]
    for aim in GOALS:
        found = instances_of(journeys, aim)
        runs = [[events[row] for row in found.rows[a:b]] for a, b in pairwise(found.offsets)]
        mine = [i for i, run in enumerate(runs) if not grouped or run[0].group == group]
        state = [STATES[code] for code in found.state]
        reached = [i for i in mine if state[i] == "reached"]
        yield ("goal_journeys", aim.name), (len(mine), len(mine), None)
        yield ("completion_rate", aim.name), ratio(len(reached), sum(state[i] != "open" for i in mine))
        times = [int(found.end[i] - found.start[i]) for i in reached]
        yield ("completion_time_median", aim.name), middle(times, DAY)
        yield ("switches_per_journey", aim.name), ratio(switches([runs[i] for i in mine]), len(mine))
        contacts = sum(event.channel == "store" for i in mine for event in runs[i])
        yield ("contacts_per_journey", aim.name), ratio(contacts, len(mine))


@few
@given(
    logs(),
    st.booleans(),
    st.sampled_from(["UTC", "Asia/Kathmandu", "America/Sao_Paulo"]),
    st.sampled_from([1, 3]),
)
def test_kpis_are_those_of_the_oracle(log: list[Event], grouped: bool, zone: str, buckets: int) -> None:
    journeys = to_journeys(log)
    rows = kpis(
        in_buckets(journeys, buckets),
        by="group" if grouped else None,
        first_value=VALUE,
        cancel=CANCEL,
        contacts=CONTACT,
        goals=GOALS,
        time_zone=zone,
    )
    groups = {event.group for event in log} if grouped else {None}
    wanted = {}
    for group in groups:
        members = [e for e in log if not grouped or e.group == group]
        wanted |= {(group, name): figure for name, figure in expected(members, log, zone).items()}
        wanted |= {(group, *key): figure for key, figure in of_goals(log, journeys, group, grouped)}
    for row in rows.iter_rows(named=True):
        aim = (row["about"],) if row["about"] in ("quick", "slow") else ()
        value, *counts = wanted.pop((row.get("group"), row["kpi"], *aim))
        assert [row["numerator"], row["denominator"]] == counts
        assert row["value"] == (pytest.approx(value) if row["kpi"].endswith("_median") else value)
        if row["kpi"].endswith("_rate") and row["denominator"]:
            low, high = wilson([row["numerator"]], [row["denominator"]])
            assert (row["low"], row["high"]) == (low[0], high[0])
        else:
            assert (row["low"], row["high"]) == (None, None)
    assert not wanted


@settings(max_examples=20, deadline=None)
@given(logs(), st.sampled_from(["group", "channel", "person"]))
def test_a_group_is_measured_as_if_there_were_nothing_else(log: list[Event], by: str) -> None:
    journeys = to_journeys(log)
    grouped = kpis(in_buckets(journeys, 2), by=by, first_value=VALUE, contacts=CONTACT)
    for (group,), rows in grouped.group_by(by, maintain_order=True):
        alone = kpis(journeys.filter(pl.col(by).eq_missing(pl.lit(group))), first_value=VALUE, contacts=CONTACT)
        assert rows.drop(by).equals(alone)


@pytest.fixture(scope="module")
def hospital() -> Journeys:
    if not HOSPITAL.exists():
        pytest.skip("the hospital billing log is not beside the checkout")
    frame = pl.read_parquet(HOSPITAL, columns=["case_id", "activity", "timestamp", "msgcount"]).drop_nulls("case_id")
    return journeys_from_frame(
        frame.select(
            person=pl.col("case_id").rank("dense").cast(pl.Int64),
            time=pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            channel=pl.when(pl.col("activity").is_in(["NEW", "BILLED"])).then(pl.lit("desk")).otherwise(pl.lit("back")),
            event="activity",
            messages="msgcount",
        ),
        gap=30 * MINUTE,
    )


FIGURES = """
    with s as (select {k} as g, person, session, count(*) as n, max(t) - min(t) as length, min(t) as start,
                 max(t) as stop from e group by all),
    q as (select g, start - lag(stop) over (partition by g, person order by session) as pause from s),
    p as (select {k} as g, person, count(distinct channel) as channels, min(t) as start,
                 min(t) filter (event = 'FIN') as fin, count(*) filter (event = 'REOPEN') as reopened
          from e group by all),
    d as (select distinct {k} as g, person, t // 86400000000 as day from e),
    r as (select unnest(range((select min(day) from d), (select max(day) + 1 from d))) as day)
    select g, (select count(*) from e where {k} = g), (select count(*) from p where p.g = o.g),
        (select count(*) from s where s.g = o.g), (select count(*) from s where s.g = o.g and n = 1),
        (select sum(channels) from p where p.g = o.g),
        (select median(pause) / 86400e6 from q where q.g = o.g),
        (select median(length) / 1e6 from s where s.g = o.g and n > 1),
        (select count(*) from d where d.g = o.g),
        (select count(distinct (r.day, d.person)) from r join d on d.day between r.day - 6 and r.day
         where d.g = o.g and r.day >= (select min(day) + 6 from r)),
        (select count(fin) from p where p.g = o.g), (select median(fin - start) / 86400e6 from p where p.g = o.g),
        (select count(*) filter (reopened > 0) from p where p.g = o.g), (select sum(reopened) from p where p.g = o.g)
    from (select distinct {k} as g from e) o order by g
"""


@pytest.mark.parametrize("by", [None, "channel"])
def test_hospital_billing_in_sql(hospital: Journeys, by: str | None) -> None:
    events = hospital.frame.select("person", pl.col("time").to_physical().alias("t"), "channel", "event", "session")
    sql = duckdb.connect()
    sql.register("frame", events.collect().to_arrow())
    sql.execute("create table e as select * from frame")
    options = {"first_value": "*:FIN", "cancel": "*:REOPEN", "contacts": "*:REOPEN", "by": by}
    rows = kpis(hospital, **options)
    assert kpis(in_buckets(hospital, 5), **options).equals(rows)
    for group, *wanted in sql.execute(FIGURES.format(k="channel" if by else "''")).fetchall():
        mine = rows.filter(pl.col("channel") == group) if by else rows
        row = {r["kpi"]: r for r in mine.iter_rows(named=True)}
        counts = ["events", "persons", "sessions", "bounce_rate", "channels_per_person"]
        assert [row[name]["numerator"] for name in counts] == wanted[:5]
        assert row["session_pause_median"]["value"] == pytest.approx(wanted[5], rel=1e-12)
        assert row["session_length_median"]["value"] == pytest.approx(wanted[6], rel=1e-12)
        rest = [
            "daily_active_persons",
            "weekly_active_persons",
            "first_value_rate",
            "cancellation_rate",
            "contacts_per_person",
        ]
        assert [row[name]["numerator"] for name in rest] == [wanted[7], wanted[8], wanted[9], wanted[11], wanted[12]]
        got = row["first_value_time_median"]["value"]
        assert got == (None if wanted[10] is None else pytest.approx(wanted[10], rel=1e-12))


def test_a_registered_expression_on_the_hospital_log_in_polars(hospital: Journeys) -> None:
    figure = kpi("messages", numerator=pl.col("messages"), denominator=pl.col("messages").is_not_null())
    row = kpis(in_buckets(hospital, 5), more=[figure]).row(-1, named=True)
    values = hospital.frame.select("messages").collect()["messages"].drop_nulls()
    assert (row["numerator"], row["denominator"]) == (values.sum(), len(values))
