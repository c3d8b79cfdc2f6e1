"""Who is at risk, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cjm.contracts import TIME
from cjm.errors import ConfigError, InputError
from cjm.events import Source, to_utc, told
from cjm.identity import person_numbers
from cjm.job._config import Config
from cjm.job._people import People
from cjm.job._privacy import stored_ids
from cjm.journeys import Journeys

__all__ = ["at_risk", "read_table", "with_person"]


def at_risk(config: Config, journeys: Journeys, people: People | None, warnings: list[str]) -> pl.DataFrame | None:
    """Return the persons at risk with their attributes, or None for everybody.

    They are the rows of the table that ``[churn] persons`` names. Without one they are the persons with an identifier
    of a unique kind: an anonymous visitor is not a customer. Where ``[churn] entry`` names a column, a person is at
    risk from then on, but not before the log begins: nobody could have been seen to leave before.
    """
    churn = config.churn
    assert churn is not None
    if churn.persons is None:
        if people is None:
            return None
        numbers = people.map.filter(pl.col("kind").is_in(config.identity.unique))
        # nobody can leave before their first event under their own number
        return numbers.group_by("person").agg(entry=pl.col("first_seen").min()).sort("person").collect()
    table = read_table(config.resolve(churn.persons), churn.persons_id, times=(churn.entry,) if churn.entry else ())
    table = with_person(table, churn.persons_id, config, people, f"[churn] persons_id, {churn.persons}")
    for column in filter(None, [*churn.covariates, churn.by, churn.entry]):
        if column not in table.columns:
            raise ConfigError.unknown("column", column, table.columns, where=f"[churn] persons, {churn.persons}")
    seen = journeys.persons.select("person", "first_seen").collect()
    known = table.join(seen.select("person"), on="person", how="semi", maintain_order="left")
    unseen = table.height - known.height
    if unseen:
        warnings.append(f"{churn.persons}: {unseen:,} of {table.height:,} persons have no event and are left out")
    twice = known.filter(pl.col("person").is_duplicated()).height
    if twice:
        raise InputError.at(
            f"{twice:,} rows are for a person that has another row",
            where=f"[churn] persons, {churn.persons}",
            hint="Keep one row a person",
        )
    if known.is_empty():
        raise InputError.at(
            "none of these persons has an event",
            where=f"[churn] persons, {churn.persons}",
            hint=f"Compare its column {churn.persons_id!r} with the identifiers of the sources",
        )
    if churn.entry is not None:
        known = known.with_columns(entry=_not_before(seen["first_seen"].min(), known[churn.entry], churn.persons))
    return known.sort("person")


def _not_before(start: Any, entry: pl.Series, table: str) -> pl.Series:
    if not isinstance(entry.dtype, pl.Datetime) or entry.dtype.time_zone is None:
        raise InputError.at(
            f"column {entry.name!r} is {entry.dtype}", where=f"[churn] entry, {table}", hint="Store times with a zone"
        )
    return pl.select(pl.max_horizontal(entry.dt.convert_time_zone("UTC").cast(TIME), pl.lit(start))).to_series()


def with_person(table: pl.DataFrame, kind: str, config: Config, people: People | None, where: str) -> pl.DataFrame:
    """Replace the column of a table that holds identifiers of a kind by ``person`` (null where it was never seen)."""
    if kind not in table.columns:
        raise ConfigError.unknown("column", kind, table.columns, where=where)
    if "person" in table.columns:
        raise ConfigError.at("the table has a column 'person' of its own", where=where, hint="Rename it")
    table = table.with_columns(stored_ids(table[kind], kind, config))
    if people is not None:
        return people.with_person(table, kind).drop(kind)
    if kind != config.identity.known_by:
        raise ConfigError.at(
            f"the table has a {kind!r} but a person is a {config.identity.known_by!r}",
            where=where,
            hint="Use the same kind",
        )
    return table.with_columns(person_numbers(table[kind], kind)).drop(kind)


def read_table(path: Path, ids: str, *, times: Sequence[str]) -> pl.DataFrame:
    """Read a small table of persons: Parquet or CSV.

    Of a CSV the identifiers stay text, so that ``00124`` does not become ``124``; ``times`` are ISO 8601 texts with an
    offset, or else UTC; numbers and true/false are recognised in the other columns.

    Raises
    ------
    InputError
        If it is missing or cannot be read, or a time cannot.
    """
    try:
        if path.suffix.lower() != ".csv":
            return pl.read_parquet(path)
        texts = {ids: pl.String, **dict.fromkeys(times, pl.String)}
        table = pl.read_csv(path, infer_schema_length=None, schema_overrides=texts)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError.at(
            f"the table cannot be read ({str(error).splitlines()[0]})",
            where=str(path),
            hint="Give a Parquet or CSV file",
        ) from error
    for name in set(times) & set(table.columns):
        meaning = Source(table, time=name, event=name, ids={ids: ids}, time_zone="UTC")
        read = to_utc(table[name], meaning, str(path))
        faults = {reason: mask for reason, mask in read.faults.items() if reason != "time missing"}
        for reason, mask in faults.items():
            raise InputError.at(
                f'"{told(str(table[name].filter(mask)[0]))}": {reason}',
                where=f"{path}, column {name!r}",
                hint="Write ISO 8601",
            )
        table = table.with_columns(read.utc.alias(name))
    return table
