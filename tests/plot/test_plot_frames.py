"""Frames that are empty, masked, grouped or not those of the measure."""

import re

import plot_examples as examples
import polars as pl
import pytest
from plot_examples import FRAMES, draw, read, tips, words

from cjm import plot
from cjm.errors import ArgumentError

NAMES = sorted(FRAMES)
FIGURES = {
    "flow": ["persons"],
    "transitions": ["count", "share", "persons", "time_p50", "time_mean"],
    "step_matrix": ["persons", "share"],
    "funnel": ["persons", "rate", "low", "high", "step_rate", "time_p25", "time_p50", "time_p75"],
    "retention": ["persons", "rate", "low", "high"],
    "timeline": ["events", "persons"],
}


def masked(name, *rows):
    """The frame with all figures of some rows hidden, as a measure does for small groups."""
    hide = pl.int_range(pl.len()).is_in(list(rows))
    columns = [column for column in FIGURES[name] if column in FRAMES[name]().columns]
    return FRAMES[name]().with_columns(pl.when(~hide).then(pl.col(columns)))


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_frame_says_so(name):
    picture = draw(name, FRAMES[name]().clear())
    assert "There is nothing to draw: the frame has no rows." in words(picture)
    assert picture.description == "There is nothing to draw: the frame has no rows."


@pytest.mark.parametrize("name", NAMES)
def test_a_column_that_is_missing_is_named_with_the_measure(name):
    column = FRAMES[name]().columns[-2 if name == "timeline" else 1]
    with pytest.raises(ArgumentError, match=rf"plot\.{name}: the frame lacks the column '{column}'.*cjm\.{name}\("):
        draw(name, FRAMES[name]().drop(column))


@pytest.mark.parametrize("name", NAMES)
def test_the_frame_of_another_measure_is_refused(name):
    other = FRAMES[NAMES[NAMES.index(name) - 1]]()
    with pytest.raises(ArgumentError, match=rf"plot\.{name}: the frame lacks the columns? .*cjm\.{name}\("):
        draw(name, other)


@pytest.mark.parametrize("frame", [None, [1], FRAMES["flow"]().lazy(), FRAMES["flow"]().to_dict(as_series=False)])
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(ArgumentError, match=r"plot\.flow: needs a polars.DataFrame, not .*cjm\.flow\(journeys\)"):
        plot.flow(frame)


@pytest.mark.parametrize(
    ("name", "column", "kind"),
    [
        ("flow", "persons", "a number"),
        ("step_matrix", "share", "a number"),
        ("transitions", "time_p50", "a duration"),
        ("timeline", "period", "a time"),
    ],
)
def test_a_column_of_another_type_is_refused(name, column, kind):
    with pytest.raises(ArgumentError, match=f"the column '{column}' must hold {kind}, not String"):
        draw(name, FRAMES[name]().with_columns(pl.lit("x").alias(column)))


def test_names_must_be_text():
    with pytest.raises(ArgumentError, match="the column 'source' must hold text, not Int32"):
        plot.flow(examples.flow().with_columns(source=pl.lit(1)))


@pytest.mark.parametrize("name", NAMES)
def test_a_row_twice_is_refused(name):
    frame = FRAMES[name]()
    with pytest.raises(ArgumentError, match=f"plot.{name}: the frame holds two rows of the same"):
        draw(name, pl.concat([frame, frame.head(1)]))


@pytest.mark.parametrize("name", ["flow", "transitions", "step_matrix", "retention"])
def test_several_groups_are_refused_where_one_is_drawn(name):
    frame = examples.grouped(FRAMES[name]())
    said = f"plot.{name}: the frame holds 2 groups by segment, and this picture shows one."
    hint = "Choose one, as in frame.filter(pl.col('segment') == 'basic')"
    with pytest.raises(ArgumentError, match=re.escape(f"{said} {hint}")):
        draw(name, frame)
    one = draw(name, frame.filter(pl.col("segment") == "basic"))
    plain = draw(name)
    assert one.title == f"{plain.title} · basic"
    assert one.svg.replace(" · basic", "") == plain.svg


