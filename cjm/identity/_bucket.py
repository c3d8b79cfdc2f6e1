"""Some events of a log as a problem of its own, and what its solution says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.identity._assignment import Assignment
from cjm.identity._coded_log import CodedLog
from cjm.identity._coding import Coded, Region, code, times
from cjm.identity._evidence import Evidence, Part
from cjm.identity._frames import conflict_frame, link_frame, map_frame, names_of
from cjm.identity._identities import numbered
from cjm.identity._merge import Refused
from cjm.identity._names import Names
from cjm.identity._numbers import Numbers
from cjm.identity._resolve import solve
from cjm.identity._summary import count, sizes

__all__ = ["Bucket"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Bucket:
    """Events in time order, and whose they are.

    It holds whole clusters and, of identifiers that connect nothing, some events: what such an identifier met, and
    whose it was, is told by the bucket of all events that carry one.

    Attributes
    ----------
    evidence : Evidence
    coded : Coded
        Those that connect nothing are stuck.
    found : Assignment
    numbers : Numbers
    nodes : ndarray of int64
        What the nodes are called in the log.
    rows : ndarray of int64, shape (events,)
        Rows of the log.
    of_stuck : bool
        Whether it is the bucket of those that connect nothing.
    """

    evidence: Evidence
    coded: Coded
    found: Assignment
    numbers: Numbers
    nodes: Int64Array
    rows: Int64Array
    of_stuck: bool

    @classmethod
    def solved(cls, log: CodedLog, empty: Evidence, events: pl.DataFrame, apart: Flags) -> Bucket:
        """Find whose events they are; ``row``, ``time`` and the nodes of each kind, in the order of rows."""
        events = events.sort("time", maintain_order=True)
        evidence, coded, nodes = _problem(log, empty, events, apart)
        found = solve(coded, evidence)
        numbers = numbered(evidence, found, Numbers.none(), found.person)
        return cls(evidence, coded, found, numbers, nodes, events["row"].to_numpy(), of_stuck=False)

    @classmethod
    def of_those_apart(cls, log: CodedLog, empty: Evidence, events: pl.DataFrame, apart: Flags) -> Bucket:
        """Put together what other buckets found: ``person`` (a node), ``reason`` and ``known`` as well."""
        events = events.sort("time", "row")
        evidence, coded, nodes = _problem(log, empty, events, apart)
        person, reason, known = (events[name].to_numpy() for name in ("person", "reason", "known"))
        person = np.where(person >= 0, np.searchsorted(nodes, person), -1).astype(np.int32)
        nobody = np.empty(0, dtype=np.int32)
        refused = Refused(nobody, nobody, np.empty(0, dtype=np.uint8), np.empty(0, dtype=np.int64))
        alone, stuck = np.arange(len(nodes), dtype=np.int32), coded.stuck
        found = Assignment(alone, stuck, stuck, refused, person, reason, known)
        named = np.union1d(person[person >= 0], np.flatnonzero(stuck))
        numbers = Numbers.none().extended(evidence.names, evidence.kinds, named, evidence.policy.salt)
        return cls(evidence, coded, found, numbers, nodes, events["row"].to_numpy(), of_stuck=True)

    @cached_property
    def _stuck_names(self) -> pl.Series:
        names = pl.DataFrame(names_of(self.coded, np.flatnonzero(self.coded.stuck)))
        return names.select(_named("")).to_series()

    def _stuck(self, suffix: str = "") -> pl.Expr:
        """Return which rows of a table speak of an identifier that connects nothing."""
        return _named(suffix).is_in(self._stuck_names.implode())

    def _told(self, table: pl.DataFrame, of_stuck: pl.Expr) -> pl.DataFrame:
        """Return the rows of a table that this bucket tells."""
        if self._stuck_names.is_empty():
            return table
        return table.filter(of_stuck if self.of_stuck else ~of_stuck)

    @cached_property
    def _whole_map(self) -> pl.DataFrame:
        return map_frame(self.coded, self.found, self.numbers.of, self.evidence.policy.mode)

    def map(self) -> pl.DataFrame:
        """Return its part of contract IDENTITY_MAP."""
        return self._told(self._whole_map, self._stuck())

    def links(self) -> pl.DataFrame:
        """Return its part of contract LINKS and ``sources``."""
        return self._told(link_frame(self.coded, self.found, self.evidence), self._stuck("_a") & self._stuck("_b"))

    def conflicts(self) -> pl.DataFrame:
        """Return its part of contract CONFLICTS."""
        too_many = (pl.col("rule") == "max_per_person") & self._stuck()
        return self._told(conflict_frame(self.coded, self.found, self.evidence), too_many)

    def persons(self) -> Int64Array:
        """Return the numbers of the persons that it tells of."""
        mine: Int64Array = self.numbers.of[self.coded.stuck == self.of_stuck]
        return mine[mine >= 0]

    @cached_property
    def labels(self) -> pl.DataFrame:
        """Return ``row``, ``person`` and ``known_from`` of the events that have a person."""
        found = self.found
        labels = {"row": self.rows, "person": np.append(self.numbers.of, np.int64(-1))[found.person]}
        return pl.DataFrame(labels).with_columns(known_from=times(found.known)).filter(pl.col("person") >= 0)

    def sizes(self) -> pl.DataFrame:
        """Return the figures of :meth:`Identities.sizes` for its persons."""
        whole = self._whole_map
        if len(self._stuck_names):
            whole = whole.filter(pl.col("person").is_in(pl.Series(self.persons()).implode()))
        return sizes(whole, self.coded.kinds[: self.coded.unique], self.found, self.numbers.of)

    def counts(self) -> Counter[str]:
        """Return the figures of :meth:`Identities.summary` that add up."""
        stuck = self.coded.stuck
        persons = int(np.sum(stuck[np.unique(self.found.person[self.found.person >= 0])]))
        of_stuck = Counter(persons=persons, persons_anonymous=persons, identifiers=int(stuck.sum()))
        if self.of_stuck:
            return of_stuck
        whole = Counter(count(self.evidence, self.found, self.coded.stuck))
        whole.subtract(of_stuck)
        return whole

    def events_of_stuck(self) -> pl.DataFrame:
        """Return the events that carry an identifier which connects nothing, as :meth:`of_those_apart` takes them."""
        from cjm.kernels._jit import as_array
        from cjm.kernels.identity_walks import rows_with

        found, coded = self.found, self.coded
        at = np.flatnonzero(rows_with(as_array(coded.codes, np.int32), as_array(coded.stuck, np.bool_)))
        node = np.append(self.nodes, np.int64(-1)).astype(np.int32)
        codes = np.full((len(coded.kinds), len(at)), -1, dtype=np.int32)
        codes[list(coded.columns)] = coded.codes[:, at]
        return pl.DataFrame(
            {
                "row": self.rows[at],
                "time": coded.time[at],
                **{str(kind): node[row] for kind, row in enumerate(codes)},
                "person": node[found.person[at]],
                "reason": found.reason[at],
                "known": found.known[at],
            }
        )


def _named(suffix: str) -> pl.Expr:
    return pl.concat_str(f"kind{suffix}", f"id{suffix}", separator="\x1f")


def _problem(log: CodedLog, empty: Evidence, events: pl.DataFrame, apart: Flags) -> tuple[Evidence, Coded, Int64Array]:
    """Return the evidence of events in time order, coded, and what its nodes are called in the log."""
    codes = np.stack([events[str(number)].to_numpy() for number in range(len(empty.kinds))])
    seen = np.zeros(log.nodes + 1, dtype=bool)  # the last for -1
    seen[codes] = True
    if "person" in events.columns:
        seen[events["person"].to_numpy()] = True
    nodes = np.flatnonzero(seen[:-1])
    place = np.full(log.nodes + 1, -1, dtype=np.int32)
    place[nodes] = np.arange(len(nodes), dtype=np.int32)
    names = Names.of(log.texts(nodes), log.kind(nodes), {})
    evidence = replace(empty, names=names, parts=(Part(None, events["time"].to_numpy(), place[codes]),))
    every = np.arange(len(nodes), dtype=np.int32)
    region = Region(every, np.arange(events.height), np.empty(0, dtype=np.int64), apart[nodes])
    return evidence, code(evidence, region), nodes
