"""Hand-made cases of watching: late events, context, pending absences, once_per, sources, changed moments, errors."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

import cjm
from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError, InputError, PatternError
from cjm.journeys import journeys_from_frame
from cjm.moments import Moment, Running, Watch, detect

START = datetime(2026, 1, 1, tzinfo=UTC)


def hours(count):
    return START + timedelta(hours=count)


def events(text, person=1, **columns):
    """Return the events of ``0 w:a, 2 w:b``: hours and touchpoints."""
    parts = [event.split() for event in text.split(", ")] if text else []
    frame = pl.DataFrame(
        {
            "person": [person] * len(parts),
            "time": [hours(float(hour)) for hour, _ in parts],
            "channel": [touchpoint.split(":", 1)[0] for _, touchpoint in parts],
            "event": [touchpoint.split(":", 1)[1] for _, touchpoint in parts],
        },
        schema={"person": pl.Int64, "time": pl.Datetime("us", "UTC"), "channel": pl.String, "event": pl.String},
    )
    return frame.with_columns(**columns)


def ends(matches):
    return matches["end"].to_list()


def test_a_match_is_a_whole_row():
    watch = Watch([Moment("seen", "w:a -> w:b within 3h -> not w:c within 1h", "call")])
    matches, state = watch.update(events("0 w:a, 2 w:b, 9 w:x"))
    CONTRACTS["MATCHES"].validate(matches)
    row = matches.row(0, named=True)
    assert (row["moment"], row["action"], row["person"]) == ("seen", "call", 1)
    assert row["pattern"] == "w:a -> w:b within 3h -> not w:c within 1h"
    assert (row["start"], row["end"], row["span"]) == (hours(0), hours(2), timedelta(hours=2))
    assert row["confirmed_at"] == hours(3)
    assert row["steps"] == [hours(0), hours(2)]
    assert len(row["version"]) == 16
    assert state.watermark == hours(9)
    empty, _ = watch.update(events(""), state)
    assert empty.schema == matches.schema


def test_an_absence_is_certain_when_nothing_can_come_any_more():
    watch = Watch([Moment("quiet", "w:a -> not w:b within 2h")])
    matches, state = watch.update(events("0 w:a, 2 w:x"))
    assert matches.is_empty()  # an event may still come at that instant
    assert state.pending.height == 1
    assert watch.update(events("2 w:b"), state)[0].is_empty()
    assert ends(watch.update(events("2.1 w:x", person=2), state)[0]) == [hours(0)]
    assert ends(watch.advance_to(hours(2), state)[0]) == [hours(0)]
    assert watch.advance_to(hours(1.9), state)[0].is_empty()


def test_events_at_the_watermark_follow_and_those_below_are_late():
    watch = Watch([Moment("pair", "w:a -> w:b within 1h")])
    matches, state = watch.update(events("0 w:x, 1 w:a"))
    matches, state = watch.update(events("1 w:b, 0.5 w:a"), state)
    assert ends(matches) == [hours(1)]
    assert state.late["time"].to_list() == [hours(0.5)]
    _, state = watch.advance_to(hours(1), state)
    _, state = watch.update(events("1 w:a"), state)
    assert state.late.height == 2
    assert state.events == 5


def test_events_above_the_watermark_wait():
    watch = Watch([Moment("pair", "w:a -> w:b within 1h")], lateness="2h")
    matches, state = watch.update(events("1 w:b, 3 w:x"))
    assert (matches.height, state.waiting.height, state.watermark) == (0, 1, hours(1))
    matches, state = watch.update(events("2 w:b, 1.5 w:a"), state)
    assert matches.is_empty()
    matches, state = watch.update(events("5 w:x"), state)
    assert ends(matches) == [hours(2)]
    assert "watermark 2026-01-01 03:00:00" in repr(state)


def test_repair_adds_and_withdraws():
    watch = Watch([Moment("pair", "w:a -> w:b within 1h unless w:c"), Moment("other", "w:x")])
    told = events("0 w:a, 0.5 w:b, 5 w:b, 9 w:x")
    matches, state = watch.update(told)
    assert matches["moment"].to_list() == ["pair", "other"]
    _, state = watch.update(events("0.2 w:c, 4.5 w:a"), state)
    changes, state = watch.repair(told, state)
    assert changes.select("change", "moment", "end").rows() == [
        ("added", "pair", hours(5)),
        ("withdrawn", "pair", hours(0.5)),
    ]
    assert changes["match_id"][1] == matches["match_id"][0]
    assert state.late.is_empty()


def test_the_slowest_source_moves_the_watermark():
    watch = Watch([Moment("pair", "w:a -> s:b within 9h")], sources=["w", "s"])
    matches, state = watch.update(events("0 w:a, 5000 w:a"))
    assert state.watermark is None
    matches, state = watch.update(events("2 s:b, 3 s:x"), state)
    assert ends(matches) == [hours(2)]
    assert state.watermark == hours(3)


def test_a_clock_that_is_ahead_does_not_move_the_watermark():
    watch = Watch([Moment("pair", "w:a -> w:b within 9h"), Moment("later", "s:x")])
    batch = events("0 w:a, 700000 s:x, 1 w:c")  # the second is of the year 2105
    matches, state = watch.update(batch)
    assert (state.watermark, state.waiting["channel"].to_list()) == (hours(1), ["s"])
    matches, state = watch.update(events("2 w:b"), state)
    assert ends(matches) == [hours(2)]
    assert state.late.is_empty()
    matches, state = watch.advance_to(hours(700_000), state)
    assert matches["moment"].to_list() == ["later"]
    _, state = watch.update(batch, now=hours(0.5))
    assert (state.watermark, state.waiting.height) == (hours(0), 2)
    _, by_source = Watch(watch.moments, sources=["w", "s"]).update(batch, now=hours(5))
    assert by_source.watermark is None
    with pytest.raises(ArgumentError, match="time zone"):
        watch.update(batch, now=datetime(2026, 1, 1))


def test_once_per_counts_from_the_last_that_counted():
    watch = Watch([Moment("ping", "w:a", once_per="10h")])
    matches, state = watch.update(events("0 w:a, 9 w:a"))
    more, state = watch.update(events("10 w:a, 19 w:a, 20 w:a"), state)
    assert ends(pl.concat([matches, more])) == [hours(0), hours(10), hours(20)]
    assert state.suppressed == 2


def test_equal_events_at_one_time_are_matches_of_their_own():
    watch = Watch([Moment("ping", "w:a")])
    matches, state = watch.update(events("0 w:a, 0 w:a"))
    more, state = watch.update(events("0 w:a"), state)
    whole, _ = watch.update(events("0 w:a, 0 w:a, 0 w:a"))
    assert pl.concat([matches, more])["match_id"].to_list() == whole["match_id"].to_list()
    assert whole["match_id"].n_unique() == 3


def test_figures_are_those_of_the_local_month():
    # at 23:30 UTC on 31 January it is February in Warsaw
    spent = Running("spent", "card:*", value="value", time_zone="Europe/Warsaw")
    count = Running("payments", "card:paid[value > 1]", time_zone="Europe/Warsaw")
    watch = Watch([Moment("broke", "atm:no_funds[spent >= 100]", "call")], context=[spent, count])
    batch = events("10 card:paid, 20 atm:no_funds, 743.5 card:paid, 744 atm:no_funds, 745 card:paid, 746 atm:no_funds")
    batch = batch.with_columns(value=pl.Series([100.0, None, 60.0, None, 40.0, float("nan")]))
    whole, _ = watch.update(batch)
    assert whole.select("end", "spent", "payments").rows() == [(hours(20), 100.0, 1), (hours(746), 100.0, 2)]
    state, parts = None, []
    for row in range(batch.height):
        matches, state = watch.update(batch[row], state)
        parts.append(matches)
    assert pl.concat(parts).equals(whole)


def test_attributes_are_those_of_the_time():
    table = pl.DataFrame(
        {
            "person": [1, 1, 2],
            "valid_from": [hours(0), hours(10), hours(0)],
            "valid_to": [hours(5), None, None],
            "segment": ["premium", "basic", "premium"],
        }
    )
    watch = Watch([Moment("offer", 'w:a[segment = "premium"] -> not w:b within 1h')], attributes=table)
    batch = events("0 w:a, 4.9 w:a, 5 w:a, 10 w:a")
    matches, state = watch.update(batch[:3])
    assert ends(matches) == [hours(0)]
    assert state.pending["segment"].to_list() == ["premium"]
    matches, _ = watch.update(batch[3:], state)
    assert matches.select("end", "segment").rows() == [(hours(4.9), "premium")]
    until_the_next = Watch(watch.moments, attributes=table.drop("valid_to"))
    assert ends(until_the_next.update(batch)[0]) == [hours(0), hours(4.9)]
    assert until_the_next.update(batch[2:3])[1].pending.height == 1
    with pytest.raises(ArgumentError, match="another of the same person"):
        Watch(watch.moments, attributes=table.with_columns(valid_to=pl.lit(None)))
    with pytest.raises(ArgumentError, match="'valid_from' is missing"):
        Watch(watch.moments, attributes=table.drop("valid_from"))
    journeys = journeys_from_frame(batch.with_columns(segment=pl.lit("x")), gap=1)
    with pytest.raises(ArgumentError, match="'segment' already"):
        detect(journeys, watch.moments, attributes=table)


def test_a_changed_moment_begins_anew_and_the_others_go_on():
    stay = Moment("stay", "w:a -> w:b within 9h -> w:c within 9h")
    first, second = (Moment("change", f"w:a -> w:{name} within 9h") for name in "bc")
    figure = Running("n", "w:*")
    _, state = Watch([first, stay], context=[figure]).update(events("0 w:a, 1 w:b"))
    matches, state = Watch([stay, second], context=[Running("m", "w:c"), figure]).update(events("2 w:c"), state)
    assert matches.select("moment", "start", "m", "n").rows() == [("stay", hours(0), 1, 3)]
    assert [name for name, _ in state.moments] == ["stay", "change"]
    _, state = Watch([Moment("quiet", "w:c -> not w:d within 1h")]).update(events("3 w:c"), state)
    matches, _ = Watch([Moment("quiet", "w:c -> not w:d within 1h", "new words"), stay]).advance_to(hours(9), state)
    assert matches.select("moment", "end").rows() == [("quiet", hours(3))]


def test_odd_names_and_strict_steps():
    odd = pl.DataFrame(
        {"person": [1, 1], "time": [hours(0), hours(1)], "channel": ['sklep, "x"', "a"], "event": ["żółć -> 1", "b:c"]}
    )
    watch = Watch([Moment('ż"', '"sklep, \\"x\\"":"żółć -> 1" => a:"b:c" within 1h')])
    assert ends(watch.update(odd)[0]) == [hours(1)]
    _, state = watch.update(odd[:1])
    _, between = watch.update(events("0.5 w:x"), state)
    assert ends(watch.update(odd[1:], state)[0]) == [hours(1)]
    assert watch.update(odd[1:], between)[0].is_empty()


def test_more_moments_than_bits():
    moments = [Moment(f"m{number}", f"w:e{number} -> w:b within 2h") for number in range(130)]
    told = ", ".join(f"{number / 130} w:e{number}" for number in range(130)) + ", 1.5 w:b"
    matches, _ = Watch(moments).update(events(told))
    assert matches["moment"].to_list() == [moment.name for moment in moments]


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: Watch([Moment("x", "w:a -> w:b")]), ArgumentError, "may wait for ever"),
        (lambda: Watch([Moment("x", "w:a"), Moment("x", "w:b")]), ArgumentError, "two moments are named 'x'"),
        (lambda: Watch([Moment("x", cjm.pattern(pl.col("value") > 3))]), PatternError, "Polars expression"),
        (lambda: Watch(["w:a"]), ArgumentError, "no cjm.Moment"),
        (lambda: Watch([Moment("x", "w:vist")], touchpoints=["w:visit"]), ArgumentError, 'Did you mean "w:visit"'),
        (lambda: Watch([Moment("x", "w:a")], context=[Running("end", "w:a")]), ArgumentError, "is taken"),
        (lambda: Watch([Moment("x", "w:a")], lateness=3), ArgumentError, "lateness must be"),
        (lambda: Moment(" ", "w:a"), ArgumentError, "no name"),
        (lambda: Moment("x", "w:a", once_per="0s"), ArgumentError, "once_per is zero"),
        (lambda: Moment("x", "w:a ->"), PatternError, "character 7"),
        (lambda: Running("n", "w:a -> w:b"), ArgumentError, "more than one step"),
        (lambda: Running("n", "w:a", time_zone="Mars"), ArgumentError, "time zone"),
        (lambda: Running("n", "w:a", every="month"), ArgumentError, "cannot be read"),
    ],
)
def test_wrong_declarations(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_wrong_batches():
    watch = Watch([Moment("x", "w:a[flag = true]")])
    with pytest.raises(ArgumentError, match="unknown column 'flag'"):
        watch.update(events("0 w:a"))
    good = events("0 w:a", flag=pl.lit(True))
    with pytest.raises(ArgumentError, match="not a time with a zone"):
        watch.update(good.with_columns(pl.col("time").dt.replace_time_zone(None)))
    with pytest.raises(InputError, match="'person' is null in 1 of 1 rows"):
        watch.update(good.with_columns(person=pl.lit(None, dtype=pl.Int64)))
    with pytest.raises(ArgumentError, match="time zone"):
        watch.advance_to(datetime(2026, 1, 1))
    assert watch.advance_to(hours(1))[1].watermark == hours(1)
