"""``Identities``: whose identifiers and events they are, and why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError
from cjm.identity._assignment import REASONS, Assignment
from cjm.identity._coding import Coded, code, times
from cjm.identity._evidence import Evidence, Log
from cjm.identity._frames import alias_frame, conflict_frame, known_since, link_frame, map_frame, present
from cjm.identity._numbers import Numbers
from cjm.identity._persons_in import persons_in
from cjm.identity._policy import describe
from cjm.identity._tables import LinkTables, Table

__all__ = ["Identities", "numbered"]


@dataclass(frozen=True, repr=False, eq=False)
class Identities:
    """What :func:`cjm.stitch` found. A value: what changes it returns another one.

    Attributes
    ----------
    policy : str
        The call, as text.
    map : polars.DataFrame
        Contract IDENTITY_MAP: one row an identifier; an identifier that passes from person to person has one row an
        interval ``[valid_from, valid_to)``. ``known_from`` says when the assignment could be known. ``reason``:

        - ``own``: the identifier names the person, or was used by them with such an identifier throughout;
        - ``link``: it is linked to the one that names the person;
        - ``live``: its events follow one on which the person was known;
        - ``replay``: its events come before one on which the person was known;
        - ``anonymous``: nobody else is known, the identifier itself is the person;
        - ``shared``: the same, because too many persons use it;
        - ``erased``: the same, because the person was erased.
    links : polars.DataFrame
        Contract LINKS: pairs of identifiers on one event or in a link table. ``reason``: ``joined`` (they are one
        person's), ``evidence`` (a unique one on a shared one), ``unused`` (two shared ones), or what refused the link:
        ``unique``, ``max_per_person``, ``max_size``, ``unlinked``, ``erased``. Then ``sources``: ``events`` and the
        names of the link tables that show it. ``events`` counts events and rows of tables.
    conflicts : polars.DataFrame
        Contract CONFLICTS. ``rule``: ``max_per_person`` (``persons``: values of a unique kind that it met),
        ``unique``, ``max_size`` and ``unlinked`` (a refused link), ``one_event`` (an event names two persons),
        ``placeholder`` (a text that is no identifier).
    aliases : polars.DataFrame
        ``old_person``, ``person``, ``merged_at``: the number that a linked identifier would have on its own, its
        person's, and when that could be known (null: always).
    labels : polars.DataFrame
        ``person``, ``reason``, ``known_from`` of each event, in the order of the log (of several, one after
        the other); null without an identifier, and for what is later than ``as_of``.
    """

    _evidence: Evidence
    _found: Assignment
    _numbers: Numbers = field(default_factory=Numbers.none)
    _clusters: list[npt.NDArray[np.int32]] = field(default_factory=list)  # found when they are first needed

    @classmethod
    def _of(
        cls,
        evidence: Evidence,
        found: Assignment,
        numbers: Numbers,
        clusters: list[npt.NDArray[np.int32]],
        persons: npt.NDArray[np.int32],
    ) -> Identities:
        """Make the identities of an assignment; persons (of events) that have no number yet get one."""
        return cls(evidence, found, numbered(evidence, found, numbers, persons), clusters)

    def __repr__(self) -> str:
        count = dict(self.summary().select("measure", "count").iter_rows())
        return (
            f"Identities({count['events']:,} events, {count['identifiers']:,} identifiers, "
            f"{count['persons']:,} persons ({count['persons_known']:,} known), "
            f"{count['conflicts']:,} conflicts; {self.policy})"
        )

    @property
    def policy(self) -> str:
        """The call, as text."""
        return describe(self._evidence.policy)

    @cached_property
    def _coded(self) -> Coded:
        coded, nodes = code(self._evidence), len(self._found.anchor)
        if nodes == len(coded.kind):
            return coded
        # later versions share the names, and have added some
        return replace(coded, kind=coded.kind[:nodes], erased=coded.erased[:nodes], stuck=coded.stuck[:nodes])

    @cached_property
    def _in_order(self) -> Assignment:
        """The assignment with events in the order of ``_coded``."""
        found, order = self._found, self._coded.order
        if len(order) == len(found.person) and np.array_equal(order, np.arange(len(order))):
            return found
        return replace(found, person=found.person[order], reason=found.reason[order], known=found.known[order])

    @cached_property
    def _all_numbers(self) -> Numbers:
        """Numbers of all nodes that are in the map: as a person of their own each."""
        nodes = np.flatnonzero(present(self._coded))
        evidence = self._evidence
        return self._numbers.extended(evidence.names, evidence.kinds, nodes, evidence.policy.salt)

    @cached_property
    def map(self) -> pl.DataFrame:
        """Contract IDENTITY_MAP."""
        return map_frame(self._coded, self._in_order, self._numbers.of, self._evidence.policy.mode)

    @cached_property
    def links(self) -> pl.DataFrame:
        """Contract LINKS."""
        return link_frame(self._coded, self._in_order, self._evidence)

    @cached_property
    def conflicts(self) -> pl.DataFrame:
        """Contract CONFLICTS."""
        return conflict_frame(self._coded, self._in_order, self._evidence)

    @cached_property
    def aliases(self) -> pl.DataFrame:
        """Numbers that are another person's now."""
        coded, found = self._coded, self._found
        nodes = np.flatnonzero(present(coded) & (found.anchor != np.arange(len(found.anchor))))
        if self._evidence.policy.mode == "device split":
            nodes = nodes[coded.kind[nodes] < coded.unique]
        numbers = self._all_numbers.of
        merged = known_since(coded, found, self._evidence.policy.mode)[nodes] if len(nodes) else nodes
        return alias_frame(numbers[nodes], numbers[found.anchor[nodes]], merged)

    @cached_property
    def labels(self) -> pl.DataFrame:
        """Whose event each one is."""
        found = self._found
        nobody = pl.Series(found.person < 0)
        names = pl.Series(REASONS.categories, dtype=REASONS)
        frame = pl.DataFrame(
            {
                "person": np.append(self._numbers.of, np.int64(0))[found.person],
                "reason": names.gather(pl.Series(found.reason).set(nobody, None)),
                "known_from": times(found.known),
            }
        )
        if not nobody.any():
            return frame
        return frame.with_columns(pl.when(~nobody).then(pl.col("person", "known_from")))

    def apply(self, log: Log, *, known_from: str | None = None) -> pl.LazyFrame:
        """Return the events of the log with their person.

        Parameters
        ----------
        log : EventLog
            The log that was stitched, or one that it was updated with.
        known_from : str, optional
            Name of a further column: the time from which the person could be known.

        Returns
        -------
        polars.LazyFrame
            Contract EVENTS and ``person`` Int64 as the last column, in the order of the log. Events without any
            identifier are left out, and those later than ``as_of``.

        Raises
        ------
        ArgumentError
            For another log: whose a shared identifier is depends on the events around.
        """
        labels = self.labels_of(log)
        if "person" in log.frame.collect_schema():
            raise ArgumentError.at("the log has a column 'person' already", where="apply", hint="Rename that attribute")
        wanted = ["person"] if known_from is None else ["person", pl.col("known_from").alias(known_from)]
        events = pl.concat([log.frame, labels.lazy().select(wanted)], how="horizontal")
        if labels["person"].null_count():
            events = events.filter(pl.col("person").is_not_null())
        return events

    def labels_of(self, log: Log) -> pl.DataFrame:
        """Return ``labels`` of the events of one log that was stitched.

        Where the map was opened from disk, the log is read and compared with what was stored.

        Raises
        ------
        ArgumentError
            For another log: whose a shared identifier is depends on the events around.
        """
        start = 0
        for part in self._evidence.parts:
            if part.is_of(log, self._evidence):
                return self.labels.slice(start, len(part.time))
            start += len(part.time)
        raise ArgumentError.at(
            "this is not the log that was stitched",
            where="Identities",
            hint="Call cjm.stitch on it and apply the result",
        )

    def with_person(self, table: pl.DataFrame, kind: str, *, column: str | None = None) -> pl.DataFrame:
        """Put person numbers on a table of customers, accounts or the like.

        Parameters
        ----------
        table : polars.DataFrame
            One column holds identifiers of ``kind``, of which each belongs to one person.
        kind : str
        column : str, optional
            The column, if it is not called as the kind.

        Returns
        -------
        polars.DataFrame
            The table with ``person`` (Int64) as its first column, in place of one that it had; null where the
            identifier was never seen.

        Raises
        ------
        ArgumentError
            If the column is not there, or identifiers of the kind may belong to several persons.
        InputError
            If the column is of a type that holds no identifiers.

        Examples
        --------
        >>> import cjm
        >>> events = pl.DataFrame({"at": ["2026-01-01T10:00Z"], "what": ["home"], "who": ["a"]})
        >>> log = cjm.scan_events({"web": cjm.Source(events, time="at", event="what", ids={"customer": "who"})})
        >>> people = cjm.stitch(log)
        >>> crm = pl.DataFrame({"customer": ["a", "b"], "plan": ["gold", "blue"]})
        >>> people.with_person(crm, "customer").select(pl.col("person").is_not_null(), "plan").rows()
        [(True, 'gold'), (False, 'blue')]
        """
        return persons_in(self.map, table, kind, column=column)

    def summary(self) -> pl.DataFrame:
        """Return how many events and identifiers were assigned, and why.

        Returns
        -------
        polars.DataFrame
            ``measure``, ``count`` Int64, ``share`` Float64 (of all events, persons or identifiers; null where the
            measure is no part of one of these, or the whole is empty) and ``meaning``, one sentence. The ``events_``
            rows from ``events_own`` to ``events_unidentified`` add up to ``events``.
        """
        from cjm.identity._summary import count, summary

        counts = count(self._evidence, self._found)
        return summary(counts | {"conflicts": self.conflicts.height})

    def sizes(self) -> pl.DataFrame:
        """Return how many persons have how many identifiers.

        Returns
        -------
        polars.DataFrame
            ``identifiers`` (in the map of one person), ``persons``, ``known`` (of them with a unique identifier) and
            ``events``, all Int64; one row a number of identifiers, ascending.
        """
        from cjm.identity._summary import sizes

        return sizes(self.map, self._evidence.kinds[: self._evidence.unique], self._found, self._numbers.of)

    def explain(self, kind: str, id: str) -> pl.DataFrame:
        """Return the shortest chain of evidence from an identifier to each person whose it is or was.

        Parameters
        ----------
        kind, id : str
            An identifier of the map.

        Returns
        -------
        polars.DataFrame
            One row a link of the chain, from the identifier on: ``person`` Int64, ``step`` Int64 (from 1), ``kind_a``,
            ``id_a``, ``kind_b``, ``id_b``, ``first_seen``, ``last_seen``, ``events``, ``reason``, ``sources`` as in
            ``links``. A person who is the identifier itself has one row without a link (``kind_b`` and all after it
            null). Of chains of one length the one whose identifiers come first is told.

        Raises
        ------
        ArgumentError
            For an identifier that was never seen.
        """
        from cjm.identity._explain import explain

        return explain(self.map, self.links, self._all_numbers, self._coded, (kind, id))

    def update(
        self, log: Log | None = None, *, links: LinkTables | None = None, consent: Table | None = None
    ) -> Identities:
        """Return what stitching finds with more events, links or consent; only the persons they touch are made anew.

        Parameters
        ----------
        log : EventLog, optional
            More events. They may be earlier than those before; where times tie they come after them.
        links : frame or mapping of str to frame, optional
            More rows of link tables, as for :func:`cjm.stitch`.
        consent : frame, optional
            As for :func:`cjm.stitch`; replaces what was said before about the identifiers that it names.

        Returns
        -------
        Identities
            The same as one call of :func:`cjm.stitch` on all events and tables would find.

        Raises
        ------
        ArgumentError
            For a log or table with a kind of identifier that is not in the map.
        """
        from cjm.identity._change import update

        return update(self, log, links, consent)

    def unlink(self, kind_a: str, id_a: str, kind_b: str, id_b: str) -> Identities:
        """Return the persons as they are if no link may bring two identifiers together.

        Links on the way between them are refused, the weakest first, and reported under the rule ``unlinked``.

        Raises
        ------
        ArgumentError
            For an unknown kind.
        """
        from cjm.identity._change import unlink

        return unlink(self, kind_a, id_a, kind_b, id_b)

    def erase(self, kind: str, ids: str | pl.Series) -> Identities:
        """Return the persons without some identifiers, which are forgotten.

        Their text is removed from the map and from what :meth:`write` stores; a keyed hash stays, so that the
        identifier is not linked again when it comes in later events. Where a unique identifier is erased, its person
        falls apart into their identifiers: events that had been given to them fall back to those they carry (reason
        ``erased``), never to another person, and the events of all others stay as they are.

        Parameters
        ----------
        kind : str
        ids : str or polars.Series

        Raises
        ------
        ArgumentError
            For an unknown kind.
        """
        from cjm.identity._change import erase

        return erase(self, kind, ids)

    def write(self, path: str | Path) -> None:
        """Store the map and all that :meth:`update` needs in a new folder, which appears whole or not at all.

        Person numbers that a salt keys are stored; the salt is not.

        Raises
        ------
        RunError
            If ``path`` is there already or cannot be written.
        """
        from cjm.identity._store import write_identities

        write_identities(self._evidence, self._found, self._numbers, self._clusters, Path(path))


def numbered(evidence: Evidence, found: Assignment, numbers: Numbers, persons: npt.NDArray[np.int32]) -> Numbers:
    """Return the numbers and those of persons (of events, and who have none) that are not among them yet."""
    is_person = np.zeros(len(evidence.names) + 1, dtype=bool)  # the last for -1
    is_person[persons] = True
    is_person = is_person[:-1]
    nodes = np.arange(len(is_person), dtype=np.int32)
    first = evidence.names.kind < (len(evidence.kinds) if evidence.policy.mode == "components" else evidence.unique)
    is_person |= first & (found.anchor == nodes)
    if evidence.policy.mode == "device split":
        for nodes in (evidence.declared.a, evidence.declared.b):  # in the map even without events
            is_person[nodes] = True
    is_person[evidence.erased] = False
    return numbers.extended(evidence.names, evidence.kinds, np.flatnonzero(is_person), evidence.policy.salt)
