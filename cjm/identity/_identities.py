"""``Identities``: whose identifiers and events they are, and why."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cjm.errors import ArgumentError
from cjm.identifiers import clean_ids
from cjm.identity._coding import Log

__all__ = ["Identities"]

_MEANINGS = {
    "events": "events in the log",
    "events_own": "events that carry a unique identifier, so their person is certain",
    "events_link": "events without a unique identifier whose identifiers are linked to one",
    "events_live": "events given to the person last seen on the same shared identifier",
    "events_replay": "events given to the person seen later on the same shared identifier",
    "events_anonymous": "events left with their shared identifier, because nobody else is known for it in time",
    "events_shared": "events left with their shared identifier, because too many persons use it",
    "events_unidentified": "events without any identifier; they are left out",
    "events_never_known": "events on identifiers that were never seen with a unique one, which nothing can assign",
    "persons": "persons that have events",
    "persons_known": "persons with a unique identifier",
    "persons_anonymous": "persons without a unique identifier",
    "identifiers": "distinct identifiers of all kinds",
    "identifiers_never_known": "identifiers that were never seen with a unique one",
    "conflicts": "guards that tripped, links that were refused and events that name two persons",
}


@dataclass(frozen=True, repr=False, eq=False)
class Identities:
    """What :func:`cjm.stitch` found.

    Attributes
    ----------
    map : polars.DataFrame
        Contract IDENTITY_MAP: one row an identifier; an identifier that passes from person to person has one row an
        interval ``[valid_from, valid_to)``. ``known_from`` says when the assignment could be known. ``reason``:

        - ``own``: the identifier names the person, or was used by them with such an identifier throughout;
        - ``link``: it is linked to the one that names the person;
        - ``live``: its events follow one on which the person was known;
        - ``replay``: its events come before one on which the person was known;
        - ``anonymous``: nobody else is known, the identifier itself is the person;
        - ``shared``: the same, because too many persons use it.
    links : polars.DataFrame
        Contract LINKS: pairs of identifiers on one event. ``reason``: ``joined`` (they are one person's),
        ``evidence`` (a unique one on a shared one), ``unused`` (two shared ones), or the rule that refused the link:
        ``unique``, ``max_per_person``, ``max_size``.
    conflicts : polars.DataFrame
        Contract CONFLICTS. ``rule``: ``max_per_person`` (``persons``: values of a unique kind that it met),
        ``unique`` and ``max_size`` (a refused link), ``one_event`` (an event names two persons).
    aliases : polars.DataFrame
        ``old_person``, ``person``: the number that a linked identifier would have on its own, and its person's.
    labels : polars.DataFrame
        ``person``, ``reason``, ``known_from`` of each event, in the order of the log; null without an identifier.
    policy : str
        The call, as text.
    """

    map: pl.DataFrame
    links: pl.DataFrame
    conflicts: pl.DataFrame
    aliases: pl.DataFrame
    labels: pl.DataFrame
    policy: str
    _counts: dict[str, int]
    _log: Log

    def __repr__(self) -> str:
        count = self._counts
        return (
            f"Identities({count['events']:,} events, {count['identifiers']:,} identifiers, "
            f"{count['persons']:,} persons ({count['persons_known']:,} known), "
            f"{count['conflicts']:,} conflicts; {self.policy})"
        )

    def apply(self, log: Log, *, known_from: str | None = None) -> pl.LazyFrame:
        """Return the events of the log with their person.

        Parameters
        ----------
        log : EventLog
            The log that was stitched.
        known_from : str, optional
            Name of a further column: the time from which the person could be known.

        Returns
        -------
        polars.LazyFrame
            Contract EVENTS and ``person`` Int64 as the last column, in the order of the log. Events without any
            identifier are left out.

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
        if self._counts["events_unidentified"]:
            events = events.filter(pl.col("person").is_not_null())
        return events

    def labels_of(self, log: Log) -> pl.DataFrame:
        """Return ``labels``, if ``log`` is the log that was stitched.

        Raises
        ------
        ArgumentError
            For another log: whose a shared identifier is depends on the events around.
        """
        if log is not self._log:
            raise ArgumentError.at(
                "this is not the log that was stitched",
                where="Identities",
                hint="Call cjm.stitch on it and apply the result",
            )
        return self.labels

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
        column = kind if column is None else column
        if column not in table.columns:
            raise ArgumentError.unknown("column", column, table.columns, where="with_person")
        numbers = self.map.filter(pl.col("kind") == kind).select(pl.col("id"), "person").unique()
        if numbers["id"].is_duplicated().any():
            raise ArgumentError.at(
                f"an identifier of kind {kind!r} may belong to several persons",
                where="with_person",
                hint="Name a kind that is unique",
            )
        ids = clean_ids(table[column], where="with_person").alias("id")
        person = ids.to_frame().join(numbers, on="id", how="left", maintain_order="left")["person"]
        return table.select(person, pl.exclude("person"))

    def summary(self) -> pl.DataFrame:
        """Return how many events and identifiers were assigned, and why.

        Returns
        -------
        polars.DataFrame
            ``measure``, ``count`` Int64, ``share`` Float64 (of all events, persons or identifiers; null where the
            measure is no part of one of these, or the whole is empty) and ``meaning``, one sentence. The ``events_``
            rows from ``events_own`` to ``events_unidentified`` add up to ``events``.
        """
        rows = []
        for measure, meaning in _MEANINGS.items():
            whole = self._counts.get(measure.partition("_")[0], 0) if measure != "conflicts" else 0
            count = self._counts[measure]
            rows.append((measure, count, count / whole if whole else None, meaning))
        schema = {"measure": pl.String, "count": pl.Int64, "share": pl.Float64, "meaning": pl.String}
        return pl.DataFrame(rows, schema=schema, orient="row")
