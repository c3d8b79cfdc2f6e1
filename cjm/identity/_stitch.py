"""``stitch``: from identifiers to persons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.durations import Duration, format_duration, to_us
from cjm.errors import ArgumentError, InputError
from cjm.identity._assignment import REASONS, Assignment, map_frame
from cjm.identity._coding import Coded, Log, code_events, times
from cjm.identity._components import components
from cjm.identity._device_split import device_split
from cjm.identity._identities import Identities
from cjm.identity._links import Guard, find_links, guard
from cjm.identity._numbers import collision, hash_ids

__all__ = ["stitch"]

Mode = Literal["device split", "components"]
AsOf = Literal["end", "event"]


def stitch(
    log: Log,
    *,
    mode: Mode = "device split",
    unique: str | Sequence[str] | None = None,
    ignored: str | Sequence[str] = (),
    replay: Duration | None = "30d",
    stale: Duration | None = None,
    as_of: AsOf = "end",
    max_per_person: int | None = 5,
    max_size: int | None = 1_000,
    salt: str | bytes | None = None,
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
    as_of : {"end", "event"}
        ``event`` labels each event of a ``device split`` by what was known when it happened: no look ahead, and a
        shared identifier counts as overused only from the event on at which it became so. Needs one unique kind.
    max_per_person : int, optional
        An identifier that met more than so many values of a unique kind links nothing; in ``device split`` its events
        without a unique identifier stay with it. The default of 5 leaves room for a household and stops a kiosk.
    max_size : int, optional
        Most identifiers that links may join into one person.
    salt : str or bytes, optional
        Secret that keys the person numbers.

    Returns
    -------
    Identities

    Raises
    ------
    ArgumentError
        For an unknown kind or mode, for ``device split`` on a log without a unique kind, or for ``as_of="event"`` with
        ``components`` or several unique kinds.
    InputError
        When no event has an identifier, an event has no time, or two identifiers get one person number.

    Notes
    -----
    A person's number is that of their anchor: the identifier of the kind with the highest priority, then the earliest,
    then the smallest. It depends on nothing else, so :func:`cjm.build_journeys` with ``person="customer"`` gives a
    customer the same number.

    Links that ``components`` would have to refuse are settled strongest first: by the priority of their kinds, then
    the number of events, then the earliest, then the identifiers.

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
    """
    _known("mode", mode, get_args(Mode))
    _known("as_of", as_of, get_args(AsOf))
    unique_kinds, shared_kinds = _roles(log, unique, ignored)
    hindsight = as_of == "end"
    replay_us = to_us(replay, "replay") if replay is not None else None
    replay_us = replay_us if hindsight else None
    stale_us = to_us(stale, "stale") if stale is not None else None
    _positive("max_per_person", max_per_person)
    _positive("max_size", max_size)
    _check_policy(mode, as_of, unique_kinds, shared_kinds)

    coded = code_events(log, unique_kinds, shared_kinds)
    if len(coded.time) and not len(coded.ids):
        raise InputError.at(
            f"no event has an identifier of the kinds {', '.join(coded.kinds)}",
            where="stitch",
            hint="See log.quality()",
        )
    links = find_links(coded)
    guarded = guard(coded, links, max_per_person)
    if mode == "components":
        found, policy = components(coded, links, guarded, max_size=max_size), "components"
    else:
        found = device_split(
            coded, links, guarded, replay=replay_us, stale=stale_us, hindsight=hindsight, max_size=max_size
        )
        ahead = "no replay" if replay_us is None else f"replay {format_duration(replay_us)}"
        policy = f"{mode}, {ahead if hindsight else 'as of each event'}"
        policy += "" if stale_us is None else f", stale after {format_duration(stale_us)}"
    return _identities(log, coded, guarded, found, policy, salt)


def _known(name: str, value: str, options: Sequence[str]) -> None:
    if value not in options:
        raise ArgumentError.unknown(name, value, options, where="stitch")


