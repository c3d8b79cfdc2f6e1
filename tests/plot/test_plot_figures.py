"""Every picture shows the figures of its frame: as many marks as rows, sizes in proportion, numbers in words."""

import itertools
import re
from datetime import datetime, timedelta

import plot_examples as examples
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plot_examples import SVG, draw, number_of, read, tips, words

from cjm.plot._axes import count_ticks, period_name, tick_label, time_ticks


def thickness(mark):
    """The height of a ribbon where it leaves its bar."""
    numbers = [float(part) for part in re.findall(r"-?\d+\.?\d*", mark.get("d"))]
    return numbers[-1] - numbers[1]


def test_flow_draws_a_ribbon_a_row_in_proportion():
    frame = examples.flow()
    ribbons = tips(draw("flow"), "path")
    said = {(row["source"], row["target"], row["persons"]) for row in frame.iter_rows(named=True)}
    assert {(*re.fullmatch(r"(.*) → (.*): (\d+)", tip).groups(),) for _, tip in ribbons} == {
        (source, target, str(persons)) for source, target, persons in said
    }
    per_person = {round(thickness(mark) / int(tip.rpartition(": ")[2]), 3) for mark, tip in ribbons}
    assert max(per_person) - min(per_person) < 0.002


def test_flow_says_size_and_share_at_each_bar():
    shown = words(draw("flow"))
    assert {"step 1", "step 2", "step 3", "900 · 90 %", "100 · 10 %", "600 · 60 %", "450 · 45 %"} <= set(shown)


def test_flow_says_which_steps_it_has_no_room_for():
    frame = pl.DataFrame({"step": range(1, 9), "source": ["a:x"] * 8, "target": ["a:x"] * 8, "persons": [9] * 8})
    narrow, wide = draw("flow", frame, width=400), draw("flow", frame, width=1400)
    assert "6 later steps not drawn: make the picture wider than 400 pixels." in " ".join(words(narrow))
    assert narrow.title == "Flow over the first 3 steps"
    assert len(tips(narrow, "path")) == 2
    assert len(tips(wide, "path")) == 8
    assert "not drawn" not in wide.svg


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from("abcdef"), st.sampled_from("abcdef"), st.integers(1, 50)),
        min_size=1,
        max_size=40,
        unique_by=lambda row: row[:3],
    )
)
def test_flow_loses_nobody(rows):
    frame = pl.DataFrame(rows, schema=["step", "source", "target", "persons"], orient="row")
    ribbons = tips(draw("flow", frame, width=1400), "path")
    assert sum(int(tip.rpartition(": ")[2].replace(",", "")) for _, tip in ribbons) == frame["persons"].sum()


def arrows(picture):
    found = []
    for group, tip in tips(picture, "g"):
        line, head = group.findall(f"{SVG}path")
        found.append((tip, number_of(line, "stroke-width"), head))
    return found


def test_transitions_draw_an_arrow_a_row_as_wide_as_its_count():
    picture = draw("transitions")
    found = arrows(picture)
    assert [tip.split(",")[0] for tip, _, _ in found] == [
        "web:home → web:cart: 400 times",
        "web:cart → web:pay: 200 times",
        "web:home → web:home: 100 times",
        "web:cart → web:home: 50 times",
        "app:open → web:home: 10 times",
    ]
    widths = [width for _, width, _ in found]
    assert widths[0] == pytest.approx(2 * widths[1]) == pytest.approx(4 * widths[2]) == pytest.approx(8 * widths[3])
    assert "80.0 % of what followed, 300 persons" in found[0][0]
    assert {"80 % · 2 h", "80 % · 3 h", "20 % · 1 h", "20 % · 1 day", "100 % · 2.5 days"} <= set(words(picture))


def test_transitions_name_what_is_left_out():
    picture = draw("transitions", top=2)
    assert len(arrows(picture)) == 2
    said = " ".join(words(picture))
    assert "2 of 5 arrows, 78.9 % of 760 transitions." in said
    assert "Each of the other arrows stands for 200 transitions or fewer." in said
    whole = draw("transitions")
    assert "5 of 5 arrows, 100 % of 760 transitions." in " ".join(words(whole))
    assert "other arrows" not in whole.svg


