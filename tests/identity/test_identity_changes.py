"""Changes of a map equal stitching anew: more events and links, links undone, identifiers forgotten."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_naive import SECOND, log_of
from polars.testing import assert_frame_equal

from cjm.identity import person_numbers, stitch

SLOW = settings(max_examples=30, deadline=None)
KINDS = ("customer", "card", "cookie", "device")
IDS = st.sampled_from([None, None, "1", "2", "3", "4", "ž"])
RARE = st.sampled_from([None, None, None, "1", "2", "3", "4"])
ROW = st.tuples(
    st.integers(0, 12), st.fixed_dictionaries({"customer": RARE, "card": RARE, "cookie": IDS, "device": IDS})
)
ONE = {"unique": "customer"}
TWO = {"unique": ("customer", "card"), "replay": "4s"}
MODES = st.sampled_from(
    [
        ONE,
        TWO,
        {**ONE, "as_of": "event", "stale": "3s"},
        {**ONE, "stale": "3s", "replay": "4s"},
        {**TWO, "mode": "components"},
        {**ONE, "mode": "components", "max_size": 3},
        {"unique": (), "mode": "components"},
    ]
)
GUARDS = st.sampled_from([None, 1, 2])
LINK = st.tuples(
    st.sampled_from(KINDS),
    st.sampled_from("123x"),
    st.sampled_from(KINDS),
    st.sampled_from("123x"),
    st.none() | st.integers(0, 12),
)


def table(links):
    """Make a link table of tuples ``(kind_a, id_a, kind_b, id_b, since, until)``, in seconds; the last two may lack."""
    rows = [(*link, None, None)[:6] for link in links]
    schema = ["kind_a", "id_a", "kind_b", "id_b", "since", "until"]
    frame = pl.DataFrame(
        rows, schema={name: pl.Int64 if name in ("since", "until") else pl.String for name in schema}, orient="row"
    )
    return frame.with_columns((pl.col("since", "until") * SECOND).cast(pl.Datetime("us", "UTC")))


def assert_same(one, other):
    for name in ("labels", "map", "links", "conflicts", "aliases"):
        assert_frame_equal(getattr(one, name), getattr(other, name))
    assert_frame_equal(one.summary(), other.summary())


@SLOW
@given(st.lists(ROW, max_size=14), st.lists(LINK, max_size=3), st.data())
def test_updates_equal_one_run_over_everything(rows, links, data):
    options = {**data.draw(MODES), "max_per_person": data.draw(GUARDS)}
    rows = [(6, {"cookie": "1", "device": "9"}), *rows]
    cuts = sorted(data.draw(st.lists(st.integers(1, len(rows)), min_size=1, max_size=3)))
    cut = data.draw(st.integers(0, len(links)))
    people = stitch(log_of(rows[: cuts[0]], KINDS), links=table(links[:cut]), **options)
    for start, stop in zip(cuts, [*cuts[1:], len(rows)], strict=True):
        people = people.update(log_of(rows[start:stop], KINDS))
    people = people.update(links=table(links[cut:]))
    assert_same(people, stitch(log_of(rows, KINDS), links=table(links), **options))


@SLOW
@given(st.lists(ROW, max_size=14), st.lists(LINK, max_size=3), st.lists(LINK, min_size=1, max_size=2), st.data())
def test_unlinking_equals_a_run_that_denies(rows, links, denied, data):
    options = {**data.draw(MODES), "max_per_person": data.draw(GUARDS), "links": table(links)}
    rows = [(6, {"cookie": "1", "device": "9"}), *rows]
    people = stitch(log_of(rows, KINDS), **options)
    for kind_a, id_a, kind_b, id_b, _ in denied:
        people = people.unlink(kind_a, id_a, kind_b, id_b)
    assert_same(people, stitch(log_of(rows, KINDS), deny=table(denied).drop("since", "until"), **options))


@pytest.mark.parametrize("mode", ["device split", "components"])
def test_a_map_stays_as_it_was_when_later_ones_know_more(mode):
    rows = [(0, {"customer": "1", "cookie": "1"}), (1, {"cookie": "1"})]
    more = log_of([(2, {"customer": "2", "cookie": "2", "device": "3"})], KINDS)
    asked, unasked = (stitch(log_of(rows, KINDS), mode=mode) for _ in range(2))
    expected = asked.map, asked.links, asked.conflicts, asked.labels, asked.summary(), asked.sizes()
    unasked.update(more)
    unasked.erase("customer", "never seen")
    found = unasked.map, unasked.links, unasked.conflicts, unasked.labels, unasked.summary(), unasked.sizes()
    for one, other in zip(found, expected, strict=True):
        assert_frame_equal(one, other)


def without_id(kind, gone, rows, links):
    """Return events and links that never had an identifier."""
    kept = [link for link in links if (kind, gone) not in ((link[0], link[1]), (link[2], link[3]))]
    ids = [{name: None if (name, text) == (kind, gone) else text for name, text in row.items()} for _, row in rows]
    return log_of([(at, row) for (at, _), row in zip(rows, ids, strict=True)], KINDS), table(kept)


def numbers_of(ids):
    """Return the numbers that identifiers ``(kind, id)`` have as persons of their own."""
    return {person_numbers(pl.Series([text]), kind).item() for kind, text in ids if text}


CONSENT = st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from("123"), st.integers(0, 6), st.integers(6, 12)))


@SLOW
@given(st.lists(ROW, max_size=12), st.lists(LINK, max_size=4), CONSENT, st.sampled_from("123"), st.data())
def test_erasing_gives_events_to_nobody_else(rows, links, consent, erased, data):
    kind = data.draw(st.sampled_from(["customer", "card", "cookie"]))
    options = {**data.draw(MODES), "max_per_person": data.draw(GUARDS)}
    if consent:
        frame = pl.DataFrame(consent, schema=["kind", "id", "since", "until"], orient="row")
        options["consent"] = frame.with_columns((pl.col("since", "until") * SECOND).cast(pl.Datetime("us", "UTC")))
    rows = [(6, {"cookie": "1", "device": "9"}), *rows]
    cut = data.draw(st.integers(1, len(rows)))
    before = stitch(log_of(rows, KINDS), links=table(links), **options)
    after = before.erase(kind, erased)
    told = [(after.map, ""), (after.conflicts, ""), (after.links, "_a"), (after.links, "_b")]
    assert all((kind, erased) not in frame.select(f"kind{end}", f"id{end}").rows() for frame, end in told)
    assert_same(after, after.erase(kind, erased))

    # Later events with the identifier find it erased.
    early = stitch(log_of(rows[:cut], KINDS), links=table(links), **options).erase(kind, erased)
    assert_same(early.update(log_of(rows[cut:], KINDS)), after)

    log, kept = without_id(kind, erased, rows, links)
    without = stitch(log, links=kept, **options)
    if kind not in options["unique"]:
        assert_frame_equal(after.labels, without.labels)
        return
    # What was their person's falls back to what each event carries or to other numbers of theirs. The rest stays.
    own = before.map.filter((pl.col("kind") == kind) & (pl.col("id") == erased))["person"].to_list()
    of_person = before.map.filter(pl.col("person").is_in(own)).select("kind", "id").rows()
    theirs = numbers_of((name, text) for name, text in of_person if name in options["unique"])
    for old, new, other, (_, ids) in zip(
        before.labels.rows(), after.labels.rows(), without.labels.rows(), rows, strict=True
    ):
        assert new[0] not in numbers_of([(kind, erased)])
        if old[0] in own or ids.get(kind) == erased:
            assert new[0] is None or new[0] in theirs | numbers_of(ids.items())
        else:
            assert new == old
            assert new == other or before.conflicts.height


def test_what_a_conflict_with_the_erased_kept_away_stays_away():
    rows = [(6, {"cookie": "1", "device": "9"}), (10, {"cookie": "2", "device": "1", "card": "3"})]
    links = table([("device", "1", "customer", "1", 2), ("customer", "3", "card", "3")])
    people = stitch(log_of(rows, KINDS), unique="customer", mode="components", max_size=3, links=links)
    assert people.labels["person"][1] in numbers_of([("customer", "3")])
    after = people.erase("customer", "3")
    assert after.labels["person"][1] in numbers_of([("card", "3")])
    assert after.labels["reason"].to_list() == ["anonymous", "erased"]
