"""Times of any make to microseconds UTC; nothing is guessed without saying so."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

import polars as pl

from cjm.contracts import TIME
from cjm.errors import InputError, excerpt, masked
from cjm.events._source import EPOCH_UNITS, Source
from cjm.identifiers import clean_ids

__all__ = ["Times", "example", "like_a_time", "to_utc", "told"]

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
LATEST_AHEAD = timedelta(days=366)

# A number of this many digits counts seconds, ms, us or ns since 1970 (years 1973 to 5138).
_DIGITS = {"s": (9, 11), "ms": (12, 14), "us": (15, 17), "ns": (18, 19)}
_TO_US = {"s": 1_000_000.0, "ms": 1_000.0, "us": 1.0, "ns": 0.001}
_ISO = (
    r"^(?<date>\d{4}-\d{2}-\d{2})(?:[T ](?<minute>\d{2}:\d{2})(?::(?<second>\d{2})(?:[.,](?<fraction>\d{1,9}))?)?)?"
    r"\s*(?<offset>Z|z|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?)?$"
)
_EPOCH = r"^-?\d{9,19}(?:\.\d*)?$"

# Years 1 to 9999, as days and seconds since 1970. Beyond them neither Polars nor Python can show a time.
_DAYS = (-719_162, 2_932_896)
_SECONDS = (-62_135_596_800, 253_402_300_799)


@dataclass
class Times:
    """Converted times, the rows that have none, and what was assumed.

    Attributes
    ----------
    utc : polars.Series
        Contract type TIME; null where the time cannot be used.
    faults : dict of str to polars.Series
        Boolean masks of rows that cannot be used, by reason; they do not overlap.
    notes : list of (check, rows, example)
        Assumptions about rows that are kept.
    midnight : (bool, int, str)
        Whether every usable time is a midnight, how many there are, the first.
    """

    utc: pl.Series
    faults: dict[str, pl.Series] = field(default_factory=dict)
    notes: list[tuple[str, int, str]] = field(default_factory=list)
    midnight: tuple[bool, int, str] = (True, 0, "")


def to_utc(raw: pl.Series, source: Source, where: str) -> Times:
    """Convert a source's time column.

    Raises
    ------
    InputError
        For text without offset where the source declares no zone, and for a column that is no time at all.
    """
    dtype = raw.dtype
    missing = raw.is_null() | raw.is_nan().fill_null(False) if dtype.is_float() else raw.is_null()
    if isinstance(dtype, (pl.Datetime, pl.Date)):
        result = _from_timestamps(pl.select(pl.when(_in_calendar(raw)).then(raw)).to_series(), source)
    elif dtype.is_numeric() and (source.time_format is None or source.time_format in EPOCH_UNITS):
        result = _from_epoch(raw, source)
    elif dtype == pl.String or dtype == pl.Null or dtype.is_numeric():
        text = clean_ids(raw, where=where)
        missing = missing | (text == "").fill_null(False)
        result = _from_text(text.set(missing, None) if missing.any() else text, source, where)
    else:
        raise InputError.at(
            f"a column of type {dtype} holds no times",
            where=f"{where}, column {_columns(source)}",
            hint="Name another column",
        )
    faults = {"time missing": missing, **result.faults}
    for mask in result.faults.values():
        missing = missing | mask
    faults["time unreadable"] = result.utc.is_null() & ~missing
    latest = datetime.now(UTC) + LATEST_AHEAD
    early = (result.utc < EARLIEST).fill_null(False)
    late = (result.utc > latest).fill_null(False)
    faults[f"time before {EARLIEST.year}"] = early
    faults["time more than a year ahead"] = late
    utc = pl.select(pl.when(~(early | late)).then(result.utc)).to_series()
    ahead = (utc > datetime.now(UTC) + timedelta(days=1)).fill_null(False)
    notes = [*result.notes, ("time in the future", int(ahead.sum()), example(raw, ahead))]
    zone = source.time_zone or getattr(dtype, "time_zone", None) or "UTC"
    local = utc.drop_nulls()
    # one row says no for nearly every log
    always = all((part.dt.convert_time_zone(zone).dt.time() == time(0)).all() for part in (local[:1], local))
    midnight = (always, len(local), example(raw, utc.is_not_null()) if always else "")
    return Times(utc, {reason: mask for reason, mask in faults.items() if mask.any()}, notes, midnight)


def example(raw: pl.Series, mask: pl.Series) -> str:
    """Return the first value under a mask as text, blank if there is none; also a time that no calendar has."""
    one = raw.filter(mask)[:1]
    if one.is_empty():
        return ""
    if isinstance(one.dtype, (pl.Datetime, pl.Date)) and not _in_calendar(one).fill_null(True)[0]:
        return f"{one.to_physical()[0]} as {one.dtype}"
    try:
        return str(one[0])
    except (ValueError, OverflowError):  # in the last hours of year 9999, a zone ahead of UTC is past the end
        return f"{one.to_physical()[0]} as {one.dtype}"


_DATE = r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}"
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\W+)?"
_NUMBER = r"(?:(?:19|20)\d\d[01]\d[0-3]\d|\d{10,}(?:\.\d*)?)$"
_LIKE_A_TIME = re.compile(
    rf"\W*{_DAY}(?:{_DATE}|\d\d?:\d\d|\d+\W+{_MONTH}\W+\d|{_MONTH}\W+\d+\W+\d|{_NUMBER})", re.IGNORECASE
)


def like_a_time(text: str) -> bool:
    """Return whether a text looks like a time, be it one or not: a date, a clock, or a large number.

    Examples
    --------
    >>> [like_a_time(text) for text in ("2026-02-30T10:00", "30 Feb 2026", "Kowalska-17", "1017")]
    [True, True, False, False]
    """
    return _LIKE_A_TIME.match(text) is not None


def told(value: str) -> str:
    """Return what stands where a time should be, masked unless it looks like one.

    In a row whose columns are shifted it may be an identifier.
    """
    return excerpt(value) if like_a_time(value) or value == "None" else masked(value)


def _in_calendar(raw: pl.Series) -> pl.Series:
    number = raw.to_physical()
    if raw.dtype == pl.Date:
        return number.is_between(*_DAYS)
    scale = {"ms": 10**3, "us": 10**6, "ns": 10**9}[getattr(raw.dtype, "time_unit", "us")]
    low, high = (min(max(second * scale, -(2**63)), 2**63 - 1) for second in _SECONDS)
    return number.is_between(low, high)


def _from_timestamps(raw: pl.Series, source: Source) -> Times:
    if getattr(raw.dtype, "time_zone", None) is not None:
        return Times(raw.dt.convert_time_zone("UTC").cast(TIME))
    naive = raw.cast(pl.Datetime("us"))
    if source.time_zone is not None:
        return _localised(naive, source.time_zone)
    note = ("time without zone read as UTC", len(raw) - raw.null_count(), example(raw, raw.is_not_null()))
    return Times(naive.dt.replace_time_zone("UTC"), notes=[note])


def _localised(naive: pl.Series, zone: str) -> Times:
    """Read wall-clock times in ``zone``; a repeated hour is its first pass, a skipped hour is no time."""
    first = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    second = naive.dt.replace_time_zone(zone, ambiguous="latest", non_existent="null")
    repeated = (first != second).fill_null(False)
    skipped = first.is_null() & naive.is_not_null()
    return Times(
        first.dt.convert_time_zone("UTC").cast(TIME),
        {"time skipped by daylight saving": skipped} if skipped.any() else {},
        [("time in the repeated hour read as its first pass", int(repeated.sum()), example(naive, repeated))],
    )


def _from_epoch(raw: pl.Series, source: Source) -> Times:
    if source.time_format in EPOCH_UNITS:
        return Times(_scaled(raw, source.time_format or ""))
    size = raw.cast(pl.Float64, strict=False).abs()
    units = {
        unit: ((size >= 10.0 ** (low - 1)) & (size < 10.0**high)).fill_null(False)
        for unit, (low, high) in _DIGITS.items()
    }
    counts = {unit: int(mask.sum()) for unit, mask in units.items()}
    unit = max(counts, key=lambda name: counts[name])
    other = pl.Series([False]).new_from_index(0, len(raw))
    for name, mask in units.items():
        if name != unit:
            other = other | mask
    utc = pl.select(pl.when(units[unit]).then(_scaled(raw, unit))).to_series()
    return Times(
        utc,
        {f"epoch number in another unit than {unit}": other} if other.any() else {},
        [(f"epoch number read as {unit} by its size", counts[unit], example(raw, units[unit]))],
    )


def _scaled(raw: pl.Series, unit: str) -> pl.Series:
    """Return epoch numbers as times; whole numbers exactly, null for those out of range."""
    if raw.dtype == pl.String:
        exact, rounded = (
            _scaled(raw.cast(pl.Int64, strict=False), unit),
            _scaled(raw.cast(pl.Float64, strict=False), unit),
        )
        return pl.select(pl.coalesce(exact, rounded)).to_series()
    if raw.dtype.is_integer():
        whole = raw.cast(pl.Int64, strict=False)
        limit = (2**63 - 1) // max(int(_TO_US[unit]), 1)
        whole = pl.select(pl.when(whole.is_between(-limit, limit)).then(whole)).to_series()
        us = whole // 1000 if unit == "ns" else whole * int(_TO_US[unit])
    else:
        us = (raw.cast(pl.Float64).fill_nan(None) * _TO_US[unit]).round().cast(pl.Int64, strict=False)
    return us.cast(TIME)


def _from_text(text: pl.Series, source: Source, where: str) -> Times:
    if source.time_format in EPOCH_UNITS:
        return Times(_scaled(text, source.time_format or ""))
    if source.time_format is not None:
        return _with_format(text, source, where)
    digits = text.str.contains(_EPOCH).fill_null(False)
    if not digits.any():
        return _from_iso(text, source, where)
    iso = _from_iso(text.filter(~digits), source, where)
    return _merged([(digits, _from_epoch(text.filter(digits), source)), (~digits, iso)])


def _merged(parts: list[tuple[pl.Series, Times]]) -> Times:
    """Put together the times of rows that were converted apart; each part has the mask of its rows."""
    rows = len(parts[0][0])
    nothing = pl.Series([False]).new_from_index(0, rows)
    merged = Times(pl.Series([None], dtype=TIME).new_from_index(0, rows))
    for mask, times in parts:
        at = mask.arg_true()
        merged.utc = merged.utc.scatter(at, times.utc)
        merged.notes += times.notes
        for reason, fault in times.faults.items():
            merged.faults[reason] = merged.faults.get(reason, nothing).clone().scatter(at, fault)
    return merged


def _from_iso(text: pl.Series, source: Source, where: str) -> Times:
    parts = text.str.extract_groups(_ISO).struct.unnest()
    wall = (
        parts.select(
            pl.concat_str(
                "date",
                pl.lit(" "),
                pl.col("minute").fill_null("00:00"),
                pl.lit(":"),
                pl.col("second").fill_null("00"),
                pl.lit("."),
                pl.col("fraction").fill_null("0").str.slice(0, 6).str.pad_end(6, "0"),
            ).str.to_datetime("%Y-%m-%d %H:%M:%S%.6f", time_unit="us", strict=False)
        )
        .to_series()
        .rename("time")
    )
    offset = parts["offset"]
    bare = wall.is_not_null() & offset.is_null()
    sign = pl.when(pl.col("offset").str.starts_with("-")).then(-1).otherwise(1)
    digits = pl.col("offset").str.replace_all(r"[^0-9]", "").str.pad_end(4, "0")
    shift = (
        parts.select(
            pl.when(pl.col("offset").str.to_uppercase() == "Z")
            .then(0)
            .otherwise(sign * (digits.str.slice(0, 2).cast(pl.Int64) * 60 + digits.str.slice(2, 2).cast(pl.Int64)))
            .mul(60_000_000)
            .cast(pl.Duration("us"))
        )
        .to_series()
        .fill_null(timedelta(0))
    )
    utc = (wall - shift).dt.replace_time_zone("UTC").cast(TIME)
    if not bare.any():
        return Times(utc)
    zone = _declared_zone(source, where, example(text, bare))
    return _merged([(~bare, Times(utc.filter(~bare))), (bare, _localised(wall.filter(bare), zone))])


def _with_format(text: pl.Series, source: Source, where: str) -> Times:
    pattern = source.time_format or ""
    try:
        if "%z" in pattern or "%:z" in pattern or "%#z" in pattern:
            aware = text.str.to_datetime(pattern, time_unit="us", time_zone="UTC", strict=False)
            return Times(aware.cast(TIME))
        naive = text.str.to_datetime(pattern, time_unit="us", strict=False)
    except pl.exceptions.PolarsError as error:
        raise InputError.at(
            f"the time format {pattern!r} cannot be used ({str(error).splitlines()[0]})",
            where=f"{where}, time_format",
            hint='Write it as for strptime, such as "%d.%m.%Y %H:%M:%S"',
        ) from error
    return _localised(naive, _declared_zone(source, where, example(text, text.is_not_null())))


def _columns(source: Source) -> str:
    return " or ".join(map(repr, source.times))


def _declared_zone(source: Source, where: str, example: str) -> str:
    if source.time_zone is None:
        raise InputError.at(
            f"times such as {told(example)!r} carry no offset and no zone is declared",
            where=f"{where}, column {_columns(source)}",
            hint='Set time_zone= (for example "Europe/Warsaw" or "UTC")',
        )
    return source.time_zone
