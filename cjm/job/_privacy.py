"""Identifiers of a configuration as they are stored, and the key to them."""

from __future__ import annotations

import polars as pl

from cjm.errors import ArgumentError, ConfigError
from cjm.events import clean_ids, rewritten
from cjm.job._config import Config
from cjm.privacy import Privacy, Tombstones

__all__ = ["privacy_of", "stored_ids"]


def privacy_of(config: Config) -> Privacy | None:
    """Return what ``[privacy]`` does to identifiers; None without that section.

    Raises
    ------
    ConfigError
        If the key cannot be used, or lies where outputs are put.
    InputError
        If the file of those who were forgotten is damaged or was written with another key.
    """
    section = config.privacy
    if section is None:
        return None
    path = config.resolve(section.key_file)
    where = f"[privacy] key_file, {path}"
    for folder in (config.output.dir, config.watch.dir):
        if config.resolve(folder).resolve() in path.resolve().parents:
            raise ConfigError.at("the key lies among the data", where=where, hint="Keep it where only the job can read")
    try:
        plain = Privacy(path.read_bytes(), pseudonyms=section.pseudonyms)
    except OSError as error:
        raise ConfigError.at(f"the key cannot be read ({error.strerror})", where=where) from error
    except ArgumentError as error:
        raise ConfigError.at(str(error), where=where) from error
    return plain.with_tombstones(Tombstones.open(config.resolve(section.forgotten), plain.key))


def stored_ids(ids: pl.Series, kind: str, config: Config) -> pl.Series:
    """Return identifiers of a table as the run stores them: cleaned, written by their rules, as pseudonyms.

    Raises
    ------
    InputError
        If the column is of a type that holds no identifiers.
    """
    written = rewritten(clean_ids(ids), config.cleaning.ids.get(kind, ())).alias(ids.name)
    privacy = privacy_of(config)
    return written if privacy is None else privacy.stored(written, kind)