def _positive(name: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise ArgumentError.at(f"{name} is {value}", where="stitch", hint="Give 1 or more, or None for no limit")


def _roles(log: Log, unique: str | Sequence[str] | None, ignored: str | Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the unique and the shared kinds, each in order of priority."""
    wanted = ["customer"] if unique is None else [unique] if isinstance(unique, str) else list(unique)
    left_out = [ignored] if isinstance(ignored, str) else list(ignored)
    for name in [*(wanted if unique is not None else []), *left_out]:
        if name not in log.kinds:
            raise ArgumentError.unknown("kind of identifier", name, log.kinds, where="stitch")
    kinds = [kind for kind in log.kinds if kind not in left_out]
    if not kinds:
        raise ArgumentError.at("no kind of identifier is left", where="stitch", hint="Shorten ignored=")
    return [kind for kind in kinds if kind in wanted], [kind for kind in kinds if kind not in wanted]


def _check_policy(mode: str, as_of: str, unique: list[str], shared: list[str]) -> None:
    if mode == "device split" and not unique:
        raise ArgumentError.at(
            f"no kind of identifier is unique; the log has {', '.join(shared)}",
            where="stitch",
            hint='Name the kind that stands for a person, unique="...", or use mode="components"',
        )
    if as_of == "event" and (mode == "components" or len(unique) > 1):
        found = mode if mode == "components" else f"the unique kinds {', '.join(unique)}"
        raise ArgumentError.at(
            f'as_of="event" cannot be had with {found}, which are joined by links of the whole log',
            where="stitch",
            hint='Use mode="device split" with one unique kind',
        )


def _identities(
    log: Log, coded: Coded, guarded: Guard, found: Assignment, policy: str, salt: str | bytes | None
) -> Identities:
    numbers = _numbers(coded, salt)
    in_log = np.empty(len(coded.order), dtype=np.int64)
    in_log[coded.order] = np.arange(len(coded.order))
    nobody = pl.Series(found.person[in_log] < 0)
    labels = pl.DataFrame(
        {
            "person": numbers[found.person[in_log]],
            "reason": found.reason[in_log],
            "known_from": times(found.known[in_log]),
        }
    )
    names = pl.Series(REASONS.categories, dtype=REASONS)
    labels = labels.with_columns(reason=names.gather(labels["reason"].set(nobody, None))).with_columns(
        pl.when(~nobody).then(pl.col("person", "known_from"))
    )
    map_ = map_frame(coded, found.rows, numbers)
    linked = found.rows.filter(pl.col("reason") == REASONS.categories.to_list().index("link"))
    aliases = pl.DataFrame(
        {"old_person": numbers[linked["node"].to_numpy()], "person": numbers[linked["person"].to_numpy()]},
        schema={"old_person": pl.Int64, "person": pl.Int64},
    )
    counts = _count(coded, guarded, found) | {"conflicts": found.conflicts.height}
    return Identities(map_, found.links, found.conflicts, aliases, labels, policy, counts, log)


def _numbers(coded: Coded, salt: str | bytes | None) -> npt.NDArray[np.int64]:
    """Return the person number of each node, as if it were an anchor."""
    parts = [
        hash_ids(coded.ids[int(start) : int(stop)], kind, salt)
        for kind, start, stop in zip(coded.kinds, coded.starts[:-1], coded.starts[1:], strict=True)
    ]
    numbers = np.concatenate(parts)
    if len(np.unique(numbers)) < len(numbers):
        raise collision(", ".join(coded.kinds))
    return numbers


def _count(coded: Coded, guarded: Guard, found: Assignment) -> dict[str, int]:
    reasons = np.bincount(found.reason, minlength=len(REASONS.categories) + 1).tolist()
    names = [*REASONS.categories.to_list(), "unidentified"]
    persons = np.unique(found.person[found.person >= 0])
    known = int(np.sum(coded.kind[persons] < coded.unique))
    shared = coded.kind >= coded.unique
    met = guarded.met > 0
    never = coded.first_code(range(coded.unique)) < 0
    never &= coded.first_code(range(coded.unique, len(coded.kinds))) >= 0
    for codes in coded.codes[coded.unique :]:
        never &= (codes < 0) | ~met[codes]
    return {
        "events": len(coded.time),
        **{f"events_{name}": count for name, count in zip(names, reasons, strict=True)},
        "events_never_known": int(never.sum()),
        "persons": len(persons),
        "persons_known": known,
        "persons_anonymous": len(persons) - known,
        "identifiers": len(coded.ids),
        "identifiers_never_known": int(np.sum(shared & ~met)),
    }
