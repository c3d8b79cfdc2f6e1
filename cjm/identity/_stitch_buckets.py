"""``stitch`` for logs that do not fit into memory: bucket by bucket of clusters that nothing connects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.contracts import CONTRACTS
from cjm.durations import Duration
from cjm.errors import ArgumentError
from cjm.identity._bucket import Bucket
from cjm.identity._clusters import bucket_of_nodes, overused
from cjm.identity._coded_log import CodedLog
from cjm.identity._evidence import Evidence, Log, Mode
from cjm.identity._frames import in_order
from cjm.identity._labels import StoredLabels
from cjm.identity._numbers import collision
from cjm.identity._policy import policy_of, roles
from cjm.identity._stitch import no_identifiers
from cjm.identity._summary import summary
from cjm.identity._table_parts import LINKS, MAP, Ranges, TableParts
from cjm.piles import Piles, Scratch

__all__ = ["Told", "stitch_in_buckets"]

Flags = npt.NDArray[np.bool_]
Int64Array = npt.NDArray[np.int64]

_SIZES = ("identifiers", "persons", "known", "events")


@dataclass(frozen=True)
class Told:
    """The tables of :class:`Identities`, of a log that does not fit into memory.

    Attributes
    ----------
    map, links : TableParts
        In the order of the contracts, part by part.
    conflicts, summary, sizes : polars.DataFrame
        What :class:`Identities` and its methods tell.
    """

    map: TableParts
    links: TableParts
    conflicts: pl.DataFrame
    summary: pl.DataFrame
    sizes: pl.DataFrame


class _Sums:
    """What buckets tell, added up."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._conflicts = [pl.DataFrame(schema=CONTRACTS["CONFLICTS"].columns)]
        self._sizes = [pl.DataFrame(schema=dict.fromkeys(_SIZES, pl.Int64))]
        self._persons = [np.empty(0, dtype=np.int64)]

    def add(self, bucket: Bucket) -> None:
        """Add what a bucket tells."""
        self._counts.update(bucket.counts())
        self._conflicts.append(bucket.conflicts())
        self._sizes.append(bucket.sizes())
        self._persons.append(bucket.persons())

    def conflicts(self) -> pl.DataFrame:
        """Return the conflicts, in order."""
        return in_order(pl.concat(self._conflicts))

    def sizes(self) -> pl.DataFrame:
        """Return how many persons have how many identifiers."""
        return pl.concat(self._sizes).group_by("identifiers").sum().sort("identifiers")

    def summary(self, events: int) -> pl.DataFrame:
        """Return the figures, of so many events of which some may lie in no bucket."""
        counts = self._counts.copy()
        counts["events_unidentified"] += events - counts["events"]
        counts["events"] = events
        counts["conflicts"] = sum(some.height for some in self._conflicts)
        return summary(counts)

    def check_numbers(self, kinds: tuple[str, ...]) -> None:
        """Raise InputError if two persons have the same number."""
        numbers = np.sort(np.concatenate(self._persons))
        if np.any(numbers[1:] == numbers[:-1]):
            raise collision(", ".join(kinds))