@pytest.mark.parametrize(
    ("kept", "label", "key"),
    [
        (["time_p50", "time_mean"], "80 % · 2 h", "half of the steps"),
        (["time_mean"], "80 % · 4 h", "mean time"),
        ([], "80 %", "share"),
    ],
)
def test_transitions_are_labelled_with_the_time_that_there_is(kept, label, key):
    frame = examples.transitions().drop({"time_p50", "time_mean"} - set(kept))
    picture = draw("transitions", frame)
    assert label in words(picture)
    assert key in " ".join(words(picture))


def test_a_time_that_is_null_leaves_the_share():
    frame = examples.transitions().with_columns(pl.lit(None, pl.Duration("us")).alias("time_p50")).drop("time_mean")
    assert "80 %" in words(draw("transitions", frame))


def test_pairs_as_sources_are_boxes():
    frame = pl.DataFrame(
        {"source": ["web:a -> web:b", "web:b -> web:c"], "target": ["web:c", "web:d"], "count": [5, 3]}
    )
    shown = words(draw("transitions", frame))
    assert "web:a -> web:b" in shown
    assert len(arrows(draw("transitions", frame))) == 2


def squares(picture):
    return [(mark, tip) for mark, tip in tips(picture, "rect")]


def test_step_matrix_draws_a_square_a_row_with_its_share():
    picture = draw("step_matrix")
    assert {tip for _, tip in squares(picture)} == {
        "Step 1, web:home: 60 (60.0 %)",
        "Step 1, app:open: 40 (40.0 %)",
        "Step 2, web:cart: 50 (50.0 %)",
        "Step 2, web:home: 20 (20.0 %)",
        "Step 2, (end): 30 (30.0 %)",
    }
    shown = words(picture)
    assert {"60", "40", "50", "20", "30", "1", "2"} <= set(shown)
    order = [name for name in shown if ":" in name or name == "(end)"]
    assert order[:4] == ["web:home", "web:cart", "app:open", "(end)"]
    assert "Per cent of 100 paths at each step." in shown


def test_a_greater_share_is_darker():
    light = {tip: sum(bytes.fromhex(mark.get("fill")[1:])) for mark, tip in squares(draw("step_matrix"))}
    named = [(float(tip.split("(")[-1].split(" ")[0]), shade) for tip, shade in light.items() if "(end)" not in tip]
    shades = [shade for _, shade in sorted(named)]
    assert shades == sorted(shades, reverse=True)
    assert len(set(shades)) == len(shades)


def test_the_centre_of_aligned_steps_is_framed():
    picture = draw("step_matrix", examples.aligned())
    assert picture.title == "Touchpoints before and after web:cart"
    frames = [mark for mark in read(picture).iter(f"{SVG}rect") if mark.get("fill") == "none"]
    centre = next(mark for mark, tip in squares(picture) if tip.startswith("Step 0"))
    assert len(frames) == 1
    assert abs(number_of(frames[0], "x") - number_of(centre, "x")) < 2
    assert len(squares(picture)) == examples.aligned().height
    assert not [mark for mark in read(draw("step_matrix")).iter(f"{SVG}rect") if mark.get("fill") == "none"]


def test_small_touchpoints_are_put_together():
    names = [f"web:p{index:02}" for index in range(30)]
    frame = pl.DataFrame({"step": 1, "touchpoint": names, "persons": range(40, 10, -1), "of": 1000})
    frame = frame.with_columns(share=pl.col("persons") / 1000)
    found = [tip for _, tip in squares(draw("step_matrix", frame))]
    assert len(found) == 20
    rest = frame["persons"][19:].sum()
    assert f"Step 1, (other): {rest} ({rest / 10} %)" in found
    assert "(other): 11 touchpoints with fewer persons, together." in words(draw("step_matrix", frame))


