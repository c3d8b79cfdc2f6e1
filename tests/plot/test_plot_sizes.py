"""The picture of how many identifiers persons have."""

import polars as pl
import pytest
from plot_examples import number_of, read, tips, words

import cjm
from cjm import plot
from cjm.errors import ArgumentError


def sizes(*rows):
    return pl.DataFrame(rows, schema=["identifiers", "persons", "known", "events"], orient="row")


def test_bars_are_as_long_as_their_persons_are_many():
    picture = plot.sizes(sizes((1, 400, 0, 300), (2, 200, 150, 500), (5, 100, 100, 200)))
    bars = tips(picture, "rect")
    longest = number_of(bars[0][0], "width")
    widths = [number_of(mark, "width") / longest for mark, _ in bars]
    assert widths == pytest.approx([1, 0, 0.5, 0.375, 0.25, 0.25], abs=0.001)
    assert [said for _, said in bars][::2] == [
        "1 identifier: 400 persons, 0 with a unique one; 300 events (30.0 %)",
        "2 identifiers: 200 persons, 150 with a unique one; 500 events (50.0 %)",
        "5 identifiers: 100 persons, 100 with a unique one; 200 events (20.0 %)",
    ]


def test_rows_may_come_in_any_order():
    frame = sizes((1, 4, 0, 3), (2, 2, 1, 5), (5, 1, 1, 2))
    assert plot.sizes(frame) == plot.sizes(frame.reverse())


def test_the_largest_sizes_share_a_bar_and_nobody_is_lost():
    frame = sizes(*((size, 1000 - size, 10, size) for size in range(1, 31)))
    bars = [said for _, said in tips(plot.sizes(frame), "rect")][::2]
    assert len(bars) == 16
    last = frame.filter(pl.col("identifiers") > 15).sum()
    persons, events = last["persons"].item(), last["events"].item()
    assert bars[-1].startswith(f"16 to 30 identifiers: {persons:,} persons, 150 with a unique one; {events} events")


def test_nothing_to_draw():
    assert "no rows" in plot.sizes(sizes().cast(pl.Int64)).description
    nobody = plot.sizes(sizes((1, 0, 0, 0)))
    assert "–" in words(nobody)


@pytest.mark.parametrize("width", [320, 900, 4000])
def test_all_marks_lie_within_the_picture(width):
    root = read(plot.sizes(sizes((1, 10**9, 0, 10**9), (1000, 1, 1, 1)), width=width))
    for mark, _ in tips(plot.sizes(sizes((1, 10**9, 0, 10**9)), width=width), "rect"):
        assert number_of(mark, "x") + number_of(mark, "width") <= number_of(root, "width")


def test_another_frame_is_refused_with_the_call_that_returns_the_right_one():
    with pytest.raises(ArgumentError, match=r"lacks the column 'known'.*people\.sizes\(\)"):
        plot.sizes(sizes((1, 2, 0, 3)).drop("known"))
    with pytest.raises(ArgumentError, match="two rows of the same identifiers"):
        plot.sizes(sizes((1, 2, 0, 3), (1, 2, 0, 3)))


def test_the_persons_of_the_sample():
    world = cjm.datasets.open_world(cjm.datasets.sample_path())
    found = cjm.stitch(world.log).sizes()
    assert plot.sizes(found).description.startswith("Persons have 1 to 7 identifiers; 4,000 of 5,907")
    assert len(tips(plot.sizes(found), "rect")) == 2 * found.height
