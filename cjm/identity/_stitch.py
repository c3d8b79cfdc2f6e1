"""``stitch``: from identifiers to persons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from cjm.durations import Duration
from cjm.errors import ArgumentError, InputError
from cjm.identity._evidence import AsOf, Evidence, Log, Mode
from cjm.identity._identities import Identities
from cjm.identity._numbers import Numbers
from cjm.identity._policy import policy_of, roles
from cjm.identity._resolve import resolve
from cjm.identity._tables import LinkTables, Table, named, table_kinds, with_apart, with_consent, with_links

__all__ = ["no_identifiers", "stitch"]


def stitch(
    log: Log,
    *,
    mode: Mode = "device split",
    unique: str | Sequence[str] | None = None,
    ignored: str | Sequence[str] = (),
    replay: Duration | None = "30d",
    stale: Duration | None = None,
    as_of: AsOf | datetime = "end",
    max_per_person: int | None = 5,
    max_size: int | None = 1_000,
    salt: str | bytes | None = None,
    links: LinkTables | None = None,
    deny: Table | None = None,
    consent: Table | None = None,
    blocked: Mapping[str, Sequence[str]] | None = None,
) -> Identities:
    """Find the person behind each event.

    ``device split``: a unique identifier is a person, and an event that carries one belongs to them (with several,
    the kind of the higher priority decides). An event with shared identifiers only belongs to the person last seen on
    one of them at or before it, in the order of events; failing that to the person first seen on one of them after it;
    failing that its first shared identifier is an anonymous person. Several shared identifiers on one event are asked
    in the order of ``log.kinds``, first all of them for the past, then all of them for the future: so a label that was
    known when the event happened is never replaced by a guess from later events.

    ``components``: identifiers that were seen on one event, directly or through others, are one person.

    Parameters
    ----------
    log : EventLog
        From :func:`cjm.scan_events`. The order of ``log.kinds`` is the priority of the kinds; unique kinds come before
        all others.
    mode : {"device split", "components"}
    unique : str or sequence of str, optional
        Kinds of which a person has one value. Default: ``customer``, where the log has it. ``device split`` joins
        several of them into persons by links, under the guards of ``components``.
    ignored : str or sequence of str
        Kinds that are not looked at. Events that carry no other identifier get no person.
    replay : duration, optional
        How far ``device split`` looks ahead, inclusive. None: not at all.
    stale : duration, optional
        How old the last sighting of a person may be, inclusive. None: any age.
    as_of : {"end", "event"} or datetime
        ``event`` labels each event of a ``device split`` by what was known when it happened: no look ahead, and a
        shared identifier counts as overused only from the event on at which it became so. Needs one unique kind.
        A datetime leaves out what is later: the result is that of a log, and of link tables, that end there.
    max_per_person : int, optional
        An identifier that met more than so many values of a unique kind links nothing; in ``device split`` its events
        without a unique identifier stay with it. The default of 5 leaves room for a household and stops a kiosk.
    max_size : int, optional
        Most identifiers that links may join into one person.
    salt : str or bytes, optional
        Secret that keys the person numbers.
    links : frame or mapping of str to frame, optional
        Links that somebody declares, such as an export of a CRM: ``kind_a``, ``id_a``, ``kind_b``, ``id_b``; perhaps
        ``since`` (when it became known; null: always) and ``until``. The key of a mapping names the source. Kinds
        that the log lacks come last in priority. In ``device split`` a link of a unique and a shared identifier is a
        sighting at ``since``, before the events of that time. If it has an end it holds for events before ``until``,
        whatever ``stale`` says; of several on one identifier the one that began last counts, and a later event goes
        before it.
    deny : frame, optional
        ``kind_a``, ``id_a``, ``kind_b``, ``id_b``: identifiers that no link may bring together; see
        :meth:`Identities.unlink`.
    consent : frame, optional
        ``kind``, ``id``; perhaps ``since``, ``until``: the identifiers that are listed may be linked from ``since`` to
        before ``until`` only. Otherwise they keep their events to themselves. ``until`` equal to ``since``: never.
    blocked : mapping of str to sequence of str, optional
        For a kind: texts that are no identifiers, besides those that the log set aside.

    Returns
    -------
    Identities

    Raises
    ------
    ArgumentError
        For an unknown kind or mode, for ``device split`` on a log without a unique kind, for ``as_of="event"`` with
        ``components`` or several unique kinds, or for ``until`` on a link that joins persons.
    InputError
        When no event has an identifier, an event has no time, a table lacks a column, or two identifiers get one person
        number.

    Notes
    -----
    A person's number is that of their anchor: the identifier of the kind with the highest priority, then the earliest,
    then the smallest. It depends on nothing else, so :func:`cjm.build_journeys` with ``person="customer"`` gives a
    customer the same number.

    Links that ``components`` would have to refuse are settled strongest first: by the priority of their kinds, then
    the number of events, then the earliest, then by a hash of the identifiers, which stays when one is erased.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import polars as pl
    >>> frame = pl.LazyFrame({
    ...     "time": ["2026-01-01 10:00", "2026-01-01 10:05", "2026-01-01 10:10"],
    ...     "channel": ["web"] * 3, "event": ["home", "login", "cart"],
    ...     "cookie": ["k1"] * 3, "customer": [None, "c1", None],
    ... }).with_columns(pl.col("time").str.to_datetime(time_unit="us", time_zone="UTC"))
    >>> log = SimpleNamespace(frame=frame, kinds=("cookie", "customer"))
    >>> people = stitch(log)
    >>> people
    Identities(3 events, 2 identifiers, 1 persons (1 known), 0 conflicts; device split, replay 30d)
    >>> people.map.select("kind", "id", "reason", "events").rows()
    [('customer', 'c1', 'own', 1), ('cookie', 'k1', 'replay', 1), ('cookie', 'k1', 'live', 2)]

    A table says that a device is the customer's as well:

    >>> crm = pl.DataFrame({"kind_a": ["customer"], "id_a": ["c1"], "kind_b": ["cookie"], "id_b": ["k2"]})
    >>> stitch(log, links={"crm": crm}).map.filter(pl.col("id") == "k2").select("reason", "events").rows()
    [('link', 0)]
    """
    policy = policy_of(
        mode=mode, replay=replay, stale=stale, as_of=as_of, max_per_person=max_per_person, max_size=max_size, salt=salt
    )
    tables = named(links)
    more = [kind for kind in table_kinds(tables) if kind not in log.kinds]
    unique_kinds, shared_kinds = roles([*log.kinds, *more], unique, ignored, policy)
    kinds = [*unique_kinds, *shared_kinds]
    for kind in blocked or {}:
        if kind not in kinds:
            raise ArgumentError.unknown("kind of identifier", kind, kinds, where="stitch(blocked=...)")
    junk = {kind: tuple(texts) for kind, texts in (blocked or {}).items()}
    left_out = [ignored] if isinstance(ignored, str) else ignored
    evidence = Evidence.empty(policy, kinds, len(unique_kinds), junk, left_out).with_log(log)
    evidence = with_apart(with_links(evidence, tables), deny)
    evidence, _ = with_consent(evidence, consent)
    if evidence.events and not len(evidence.names):
        raise no_identifiers(kinds)
    found = resolve(evidence)
    return Identities._of(evidence, found, Numbers.none(), [], found.person)


def no_identifiers(kinds: Sequence[str]) -> InputError:
    """Return the error for a log in which no event has an identifier."""
    return InputError.at(
        f"no event has an identifier of the kinds {', '.join(kinds)}", where="stitch", hint="See log.quality()"
    )