def bars(picture):
    return [(mark, tip) for mark, tip in tips(picture, "rect") if ". " in tip]


@pytest.mark.parametrize("width", [400, 900])
def test_funnel_draws_a_bar_a_row_as_long_as_its_rate(width):
    frame = examples.funnel()
    picture = draw("funnel", width=width)
    found = bars(picture)
    lengths = [number_of(mark, "width") for mark, _ in found]
    assert [length / lengths[0] for length in lengths] == pytest.approx(frame["rate"].to_list(), abs=0.001)
    assert "3. web:pay: 120 · 12.0 %. interval 10.1 to 14.2 %. 30.0 % of the step before" in found[2][1]
    assert "a quarter within 2 h, three quarters within 2 days 2 h" in found[2][1]
    whiskers = [mark for mark in read(picture).iter(f"{SVG}rect") if mark.get("stroke") == "#fff"]
    spans = [(number_of(mark, "x"), number_of(mark, "width")) for mark in whiskers]
    ends = [((x - number_of(found[0][0], "x")) / lengths[0], w / lengths[0]) for x, w in spans][-2:]
    assert ends == [pytest.approx((0.37, 0.061), abs=0.001), pytest.approx((0.101, 0.041), abs=0.001)]


def test_funnel_writes_all_figures():
    shown = words(draw("funnel"))
    assert {"1,000", "400", "120", "100 %", "40.0 %", "12.0 %", "10.1 to 14.2 %", "30.0 %", "5 h", "1 day 2 h"} <= set(
        shown
    )
    assert draw("funnel").description == "120 of 1,000 persons (12.0\xa0%) came as far as web:pay."


def test_funnel_without_times_and_step_rates():
    frame = examples.funnel().select("step", "touchpoint", "persons", "of", "rate", "low", "high")
    shown = words(draw("funnel", frame))
    assert "within" not in shown
    assert "step before" not in shown
    assert len(bars(draw("funnel", frame))) == 3


@pytest.mark.parametrize("width", [400, 900])
def test_groups_of_a_funnel_stand_at_every_step(width):
    frame = examples.grouped(examples.funnel(), values=("basic", None, "premium"))
    picture = draw("funnel", frame, width=width)
    assert len(bars(picture)) == 9
    assert [words(picture).count(name) for name in ("basic", "(none)", "premium", "2. web:cart")] == [3, 3, 3, 1]
    assert len({mark.get("fill") for mark, _ in bars(picture)}) == 3
    assert picture.description.startswith("basic: 120 of 1,000 persons")


def test_of_many_groups_the_largest():
    frame = pl.concat(
        examples.funnel().with_columns(pl.lit(index).alias("n"), of=pl.lit(1000 + index)).select("n", pl.exclude("n"))
        for index in range(12)
    )
    picture = draw("funnel", frame)
    assert len(bars(picture)) == 24
    assert "The 8 largest of 12 groups." in words(picture)
    assert "3" not in words(picture)
    assert "4" in words(picture)


def test_retention_draws_a_square_a_row():
    picture = draw("retention")
    assert len(squares(picture)) == examples.retention().height == 10
    assert ("6 January 2025, week 3: 40 (40.0 %)") in {tip for _, tip in squares(picture)}
    shown = words(picture)
    assert [shown.count(text) for text in ("100", "80", "60", "40")] == [8, 3, 2, 1]  # 100 is also the size of a group
    assert {"6 January 2025", "27 January 2025", "weeks since the first"} <= set(shown)


def test_figures_are_left_out_of_squares_without_room():
    frame = pl.DataFrame({"cohort": [0] * 50, "period": range(50), "persons": 77, "of": 100, "rate": 0.77})
    assert "77" not in words(draw("retention", frame, width=400))
    assert words(draw("retention", frame, width=2000)).count("77") == 50


