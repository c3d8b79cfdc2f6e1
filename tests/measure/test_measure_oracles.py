"""Every measure against its slow twin, on random small logs."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import measure_oracles as slow
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_oracles import DAY, MINUTE, TOUCHPOINTS, Event, logs, to_journeys

from cjm.measure import flow, funnel, kpis, retention, step_matrix, timeline, transitions, variants
from cjm.statistics import wilson

few = settings(max_examples=100, deadline=None)
WITHIN = [None, 0, 15 * MINUTE, 30 * MINUTE, 10 * DAY]


def text(us: int | None) -> str | None:
    return None if us is None else f"{us}us"


def us(frame: pl.DataFrame) -> pl.DataFrame:
    """Durations and times as whole microseconds."""
    return frame.with_columns(pl.col(pl.Duration, pl.Datetime).to_physical())


@few
@given(
    logs(persons=2, min_events=6),
    st.lists(st.sampled_from(TOUCHPOINTS[:2]), min_size=1, max_size=4),
    st.sampled_from(WITHIN),
    st.booleans(),
)
def test_funnel(log: list[Event], steps: list[str], within: int | None, grouped: bool) -> None:
    # Fewer persons and touchpoints than the other tests use, so that funnels are walked.
    log = [Event(e.person, e.time, *TOUCHPOINTS[i % 3].split(":", 1), e.group) for i, e in enumerate(log)]
    rows = us(funnel(to_journeys(log), steps, within=text(within), by="group" if grouped else None))
    expected = slow.funnel(log, steps, within, grouped)
    assert rows.height == len(expected)
    for row in rows.iter_rows(named=True):
        persons, of, before, *times = expected[row.get("group"), row["step"]]
        assert row["touchpoint"] == steps[row["step"] - 1]
        assert (row["persons"], row["of"]) == (persons, of)
        assert row["rate"] == (persons / of if of else None)
        assert row["step_rate"] == (persons / before if before else None)
        low, high = wilson([persons], [of])
        assert (row["low"], row["high"]) == ((low[0], high[0]) if of else (None, None))
        found = [row["time_p25"], row["time_p50"], row["time_p75"]]
        assert found == pytest.approx(times, abs=1)


@few
@given(logs(), st.booleans(), st.booleans(), st.booleans())
def test_transitions(log: list[Event], grouped: bool, within_session: bool, ends: bool) -> None:
    by = "group" if grouped else None
    rows = us(transitions(to_journeys(log), by=by, within_session=within_session, ends=ends))
    expected = slow.transitions(log, grouped, within_session, ends)
    found = {
        (row.get("group"), row["source"], row["target"]): tuple(row[name] for name in rows.columns[-5:])
        for row in rows.iter_rows(named=True)
    }
    assert found == {
        key: (count, count / out, persons, p50, mean) for key, (count, out, persons, p50, mean) in expected.items()
    }
    order = [
        (row.get("group") is None, row.get("group"), -row["count"], row["source"], row["target"])
        for row in rows.iter_rows(named=True)
    ]
    assert [key[2:] for key in order] == [key[2:] for key in sorted(order, key=lambda k: (k[0], k[1] or "", *k[2:]))]


@few
@given(logs(), st.sampled_from(["person", "session"]), st.booleans(), st.sampled_from([None, 1, 2, 5]))
def test_variants(log: list[Event], by: str, collapse: bool, max_length: int | None) -> None:
    journeys = to_journeys(log)
    rows = variants(journeys, by=by, collapse=collapse, max_length=max_length)
    expected = slow.variants(log, by, collapse, max_length)
    total = sum(count for _, count in expected)
    assert list(zip(rows["path"].to_list(), rows["count"], strict=True)) == expected
    assert rows["length"].to_list() == [len(path) for path, _ in expected]
    assert rows["share"].to_list() == [count / total for _, count in expected]
    assert rows["coverage"].to_list() == [sum(n for _, n in expected[: i + 1]) / total for i in range(len(expected))]
    assert variants(journeys, by=by, collapse=collapse, max_length=max_length, top=2).equals(rows.head(2))


@few
@given(logs(), st.sampled_from([1, 3, 30]), st.sampled_from([None, *TOUCHPOINTS[:3]]))
def test_step_matrix(log: list[Event], steps: int, align: str | None) -> None:
    rows = step_matrix(to_journeys(log), steps=steps, align=align)
    expected = slow.step_matrix(log, steps, align)
    assert {(step, name): n for step, name, n in rows.select("step", "touchpoint", "persons").rows()} == expected
    of = sum(n for (step, _), n in expected.items() if step == 1)
    assert all(row["of"] == of and row["share"] == row["persons"] / of for row in rows.iter_rows(named=True))
    assert rows.equals(rows.sort("step", -pl.col("persons"), "touchpoint"))


@few
@given(logs(), st.sampled_from([1, 3, 30]), st.sampled_from([1, 3, 20]), st.sampled_from(["person", "session"]))
def test_flow(log: list[Event], steps: int, top: int, by: str) -> None:
    rows = flow(to_journeys(log), steps=steps, top=top, by=by)
    assert {row[:3]: row[3] for row in rows.rows()} == slow.flow(log, steps, top, by)
    assert rows.equals(rows.sort("step", -pl.col("persons"), "source", "target"))


@few
@given(logs(), st.sampled_from([DAY, 7 * DAY, 30 * DAY]), st.booleans())
def test_retention(log: list[Event], every: int, grouped: bool) -> None:
    rows = us(retention(to_journeys(log), every=text(every), by="group" if grouped else None))
    expected = slow.retention(log, every, grouped)
    found = {
        (row.get("group"), row["cohort"], row["period"]): (row["persons"], row["of"])
        for row in rows.iter_rows(named=True)
    }
    assert found == expected
    assert rows["rate"].to_list() == [n / of for n, of in rows.select("persons", "of").rows()]


@few
@given(logs(), st.booleans())
def test_kpis(log: list[Event], grouped: bool) -> None:
    rows = kpis(to_journeys(log), by="group" if grouped else None)
    groups = {event.group for event in log} if grouped else {None}
    expected = {
        (group, kpi): figure
        for group in groups
        for kpi, figure in slow.kpis([e for e in log if not grouped or e.group == group], log).items()
    }
    found = {
        (row.get("group"), row["kpi"]): (row["value"], row["numerator"], row["denominator"])
        for row in rows.iter_rows(named=True)
    }
    assert found.keys() == expected.keys()
    for (group, kpi), (value, *counts) in expected.items():
        assert found[group, kpi][1:] == tuple(counts)
        assert found[group, kpi][0] == (pytest.approx(value) if kpi.endswith("_median") else value)
    for row in rows.iter_rows(named=True):
        if row["kpi"].endswith("_rate"):
            low, high = wilson([row["numerator"]], [row["denominator"]])
            assert (row["low"], row["high"]) == (low[0], high[0])
        else:
            assert row["low"] is None
            assert row["high"] is None


@few
@given(logs(), st.sampled_from(["UTC", "Asia/Kathmandu", "America/Sao_Paulo"]))
def test_timeline(log: list[Event], zone: str) -> None:
    rows = timeline(to_journeys(log), time_zone=zone)
    expected: dict[tuple, list[int]] = {}
    for event in log:
        day = pl.Series([event.time], dtype=pl.Datetime("us", "UTC"))[0].astimezone(ZoneInfo(zone)).date()
        expected.setdefault((day, event.channel), []).append(event.person)
    assert {(row[0].date(), *row[1:]) for row in rows.rows()} == {
        (*key, len(persons), len(set(persons))) for key, persons in expected.items()
    }
