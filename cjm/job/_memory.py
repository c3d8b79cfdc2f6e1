"""What a run will take, said before it starts, and the memory that it may take."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cjm.errors import ArgumentError
from cjm.events import TABLES, Source, files_of
from cjm.job._config import Config

__all__ = ["Estimate", "bytes_of", "estimate", "give_back"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(MB|GB|TB)")
_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
_USED = 0.9  # of the limit; what libraries hold for a moment cannot be foreseen

# bytes and seconds of a processor, as benchmarks/memory.py shows them
_PROGRAM = 700e6
_ROW, _STITCHED_ROW, _WHOLE_ROW = 12, 180, 400
_HELD, _ON_DISK = 80, 22  # an event that is sorted in memory, or bucket by bucket
_DISK = 60
_SECONDS, _SECONDS_STITCHED = 5e-6, 9e-6

_MOST, _FEWEST = 20_000_000, 500_000  # events that are sorted in memory
_COUNTED = 1 << 20  # bytes of a text file in which lines are counted
_PACKED = 10  # times smaller is a compressed text


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
    """

    rows: int
    memory: float
    disk: float
    seconds: float

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
                hint=f"Allow {needed / 1e9 + 0.05:,.1f} GB or more; large sources take less as Parquet files, and "
                "events less with [identity] person than stitched",
            )

    def events_in_memory(self, limit: int | None) -> int:
        """Return how many events may be sorted in memory at once."""
        if limit is None:
            return _MOST
        return int(min(_MOST, max(_FEWEST, (_USED * limit - self.memory) / _HELD)))


def estimate(config: Config) -> Estimate:
    """Look at the files of a configuration; none is read."""
    rows = whole = 0
    for name in config.sources:
        source = config.source(name)
        for path, format_ in _local(source, name):
            count = _rows(path, format_)
            rows += count
            whole += 0 if format_ == "parquet" else count
    stitched = config.identity.person is None
    return Estimate(
        rows,
        _PROGRAM + rows * (_STITCHED_ROW if stitched else _ROW + _ON_DISK) + whole * _WHOLE_ROW,
        rows * _DISK,
        rows * (_SECONDS_STITCHED if stitched else _SECONDS),
    )


def _local(source: Source, name: str) -> list[tuple[Path, str]]:
    files = None if source.format in TABLES else files_of(source, name)
    return [(file.path, file.format) for file in files or [] if isinstance(file.path, Path)]


def _rows(path: Path, format_: str) -> int:
    """Return how many rows a file has, about; 0 where it cannot be read, which loading will say better."""
    try:
        if format_ in ("parquet", "arrow"):
            scan = pl.scan_parquet if format_ == "parquet" else pl.scan_ipc
            return int(scan(path).select(pl.len()).collect().item())
        with path.open("rb") as file:
            head = file.read(_COUNTED)
    except (OSError, pl.exceptions.PolarsError):
        return 0
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


def give_back() -> None:
    """Return to the system what was freed; the allocators would keep it for later."""
    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
        if trim is not None:
            trim(0)
