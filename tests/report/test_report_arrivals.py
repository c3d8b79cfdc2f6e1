"""What the page says of the input, of stitching, of time and of who came back."""

import re
from datetime import date, datetime, timedelta

import polars as pl
import pytest
import report_examples as examples
from report_words import only, section, titles

from cjm.report import render
from cjm.report._charts import _count_axis, _time_axis


@pytest.fixture(autouse=True)
def undrawn(undrawn):
    """What is said needs no picture."""


LATE = {"period": {"start": "2025-01-08T00:00:01Z", "end": "2025-06-29T20:47:57Z"}}


def test_checked_and_nothing_found_is_not_unchecked():
    empty = examples.tables()["quality"].clear()
    said, reason = "No check found anything to report", "No table of checks on the input was given"
    page = render({"quality": empty}, examples.run())
    assert said in page
    assert reason not in page
    page = render({}, examples.run())
    assert said not in page
    assert reason in page


def test_measures_of_stitching_have_names():
    counts = {"events_own": 5, "events_live": 4, "events_link": 0, "events_unidentified": 0, "events_shared": 0}
    summary = pl.DataFrame(
        {"measure": list(counts), "count": list(counts.values()), "share": [0.5] * 5, "meaning": ["m"] * 5}
    )
    words = section(render({"identity_summary": summary}, {}), "stitching")
    assert "Known customer on the event" in words
    assert "Given to the customer seen before on the device or cookie" in words
    assert "Left anonymous: too many customers" in words
    assert "linked identifiers" not in words
    assert "no identifier" not in words
    some = summary.with_columns(count=pl.lit(2))
    assert "Given to the customer by linked identifiers" in section(render({"identity_summary": some}, {}), "stitching")


def test_persons_are_counted_by_how_many_identifiers_they_have():
    tables = {name: examples.tables()[name] for name in ("identity_summary", "conflicts")}
    sizes = pl.DataFrame({"identifiers": [4, 1, 661], "persons": [600, 400, 1], "events": [600, 300, 100]})
    words = section(render(tables | {"identity_sizes": sizes}, {}), "stitching")
    assert "How many identifiers persons have" in words
    shown = words[words.index("How many identifiers persons have") :].replace("\u00a0", " ")
    assert "of the events 140030.0 % 460060.0 % 661fewer than 10" in " ".join(shown.split())
    assert "How many identifiers" not in section(render(tables, {}), "stitching")


def test_the_first_period_does_not_begin_before_the_data():
    week = pl.col("period").dt.week()
    frame = examples.timeline().filter((week <= 4) & (pl.col("channel") == "web"))
    frame = frame.with_columns(pl.when(week == 2).then(90_000).otherwise("events").alias("events"))
    assert "the busiest week was the first, from 8 January 2025, with" in only({"timeline": frame}, LATE)["timeline"]
    assert "the busiest week began on 6 January 2025" in only({"timeline": frame}, {})["timeline"]
    assert "6 January" not in section(render({"timeline": frame}, LATE), "timeline")


def cohorts(*groups):
    """Groups of first visitors: their size, and how many came back in each later week."""
    rows = [
        (examples.START + timedelta(weeks=index), period, count, size, count / size, 0.0, 1.0)
        for index, (size, *later) in enumerate(groups)
        for period, count in enumerate([size, *later])
    ]
    return pl.DataFrame(rows, schema=["cohort", "period", "persons", "of", "rate", "low", "high"], orient="row")


def test_everybody_counts_in_the_headline_and_small_groups_are_blank():
    page = render({"retention": cohorts((8, 6, 5), (100, 40, 3), (50, 20), (40, 4), (30, 0))}, LATE)
    assert titles(page)["retention"].startswith("30.7 % of persons (70 of 228) came back")
    assert "hidden: fewer than 10" in page
    picture = re.search(r"<svg.*?</svg>", page, re.DOTALL)[0]
    assert set(re.findall(r"\d+ \w+ 2025", picture)) == {"13 January 2025", "20 January 2025"}
    words = section(page, "retention")
    assert "from 8 January 2025" in words
    assert "6 January" not in words
    assert "62.5" not in words


def test_only_small_groups_are_not_shown():
    page = render({"retention": cohorts((8, 6), (9, 3))}, {})
    assert "none is shown" in titles(page)["retention"]
    assert "<table" not in page


def test_the_time_limit_of_the_funnel_is_named():
    page = render({"funnel": examples.tables()["funnel"]}, {"funnel_within": "7d"})
    assert "came as far as store:purchase within 7 days (3,204 of" in titles(page)["funnel"]
    assert "who came so far within 7 days of it; the thin line" in page
    assert "within soon" in render({"funnel": examples.tables()["funnel"]}, {"funnel_within": "soon"})


def test_one_touchpoint_has_no_order():
    ends = {"source": ["shop:buy", "shop:buy"], "target": ["shop:buy", "(end)"]}
    flow = pl.DataFrame({"step": [1, 1], **ends, "persons": [50, 30]})
    transitions = pl.DataFrame({**ends, "count": [50, 30], "share": [0.6, 0.4], "persons": [50, 30]})
    sequences = pl.DataFrame({"pattern": [["shop:buy"]], "length": [1], "persons": [50], "support": [1.0]})
    page = render({"flow": flow, "transitions": transitions, "sequences": sequences}, {})
    assert list(titles(page)) == ["reading"]
    assert "All events are of one touchpoint" in page
    assert "There are no paths to show" not in page
    more = transitions.with_columns(target=pl.Series(["shop:return", "(end)"]))
    assert list(only({"transitions": more, "sequences": sequences})) == ["transitions", "sequences", "reading"]


@pytest.mark.parametrize(
    ("days", "form"), [(0, "%-d %b %Y"), (2, "%-d %b %H:%M"), (30, "%-d %b"), (700, "%b %Y"), (4_000, "%Y")]
)
def test_times_of_an_axis_have_one_form(days, form):
    start = datetime(2024, 12, 30)
    axis = _time_axis(700, [f"{when.isoformat()}Z" for when in (start + timedelta(days=days), start)])
    assert axis.format == form


@pytest.mark.parametrize(("top", "unit"), [(900, "''"), (4_999, "''"), (5_000, "'k'"), (7_000_000, "'M'")])
def test_counts_of_an_axis_have_one_unit(top, unit):
    text = _count_axis(3, top).labelExpr
    assert text.endswith(f"+ {unit} : '0'")


def test_a_start_given_as_a_day_will_do():
    run = {"period": {"start": date(2025, 1, 8)}}
    assert "from 8 January 2025" in section(render({"retention": cohorts((20, 15))}, run), "retention")
