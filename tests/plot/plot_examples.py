"""Frames as the measures return them, made by hand, and ways to read a picture."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import polars as pl

from cjm import plot

SVG = "{http://www.w3.org/2000/svg}"
START = datetime(2025, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


def flow():
    return pl.DataFrame(
        [
            (1, "web:home", "web:cart", 600),
            (1, "web:home", "(end)", 300),
            (1, "app:open", "web:home", 100),
            (2, "web:cart", "store:visit", 250),
            (2, "web:cart", "(end)", 350),
            (2, "web:home", "(end)", 100),
        ],
        schema=["step", "source", "target", "persons"],
        orient="row",
    )


def transitions():
    return pl.DataFrame(
        {
            "source": ["web:home", "web:cart", "web:home", "web:cart", "app:open"],
            "target": ["web:cart", "web:pay", "web:home", "web:home", "web:home"],
            "count": [400, 200, 100, 50, 10],
            "share": [0.8, 0.8, 0.2, 0.2, 1.0],
            "persons": [300, 180, 60, 40, 9],
            "time_p50": [2 * HOUR, 3 * HOUR, HOUR, 24 * HOUR, 60 * HOUR],
            "time_mean": [4 * HOUR] * 5,
        }
    )


def step_matrix():
    return pl.DataFrame(
        [(1, "web:home", 60), (1, "app:open", 40), (2, "web:cart", 50), (2, "web:home", 20), (2, "(end)", 30)],
        schema=["step", "touchpoint", "persons"],
        orient="row",
    ).with_columns(of=pl.lit(100, pl.Int64), share=pl.col("persons") / 100)


def aligned():
    return pl.DataFrame(
        [
            (-1, "(start)", 55),
            (-1, "web:home", 45),
            (0, "web:cart", 100),
            (1, "web:pay", 30),
            (1, "(end)", 70),
        ],
        schema=["step", "touchpoint", "persons"],
        orient="row",
    ).with_columns(of=pl.lit(100, pl.Int64), share=pl.col("persons") / 100)


def funnel():
    return pl.DataFrame(
        {
            "step": [1, 2, 3],
            "touchpoint": ["web:home", "web:cart", "web:pay"],
            "persons": [1000, 400, 120],
            "of": [1000] * 3,
            "rate": [1.0, 0.4, 0.12],
            "low": [0.996, 0.37, 0.101],
            "high": [1.0, 0.431, 0.142],
            "step_rate": [None, 0.4, 0.3],
            "time_p25": [None, HOUR, 2 * HOUR],
            "time_p50": [None, 5 * HOUR, 26 * HOUR],
            "time_p75": [None, 9 * HOUR, 50 * HOUR],
        }
    )


def grouped(frame, column="segment", values=("basic", "premium")):
    return pl.concat([frame.select(pl.lit(value).alias(column), pl.all()) for value in values])


def retention():
    rows = [
        (START + timedelta(weeks=week), period, 100 - 20 * period, 100, 1 - 0.2 * period)
        for week in range(4)
        for period in range(4 - week)
    ]
    frame = pl.DataFrame(rows, schema=["cohort", "period", "persons", "of", "rate"], orient="row")
    return frame.with_columns(low=pl.col("rate") * 0.9, high=pl.col("rate"))


def timeline():
    rows = [
        (START + timedelta(weeks=week), channel, size + 10 * week, size // 2 + week)
        for week in range(6)
        for channel, size in (("web", 400), ("store", 60))
        if (week, channel) != (3, "store")
    ]
    return pl.DataFrame(rows, schema=["period", "channel", "events", "persons"], orient="row")


FRAMES = {
    "flow": flow,
    "transitions": transitions,
    "step_matrix": step_matrix,
    "funnel": funnel,
    "retention": retention,
    "timeline": timeline,
}


def draw(name, frame=None, **options):
    return getattr(plot, name)(FRAMES[name]() if frame is None else frame, **options)


def read(picture):
    """The picture as a tree, which it must be."""
    return ElementTree.fromstring(picture.svg)


def tips(picture, tag):
    """What the pointer shows on each mark of a kind, in the order of drawing, with the mark."""
    found = [(mark, mark.find(f"{SVG}title")) for mark in read(picture).iter(f"{SVG}{tag}")]
    return [(mark, title.text.replace("\xa0", " ")) for mark, title in found if title is not None]


def words(picture):
    """Every text that is written in the picture."""
    return ["".join(text.itertext()).replace("\xa0", " ") for text in read(picture).iter(f"{SVG}text")]


def number_of(mark, name):
    return float(mark.get(name))