def test_long_retention_keeps_the_latest_cohorts():
    frame = pl.DataFrame({"cohort": range(100), "period": 0, "persons": 5, "of": 5, "rate": 1.0})
    picture = draw("retention", frame)
    assert len(squares(picture)) == 60
    assert "The latest 60 groups of 100, and the first 60 periods at most." in words(picture)
    assert "40" in words(picture)
    assert "39" not in words(picture)


def lines(picture):
    return [mark for mark in read(picture).iter(f"{SVG}path") if mark.get("fill") == "none"]


def points(mark):
    return [tuple(map(float, pair.split(","))) for pair in re.split(r"[ML]", mark.get("d"))[1:]]


def test_timeline_draws_events_and_persons_a_channel():
    picture = draw("timeline")
    assert picture.title == "Events and persons a week by channel"
    assert [len(points(mark)) for mark in lines(picture)] == [6] * 4
    assert [mark.get("stroke-dasharray") for mark in lines(picture)] == [None, "3 3"] * 2
    events = examples.timeline().filter(pl.col("channel") == "web")["events"].to_list()
    heights = [208.0 - y for _, y in points(lines(picture)[0])]  # the ground cancels below
    ground = heights[0] - (heights[1] - heights[0]) * events[0] / (events[1] - events[0])
    assert [(height - ground) / (heights[0] - ground) for height in heights] == pytest.approx(
        [count / events[0] for count in events], abs=0.02
    )
    assert "2,550 events" in words(picture)


def test_a_period_without_a_row_is_zero():
    store = points(lines(draw("timeline"))[2])
    assert store[3][1] == max(y for _, y in store)
    tip = next(tip for _, tip in tips(draw("timeline"), "rect") if "27 January 2025" in tip and "events: 0" in tip)
    assert tip == "27 January 2025 · events: 0, persons: 0"


def test_a_hole_in_all_channels_goes_down_to_zero():
    frame = examples.timeline().filter(pl.col("channel") == "web")
    frame = frame.filter(
        ~pl.col("period").is_between(examples.START + timedelta(weeks=2), examples.START + timedelta(weeks=3))
    )
    line = points(lines(draw("timeline", frame))[0])
    assert len(line) == 6
    assert line[2][1] == line[3][1] == max(y for _, y in line)


def test_a_timeline_by_anything_has_a_panel_a_group():
    frame = examples.timeline().rename({"channel": "segment"})
    picture = draw("timeline", frame)
    assert picture.title == "Events and persons a week by segment"
    assert {"web", "store"} <= set(words(picture))
    assert picture.svg == draw("timeline").svg.replace("by channel", "by segment")


def test_a_timeline_of_all_events_is_one_panel():
    frame = examples.timeline().filter(pl.col("channel") == "web").drop("channel")
    picture = draw("timeline", frame)
    assert picture.title == "Events and persons a week"
    assert len(lines(picture)) == 2
    assert "all" in words(picture)


