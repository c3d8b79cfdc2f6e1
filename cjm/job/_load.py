"""The event log that a configuration declares."""

from __future__ import annotations

import polars as pl

import cjm
from cjm.errors import ConfigError
from cjm.events import EventLog
from cjm.job._config import Config

__all__ = ["declared_log"]


def declared_log(config: Config) -> EventLog:
    """Return the log of ``[sources]`` and ``[cleaning]``; nothing but the tables of rules is read yet.

    Raises
    ------
    ConfigError
        For a table of rules that cannot be read.
    ArgumentError
        For rules that do not exist.
    """
    section = config.cleaning
    tables = {name: _table(config, name) for name in ("taxonomy", "exclude")}
    cleaning = cjm.Cleaning(ids=section.ids, shared=section.shared, sample=section.sample, **tables)
    return cjm.scan_events({name: config.source(name) for name in config.sources}, cleaning=cleaning)


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
