"""Look at a configuration and its sources without running anything."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

import cjm
from cjm.contracts import CONTRACTS
from cjm.errors import CjmError
from cjm.files import check_replaceable
from cjm.job._config import Config

__all__ = ["Checked", "check"]


@dataclass
class Checked:
    """What a check found.

    Attributes
    ----------
    quality : polars.DataFrame
        Contract QUALITY, over the sources that can be read.
    counts : polars.DataFrame
        ``source``, ``read``, ``kept``, ``set_aside``, ``duplicates``.
    faults : list of str
        What would stop a run.
    """

    quality: pl.DataFrame = field(default_factory=CONTRACTS["QUALITY"].empty)
    counts: pl.DataFrame = field(default_factory=pl.DataFrame)
    faults: list[str] = field(default_factory=list)


def check(config: Config) -> Checked:
    """Read every source, one after the other, and collect all that would stop a run."""
    found = Checked()
    try:
        check_replaceable(config.resolve(config.output.dir))
    except CjmError as error:
        found.faults.append(str(error))
    for name in config.sources:
        log = cjm.scan_events({name: config.source(name)})
        try:
            found.quality = pl.concat([found.quality, log.quality()])
            found.counts = pl.concat([found.counts, log.counts()]) if found.counts.width else log.counts()
            log.frame.head(0).collect()
        except CjmError as error:
            found.faults.append(str(error))
    if not found.faults and found.counts["kept"].sum() == 0:
        found.faults.append("no events are left after cleaning")
    return found
