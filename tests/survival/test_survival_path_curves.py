"""Curves by path: the Stanford heart transplants, null worlds, and what is refused."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from survival_worlds import cancelling_world, kaplan_meier

from cjm.errors import ArgumentError, InputError
from cjm.journeys import journeys_from_frame
from cjm.survival import Churn, cox, landmark, simon_makuch, subjects

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "survival"
needs_oracle = pytest.mark.skipif(not ORACLE.is_dir(), reason="the folder ../shared/oracle/survival is not there")
START = datetime(2026, 1, 1, tzinfo=UTC)


def transplants():
    """Return the patients as journeys: accepted, perhaps transplanted, dead or still followed."""
    base = pl.read_csv(ORACLE / "stanford_base.csv")
    rows = []
    for row in base.iter_rows(named=True):
        rows.append((row["subject"], 0, "accepted"))
        if row["txtime"] is not None:
            rows.append((row["subject"], row["txtime"], "transplant"))
        rows.append((row["subject"], row["futime"], "dead" if row["fustat"] else "seen"))
    rows.append((10_000, 3_000, "seen"))
    frame = pl.DataFrame(rows, schema=["person", "day", "event"], orient="row")
    frame = frame.select("person", pl.lit(START) + pl.duration(days="day"), pl.lit("h").alias("channel"), "event")
    journeys = journeys_from_frame(frame.rename({"literal": "time"}), gap=1)
    followed = base.filter(pl.col("fustat") == 0).select(
        pl.col("subject").alias("person"), time=pl.lit(START) + pl.duration(days="futime")
    )
    return base, journeys, subjects(
        journeys, Churn.event("h:dead"), competing={"lost": followed}, persons=pl.DataFrame({"person": base["subject"]})
    )  # fmt: skip


@needs_oracle
def test_the_landmark_of_the_transplants_agrees_with_r():
    expected = json.loads((ORACLE / "stanford_heart.json").read_text())
    base, journeys, patients = transplants()
    found = landmark(patients, journeys, {"transplant": "h:transplant"}, at="30d")
    size = found.frame.group_by("completed").agg(pl.col("at_risk").max())["at_risk"].sum()
    assert size == expected["landmark_30_n"]
    assert any(f"{size} persons at risk 30 days" in note for note in found.notes)
    kept = base.filter(pl.col("futime") > 30).with_columns(
        x=(pl.col("txtime").fill_null(10**6) <= 30).cast(pl.Int64), start=pl.lit(30)
    )
    result = cox(kept, start="start", stop="futime", event="fustat", covariates=["x"], ties="breslow")
    assert result.coef[0] == pytest.approx(expected["landmark_30"]["coef"]["tx30"], abs=1e-9)
    for completed in (0, 1):
        one = kept.filter(pl.col("x") == completed)
        curve = kaplan_meier(np.full(one.height, 30.0), one["futime"].to_numpy().astype(float), one["fustat"] == 1)
        mine = found.frame.filter(pl.col("completed") == bool(completed))
        assert mine.select(curve.columns).equals(curve)


@needs_oracle
def test_changing_groups_of_the_transplants_agree_with_r():
    expected = json.loads((ORACLE / "stanford_heart.json").read_text())["km_transplant_state"]
    rows = pl.read_csv(ORACLE / "stanford_tmerge.csv")
    for place, state in enumerate((0, 1)):
        one = rows.filter(pl.col("trt") == state)
        curve = kaplan_meier(*(one[name].to_numpy().astype(float) for name in ("tstart", "tstop")), one["death"] == 1)
        for index, time in enumerate(expected["time"][:6]):
            row = curve.filter(pl.col("time") <= time).row(-1, named=True)
            for name, theirs in (("survival", "surv"), ("lower", "lower"), ("upper", "upper")):
                assert row[name] == pytest.approx(expected[theirs][6 * place + index], abs=1e-11)


def test_changing_groups_by_hand():
    """Three persons; the path is complete at day 4, at the instant of churn, and before entry."""
    rows = [
        (1, 0, "a:join"), (1, 4, "a:p"), (1, 9, "a:quit"),
        (2, 0, "a:join"), (2, 6, "a:p"), (2, 6, "a:quit"),
        (3, 0, "a:join"), (3, 2, "a:p"), (3, 10, "a:use"),
    ]  # fmt: skip
    frame = pl.DataFrame(
        [(person, START + timedelta(days=day), *name.split(":")) for person, day, name in rows],
        schema=["person", "time", "channel", "event"],
        orient="row",
    )
    persons = pl.DataFrame({"person": [1, 2, 3], "entry": [START, START, START + timedelta(days=3)]})
    journeys = journeys_from_frame(frame, gap=1)
    found = simon_makuch(subjects(journeys, Churn.event("a:quit"), persons=persons), journeys, {"p": "a:p"})
    columns = ["completed", "time", "at_risk", "events", "censored", "survival"]
    # time zero of person 3 is day 3: at risk from 0 to 7 with the path
    assert found.frame.select(columns).rows() == [
        (False, 4.0, 2, 0, 1, 1.0), (False, 6.0, 1, 1, 0, 0.0),
        (True, 7.0, 2, 0, 1, 1.0), (True, 9.0, 1, 1, 0, 0.0),
    ]  # fmt: skip
    assert found.test.select("persons", "days", "churned").row(0) == (2, 12.0, 1)
    assert found.test["expected"][0] == pytest.approx(2 / 3 + 1)


def rejections(ratio, replicates, persons):
    found = {"landmark": 0, "simon_makuch": 0}
    for seed in range(replicates):
        journeys, _ = cancelling_world(seed, persons, ratio=ratio)
        people = subjects(journeys, Churn.event("a:quit"), origin="a:join")
        found["landmark"] += landmark(people, journeys, {"p": "a:p"}, at="30d").test["p"][0] < 0.05
        found["simon_makuch"] += simon_makuch(people, journeys, {"p": "a:p"}).test["p"][0] < 0.05
    return {name: count / replicates for name, count in found.items()}


def test_size_where_the_path_means_nothing():
    found = rejections(1.0, 150, 200)
    assert 0.01 <= found["landmark"] <= 0.10
    assert 0.01 <= found["simon_makuch"] <= 0.10


def test_a_real_difference_is_found():
    found = rejections(2.5, 10, 800)
    assert found["landmark"] >= 0.8
    assert found["simon_makuch"] == 1.0


def test_what_is_refused():
    journeys, _ = cancelling_world(1, 50)
    silent = subjects(journeys, Churn.inactive("20d"))
    for verb in (landmark, simon_makuch):
        with pytest.raises(ArgumentError, match="silent for so long"):
            verb(silent, journeys, "a:p")
        assert any("Biased" in note for note in verb(silent, journeys, "a:p", allow_bias=True).notes)
    people = subjects(journeys, Churn.event("a:quit"), origin="a:join")
    with pytest.raises(InputError, match="nobody was at risk"):
        landmark(people, journeys, "a:p", at="900d")
    with pytest.raises(ArgumentError):
        landmark(people, journeys, "a:p", at=30)
    stayers = people.filter(~pl.col("churned"))
    with pytest.raises(InputError, match="churned"):
        simon_makuch(stayers, journeys, "a:p")


def test_a_path_that_nobody_completed_in_time():
    journeys, _ = cancelling_world(1, 60)
    people = subjects(journeys, Churn.event("a:quit"), origin="a:join")
    found = landmark(people, journeys, {"p": "a:p", "never": "a:quit -> a:p"}, at="10d")
    assert found.test.filter(pl.col("path") == "never").select("persons", "p", "q").row(0) == (0, None, None)
    assert found.frame.filter(pl.col("path") == "never")["completed"].to_list().count(True) == 0
