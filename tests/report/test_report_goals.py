"""What the page says of key figures, of journeys towards goals, and of those who left a funnel."""

import re
from xml.etree import ElementTree

import polars as pl
import pytest
import report_examples as examples
from report_words import drawn, only, section, text_of, titles

from cjm.report import render
from cjm.statistics import wilson

COLUMNS = ["kpi", "value", "numerator", "denominator", "low", "high", "unit", "about"]
GOAL = [
    ("goal_journeys", 4_000.0, 4_000, None, None, None, "count", "buy"),
    ("completion_rate", 0.588, 2_000, 3_400, 0.571, 0.605, "share", "buy"),
    ("completion_time_median", 0.0625, None, 2_000, None, None, "days", "buy"),
    ("contacts_per_journey", 0.25, 1_000, 4_000, None, None, "contacts a journey", "buy"),
]
FIGURES = [
    ("events", 90_000.0, 90_000, None, None, None, "count", None),
    ("persons", 5_000.0, 5_000, None, None, None, "count", None),
    ("bounce_rate", 0.4, 8_000, 20_000, 0.39, 0.41, "share", None),
    ("stickiness", 0.08, 40_000, 500_000, None, None, "share", None),
    ("revenue", 12.5, None, None, None, None, "euros a person", None),
    ("first_value_rate", 0.45, 2_250, 5_000, 0.44, 0.46, "share", '{store:purchase, web:"a, {b"}'),
    ("cancellation_rate", 0.0008, 4, 5_000, 0.0003, 0.002, "share", "account:cancelled"),
]


def kpis(*rows):
    return pl.DataFrame(rows, schema=COLUMNS, orient="row", schema_overrides={"low": pl.Float64, "high": pl.Float64})


def goals(**more):
    return {name: examples.tables()[name] for name in ("goal_journeys", "goal_overlap")} | more


def captions(page):
    return [text_of(found) for found in re.findall(r"<summary>(.*?)</summary>", page)]


def rows_of(page, caption):
    """The cells of the table with this caption."""
    table = re.search(rf"<summary>{re.escape(caption)}.*?<tbody>(.*?)</tbody>", page, re.DOTALL)[1]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return [[text_of(cell.replace("<small>", " | ")) for cell in re.findall("<td.*?</td>", row)] for row in rows]


def test_figures_that_matter_come_first_and_are_explained():
    page = render({"kpis": kpis(*FIGURES)}, {})
    assert captions(page) == ["Key figures", "More on sessions, activity and channels"]
    first = rows_of(page, "Key figures")
    assert [row[0].split(" | ")[0] for row in first] == [
        "Persons",
        "First value rate",
        "Cancellation rate",
        "Bounce rate",
        "Revenue",
    ]
    assert first[0] == ["Persons", "5,000", "–", "–", "–"]
    assert first[1][0].endswith(
        'got to a first value (store:purchase or web:"a, {b"); those who came late had less time for it'
    )
    assert first[3] == ["Bounce rate | sessions of a single event", "40.0 %", "8,000", "20,000", "39.0 to 41.0 %"]
    assert first[4][:2] == ["Revenue | euros a person", "12.5"]
    more = rows_of(page, "More on sessions")
    assert [row[0].split(" | ")[0] for row in more] == ["Events", "Stickiness"]
    assert "those who came on the last of these days" in more[1][0]
    assert titles(page)["kpis"] == (
        "45.0 % of persons got to a first value (2,250 of 5,000; 95 % interval 44.0 to 46.0 %)."
    )


def test_a_figure_of_a_handful_is_kept_back():
    page = render({"kpis": kpis(FIGURES[-1])}, {})
    assert rows_of(page, "Key figures")[0][1:] == ["–", "fewer than 10", "5,000", "–"]
    assert titles(page)["kpis"] == "Cancellation rate: –."
    few = ("persons", 7.0, 7, None, None, None, "count", None)
    assert rows_of(render({"kpis": kpis(few)}, {}), "Key figures")[0][1:] == ["fewer than 10", "–", "–", "–"]
    spent = ("spent", 0.2, 5, 25, None, None, "euros a person", None)
    assert rows_of(render({"kpis": kpis(spent)}, {}), "Key figures")[0][1:4] == ["0.2", "5", "25"]
    assert rows_of(render({"kpis": kpis(few)}, {"hide_below": 5}), "Key figures")[0][1] == "7"


def test_figures_of_a_goal_stand_under_it():
    other = [(*row[:-1], "upgrade") for row in GOAL]
    page = render({"kpis": kpis(*FIGURES, *GOAL, *other)}, {})
    rows = rows_of(page, "Journeys towards goals")
    assert [row[0].split(" | ")[0] for row in rows[:5]] == [
        "Journeys towards “buy”",
        "Completion rate",
        "Completion time, median",
        "Contacts per journey",
        "Journeys towards “upgrade”",
    ]
    assert rows[1][1:] == ["58.8 %", "2,000", "3,400", "57.1 to 60.5 %"]
    assert rows[2][1:4] == ["1 h 30 min", "–", "2,000"]
    assert titles(render({"kpis": kpis(GOAL[1])}, {}))["kpis"].startswith(
        "58.8 % of journeys that are over reached their goal “buy” (2,000 of 3,400"
    )


