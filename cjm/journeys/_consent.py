"""Journeys without the events for which there was no consent."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from cjm.contracts import TIME
from cjm.errors import ArgumentError, InputError
from cjm.journeys._core import Journeys

__all__ = ["consented", "consenting"]

_EVER = -(2**62)
_COLUMNS = ("person", "purpose", "given", "from", "to")


def consented(journeys: Journeys, consent: pl.DataFrame, *, purpose: str, default: bool = False) -> Journeys:
    """Keep the events that happened while their person consented to a purpose.

    Parameters
    ----------
    journeys : Journeys
    consent : polars.DataFrame
        ``person``, ``purpose`` (text), ``given`` (Boolean), ``from`` and ``to`` (times with a zone; null: since ever,
        still in force). A record is in force at ``t`` if ``from <= t < to``. A refusal in force outweighs any consent.
    purpose : str
        Such as ``"analytics"``.
    default : bool
        What holds where no record is in force: False where consent must be given (opt-in), True where it can be
        withdrawn (opt-out).

    Returns
    -------
    Journeys
        As :meth:`Journeys.filter` returns them.

    Raises
    ------
    ArgumentError
        For a purpose that no record names.
    InputError
        For a column that is missing or of a wrong type, a record without person, purpose or answer, or one that ends
        before it begins.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> import polars as pl, cjm
    >>> frame = pl.DataFrame({"at": ["2026-01-01T10:00Z", "2026-01-03T10:00Z"], "what": "home", "who": "a"})
    >>> log = cjm.scan_events({"web": cjm.Source(frame, time="at", event="what", ids={"customer": "who"})})
    >>> journeys = cjm.build_journeys(log, person="customer")
    >>> records = journeys.persons.collect().select("person", purpose=pl.lit("analytics"), given=True)
    >>> records = records.with_columns(pl.lit(datetime(2026, 1, 2, tzinfo=UTC)).alias("from"), to=None)
    >>> cjm.consented(journeys, records, purpose="analytics").height
    1
    """
    from cjm.kernels._jit import as_array
    from cjm.kernels.consent import in_force

    changes = _changes(consent, purpose, default)
    owner, time, state = (changes[name].to_numpy() for name in ("person", "time", "state"))
    parts = []
    for bucket in journeys.buckets():
        arrays = bucket.arrays
        first, stop = (np.searchsorted(owner, arrays.person, side) for side in ("left", "right"))
        found = np.empty(len(arrays.time), dtype=np.bool_)
        in_force(
            as_array(arrays.offsets, np.int64),
            as_array(arrays.time, np.int64),
            as_array(first, np.int64),
            as_array(stop, np.int64),
            as_array(time, np.int64),
            as_array(state, np.bool_),
            default,
            found,
        )
        parts.append(found)
    return journeys.keep(np.concatenate(parts))


def consenting(persons: pl.Series, consent: pl.DataFrame, *, purpose: str, at: datetime, default: bool) -> pl.Series:
    """Return which of ``persons`` consent to a purpose at a time; the table is that of :func:`consented`."""
    changes = _changes(consent, purpose, default).filter(pl.col("time") <= pl.lit(at).cast(TIME).to_physical())
    last = changes.group_by("person").agg(pl.col("state").last())
    found = persons.alias("person").to_frame().join(last, on="person", how="left", maintain_order="left")
    return found["state"].fill_null(default)


def _changes(consent: pl.DataFrame, purpose: str, default: bool) -> pl.DataFrame:
    """Return when which state begins: ``person``, ``time`` (microseconds), ``state``; by person and time."""
    records = _checked(consent, purpose)
    edge = {"given": pl.col("given").cast(pl.Int64), "refused": (~pl.col("given")).cast(pl.Int64)}
    begins = records.select("person", time=pl.col("from"), **edge)
    ends = records.filter(pl.col("to").is_not_null()).select(
        "person", time=pl.col("to"), **{name: -one for name, one in edge.items()}
    )
    # whole numbers, so the order in which records of one time are added does not matter
    net = pl.concat([begins, ends]).group_by("person", "time").sum().sort("person", "time")
    return net.select(
        "person",
        "time",
        state=(pl.col("refused").cum_sum().over("person") == 0)
        & ((pl.col("given").cum_sum().over("person") > 0) | default),
    )


def _checked(consent: pl.DataFrame, purpose: str) -> pl.DataFrame:
    where = "the table of consent"
    for name in _COLUMNS:
        if name not in consent.columns:
            raise InputError.unknown("column", name, consent.columns, where=where)
    for name in ("from", "to"):
        dtype = consent.schema[name]
        if dtype != pl.Null and not (isinstance(dtype, pl.Datetime) and dtype.time_zone is not None):
            raise InputError.at(f"column {name!r} is {dtype}", where=where, hint="Give times with a zone")
    if consent.schema["given"] != pl.Boolean:
        raise InputError.at(f"column 'given' is {consent.schema['given']}", where=where, hint="Give true or false")
    holes = consent.filter(pl.any_horizontal(pl.col("person", "purpose", "given").is_null())).height
    if holes:
        raise InputError.at(f"{holes:,} records lack the person, the purpose or the answer", where=where)
    known = consent["purpose"].unique().to_list()
    if purpose not in known:
        raise ArgumentError.unknown("purpose", purpose, known, where=where)
    records = consent.filter(pl.col("purpose") == purpose).with_columns(
        pl.col("from", "to").cast(TIME).to_physical()
    ).with_columns(pl.col("from").fill_null(_EVER))  # fmt: skip
    wrong = records.filter(pl.col("to") < pl.col("from")).height
    if wrong:
        raise InputError.at(f"{wrong:,} records end before they begin", where=where, hint="Exchange from and to")
    return records
