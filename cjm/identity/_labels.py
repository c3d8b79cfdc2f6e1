"""Whose event each one is, as it lies on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from cjm.contracts import TIME
from cjm.errors import InputError
from cjm.files import created

__all__ = ["StoredLabels"]

_SCHEMA: Mapping[str, pl.DataType | type[pl.DataType]] = {"person": pl.Int64, "known_from": TIME}


class StoredLabels:
    """Persons of events, strip by strip of a log.

    Parameters
    ----------
    folder : Path
        Where :meth:`put` has put them, or is to.
    """

    ROWS = 1_000_000  # of a strip

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held = (-1, pl.DataFrame(schema=_SCHEMA))

    def put(self, strip: int, rows: int, labels: Iterable[pl.DataFrame]) -> None:
        """Store a strip of so many rows: ``row``, ``person`` and ``known_from`` of those that have a person."""
        first = strip * self.ROWS
        every = pl.DataFrame({"row": pl.int_range(first, first + rows, eager=True)})
        told = pl.concat([pl.DataFrame(schema={"row": pl.Int64, **_SCHEMA}), *labels])
        found = every.join(told, on="row", how="left", maintain_order="left").select(*_SCHEMA)
        with created(self._path(strip)) as file:
            found.write_ipc(file, compression="lz4")

    def _path(self, strip: int) -> Path:
        return self._folder / f"{strip:05d}.arrow"

    def labels_of(self, log: object) -> StoredLabels:
        """Return these labels: they are of one log."""
        return self

    def slice(self, first: int, rows: int) -> pl.DataFrame:
        """Return ``person`` and ``known_from`` of events ``[first, first + rows)``; null for nobody."""
        parts = [pl.DataFrame(schema=_SCHEMA)]
        stop = first + rows
        while first < stop:
            strip, start = divmod(first, self.ROWS)
            if strip != self._held[0]:
                self._held = strip, self._read(strip)
            parts.append(self._held[1].slice(start, stop - first))
            first = (strip + 1) * self.ROWS
        return pl.concat(parts)

    def _read(self, strip: int) -> pl.DataFrame:
        try:
            return pl.read_ipc(self._path(strip))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise InputError.at(
                "the file is missing or damaged", where=str(self._path(strip)), hint="Run again without it"
            ) from error