def stitch_in_buckets(
    log: Log,
    folder: Path,
    *,
    mode: Mode = "device split",
    unique: str | Sequence[str] | None = None,
    replay: Duration | None = "30d",
    stale: Duration | None = None,
    max_per_person: int | None = 5,
    max_size: int | None = 1_000,
    at_once: int = 1_000_000,
    most: int | None = None,
) -> Told:
    """Find the person behind each event, as :func:`cjm.stitch` does, without holding all events in memory.

    Identifiers that events connect are a cluster, and nothing in a cluster depends on another one: events are put aside
    on disk, dealt to buckets of whole clusters, and each bucket is stitched. An identifier that met too many connects
    nothing. What it met and whose it was is told in the end, from all events that carry such a one.

    Parameters
    ----------
    log : EventLog
    folder : Path
        A new folder for the labels of the events; see :class:`StoredLabels`.
    mode, unique, replay, stale, max_per_person, max_size
        As for :func:`cjm.stitch`.
    at_once : int
        How many events of a bucket there are, about.
    most : int, optional
        How many events fit into memory; of a bucket no more than half as many are wanted.

    Returns
    -------
    Told

    Raises
    ------
    ArgumentError, InputError
        As for :func:`cjm.stitch`.
    ArgumentError
        If more events than ``most`` hang together.
    RunError
        If what does not fit into memory cannot be put aside.
    """
    policy = policy_of(
        mode=mode, replay=replay, stale=stale, as_of="end", max_per_person=max_per_person, max_size=max_size, salt=None
    )
    unique_kinds, shared_kinds = roles(log.kinds, unique, (), policy)
    empty = Evidence.empty(policy, [*unique_kinds, *shared_kinds], len(unique_kinds), {}, ())
    at_once = at_once if most is None else max(1, min(at_once, most // 2))
    scratch, sums = Scratch("stitch", "100 million events need 5"), _Sums()
    coded = CodedLog(log, empty.kinds, scratch)
    if coded.events and not coded.nodes:
        raise no_identifiers(empty.kinds)
    apart = overused(coded, empty.unique, max_per_person)
    buckets = Piles(scratch, "buckets", coded.events // at_once + 1)
    _deal(coded, apart, buckets)
    _check_room(max(buckets.rows), most)
    ranges = Ranges(coded, empty.kinds)
    map_, links = TableParts(MAP, ranges, scratch, "map"), TableParts(LINKS, ranges, scratch, "links")
    labels = Piles(scratch, "labels", coded.events // StoredLabels.ROWS + 1)
    of_apart = Piles(scratch, "apart", 1)

    def tell(bucket: Bucket) -> None:
        map_.add(bucket.map())
        links.add(bucket.links())
        sums.add(bucket)

    for number, rows in enumerate(buckets.rows):
        if rows:
            bucket = Bucket.solved(coded, empty, pl.concat(buckets.take(number)), apart)
            tell(bucket)
            labels.deal(bucket.labels, bucket.labels["row"].to_numpy() // StoredLabels.ROWS)
            of_apart.put(bucket.events_of_stuck())
    _check_room(of_apart.rows[0], most)
    if of_apart.rows[0]:
        tell(Bucket.of_those_apart(coded, empty, pl.concat(of_apart.take()), apart))
    sums.check_numbers(empty.kinds)
    folder.mkdir()
    stored = StoredLabels(folder)
    for strip in range(len(labels)):
        stored.put(strip, min(StoredLabels.ROWS, coded.events - strip * StoredLabels.ROWS), labels.take(strip))
    return Told(map_, links, sums.conflicts(), sums.summary(coded.events), sums.sizes())


def _deal(log: CodedLog, apart: Flags, buckets: Piles) -> None:
    """Deal events to buckets of whole clusters; those without an identifier are left out."""
    from cjm.kernels._jit import as_array
    from cjm.kernels.identity_buckets import home_of_rows

    bucket, row = as_array(bucket_of_nodes(log, apart, len(buckets)), np.int16), 0
    apart = as_array(apart, np.bool_)
    for time, codes in log.pieces():
        columns = {str(kind): nodes for kind, nodes in enumerate(codes)}
        events = pl.DataFrame({"row": np.arange(row, row + len(time)), "time": time, **columns})
        buckets.deal(events, home_of_rows(as_array(codes, np.int32), apart, bucket))
        row += len(time)


def _check_room(events: int, most: int | None) -> None:
    if most is not None and events > most:
        raise ArgumentError.at(
            f"{events:,} events hang together by their identifiers, and {most:,} fit into memory",
            where="stitch",
            hint="Allow more memory, or leave out the kind of identifier that too many share",
        )
