"""What must hold for every log."""

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_naive import log_of
from polars.testing import assert_frame_equal

from cjm.contracts import CONTRACTS
from cjm.identity import person_numbers, stitch

FAST = settings(max_examples=40, deadline=None)
KINDS = ("customer", "cookie", "device")
IDS = st.sampled_from([None, None, "1", "2", "3", "ž"])
ROW = st.fixed_dictionaries(dict.fromkeys(KINDS, IDS)).filter(lambda ids: any(ids.values()))
MODES = st.sampled_from([{}, {"as_of": "event"}, {"stale": "3s", "replay": "4s"}, {"mode": "components"}])
GUARDS = st.sampled_from([None, 1, 5])


def spaced(ids):
    """Give rows distinct times, and end with a customer, so that the log has one."""
    return [*enumerate(ids), (10_000, {"customer": "end"})]


def checked(log, **options):
    """Stitch, and check what holds for every result."""
    people = stitch(log, **options)
    for name, frame in (("IDENTITY_MAP", people.map), ("LINKS", people.links), ("CONFLICTS", people.conflicts)):
        CONTRACTS[name].validate(frame)
        assert frame.columns == [*CONTRACTS[name].columns, *(["sources"] if name == "LINKS" else [])]
    assert people.aliases.columns == ["old_person", "person", "merged_at"]
    counts = dict(people.summary().select("measure", "count").rows())
    parts = ("own", "link", "live", "replay", "anonymous", "shared", "erased", "unidentified")
    assert sum(counts[f"events_{part}"] for part in parts) == counts["events"]
    for part in parts[:-1]:
        assert counts[f"events_{part}"] == people.labels["reason"].eq(part).sum()
    assert counts["persons"] == people.labels["person"].drop_nulls().n_unique()
    assert counts["persons"] == counts["persons_known"] + counts["persons_anonymous"]
    return people


@FAST
@given(st.lists(ROW, max_size=14), st.randoms(), MODES, GUARDS)
def test_order_of_rows_changes_nothing(ids, random, options, most):
    rows = spaced(ids)
    shuffled = random.sample(range(len(rows)), len(rows))
    one = checked(log_of(rows, KINDS), max_per_person=most, **options)
    other = checked(log_of([rows[row] for row in shuffled], KINDS), max_per_person=most, **options)
    for frame in ("map", "links", "conflicts", "aliases"):
        assert_frame_equal(getattr(one, frame), getattr(other, frame))
    assert_frame_equal(one.labels[shuffled], other.labels)
    assert_frame_equal(one.summary(), other.summary())


@FAST
@given(st.lists(ROW, max_size=14), MODES, GUARDS)
def test_customers_keep_their_events_and_never_share_a_person(ids, options, most):
    rows = spaced(ids)
    people = checked(log_of(rows, KINDS), max_per_person=most, **options)
    customer = pl.Series([ids["customer"] for _, ids in rows], dtype=pl.String)
    logged_in = customer.is_not_null()
    assert people.labels["person"].filter(logged_in).equals(person_numbers(customer.filter(logged_in), "customer"))
    customers = people.map.filter(pl.col("kind") == "customer")
    assert customers["person"].n_unique() == customers["id"].n_unique() == customers.height


@FAST
@given(st.lists(ROW, max_size=14), st.sampled_from([{}, {"as_of": "event"}, {"stale": "3s", "replay": "4s"}]), GUARDS)
def test_looking_up_the_map_gives_the_label(ids, options, most):
    rows = spaced(ids)
    people = checked(log_of(rows, KINDS), max_per_person=most, **options)
    frame = log_of(rows, KINDS).frame.collect().with_columns(people.labels)
    for kind in ("cookie", "device"):
        part = people.map.filter(pl.col("kind") == kind)
        on = frame.filter(pl.col(kind).is_not_null())
        inside = (pl.col("time") >= pl.col("valid_from")) & (
            pl.col("valid_to").is_null() | (pl.col("time") < pl.col("valid_to"))
        )
        met = on.join(part, left_on=kind, right_on="id", suffix="_map").filter(inside)
        assert met.height == on.height == part["events"].sum()
        assert (met["person"] == met["person_map"]).all()
        assert (met["known_from"] >= met["known_from_map"]).all()
        per_row = met.group_by(kind, "valid_from").agg(
            pl.len(),
            first=pl.col("time").min(),
            last=pl.col("time").max(),
            known=pl.col("known_from").min(),
            known_last=pl.col("known_from").max(),
            why=pl.col("reason").max(),
        )
        both = part.join(per_row, left_on=["id", "valid_from"], right_on=[kind, "valid_from"])
        assert both.height == part.height
        assert both["events"].equals(both["len"].cast(pl.Int64))
        assert both["first_seen"].equals(both["first"])
        assert both["last_seen"].equals(both["last"])
        assert both["known_from"].equals(both["known"])
        assert both["reason"].equals(both["why"].cast(pl.String))
        replayed = both.filter(pl.col("reason") == "replay")
        assert replayed["known_from"].equals(replayed["known_last"])