def test_figures_of_a_goal_of_few_persons_are_kept_back():
    rare = [(*row[:-1], "rare") for row in GOAL]
    page = render({"kpis": kpis(*FIGURES, *rare), **goals()}, {})
    rows = rows_of(page, "Journeys towards goals")
    assert [row[1] for row in rows] == ["fewer than 10", "–", "–", "–"]
    assert {cell for row in rows for cell in row[2:]} == {"–", "fewer than 10"}


def test_how_journeys_ended():
    page = render(goals(), {})
    low, high = wilson(2_000, 3_400)
    assert titles(page)["goals"] == (
        f"Of 3,400 journeys towards “buy” that are over, 58.8 % reached it (2,000; 95 % interval {100 * low:.1f} "
        f"to {100 * high:.1f} %); “upgrade” 75.0 %."
    )
    buy, upgrade, rare = rows_of(page, "How journeys towards goals ended")
    assert buy[0] == "buy | 4,000 journeys of 1,200 persons, 3.33 each"
    assert buy[1] == "58.8 %"
    assert buy[3:] == ["1 h 30 min", "2,000 (50.0 %)", "0", "1,400 (35.0 %)", "600 (15.0 %)"]
    assert upgrade[4:] == ["300 (75.0 %)", "fewer than 10 persons", "96 (24.0 %)", "0"]
    assert rare == ["rare | fewer than 10 persons", *["–"] * 7]
    assert "no longer than 1 h 30 min for “buy”, 4 days for “upgrade”." in section(page, "goals")


def test_the_picture_of_how_journeys_ended():
    for picture in drawn(render(goals(), {})):
        tips = [found.text for found in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}title")]
        assert [tip.replace("\xa0", " ") for tip in tips] == [
            "buy, reached: 2,000 of 4,000 (50.0 %)",
            "buy, timed out: 1,400 of 4,000 (35.0 %)",
            "buy, open: 600 of 4,000 (15.0 %)",
            "upgrade, reached: 300 of 400 (75.0 %)",
            "upgrade, timed out: 96 of 400 (24.0 %)",
        ]
        assert "rare" not in picture
        assert "abandoned" not in picture
    words = section(render(goals(), {}), "goals")
    assert "Gaps: fewer than 10 persons. 2 of 3 goals: those with most journeys." in words
    assert "Gaps" not in section(render(goals(), {"hide_below": 1}), "goals")


def test_goals_at_the_same_time():
    page = render(goals(), {})
    assert rows_of(page, "Persons on the way") == [["buy", "0", "73"], ["upgrade", "73", "0"]]
    words = section(page, "goals")
    assert "73 persons were on the way to “buy” and to “upgrade” at once, more than" not in words
    assert "at once; their journeys shared 3 days 13 h on average." in words
    every = render(goals(), {"hide_below": 2})
    assert rows_of(every, "Persons on the way")[2] == ["rare", "5", "0", "0"]
    assert "at once, more than to any other two goals; their" in section(every, "goals")
    one = goals(goal_journeys=examples.goal_journeys().filter(pl.col("goal") == "buy"))
    assert "Persons on the way" not in render(one, {})
    few = goals(goal_overlap=examples.goal_overlap().with_columns(persons=pl.lit(3)))
    assert rows_of(render(few, {}), "Persons on the way")[0] == ["buy", "fewer than 10", "fewer than 10"]
    assert "on the way to “" not in render(few, {})


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (("buy", "open"), "600 journeys towards “buy” began, and none is over yet."),
        (("rare", "reached"), "Fewer than 10 persons had journeys towards any one goal, so none is shown."),
        (("buy", "timed out"), "Of 1,400 journeys towards “buy” that are over, 0 % reached it"),
    ],
)
def test_goals_that_nobody_reached(kept, said):
    frame = examples.goal_journeys().filter(goal=kept[0], state=kept[1])
    page = render({"goal_journeys": frame}, {})
    assert titles(page)["goals"].startswith(said)
    assert ("In short" in page) is (kept[0] != "rare")


def test_a_goal_that_few_reached():
    state = pl.when(pl.int_range(pl.len()) < 3).then(pl.lit("reached")).otherwise(pl.lit("timed out"))
    frame = examples.goal_journeys().filter(pl.col("goal") == "upgrade").with_columns(state=state)
    page = render({"goal_journeys": frame}, {})
    assert titles(page)["goals"] == "Fewer than 10 persons reached “upgrade”, of 290 who set out."
    assert rows_of(page, "How journeys")[0][1:5] == ["–", "–", "–", "fewer than 10 persons"]


def test_where_those_who_left_the_funnel_went():
    tables = {name: examples.tables()[name] for name in ("funnel", "funnel_next")}
    page = render(tables, {})
    rows = rows_of(page, "Where those who left went next")
    assert [row[:2] for row in rows] == [
        ["web:product | 6,102 left", "nothing more"],
        ["", "web:home"],
        ["", "app:open"],
        ["web:cart | 3,019 left", "web:home"],
        ["", "nothing more"],
        ["", "web:help"],
        ["", "app:open"],
    ]
    assert rows[0][2:] == ["49.2 %", "3,000", "48.2 to 50.2 %"]
    said = "Nothing more was seen of 49.2 % of them; what most often came next was web:home (24.6 %)."
    assert f"did not take that step. {said}" in section(page, "funnel")
    few = tables | {"funnel_next": examples.funnel_next().with_columns(persons=pl.lit(4))}
    assert render(few, {}) == render({"funnel": tables["funnel"]}, {})
    assert list(only({"funnel_next": tables["funnel_next"]})) == ["reading"]
