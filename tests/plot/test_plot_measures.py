"""Each picture takes what the measure of its name returns, whatever the measure was asked."""

import polars as pl
import pytest
from plot_examples import read, words

import cjm
from cjm import plot


@pytest.fixture(scope="module")
def journeys():
    """Sixty persons, each with a path of home, search or cart and perhaps pay, over eleven weeks."""
    person = pl.int_range(60, eager=True)
    steps = [
        ("web", "home", 0, person),
        ("web", "search", 4, person.filter(person % 2 == 0)),
        ("web", "home", 9, person.filter(person % 4 == 0)),
        ("web", "cart", 26, person.filter(person % 3 == 0)),
        ("store", "pay", 24 * 9, person.filter(person % 6 == 0)),
    ]
    rows = pl.concat(
        pl.DataFrame({"who": who}).select(
            pl.lit(channel).alias("channel"),
            pl.lit(event).alias("event"),
            pl.col("who").cast(pl.String),
            (pl.datetime(2025, 1, 1, time_zone="UTC") + pl.duration(hours=pl.col("who") * 29 + later)).alias("at"),
            pl.when(pl.col("who") < 40).then(pl.lit("basic")).otherwise(pl.lit("premium")).alias("segment"),
        )
        for channel, event, later, who in steps
    )
    log = cjm.scan_events(
        {"log": cjm.Source(rows, time="at", event="event", channel="channel", ids={"customer": "who"})}
    )
    return cjm.build_journeys(log, person="customer")


STEPS = ["web:home", "web:cart", "store:pay"]
CALLS = [
    ("flow", {}),
    ("flow", {"unit": "session", "steps": 2}),
    ("flow", {"min_persons": 12}),
    ("flow", {"by": "segment"}),
    ("transitions", {}),
    ("transitions", {"ends": True}),
    ("transitions", {"order": 2, "quantiles": [0.5]}),
    ("transitions", {"by": "segment", "versus": "basic"}),
    ("transitions", {"min_persons": 25, "quantiles": [0.25, 0.9]}),
    ("step_matrix", {}),
    ("step_matrix", {"align": "web:cart", "steps": 3}),
    ("step_matrix", {"by": "segment"}),
    ("step_matrix", {"min_persons": 25}),
    ("funnel", {}),
    ("funnel", {"by": "segment"}),
    ("funnel", {"by": "channel", "versus": "web"}),
    ("funnel", {"order": "any", "min_persons": 15}),
    ("retention", {}),
    ("retention", {"every": "7d", "by": "segment"}),
    ("timeline", {}),
    ("timeline", {"every": "1w", "by": "segment"}),
    ("timeline", {"every": "1mo", "by": None}),
    ("timeline", {"every": "1w", "min_persons": 5}),
]


@pytest.mark.parametrize(("name", "asked"), CALLS, ids=[f"{name} {asked}" for name, asked in CALLS])
@pytest.mark.parametrize("width", [400, 900])
def test_what_a_measure_returns_can_be_drawn(journeys, name, asked, width):
    frame = getattr(cjm, name)(journeys, *([STEPS] if name == "funnel" else []), **asked)
    if asked.get("by") == "segment" and name not in ("funnel", "timeline"):
        with pytest.raises(ValueError, match="the frame holds 2 groups by segment"):
            getattr(plot, name)(frame, width=width)
        frame = frame.filter(pl.col("segment") == "basic")
    picture = getattr(plot, name)(frame, width=width)
    shown = words(picture)
    read(picture)
    assert len(shown) > 5
    assert not [text for text in shown if "nan" in text.lower().split() or "None" in text]
    if "min_persons" in asked:
        assert frame.select(pl.any_horizontal(pl.all().is_null().any())).item()
        assert "hidden" in " ".join(shown)
