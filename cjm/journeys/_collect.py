"""Pieces of events as they arrive: coded, kept in memory while they fit, else put aside by person."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.codes import Dictionary, Numbering, highest
from cjm.contracts import TIME
from cjm.errors import InputError
from cjm.journeys._arrays import EventArrays
from cjm.journeys._bucket import Bucket, MemoryBucket
from cjm.journeys._order import Unordered
from cjm.journeys._store import StoredBucket, write_bucket
from cjm.piles import Piles, Scratch

__all__ = ["IN_MEMORY", "Collector", "Persons"]

IntArray = npt.NDArray[np.int64]

IN_MEMORY = 20_000_000  # events that are sorted at once
_AT_ONCE = 4_000_000  # events that are put aside together once there are so many
_OWN = ("person", "time", "channel", "event", "__known")
_BUCKETS = 6  # bits of the person number that name a bucket: 64 of them
_NUMBER = 63  # bits of a person number


class Persons:
    """Persons by their numbers, or by texts that numbers are made of.

    Parameters
    ----------
    number : callable, optional
        From the texts of identifiers to person numbers; without it persons are numbers already.
    """

    def __init__(self, number: Callable[[pl.Series], IntArray] | None = None) -> None:
        self._number = number
        self._numbering = Numbering()
        self._column = pl.Series(dtype=pl.String)  # one value, of the type that knows the texts
        self._count = 0
        self._numbers = np.empty(0, dtype=np.int64)

    def number_of(self, texts: pl.Series) -> IntArray:
        """Return the numbers of persons that texts name."""
        assert self._number is not None
        return self._number(texts)

    def encode(self, column: pl.Series) -> npt.NDArray[np.int32]:
        """Return the code of each person; none is null."""
        if self._number is None:
            return self._numbering.encode(column.to_numpy())
        code = column.to_physical()
        self._column = column.head(1)
        self._count = max(self._count, highest(code) + 1)
        return code.to_numpy().view(np.int32)

    @property
    def numbers(self) -> IntArray:
        """Person number of each code."""
        if self._number is None:
            return self._numbering.numbers
        fresh = pl.Series(np.arange(len(self._numbers), self._count, dtype=np.uint32))
        if len(fresh):
            texts = fresh.cat.to(self._column.dtype).cast(pl.String)
            self._numbers = np.concatenate([self._numbers, self._number(texts)])
        return self._numbers


class Collector:
    """Events piece by piece; in the end all of them, or bucket by bucket those of persons with neighbouring numbers.

    Parameters
    ----------
    persons : Persons
    in_memory : int
        How many events are held; if there are more, they are put aside on disk.
    """

    def __init__(self, persons: Persons, in_memory: int) -> None:
        self._persons = persons
        self._in_memory = in_memory
        self._coder = {"channel": Dictionary(), "event": Dictionary()}
        self._touchpoints = Numbering()
        self._held: list[Unordered] = []
        self._rows = 0
        self._spilled: list[tuple[Piles, pl.Schema]] = []
        self._scratch: Scratch | None = None
        self.start, self.end = np.iinfo(np.int64).max, np.iinfo(np.int64).min

    def add(self, piece: pl.DataFrame) -> None:
        """Take events with ``person``, ``time``, ``channel``, ``event``, perhaps ``__known``, and anything else."""
        if piece.is_empty():
            return
        names = [
            column
            if isinstance(column.dtype, pl.Categorical)
            else self._coder[column.name].encode(column.cast(pl.String))
            for column in (piece["channel"], piece["event"])
        ]
        channel, event = (column.to_physical().cast(pl.Int64).to_numpy() for column in names)
        self._dtypes = [column.dtype for column in names]
        time = piece["time"].cast(TIME).to_physical().to_numpy()
        known = piece["__known"].to_physical().to_numpy() if "__known" in piece.columns else None
        self._held.append(
            Unordered(
                self._persons.encode(piece["person"]),
                time,
                self._touchpoints.encode((channel << 32) | event),
                known,
                {name: piece[name] for name in piece.columns if name not in _OWN},
            )
        )
        self.start, self.end = min(self.start, int(time.min())), max(self.end, int(time.max()))
        self._rows += len(time)
        if self._rows > (min(_AT_ONCE, self._in_memory) if self._spilled else self._in_memory):
            self._spill()

    @property
    def empty(self) -> bool:
        """Whether there was no event."""
        return not self._held and not self._spilled

    @property
    def numbers(self) -> IntArray:
        """Person number of each code."""
        return self._persons.numbers

    def touchpoints(self) -> tuple[pl.DataFrame, npt.NDArray[np.int32]]:
        """Return the touchpoints by name, and the row of each code that the events carry.

        Raises
        ------
        InputError
            If two touchpoints are written alike.
        """
        keys = self._touchpoints.numbers
        channel, event = (
            pl.Series(part.astype(np.uint32)).cat.to(dtype).cast(pl.String)
            for part, dtype in zip((keys >> 32, keys & 0xFFFFFFFF), self._dtypes, strict=True)
        )
        table = pl.DataFrame({"touchpoint": channel + ":" + event, "channel": channel, "event": event})
        order = table.select(pl.arg_sort_by("touchpoint", "channel")).to_series()
        sorted_ = table[order]
        twice = sorted_.filter(pl.col("touchpoint").is_duplicated())
        if not twice.is_empty():
            raise InputError.at(
                f"two touchpoints are both written {twice['touchpoint'][0]!r}: "
                f"channels {twice['channel'][:2].to_list()}",
                hint='Rename one of the channels so that it holds no ":"',
            )
        row = np.empty(len(order), dtype=np.int32)
        row[order.to_numpy()] = np.arange(len(order), dtype=np.int32)
        return sorted_, row

    def bucket(self, number: int, arrays: EventArrays, attributes: pl.DataFrame) -> Bucket:
        """Return a bucket of what came from a part: in memory if all is there, else on disk.

        Raises
        ------
        RunError
            If it cannot be written.
        """
        if self._scratch is None:
            return MemoryBucket(arrays, attributes)
        with self._scratch.told():
            entry = write_bucket(self._scratch.path, number, arrays, attributes)
        dictionaries = attributes.select(pl.col(pl.Categorical)).head(1).to_dict()
        return StoredBucket(self._scratch.path, entry, dictionaries, self._scratch)

    def parts(self) -> Iterator[list[Unordered]]:
        """Yield the events, in order of arrival: all together, or bucket by bucket if they did not fit into memory."""
        if not self._spilled:
            held, self._held = self._held, []
            yield held
            return
        self._spill()
        for bucket in range(1 << _BUCKETS):
            pieces = []
            for piles, dtypes in self._spilled:
                pieces += [_from_frame(piece, dtypes) for piece in piles.take(bucket)]
            if pieces:
                # every bucket gets the columns and types that all of them together have
                nothing = [_from_frame(pl.DataFrame(), dtypes) for _, dtypes in self._spilled]
                yield nothing + pieces

    def _spill(self) -> None:
        """Put what is in memory on disk, a file a bucket."""
        from cjm.kernels._jit import as_array

        bucket = as_array(self.numbers >> (_NUMBER - _BUCKETS), np.int32)
        held, self._held, self._rows = self._held[::-1], [], 0
        while held:
            frames = [_to_frame(held.pop())]
            rows = frames[0].height
            while held and rows < _AT_ONCE:
                following = _to_frame(held[-1])
                if following.schema != frames[0].schema:
                    break  # columns whose types differ are put together in the end, from the types that they had
                frames.append(following)
                rows += following.height
                held.pop()
            self._put_aside(pl.concat(frames), bucket)

    def _put_aside(self, frame: pl.DataFrame, bucket: npt.NDArray[np.int32]) -> None:
        dtypes = frame.schema
        if self._scratch is None:
            self._scratch = Scratch("build_journeys", "100 million events need 1.5, with attributes more")
        piles = Piles(self._scratch, f"part-{len(self._spilled)}", 1 << _BUCKETS)
        piles.deal(frame.with_columns(pl.col(pl.Categorical).to_physical()), bucket[frame["__person"].to_numpy()])
        self._spilled.append((piles, dtypes))


_CORE = ("__person", "__time", "__touchpoint", "__known")


def _to_frame(events: Unordered) -> pl.DataFrame:
    core = {"__person": events.person, "__time": events.time, "__touchpoint": events.touchpoint}
    if events.known is not None:
        core["__known"] = events.known
    return pl.DataFrame({**core, **events.rest})


def _from_frame(frame: pl.DataFrame, dtypes: pl.Schema) -> Unordered:
    if frame.is_empty():
        frame = pl.DataFrame(schema=dtypes).with_columns(pl.col(pl.Categorical).to_physical())
    frame = frame.with_columns(
        pl.col(name).cat.to(dtype) for name, dtype in dtypes.items() if isinstance(dtype, pl.Categorical)
    )
    known = None
    if "__known" in frame.columns:  # null where a piece had no event that was known late
        known = frame["__known"].fill_null(frame["__time"]).to_numpy()
    return Unordered(
        frame["__person"].to_numpy(),
        frame["__time"].to_numpy(),
        frame["__touchpoint"].to_numpy(),
        known,
        {name: frame[name] for name in frame.columns if name not in _CORE},
    )
