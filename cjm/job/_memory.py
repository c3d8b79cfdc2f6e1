"""What a run will take, said before it starts, and the memory that it may take."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from cjm.errors import ArgumentError
from cjm.events import TABLES, Source, arrow_rows, files_of, in_pieces
from cjm.job._config import Config
from cjm.journeys import IN_MEMORY

__all__ = ["Estimate", "bytes_of", "estimate", "give_back", "peak"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(MB|GB|TB)")
_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
_USED = 0.9  # of the limit; what libraries hold for a moment cannot be foreseen

# bytes and seconds of a processor, as benchmarks/memory.py shows them
_PROGRAM = 750e6
_ROW, _WHOLE_ROW, _STITCHED_ROW = 14, 320, 130  # a row as it is loaded, one of a source that is read whole, stitching
_EVENT, _SORTED = 23, 80  # an event of a known person; one that is sorted in memory and not bucket by bucket
_MEASURED, _BUCKET = 100, 5_000_000  # an event of a bucket, and how many there are about
_BUCKETED_ROW = 4  # a row that is stitched bucket by bucket, beside its bucket
_DISK, _BUCKETS_DISK = 90, 50  # an event; one that is stitched bucket by bucket, more
_SECONDS, _SECONDS_STITCHED = 6e-6, 10e-6

_FEWEST = 500_000  # events that are sorted in memory
_LITTLE = 200_000  # events that leave too little behind to search for it
_COUNTED = 1 << 20  # bytes of a text file in which lines are counted
_PACKED = 10  # times smaller is a compressed text
_FAILS = (OSError, ValueError, pl.exceptions.PolarsError, pl.exceptions.PanicException)


@dataclass(frozen=True)
class Estimate:
    """What a run will take, about.

    Attributes
    ----------
    rows : int
        Rows of all files that can be counted; tables, databases and object stores are not.
    memory : float
        Most resident memory, bytes, if as few events as possible are held.
    disk : float
        Bytes beside the former output.
    seconds : float
        On one processor that does nothing else.
    in_buckets : bool
        Whether events are stitched bucket by bucket, because together they do not fit.
    advice : str
        What takes less memory.
    """

    rows: int
    memory: float
    disk: float
    seconds: float
    in_buckets: bool = False
    advice: str = "large sources take less as Parquet files, and events less with [identity] person than stitched"

    def __str__(self) -> str:
        return (
            f"about {self.rows:,} rows: {self.memory / 1e9:,.1f} GB of memory or more, "
            f"{self.disk / 1e9:,.1f} GB of disk, {self.seconds / 60:,.0f} minutes"
        )

    def check(self, limit: int) -> None:
        """Raise ArgumentError if the run cannot stay below ``limit`` bytes."""
        needed = self.memory / _USED
        if needed > limit:
            raise ArgumentError.at(
                f"{limit / 1e9:,.1f} GB are too little for {self}",
                where="memory",
                hint=f"Allow {needed / 1e9 + 0.05:,.1f} GB or more; {self.advice}",
            )

    def events_in_memory(self, limit: int | None) -> int:
        """Return how many events may be sorted in memory at once."""
        if limit is None:
            return IN_MEMORY
        return int(min(IN_MEMORY, max(_FEWEST, (_USED * limit - self.memory) / _SORTED)))

    def stitched_at_once(self, limit: int | None) -> int | None:
        """Return how many events may be stitched together, None where all are."""
        if limit is None or not self.in_buckets:
            return None
        bucket = min(self.rows, _BUCKET) * _MEASURED
        return int((_USED * limit - self.memory + bucket) / _STITCHED_ROW)


def estimate(config: Config, limit: int | None = None) -> Estimate:
    """Count what is in the files of a configuration, without reading them: their metadata, of text the beginning.

    Parameters
    ----------
    config : Config
    limit : int, optional
        Most bytes that the run may take: events that do not fit are stitched bucket by bucket.
    """
    person = config.identity.person
    rows = events = whole = 0
    for name in config.sources:
        source = config.source(name)
        files = None if source.format in TABLES else files_of(source, name)
        for file in files or []:
            if not isinstance(file.path, Path):
                continue
            try:
                if file.format == "parquet":
                    many, known, pieces = _of_parquet(file.path, source, person)
                else:
                    many, pieces = _lines(file.path, file.format), False
                    known = many
            except _FAILS:  # loading will say better what is wrong with it
                continue
            rows, events, whole = rows + many, events + known, whole + (0 if pieces else many)
    loaded = rows * _ROW + whole * _WHOLE_ROW
    if person is None:
        base = _PROGRAM + min(rows, _BUCKET) * _MEASURED
        at_once = Estimate(rows, base + loaded + rows * _STITCHED_ROW, rows * _DISK, rows * _SECONDS_STITCHED)
        if limit is None or at_once.memory <= _USED * limit:
            return at_once
        if config.identity.as_of == "event":
            return replace(at_once, advice=f'{at_once.advice}; [identity] as_of = "event" looks at all events together')
        memory, disk = base + max(loaded + rows * _BUCKETED_ROW, rows * _EVENT), rows * (_DISK + _BUCKETS_DISK)
        return replace(at_once, memory=memory, disk=disk, in_buckets=True)
    base = _PROGRAM + min(events, _BUCKET) * _MEASURED
    return Estimate(rows, base + max(loaded, events * _EVENT), events * _DISK, rows * _SECONDS)


def _of_parquet(path: Path, source: Source, person: str | None) -> tuple[int, int, bool]:
    """Return how many rows there are, how many of them have an identifier, and whether they are read in pieces."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        found = file.metadata
    rows, nulls = found.num_rows, 0
    if person is not None and person not in source.ids:
        nulls = rows
    elif person is not None and source.ids[person] in found.schema.names:
        place = found.schema.names.index(source.ids[person])
        told = [found.row_group(group).column(place).statistics for group in range(found.num_row_groups)]
        nulls = sum(one.null_count for one in told if one is not None and one.has_null_count)
    return rows, rows - nulls, in_pieces([pl.Schema(pl.read_parquet_schema(path))], source)


def _lines(path: Path, format_: str) -> int:
    """Return how many rows a file has; about, where it is text."""
    if format_ == "arrow":
        return arrow_rows(path)
    with path.open("rb") as file:
        head = file.read(_COUNTED)
    packed = path.suffix.lower() in (".gz", ".zst")
    lines = len(head) / 100 if packed else max(head.count(b"\n"), 1)
    return int(lines * path.stat().st_size * (_PACKED if packed else 1) / max(len(head), 1))


def bytes_of(size: str | int) -> int:
    """Return a size in bytes.

    Raises
    ------
    ArgumentError
        For a text that is no size.

    Examples
    --------
    >>> bytes_of("1.5GB")
    1500000000
    """
    if isinstance(size, int):
        return size
    found = _SIZE.fullmatch(size.strip())
    if found is None:
        raise ArgumentError.at(f"{size!r} is no size", where="memory", hint="Write it as 4GB or 800MB")
    return int(float(found[1]) * _UNITS[found[2]])


def peak() -> int | None:
    """Return the most resident memory that the process has had so far, bytes; None where it is not Linux that tells."""
    status = Path("/proc/self/status")  # what getrusage tells goes back to before the program was loaded
    if not status.exists():
        return None
    (kilobytes,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024


def give_back(events: int) -> None:
    """Return to the system what was freed, if so many events were held; the allocators would keep it for later."""
    if events <= _LITTLE:
        return
    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
        if trim is not None:
            trim(0)