def test_groups_that_read_the_same_stay_apart():
    values = ("x" * 300, "x" * 301, "", " \u200d")
    picture = draw("funnel", examples.grouped(examples.funnel(), values=values))
    assert len([tip for _, tip in tips(picture, "rect") if "web:pay" in tip]) == 4
    assert {"(blank)", "(blank) (2)"} <= set(words(picture))
    web = examples.timeline().filter(pl.col("channel") == "web").drop("channel")
    lines = draw("timeline", examples.grouped(web, values=values)).svg
    assert lines.count('fill="none"') == 2 * 4


def test_groups_by_several_columns_and_times_are_labelled():
    frame = examples.grouped(examples.grouped(examples.funnel()), "since", (examples.START,))
    assert {"6 January 2025 · basic", "6 January 2025 · premium"} <= set(words(draw("funnel", frame)))


@pytest.mark.parametrize("name", NAMES)
def test_columns_behind_are_left_alone(name):
    frame = FRAMES[name]().with_columns(pl.int_range(pl.len()).alias("difference"))
    assert draw(name, frame) == draw(name)


@pytest.mark.parametrize("name", NAMES)
def test_hidden_figures_are_said_to_be_hidden(name):
    picture = draw(name, masked(name, 1))
    assert "hidden" in " ".join(words(picture))
    count = 2 if name == "timeline" else 1
    assert re.search(rf"\b{count} (ribbon|arrow|figure)s? hidden: too few persons\.", " ".join(words(picture)))
    assert "None" not in picture.svg
    assert "nan" not in picture.svg


@pytest.mark.parametrize("name", NAMES)
def test_all_figures_hidden(name):
    picture = draw(name, masked(name, *range(FRAMES[name]().height)))
    assert "hidden" in " ".join(words(picture))
    assert "None" not in picture.svg


def test_a_hidden_figure_cannot_be_read_off():
    frame = masked("funnel", 1)
    picture = draw("funnel", frame)
    assert "400" not in picture.svg
    assert "40.0" not in picture.svg
    assert draw("step_matrix", masked("step_matrix", 2)).svg.count("(50.0") == 0


def test_a_hidden_period_is_a_gap_in_the_line():
    picture = draw("timeline", masked("timeline", 4))
    whole = draw("timeline")
    assert picture.svg.count('fill="none"') > whole.svg.count('fill="none"')
    assert "events: hidden, persons: hidden" in picture.svg


def test_nan_is_hidden():
    frame = examples.step_matrix().with_columns(share=pl.lit(float("nan")))
    assert words(draw("step_matrix", frame)).count("hidden") == frame.height + 1  # and the legend


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [0, 319, 4001, 800.0, True, "800"])
def test_a_width_that_cannot_be_is_refused(name, width):
    with pytest.raises(ArgumentError, match="width=: must be a whole number of pixels from 320 to 4000"):
        draw(name, width=width)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [320, 600, 1500])
def test_the_picture_is_as_wide_as_asked(name, width):
    root = read(draw(name, width=width))
    assert root.get("width") == str(width)
    assert root.get("viewBox").split()[2] == str(width)


@pytest.mark.parametrize("top", [0, -1, 201, 1.5, True])
def test_a_number_of_arrows_that_cannot_be_is_refused(top):
    with pytest.raises(ArgumentError, match="top=: must be a whole number from 1 to 200"):
        draw("transitions", top=top)


@pytest.mark.parametrize("name", NAMES)
def test_categories_are_text_too(name):
    frame = FRAMES[name]()
    names = [column for column, kind in frame.schema.items() if kind == pl.String]
    assert draw(name, frame.with_columns(pl.col(names).cast(pl.Categorical))) == draw(name)


def test_a_null_channel_has_a_name():
    assert "(none)" in words(
        draw("timeline", examples.timeline().with_columns(channel=pl.lit(None, pl.String)).head(1))
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_rows_does_not_matter(name):
    frame = FRAMES[name]()
    shuffled = frame.sample(fraction=1, shuffle=True, seed=3)
    assert sorted(words(draw(name, shuffled))) == sorted(words(draw(name, frame)))


def test_a_channel_that_is_called_other_is_a_channel():
    frame = examples.timeline().with_columns(pl.col("channel").replace("store", "(other)"))
    assert draw("timeline", frame).svg == draw("timeline").svg.replace("store", "(other)")
