"""Link tables, deny-lists, consent, blocked texts, results as of a time, explanations."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_naive import SECOND, log_of, tie
from polars.testing import assert_frame_equal

import cjm
from cjm.errors import ArgumentError, InputError
from cjm.identity import open_identities, person_numbers, stitch

SLOW = settings(max_examples=30, deadline=None)
KINDS = ("customer", "cookie", "device")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
IDS = st.sampled_from([None, None, "1", "2", "3"])
ROW = st.tuples(st.integers(0, 12), st.fixed_dictionaries(dict.fromkeys(KINDS, IDS)))


def links_of(*links):
    """Make a link table of tuples ``(kind_a, id_a, kind_b, id_b, since, until)``, in seconds; the last two may lack."""
    rows = [(*link, None, None)[:6] for link in links]
    names = ("kind_a", "id_a", "kind_b", "id_b", "since", "until")
    frame = pl.DataFrame(
        rows, schema={name: pl.Int64 if name in names[4:] else pl.String for name in names}, orient="row"
    )
    return frame.with_columns((pl.col("since", "until") * SECOND).cast(pl.Datetime("us", "UTC")))


def consent_of(*rows):
    frame = pl.DataFrame(rows, schema=["kind", "id", "since", "until"], orient="row")
    return frame.with_columns((pl.col("since", "until").cast(pl.Int64) * SECOND).cast(pl.Datetime("us", "UTC")))


def number(kind, text):
    return person_numbers(pl.Series([text]), kind).item()


def labels(people):
    """Return reason and person (as kind and text) of each event."""
    names = {number(kind, text): f"{kind} {text}" for kind, text in people.map.select("kind", "id").rows()}
    return [(reason, names.get(person)) for person, reason in people.labels.select("person", "reason").rows()]


@SLOW
@given(
    st.lists(ROW, max_size=10),
    st.lists(
        st.tuples(
            st.sampled_from("123"),
            st.sampled_from("123"),
            st.none() | st.integers(0, 12),
            st.none() | st.integers(0, 5),
        ),
        max_size=4,
    ),
    st.sampled_from([None, 2, 5]),
    st.sampled_from([None, 2, 5]),
)
def test_declared_sightings_against_a_slow_twin(rows, declared, stale, replay):
    rows = [(6, {"cookie": "1"}), *rows]
    spans = [(a, b, since, None if long is None else (since or 0) + long) for a, b, since, long in declared]
    people = stitch(
        log_of(rows, KINDS),
        links=links_of(*(("customer", a, "cookie", b, since, until) for a, b, since, until in spans)),
        stale=None if stale is None else f"{stale}s",
        replay=None if replay is None else f"{replay}s",
        max_per_person=None,
    )
    assert labels(people) == slow_labels(rows, spans, stale, replay)


def slow_labels(rows, spans, stale, replay):
    """Label each event by going through all sightings, of events and of links, that come before or after it."""
    never = float("inf")
    order = sorted(range(len(rows)), key=lambda row: rows[row][0])
    seen = []  # (time, is event, place, identifier, customer, holds until)
    for a, b, since, until in spans:
        start = -never if since is None else since
        holds = (
            never
            if until is None and (stale is None or since is None)
            else until
            if until is not None
            else start + stale + 0.5
        )
        seen.append(((start, 0, (tie(a), holds if until is not None else never)), ("cookie", b), a, holds))
    for place, row in enumerate(order):
        at, ids = rows[row]
        for kind in KINDS[1:]:
            if ids.get("customer") and ids.get(kind):
                holds = never if stale is None else at + stale + 0.5
                seen.append(((at, 1, place), (kind, ids[kind]), ids["customer"], holds))
    seen.sort(key=lambda one: (one[0][:2], one[0][2] if one[0][1] == 0 else (one[0][2],)))
    found = [None] * len(rows)
    for place, row in enumerate(order):
        at, ids = rows[row]
        carried = [(kind, ids[kind]) for kind in KINDS[1:] if ids.get(kind)]
        found[row] = (None, None)
        if ids.get("customer"):
            found[row] = ("own", f"customer {ids['customer']}")
            continue
        for carrier in carried:
            before = [
                one
                for one in seen
                if one[1] == carrier and one[0][:2] <= (at, 1) and (one[0][1] == 0 or one[0][2] < place)
            ]
            events = [one for one in before if one[0][1] == 1][-1:]
            tables = [one for one in before if one[0][1] == 0][-1:]
            holding = [one for one in before if one in events + tables and at < one[3]]
            if holding:
                found[row] = ("live", f"customer {holding[-1][2]}")
                break
        else:
            after = [
                one
                for one in seen
                if one[1] in carried and (one[0][0] > at or (one[0][:2] == (at, 1) and one[0][2] > place))
            ]
            if replay is not None and after and after[0][0][0] - at <= replay:
                found[row] = ("replay", f"customer {after[0][2]}")
            elif carried:
                found[row] = ("anonymous", " ".join(carried[0]))
    return found


@SLOW
@given(
    st.lists(ROW, max_size=12),
    st.integers(0, 12),
    st.sampled_from(["device split", "components"]),
    st.sampled_from([None, 2]),
)
def test_as_of_a_time_is_a_log_that_ends_there(rows, end, mode, most):
    rows = [(0, {"cookie": "1"}), *rows]
    links = [("customer", "1", "cookie", "2", 4), ("cookie", "1", "cookie", "3", 8)]
    options = {"mode": mode, "max_per_person": most}
    whole = stitch(log_of(rows, KINDS), links=links_of(*links), as_of=EPOCH + timedelta(seconds=end), **options)
    kept = [row for row in range(len(rows)) if rows[row][0] <= end]
    known = links_of(*(link for link in links if link[4] <= end))
    part = stitch(log_of([rows[row] for row in kept], KINDS), links=known, **options)
    assert_frame_equal(whole.labels[kept], part.labels)
    assert whole.labels["person"].null_count() == len(rows) - len(kept) + part.labels["person"].null_count()
    for name in ("map", "conflicts", "aliases"):
        assert_frame_equal(getattr(whole, name), getattr(part, name))
    assert_frame_equal(whole.links.drop("sources"), part.links.drop("sources"))


@SLOW
@given(st.lists(ROW, max_size=12), st.integers(0, 12))
def test_known_from_tells_what_was_known_at_a_time(rows, end):
    rows = [(0, {"cookie": "1"}), *rows]
    whole = stitch(log_of(rows, KINDS), max_per_person=None, replay="100s").labels
    then = stitch(log_of(rows, KINDS), max_per_person=None, replay="100s", as_of=EPOCH + timedelta(seconds=end)).labels
    known = whole["known_from"] <= EPOCH + timedelta(seconds=end)
    assert_frame_equal(whole.filter(known), then.filter(known))
    assert set(then.filter(~known.fill_null(True))["reason"].drop_nulls()) <= {"anonymous"}


@SLOW
@given(st.lists(ROW, max_size=12), st.integers(0, 12))
def test_components_known_from_tells_what_was_connected_at_a_time(rows, end):
    rows = [(0, {"cookie": "1"}), *rows]
    options = {"mode": "components", "unique": (), "max_per_person": None, "max_size": None}
    whole = stitch(log_of(rows, KINDS), **options)
    then = stitch(log_of(rows, KINDS), as_of=EPOCH + timedelta(seconds=end), **options)
    both = whole.map.join(then.map, on=["kind", "id"], suffix="_then")
    known = both.filter(pl.col("known_from") <= EPOCH + timedelta(seconds=end))
    named = dict(whole.aliases.select("old_person", "person").rows())
    for person, old in known.select("person", "person_then").rows():
        assert named.get(old, old) == person


def test_a_link_table_alone_makes_persons():
    empty = SimpleNamespace(frame=log_of([], KINDS).frame, kinds=KINDS)
    tables = {
        "crm": links_of(("customer", "a", "email", "e", 5), ("cookie", "k", "cookie", "j")),
        "shop": links_of(("email", "e", "customer", "a", 3)),
    }
    people = stitch(empty, links=tables, mode="components")
    assert people.map.select("kind", "id", "reason", "events").rows() == [
        ("customer", "a", "own", 0),
        ("cookie", "j", "anonymous", 0),
        ("cookie", "k", "link", 0),
        ("email", "e", "link", 0),
    ]
    assert people.map["person"].to_list() == [
        number("customer", "a"),
        number("cookie", "j"),
        number("cookie", "j"),
        number("customer", "a"),
    ]
    assert people.links.select("id_a", "id_b", "events", "sources").rows() == [
        ("a", "e", 2, "crm, shop"),
        ("j", "k", 1, "crm"),
    ]
    assert people.map["first_seen"].null_count() == 4
    assert people.map["known_from"].to_list() == [
        EPOCH + timedelta(seconds=3),
        None,
        None,
        EPOCH + timedelta(seconds=3),
    ]


def test_shared_identifiers_of_a_table_alone_are_persons_of_their_own():
    people = stitch(log_of([(0, {"cookie": "k"})], KINDS), links=links_of(("cookie", "i", "device", "j")))
    assert people.map["person"].to_list() == [number("cookie", "i"), number("cookie", "k"), number("device", "j")]


def test_junk_in_tables_links_nothing_and_is_counted():
    rows = [(0, {"cookie": "k"}), (1, {"cookie": "n/a", "customer": "b"}), (2, {"cookie": "n/a"})]
    table = links_of(
        ("customer", "undefined", "cookie", "k"), ("customer", " a ", "cookie", "j"), ("customer", "c", "cookie", None)
    )
    people = stitch(log_of(rows, KINDS), links=table, blocked={"cookie": ["n/a"]})
    assert labels(people) == [("anonymous", "cookie k"), ("own", "customer b"), (None, None)]
    assert set(people.map["id"]) == {"k", "j", "a", "b"}
    assert people.conflicts.filter(pl.col("rule") == "placeholder").select("kind", "id", "events").rows() == [
        ("cookie", "n/a", 2),
        ("customer", "undefined", 1),
    ]


def test_consent_of_both_ends_of_declared_links():
    log = log_of([(1, {"cookie": "k"}), (2, {"cookie": "l"}), (3, {"cookie": "m"})], KINDS)
    links = links_of(*(("customer", text, "cookie", cookie) for text, cookie in zip("123", "klm", strict=True)))
    people = stitch(log, links=links, consent=consent_of(("customer", "1", 0, 0), ("cookie", "m", 0, 0)))
    assert labels(people) == [("anonymous", "cookie k"), ("live", "customer 2"), ("anonymous", "cookie m")]


def test_without_consent_events_stay_with_their_identifier():
    rows = [(0, {"cookie": "k", "customer": "a"}), (2, {"cookie": "k"}), (6, {"cookie": "k"})]
    log = log_of(rows, KINDS)
    always, until = stitch(log), stitch(log, consent=consent_of(("cookie", "k", None, 5)))
    never = stitch(log, consent=consent_of(("cookie", "k", 0, 0)))
    a, k = "customer a", "cookie k"
    assert labels(always) == [("own", a), ("live", a), ("live", a)]
    assert labels(until) == [("own", a), ("live", a), ("anonymous", k)]
    assert labels(never) == [("own", a), ("anonymous", k), ("anonymous", k)]
    assert never.links.is_empty()
    assert_frame_equal(always.update(consent=consent_of(("cookie", "k", 0, 0))).labels, never.labels)
    joined = stitch(log, mode="components", consent=consent_of(("cookie", "k", None, 5)))
    assert [who for _, who in labels(joined)] == [a, a, k]
    assert joined.sizes().rows() == [(2, 1, 1, 2)]  # the cookie alone is in no row of the map


def test_consent_of_both_ends_of_links():
    links = links_of(*(("customer", customer, "cookie", cookie) for customer, cookie in ("ak", "bj", "bi")))
    rows = [(1, {"cookie": cookie}) for cookie in "kji"]
    never = consent_of(("customer", "a", 0, 0), ("cookie", "j", 0, 0))
    people = stitch(log_of(rows, KINDS), links=links, consent=never)
    assert labels(people) == [("anonymous", "cookie k"), ("anonymous", "cookie j"), ("live", "customer b")]
    assert people.erase("customer", "c").labels.equals(people.labels)


def test_a_chain_explains_and_unlinking_ends_it():
    kinds = ("customer", "cookie", "device")
    rows = [
        (0, {"cookie": "k", "device": "d"}),
        (1, {"device": "d", "customer": "a"}),
        (2, {"cookie": "j"}),
        (3, {"cookie": "k"}),
    ]
    people = stitch(log_of(rows, kinds), mode="components")
    chain = people.explain("cookie", "k")
    assert chain.select("step", "kind_a", "id_a", "kind_b", "id_b", "reason").rows() == [
        (1, "cookie", "k", "device", "d", "joined"),
        (2, "device", "d", "customer", "a", "joined"),
    ]
    assert chain["person"].unique().to_list() == [number("customer", "a")]
    assert people.explain("customer", "a").select("step", "id_a", "id_b").rows() == [(1, "a", None)]
    apart = people.unlink("device", "d", "cookie", "k")
    assert labels(apart)[3] == ("anonymous", "cookie k")
    assert apart.conflicts.select("rule", "kind", "id", "decision").rows() == [
        ("unlinked", "device", "d", "link to cookie k refused")
    ]
    assert apart.explain("cookie", "k")["id_b"].to_list() == [None]
    with pytest.raises(ArgumentError, match='no identifier "a" of kind .cookie. was seen'):
        people.explain("cookie", "x")
    with pytest.raises(ArgumentError, match='Did you mean "cookie"'):
        people.explain("cooky", "x")
    split = stitch(log_of(rows, kinds))
    assert split.explain("device", "d").select("id_a", "id_b", "reason").rows() == [("d", "a", "evidence")]


def test_what_was_stored_goes_on_as_if_it_had_not_been(tmp_path):
    rows = [
        (at, {"cookie": f"a cookie with a long name {at % 3}", "customer": "ž" if at == 4 else None}) for at in range(6)
    ]
    log, later = log_of(rows[:4], KINDS), log_of(rows[4:], KINDS)
    options = {"salt": "s", "deny": links_of(("customer", "x", "cookie", "y")).drop("since", "until")}
    people = stitch(log, **options).erase("cookie", "a cookie with a long name 2")
    people.write(tmp_path / "people")
    stored = open_identities(tmp_path / "people", salt="s")
    for name in ("map", "links", "conflicts", "aliases", "labels"):
        assert_frame_equal(getattr(stored, name), getattr(people, name))
        assert_frame_equal(getattr(stored.update(later), name), getattr(people.update(later), name))
    assert_frame_equal(stored.apply(log).collect(), people.apply(log).collect())
    with pytest.raises(ArgumentError, match="not the log that was stitched"):
        stored.apply(later)
    with pytest.raises(ArgumentError, match="not the salt"):
        open_identities(tmp_path / "people")
    told = str([pl.read_parquet(path).rows() for path in (tmp_path / "people").glob("*.parquet")])
    assert "long name 1" in told
    assert "long name 2" not in told
    with pytest.raises(InputError, match="not stored by format version"):
        cjm.open_journeys(tmp_path / "people")
    for path in list((tmp_path / "people").iterdir()):
        whole = path.read_bytes()
        path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
        with pytest.raises(InputError, match="damaged|no stored identities"):
            open_identities(tmp_path / "people", salt="s")
        path.write_bytes(whole)
    with pytest.raises(InputError, match="no stored identities here"):
        open_identities(tmp_path)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"links": [1]}, ArgumentError, "list is no frame"),
        ({"links": links_of().drop("id_b")}, InputError, "links 'links': column 'id_b' is missing"),
        (
            {"links": links_of().with_columns(since=pl.lit(1))},
            InputError,
            "column 'since' is Int32, not a time with a zone",
        ),
        ({"links": links_of(("customer", "a", "cookie", "k", 5, 4))}, InputError, "row 0: until is before since"),
        (
            {"links": links_of(("customer", "a", "email", "k", 5, 6)), "unique": ("customer", "email")},
            ArgumentError,
            "until needs",
        ),
        (
            {"deny": links_of(("customer", "a", "cooky", "k"))},
            ArgumentError,
            "deny: unknown kind of identifier 'cooky'",
        ),
        (
            {"consent": consent_of(("cooky", "a", None, None))},
            ArgumentError,
            "consent: unknown kind of identifier 'cooky'",
        ),
        ({"blocked": {"cooky": ["x"]}}, ArgumentError, "unknown kind of identifier 'cooky'"),
        ({"as_of": datetime(2026, 1, 1)}, ArgumentError, "as_of has no time zone"),
    ],
)
def test_wrong_tables_are_named(options, error, message):
    with pytest.raises(error, match=message):
        stitch(log_of([(0, {"cookie": "k"})], KINDS), **options)


def test_wrong_changes_are_named():
    people = stitch(log_of([(0, {"cookie": "k"})], KINDS), ignored="device")
    with pytest.raises(ArgumentError, match="update: unknown kind of identifier 'mail'"):
        people.update(log_of([(0, {"mail": "k"})], ("mail",)))
    with pytest.raises(ArgumentError, match="erase: unknown kind of identifier 'mail'"):
        people.erase("mail", "x")
    with pytest.raises(ArgumentError, match="unknown kind of identifier 'mail'"):
        people.unlink("mail", "x", "cookie", "k")
    assert people.update(log_of([(1, {"device": "d"})], KINDS)).labels["person"].to_list() == [
        number("cookie", "k"),
        None,
    ]


def test_event_logs_of_several_pieces(tmp_path):
    ids = {"cookie": "cookie", "customer": "who"}
    days = [datetime(2025, 1, 1 + day, tzinfo=UTC) for day in range(3)]
    web = pl.DataFrame({"at": days, "what": "home", "cookie": ["k", "k", "undefined"], "who": [None, "a", None]})
    shop = pl.DataFrame({"at": days, "what": "visit", "card": ["a", "b", "b"]})
    log = cjm.scan_events(
        {
            "web": cjm.Source(web, time="at", event="what", ids=ids, on_error="set aside"),
            "shop": cjm.Source(shop, time="at", event="what", ids={"customer": "card"}),
        }
    )
    people = cjm.stitch(log)
    assert people.labels["reason"].to_list() == ["replay", "own", "own", "own", "own"]
    people.write(tmp_path / "people")
    assert_frame_equal(cjm.open_identities(tmp_path / "people").apply(log).collect(), people.apply(log).collect())
