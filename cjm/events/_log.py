"""``EventLog``: the events of all sources in one table, and what was found on the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import polars as pl

from cjm.codes import Dictionary
from cjm.errors import ArgumentError, InputError
from cjm.events._apply import Cleaner
from cjm.events._cleaning import Cleaning
from cjm.events._convert import Converted, convert
from cjm.events._source import Source
from cjm.events._stack import Coder, together

__all__ = ["EventLog", "scan_events"]

_PIECE = 500_000  # rows


class EventLog:
    """Events of several sources; made by :func:`scan_events`.

    Nothing is read before ``frame``, ``quality()`` or ``inputs()`` is asked for. A source is read once, unless it comes
    in several pieces: these are held for ``frame`` only.

    Attributes
    ----------
    sources : dict of str to Source
    cleaning : Cleaning
    whole : bool
        Whether these are all sources: then a rule about a column that none of them has is a mistake.
    kinds : tuple of str
        Kinds of identifiers, in order of priority: as the sources name them, the first source first.
    """

    def __init__(self, sources: Mapping[str, Source], cleaning: Cleaning, *, whole: bool = True) -> None:
        self.sources = dict(sources)
        self.kinds = tuple(dict.fromkeys(kind for source in self.sources.values() for kind in source.ids))
        self.cleaning = cleaning
        self.whole = whole
        self._coder: Coder = defaultdict(Dictionary)
        self._cleaner: Cleaner | None = None
        self._converted: dict[str, Converted] = {}
        self._held: dict[str, list[pl.DataFrame]] = {}
        self._kept: dict[str, Callable[[bool], Iterator[pl.DataFrame]]] = {}
        self._coded: pl.DataFrame | None = None

    def __repr__(self) -> str:
        return f"EventLog({', '.join(self.sources)}; ids: {', '.join(self.kinds)})"

    def _read(self, name: str, *, hold: bool, ids: bool = True) -> Iterator[pl.DataFrame]:
        """Yield the events of a source piece by piece.

        They are kept for later if ``hold`` says so, and where there is only one piece: a source that comes in several
        may be larger than memory.
        """
        if name in self._kept:
            yield from self._kept[name](ids)
            return
        if name in self._held:
            yield from self._held[name]
            return
        pieces: list[pl.DataFrame] = []
        several = False
        stream = convert(name, self.sources[name], self.kinds, self._coder, self._cleaning_of())
        while True:
            try:
                piece = next(stream)
            except StopIteration as end:
                self._converted[name] = end.value
                break
            several = bool(pieces)
            if hold or not several:
                pieces.append(piece)
            yield piece
            del piece
        if hold or not several:
            self._held[name] = pieces

    def _refuse_unknown_columns(self) -> None:
        """Raise InputError for a rule about a column that no source has, once all are read."""
        cleaner = self._cleaner
        if self.whole and cleaner is not None and len(self._converted) == len(self.sources):
            for column in sorted(cleaner.columns - cleaner.seen):
                raise InputError.at(
                    f"no source has a column {column!r}", where="Cleaning(exclude=...)", hint="Mend or remove the rule"
                )

    def _cleaning_of(self) -> Cleaner:
        """Return what cleans the rows; identifiers that are shared by too many are found by reading everything."""
        if self._cleaner is not None:
            return self._cleaner
        first = self.kinds[0]
        limits = self.cleaning.shared
        shared = {}
        if limits:
            before = Cleaner(replace(self.cleaning, shared={}, sample={}, privacy=None), self._coder)
            met: dict[str, list[pl.DataFrame]] = {kind: [] for kind in limits}
            for name, source in self.sources.items():
                for piece in convert(name, source, self.kinds, self._coder, before):
                    for kind, pairs in met.items():
                        if kind in piece.columns and first in piece.columns:
                            pairs.append(piece.select(pl.col(kind, first).to_physical()).drop_nulls().unique())
            for kind, pairs in met.items():
                if pairs:
                    others = pl.concat(pairs).unique().group_by(kind).len()
                    shared[kind] = others.filter(pl.col("len") > limits[kind])[kind]
        self._cleaner = Cleaner(self.cleaning, self._coder, shared)
        return self._cleaner

    def _found(self, source: str | None) -> list[Converted]:
        """Return what was found in one source, or in all of them; each is read on first use."""
        wanted = list(self.sources) if source is None else [source]
        for name in wanted:
            if name not in self._converted:
                for _ in self._read(name, hold=False):
                    pass
        self._refuse_unknown_columns()
        return [self._converted[name] for name in wanted]

    def pieces(self, *, ids: bool = True) -> Iterator[pl.DataFrame]:
        """Yield the events in the order of ``frame``, with coded text, a piece of limited size at a time.

        Columns are those of the source at hand: a kind or attribute that it lacks may not be there. Without ``ids``
        identifiers may be missing, where they would have to be read from disk.

        Raises
        ------
        InputError
            As for ``frame``; for rows that cannot be used, after the last piece of their source.
        """
        if self._coded is not None:
            yield from self._coded.iter_slices(_PIECE)
            return
        for name in self.sources:
            yield from self._read(name, hold=False, ids=ids)
            self.require(name)

    @property
    def coded(self) -> pl.DataFrame:
        """Contract EVENTS with text as Categorical."""
        if self._coded is None:
            pieces = [piece for name in self.sources for piece in self._read(name, hold=True)]
            self.require()
            contract = ["time", "channel", "event", *self.kinds]
            if any(source.value is not None for source in self.sources.values()):
                contract.append("value")
            self._coded = together(pieces, "the sources").select(*contract, pl.exclude(contract))
            self._held.clear()  # so that events are not in memory twice
        return self._coded

    @property
    def frame(self) -> pl.LazyFrame:
        """Contract EVENTS: one row an event, in the order of the sources and, within one, of arrival.

        Raises
        ------
        InputError
            For a source that cannot be read, or rows that cannot be used where ``on_error="raise"``.
        """
        return self.coded.lazy().with_columns(pl.col(pl.Categorical).cast(pl.String))

    def require(self, source: str | None = None) -> None:
        """Read one source, or all of them, and raise what stands in the way of using it.

        Raises
        ------
        InputError
            As for ``frame``.
        """
        for converted in self._found(source):
            if converted.error is not None:
                raise converted.error

    def quality(self, source: str | None = None) -> pl.DataFrame:
        """Return contract QUALITY: what was found, source by source, or in one of them.

        Rows that stop a run where ``on_error="raise"`` are listed as the ``set aside`` that they would be.
        """
        return pl.concat([converted.findings.frame() for converted in self._found(source)])

    def set_aside(self, source: str | None = None) -> pl.DataFrame:
        """Return where each row stands that was set aside, and why: in one source, or in all of them.

        Returns
        -------
        polars.DataFrame
            ``source``, ``path``, ``line`` of a text file (from 1), ``row`` of any other table (from 0), ``reason``;
            as many rows of a reason as ``quality()`` counts.
        """
        return pl.concat([converted.findings.set_aside() for converted in self._found(source)])

    def inputs(self) -> pl.DataFrame:
        """Return one row a file (or frame) that was read.

        Returns
        -------
        polars.DataFrame
            ``source``, ``path``, ``bytes``, ``modified``, ``rows``.
        """
        return pl.concat([converted.inputs for converted in self._found(None)])

    def counts(self, source: str | None = None) -> pl.DataFrame:
        """Return how many rows of each source, or of one, were read and what became of them.

        Returns
        -------
        polars.DataFrame
            ``source``, ``read``, ``kept``, ``set_aside``, ``duplicates``; the last three add up to ``read``.
        """
        found = [converted.findings for converted in self._found(source)]
        return pl.DataFrame(
            [(one.source, one.read, one.kept, one.count("set aside"), one.count("dropped duplicate")) for one in found],
            schema={
                "source": pl.String,
                "read": pl.Int64,
                "kept": pl.Int64,
                "set_aside": pl.Int64,
                "duplicates": pl.Int64,
            },
            orient="row",
        )


def scan_events(sources: Mapping[str, Source], *, cleaning: Cleaning | None = None) -> EventLog:
    """Declare the sources of a log. Lazy: nothing is read yet.

    Parameters
    ----------
    sources : mapping of str to Source
        The key is the source's name and, unless the source names a column for it, the channel of its events.
        Where times tie, events of an earlier source come first.
    cleaning : Cleaning, optional
        Rules for the events of all sources: how identifiers are written, names of events, bots, samples.

    Returns
    -------
    EventLog

    Raises
    ------
    ArgumentError
        For something other than a mapping, without sources, for a name that is no text or blank, for rules about
        a kind of identifier that no source has, and where an identifier that becomes a pseudonym is carried as it is.

    Examples
    --------
    >>> import polars as pl
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00:00+01:00"], "what": ["home"], "who": ["a"]})
    >>> log = scan_events({"web": Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> log.frame.collect().row(0)
    (datetime.datetime(2026, 1, 1, 9, 0, tzinfo=zoneinfo.ZoneInfo(key='UTC')), 'web', 'home', 'a')
    """
    if not isinstance(sources, Mapping):
        raise ArgumentError.at(
            f"{type(sources).__name__} does not name the sources",
            where="scan_events",
            hint='Write cjm.scan_events({"web": cjm.Source(...), "store": cjm.Source(...)})',
        )
    if not sources:
        raise ArgumentError.at("there are no sources", where="scan_events", hint="Give at least one name and Source")
    for name, source in sources.items():
        if not isinstance(name, str) or not name.strip():
            raise ArgumentError.at(f"{name!r} is no name of a source", where="scan_events")
        if not isinstance(source, Source):
            raise ArgumentError.at(
                f"{type(source).__name__} is no cjm.Source",
                where=f"scan_events, source {name!r}",
                hint="Wrap it: cjm.Source(..., time=..., event=..., ids={...})",
            )
    cleaning = cleaning or Cleaning()
    log = EventLog(sources, cleaning)
    cleaning.check_kinds(log.kinds)
    for name, source in sources.items():
        cleaning.check_columns(source, name)
    return log
