"""Pictures of survival analysis: what they show, at any width, whatever the names."""

import math

import polars as pl
import pytest
from plot_examples import read, words

import cjm
from cjm import plot
from cjm.errors import ArgumentError
from cjm.plot._survival import _thinned
from cjm.survival import When

HOSTILE = ["<script>alert(1)</script>", 'a"b & c', "x" * 300, "\u202eabc", "", "a:b -> c:d", "写真"]


def hazards(term="risk"):
    return pl.DataFrame(
        {
            "term": [term, "calm", "never", "wild"],
            "coef": [1.0, 0.0, None, 9.0],
            "hazard_ratio": [2.7, 1.0, None, 8103.0],
            "lower": [2.2, 0.8, None, 0.01],
            "upper": [3.3, 1.2, None, math.inf],
            "q": [0.001, 0.9, None, 0.9],
            "exposed": [600, 4000, 0, None],
            "events": [120, 300, 0, None],
        }
    )


def curves(group="gold"):
    half = {"time": [10.0, 30.0, 55.0], "at_risk": [80, 40, 9], "events": [20, 10, 9], "survival": [0.75, 0.56, 0.0]}
    frame = pl.DataFrame({**half, "lower": [0.66, 0.46, None], "upper": [0.85, 0.69, None]})
    other = frame.with_columns(survival=pl.Series([0.9, 0.8, 0.8]), lower=0.7, upper=0.9)
    return pl.concat(
        [frame.select(pl.lit(group).alias("plan"), pl.all()), other.select(pl.lit("plus").alias("plan"), pl.all())]
    )


def later(path="risk", clear=True):
    frame = pl.DataFrame(
        {
            "since": [0.0, 30.0, 60.0], "until": [30.0, 60.0, None], "persons": [50, 20, 5], "days": [90.0, 40.0, 9.0],
            "churned": [12, 0, 1], "expected": [4.0, 2.0, 0.5], "hazard_ratio": [3.0, None, 2.0],
            "lower": [1.5, None, 0.2], "upper": [6.0, None, 20.0], "p": [0.001, None, 0.6],
        }
    )  # fmt: skip
    excess = pl.DataFrame(
        {"day": [0.0, 30.0, 60.0], "excess": [0.0, 9.0, 10.0], "lower": [0.0, 4.0, 5.0 if clear else -2.0],
         "upper": [0.0, 14.0, 16.0], "share": [0.0, 0.9, 1.0]}
    )  # fmt: skip
    return When(path, frame, excess, 16.6 if clear else None, (12.0, 25.0) if clear else None, 0.2, 50, 0.95, ())


def calibration():
    return pl.DataFrame(
        {
            "group": [1, 2, 3], "persons": [100, 90, 80], "risk_from": [0.0, 0.1, 0.2], "risk_to": [0.1, 0.2, 0.4],
            "predicted": [0.05, 0.15, 0.3], "churned": [4, 20, 30], "observed": [0.04, 0.23, None],
            "lower": [0.01, 0.16, None], "upper": [0.09, 0.32, None],
        }
    )  # fmt: skip