@FAST
@given(st.lists(ROW, min_size=1, max_size=12), st.data())
def test_unrelated_persons_change_nothing(ids, data):
    options = data.draw(MODES)
    stranger = [{kind: value and f"other {value}" for kind, value in ids.items()} for ids in data.draw(st.lists(ROW))]
    rows = spaced(ids)
    alone = checked(log_of(rows, KINDS), **options)
    together = checked(log_of([*rows, *enumerate(stranger)], KINDS), **options)
    assert_frame_equal(alone.labels, together.labels[: len(rows)])
    mine = ~pl.col("id").str.starts_with("other")
    assert_frame_equal(alone.map, together.map.filter(mine))
    assert_frame_equal(alone.links, together.links.filter(~pl.col("id_a").str.starts_with("other")))
    assert_frame_equal(alone.conflicts, together.conflicts.filter(mine))


@FAST
@given(st.lists(ROW, min_size=1, max_size=12), st.integers(0, 11), GUARDS)
def test_a_live_label_needs_nothing_later(ids, cut, most):
    rows = [(0, {"customer": "start"}), *((at + 1, row) for at, row in enumerate(ids))]
    whole = checked(log_of(rows, KINDS), as_of="event", stale="5s", max_per_person=most)
    start = checked(log_of(rows[: cut + 1], KINDS), as_of="event", stale="5s", max_per_person=most)
    assert_frame_equal(whole.labels[: cut + 1], start.labels)
    later = checked(log_of(rows, KINDS), stale="5s", max_per_person=None)
    known = later.labels.filter(pl.col("reason") == "live")
    live = checked(log_of(rows, KINDS), as_of="event", stale="5s", max_per_person=None).labels
    assert_frame_equal(known, live.filter(pl.col("reason") == "live"))


@FAST
@given(st.lists(ROW, max_size=25))
def test_components_without_guards_are_those_of_networkx(ids):
    rows = spaced(ids)
    people = checked(log_of(rows, KINDS), mode="components", unique=(), max_per_person=None, max_size=None)
    graph = nx.Graph()
    for _, row in rows:
        nodes = [(kind, text) for kind, text in row.items() if text is not None]
        graph.add_nodes_from(nodes)
        nx.add_path(graph, nodes)
    mine = {}
    for kind, text, person in people.map.select("kind", "id", "person").rows():
        mine.setdefault(person, set()).add((kind, text))
    assert sorted(map(sorted, mine.values())) == sorted(map(sorted, nx.connected_components(graph)))
    assert people.links["used"].all()


@FAST
@given(st.lists(ROW, min_size=1, max_size=14), st.integers(1, 14))
def test_numbers_given_earlier_stay_resolvable(ids, cut):
    options = {"mode": "components", "unique": (), "max_per_person": None, "max_size": None}
    earlier = stitch(log_of(spaced(ids)[:cut], KINDS), **options)
    now = stitch(log_of(spaced(ids), KINDS), **options)
    renamed = dict(now.aliases.select("old_person", "person").rows())
    for old, person in zip(earlier.labels["person"], now.labels["person"], strict=False):
        assert renamed.get(old, old) == person


@pytest.mark.parametrize("mode", ["device split", "components"])
def test_salt_changes_numbers_and_nothing_else(mode):
    rows = [(0, {"cookie": "k"}), (1, {"cookie": "k", "customer": "c"}), (2, {"cookie": "j"})]
    plain, salted = (checked(log_of(rows, KINDS), mode=mode, salt=salt) for salt in (None, "s"))
    assert not set(plain.labels["person"]) & set(salted.labels["person"])
    assert_frame_equal(plain.map.drop("person"), salted.map.drop("person"))
    assert plain.labels["person"].n_unique() == salted.labels["person"].n_unique()