def test_many_channels_are_put_together():
    frame = pl.DataFrame(
        {
            "period": [examples.START, examples.START + timedelta(days=1)] * 12,
            "channel": [f"c{index // 2:02}" for index in range(24)],
            "events": [100 - index // 2 for index in range(24)],
            "persons": [5] * 24,
        }
    )
    picture = draw("timeline", frame)
    assert "(other): the 5 smallest groups together, without persons." in words(picture)
    rest = 2 * sum(100 - index for index in range(7, 12))
    assert {"(other)", f"{rest} events", "c06"} <= set(words(picture))
    assert len(lines(picture)) == 7 * 2 + 1


def test_one_period_is_a_dot():
    frame = examples.timeline().head(1)
    assert len(list(read(draw("timeline", frame)).iter(f"{SVG}circle"))) == 2


def test_ribbons_fill_their_bars_from_top_to_bottom():
    frame = pl.DataFrame({"step": 1, "source": ["a:x"] * 3, "target": ["b:x", "b:y", "b:z"], "persons": [500, 499, 1]})
    picture = draw("flow", frame)
    bar = next(mark for mark, tip in tips(picture, "rect") if tip == "a:x: 1,000")
    top, tall = number_of(bar, "y"), number_of(bar, "height")
    ribbons = sorted(
        (float(re.match(r"M[\d.]+,([\d.]+)", mark.get("d"))[1]), thickness(mark)) for mark, _ in tips(picture, "path")
    )
    assert [y for y, _ in ribbons] == pytest.approx([top, top + tall * 0.5, top + tall * 0.999], abs=0.2)
    assert [thick for _, thick in ribbons] == pytest.approx([tall * 0.5, tall * 0.499, 0.75], abs=0.2)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return sum(
        weight * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
        for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
    )


@pytest.mark.parametrize("touchpoint", ["web:home", "(end)"])
def test_figures_can_be_read_on_every_shade(touchpoint):
    shares = [step / 40 for step in range(41)]
    frame = pl.DataFrame({"step": range(1, 42), "touchpoint": touchpoint, "persons": 9, "of": 9, "share": shares})
    shown = draw("step_matrix", frame, width=2000)
    fills = [mark.get("fill") for mark, _ in squares(shown)]
    figures = [mark for mark in read(shown).iter(f"{SVG}text") if mark.get("text-anchor") == "middle"][41:]
    assert len(fills) == len(figures) == 41
    for fill, figure in zip(fills, figures, strict=True):
        dark, light = sorted(
            (luminance(fill), luminance({"#fff": "#ffffff"}.get(figure.get("fill"), figure.get("fill"))))
        )
        assert (light + 0.05) / (dark + 0.05) > 3.4, (fill, figure.get("fill"))


def test_the_centre_has_a_bold_head():
    heads = [
        mark
        for mark in read(draw("step_matrix", examples.aligned())).iter(f"{SVG}text")
        if mark.text in ("-1", "0", "1")
    ]
    assert [(mark.text, mark.get("font-weight")) for mark in heads[:3]] == [("-1", None), ("0", "600"), ("1", None)]


@pytest.mark.parametrize(
    ("starts", "name"),
    [
        (["2025-01-06T10:00", "2025-01-06T11:00"], "hour"),
        (["2025-03-29", "2025-03-30T01:00", "2025-03-31"], "day"),
        (["2025-01-06", "2025-02-03"], "period"),
        (["2025-01-01", "2025-02-01", "2025-03-01"], "month"),
        (["2025-01-01", "2025-04-01"], "quarter"),
        (["2024-01-01", "2025-01-01"], "year"),
        (["2025-01-06", "2025-01-20"], "period"),
    ],
)
def test_periods_have_names(starts, name):
    assert period_name([datetime.fromisoformat(start) for start in starts]) == name


@pytest.mark.parametrize("days", [0, 0.01, 0.3, 2, 9, 30, 100, 400, 3_000, 40_000])
@pytest.mark.parametrize("most", [2, 4, 7])
@pytest.mark.parametrize("clock", [True, False])
def test_times_of_an_axis_are_few_even_and_of_one_form(days, most, clock):
    low = datetime(2024, 12, 30, 5, 7)
    high = low + timedelta(days=days)
    ticks = time_ticks(low, high, most, clock=clock)
    assert len(ticks) <= most
    assert all(low <= when <= high for when, _ in ticks)
    assert len({len(label.split()) for _, label in ticks}) <= 1
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(ticks)]
    assert not gaps or max(gaps) - min(gaps) <= 0.1 * max(gaps)
    assert len({label for _, label in ticks}) == len(ticks)


@pytest.mark.parametrize("top", [0, 1, 2, 3, 7, 10, 99, 100, 2_550, 7_000_000])
@pytest.mark.parametrize("most", [2, 3, 4])
def test_counts_of_an_axis_are_few_and_even(top, most):
    ticks = count_ticks(top, most)
    assert 1 <= len(ticks) <= most
    assert max(ticks) <= max(top, 1)
    assert ticks == list(range(ticks[0], ticks[0] * len(ticks) + 1, ticks[0]))
    assert str(ticks[0]).rstrip("0") in ("1", "2", "5")
    assert len({tick_label(tick, top) for tick in ticks}) == len(ticks)