PICTURES = {
    "hazards": lambda width, name="risk": plot.hazards(hazards(name), width=width),
    "survival_curves": lambda width, name="gold": plot.survival_curves(curves(name), width=width),
    "when": lambda width, name="risk": plot.when(later(name), width=width),
    "calibration": lambda width, name="": plot.calibration(calibration(), width=width),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("width", [320, 600, 900, 1500])
def test_the_picture_is_as_wide_as_asked_and_says_no_nonsense(name, width):
    picture = PICTURES[name](width)
    root = read(picture)
    assert float(root.get("width")) == width
    assert not [said for said in words(picture) if said.lower() in ("nan", "none", "inf")]
    for mark in root.iter():
        for key in ("x", "cx", "x1", "x2"):
            if mark.get(key) is not None:
                assert -1 <= float(mark.get(key)) <= width + 1


@pytest.mark.parametrize("name", ["hazards", "survival_curves", "when"])
@pytest.mark.parametrize("payload", HOSTILE)
def test_names_are_only_shown(name, payload):
    picture = PICTURES[name](700, payload)
    tags = {mark.tag.rpartition("}")[2] for mark in read(picture).iter()}
    assert tags <= {"svg", "g", "title", "desc", "rect", "text", "line", "path", "circle"}


def test_the_forest_says_how_much_and_who_stands_behind_it():
    said = words(PICTURES["hazards"](900))
    assert "2.70 (2.20 to 3.30)" in said
    assert {"600", "120", "no estimate", "hidden"} <= set(said)
    assert plot.hazards(hazards()).description == (
        "1 of 4 terms is clear of 1; strongest: risk, 2.70 times as often (2.20 to 3.30)."
    )
    many = pl.concat([hazards().head(1).with_columns(term=pl.lit(f"t{n}")) for n in range(40)])
    assert any("The 30 clearest of 40" in note for note in words(plot.hazards(many)))


def test_the_curves_have_a_table_of_those_at_risk():
    said = words(PICTURES["survival_curves"](900))
    assert {"At risk", "gold", "plus", "80", "40", "9", "days"} <= set(said)
    above = plot.survival_curves(curves().filter(pl.col("plan") == "plus"))
    assert any("begins at 70" in note for note in words(above))


def test_curves_of_many_times_are_thinned_and_keep_their_ends():
    size = 50_000
    survival = [1 - 0.5 * place / size for place in range(1, size + 1)]
    frame = pl.DataFrame(
        {"time": [place / 100 for place in range(1, size + 1)], "at_risk": range(2 * size, size, -1), "events": 1,
         "survival": survival, "lower": [share - 0.01 for share in survival], "upper": survival}
    )  # fmt: skip
    picture = plot.survival_curves(frame)
    assert len(picture.svg) < 200_000
    assert picture.description == "50.0\xa0% were still there after 500 days."
    thin = _thinned(frame, 1000)
    assert 990 <= thin.height <= 1001
    assert thin.row(-1) == frame.row(-1)
    assert thin.join(frame, on=frame.columns, how="anti").is_empty()


def test_names_longer_than_their_room_stand_above_the_lines_of_the_forest():
    beside, above = (
        [float(mark.get("x1")) for mark in read(plot.hazards(hazards(name))).iter() if mark.get("x1")]
        for name in ("risk", "web:view_offer -> store:visit within 3d -> not store:renew within 1d")
    )
    assert min(above) < 100 < min(beside)


def test_the_day_to_act_by_is_said_only_where_it_is_known():
    assert any("act by day 17 (12 to 25)" in said for said in words(plot.when(later())))
    quiet = plot.when(later(clear=False))
    assert not any("act by day" in said for said in words(quiet))
    assert "none churned" in words(quiet)


@pytest.mark.parametrize(
    ("name", "frame"), [("hazards", hazards()), ("survival_curves", curves()), ("calibration", calibration())]
)
def test_empty_frames_and_missing_columns(name, frame):
    draw = getattr(plot, name)
    assert "nothing to draw" in draw(frame.clear()).description
    with pytest.raises(ArgumentError, match="lacks"):
        draw(frame.drop(frame.columns[-1] if name != "hazards" else "events"))


def test_what_survival_returns_can_be_drawn():
    from cjm.datasets import simulate

    world = simulate(600, days=90, seed=3)
    people = cjm.stitch(world.log)
    journeys = cjm.build_journeys(world.log, people)
    customers = people.with_person(world.persons, "customer").select("person", "premium", "entry")
    subjects = cjm.subjects(journeys, cjm.Churn.event("account:cancelled"), persons=customers)
    path = {"risk": "web:home -> web:product within 1d"}
    assert "by premium" in plot.survival_curves(cjm.survival_curves(subjects, by="premium")).title
    changing = plot.survival_curves(cjm.survival.simon_makuch(subjects, journeys, path).frame)
    assert {"after risk", "without risk"} <= set(words(changing))
    plot.when(cjm.survival.when(subjects, journeys, path, horizon="60d"))
    train, test = subjects.split(0.5)
    model = cjm.PathHazard(patterns=path, covariates=["premium"]).fit(journeys, train)
    plot.hazards(model.summary)
    plot.calibration(model.validate(test).calibration)
