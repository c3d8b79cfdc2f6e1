"""The event log that a configuration declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

import cjm
from cjm.errors import ConfigError
from cjm.events import EventLog, Source
from cjm.job._config import Config
from cjm.job._privacy import privacy_of

__all__ = ["batch_log", "declared_log"]


def declared_log(config: Config) -> EventLog:
    """Return the log of ``[sources]``, ``[cleaning]`` and ``[privacy]``; only rules and the key are read yet.

    Raises
    ------
    ConfigError
        For a table of rules or a key that cannot be read.
    ArgumentError
        For rules that do not exist.
    """
    return cjm.scan_events({name: config.source(name) for name in config.sources}, cleaning=_cleaning(config))


def batch_log(config: Config, sources: Mapping[str, Source]) -> EventLog:
    """Return the log of a batch of some sources, under ``[cleaning]`` and ``[privacy]``.

    Raises
    ------
    ConfigError, ArgumentError
        As for :func:`declared_log`, and where only the whole log can tell who is a person.
    """
    cleaning, kind = declared_log(config).cleaning, config.identity.known_by
    if kind in cleaning.shared:
        raise ConfigError.at(
            f"which identifiers of kind {kind!r} too many share, only the whole log can tell",
            where="[cleaning] shared, cjm watch",
            hint="Watch with a configuration without it",
        )
    return EventLog(sources, replace(cleaning, shared={}), whole=len(sources) == len(config.sources))


def _cleaning(config: Config) -> cjm.Cleaning:
    section = config.cleaning
    return cjm.Cleaning(
        ids=section.ids,
        taxonomy=_table(config, "taxonomy"),
        exclude=_table(config, "exclude"),
        shared=section.shared,
        sample=section.sample,
        privacy=privacy_of(config),
    )


def _table(config: Config, name: str) -> pl.DataFrame | None:
    given = getattr(config.cleaning, name)
    if given is None:
        return None
    path = config.resolve(given)
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path)
        return pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ConfigError.at(
            f"the table cannot be read ({str(error).splitlines()[0]})",
            where=f"[cleaning] {name}, {path}",
            hint="Give a Parquet or CSV file",
        ) from error
