"""Decisions on disk, for a channel system to look up."""

from __future__ import annotations

import hashlib
import io
import re
from datetime import datetime
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl

from cjm.contracts import CONTRACTS
from cjm.errors import ArgumentError, InputError
from cjm.files import write_bytes

__all__ = ["DecisionTable", "open_decisions", "write_decisions"]

_ROWS_A_GROUP = 65_536
_MARK = b"cjm decisions"  # beside it in the footer: a hash of the file, in which the hash itself is blank
_BLANK = b"0" * 64
_DIGEST = re.compile(_MARK + rb"..([0-9a-f]{64})", re.DOTALL)  # between the two: what kind of field follows, how long
_AGAIN = "Write it again with write_decisions"


class DecisionTable:
    """Stored decisions, ready for ``cjm.decide(table, person=...)``; made by :func:`open_decisions`.

    Attributes
    ----------
    frame : polars.DataFrame
        Contract DECISIONS, sorted by person.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame
        self._person = frame["person"].to_numpy()

    def __repr__(self) -> str:
        return f"DecisionTable({self.frame.height:,} options, decided at {self.decided_at})"

    @property
    def decided_at(self) -> datetime | None:
        """When the decisions were made; None if there are none."""
        return cast("datetime | None", self.frame["decided_at"].max())

    def rows_of(self, person: int) -> pl.DataFrame:
        """Return the options of one person; no rows if there are none."""
        first, stop = np.searchsorted(self._person, [person, person + 1])
        return self.frame.slice(int(first), int(stop - first))


def write_decisions(decisions: pl.DataFrame, path: str | Path) -> Path:
    """Store decisions as one Parquet file, sorted by person, in the place of a former one, in one step.

    Any reader of Parquet can look a person up: row groups are small and carry the range of their persons. The file
    carries a checksum. Readers see the former file or the new one, never a part.

    Parameters
    ----------
    decisions : DataFrame
        What :func:`cjm.decide` returned.
    path : str or Path

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ContractError
        If the frame is no table of decisions.
    ArgumentError
        If it is not sorted by person.
    RunError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_decisions(CONTRACTS["DECISIONS"].empty(), Path(folder) / "decisions.parquet")
    ...     open_decisions(path)
    DecisionTable(0 options, decided at None)
    """
    import pyarrow.parquet as pq

    CONTRACTS["DECISIONS"].validate(decisions)
    if not decisions["person"].is_sorted():
        raise ArgumentError.at(
            "the decisions are not sorted by person", where="write_decisions", hint="Sort them first"
        )
    target, buffer = Path(path), io.BytesIO()
    table = decisions.to_arrow().replace_schema_metadata({_MARK: _BLANK})
    pq.write_table(table, buffer, compression="zstd", write_page_checksum=True, row_group_size=_ROWS_A_GROUP)
    data = buffer.getvalue()
    write_bytes(target, _swapped(data, _BLANK, hashlib.sha256(data).hexdigest().encode()))
    return target


def open_decisions(path: str | Path) -> DecisionTable:
    """Read a file of :func:`write_decisions`; it is held in memory, so that a look-up touches no disk.

    Raises
    ------
    InputError
        If the file is missing, damaged, or no table of decisions.
    """
    import pyarrow.parquet as pq

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError.at("no table of decisions", where=str(path), hint=_AGAIN) from error
    digest = _DIGEST.search(data)
    if digest is None or hashlib.sha256(_swapped(data, digest[1], _BLANK)).hexdigest().encode() != digest[1]:
        raise InputError.at("no table of decisions, or a damaged one", where=str(path), hint=_AGAIN)
    return DecisionTable(cast("pl.DataFrame", pl.from_arrow(pq.read_table(io.BytesIO(data)))).rechunk())


def _swapped(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace the last occurrence: what follows the names of columns and their statistics in the footer."""
    before, _, after = data.rpartition(old)
    return before + new + after
