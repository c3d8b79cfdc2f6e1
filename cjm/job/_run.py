"""One run: analyse, then write everything at once."""

from __future__ import annotations

import json
import logging
import platform
import secrets
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import polars as pl

from cjm.durations import DAY_US, to_us
from cjm.errors import CjmError, RunError
from cjm.events import TABLES, files_of
from cjm.files import copied, created, locked
from cjm.folders import check_replaceable, replaced_folder
from cjm.job._analysis import Analysis
from cjm.job._config import Config
from cjm.job._days import Days
from cjm.job._memory import bytes_of, estimate, peak
from cjm.job._room import require_room_for
from cjm.job._work import Work, fixed_time
from cjm.progress import Steps
from cjm.report import render

__all__ = ["run"]

logger = logging.getLogger("cjm")

_LIBRARIES = ("cjm", "polars", "pyarrow", "numba", "numpy", "lifelines", "mlxtend", "prefixspan")


def run(config: Config, *, output: Path | None = None, memory: str | int | None = None) -> Path:
    """Run a configuration and write its report, tables and manifest.

    Parameters
    ----------
    config : Config
    output : Path, optional
        Folder to write instead of ``[output] dir``.
    memory : str or int, optional
        Most resident memory of the process, such as ``"4GB"``, or bytes. Results do not depend on it.

    Returns
    -------
    Path
        The folder: ``report.html``, ``run.json``, ``tables/*.parquet``. It appears whole; until then a former output
        stays as it was.

    Raises
    ------
    CjmError
        If the data cannot be used, the folder cannot be written, or the memory will not do.
    """
    target = output or config.resolve(config.output.dir)
    check_replaceable(target)
    limit = None if memory is None else bytes_of(memory)
    expected = estimate(config, limit)
    if limit is not None:
        expected.check(limit)
    logger.info("%s", expected)
    require_room_for(target, expected.disk)
    total = 5 + (config.identity.person is None) + (config.churn is not None) + bool(config.moments)
    with locked(target), Steps(total, expected.seconds).shown() as steps:
        plan = _plan(config)
        work = Work(target, plan, fixed_time() or datetime.now(UTC))
        days = Days(target, config, plan)
        in_memory, at_once = expected.events_in_memory(limit), expected.stitched_at_once(limit)
        found = Analysis(config, steps, work, days, in_memory=in_memory, stitched_at_once=at_once)
        try:
            found.run()
        except RunError:
            raise
        except CjmError:  # what mends it will change what the steps depend on
            work.remove()
            raise
        used = _memory_used(limit)
        if limit is not None and used.get("peak", 0) > limit:
            found.warnings.append(f"{used['peak'] / 1e9:,.1f} GB of memory were taken, {limit / 1e9:,.1f} GB allowed")
        with steps.step("report", len(found.tables)) as step, replaced_folder(target) as folder:
            (folder / "tables").mkdir()
            for name, path in found.tables.paths.items():
                copied(path, folder / "tables" / f"{name}.parquet")
            manifest = {**_manifest(config, found, steps, work.started), "memory": used}
            for name, text in (("report.html", render(found.tables, manifest)), ("run.json", _as_json(manifest))):
                with created(folder / name) as file:
                    file.write(text.encode())
            step.rows_out = len(found.tables)
        days.keep(work)
    return target


def _plan(config: Config) -> dict[str, Any]:
    """Return all that the results depend on: a run that was interrupted goes on only if it is still the same."""
    sources: dict[str, list[tuple[str, str, int, int]]] = {}
    elsewhere = False
    for name in config.sources:
        source = config.source(name)
        files = None if source.format in TABLES else files_of(source, name)
        local = [file.path for file in files or [] if isinstance(file.path, Path)]
        elsewhere = elsewhere or files is None or len(local) < len(files)
        sources[name] = [_state_of(path) for path in local]
    tables = {name: config.resolve(path) for name, path in _tables_given(config).items()}
    if config.privacy is not None:
        tables |= {name: config.resolve(getattr(config.privacy, name)) for name in ("key_file", "forgotten")}
    return {
        # whether a database or an object store has changed is not known
        "elsewhere": secrets.token_hex(8) if elsewhere else "",
        "configuration": config.model_dump_json(),
        "tables": {name: _state_of(path) for name, path in tables.items() if path.exists()},
        "sources": sources,
        "versions": _versions(),
    }


def _state_of(path: Path) -> tuple[str, str, int, int]:
    """Return a path as given and as it is, the size and the time of the file."""
    stat = path.stat()
    return str(path), str(path.resolve()), stat.st_size, stat.st_mtime_ns


def _as_json(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, indent=2, ensure_ascii=False)


def _manifest(config: Config, found: Analysis, steps: Steps, started: datetime) -> dict[str, Any]:
    fixed = fixed_time() is not None
    inputs = found.tables["inputs"].with_columns(pl.col("modified").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return {
        "title": config.output.title,
        "created": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "seconds": None if fixed else round((datetime.now(UTC) - started).total_seconds(), 3),
        "versions": _versions(),
        "configuration": json.loads(config.model_dump_json(exclude_none=True)),
        "inputs": [*inputs.to_dicts(), *_tables_read(config)],
        "sources": found.tables["sources"].to_dicts(),
        "steps": [vars(step) | ({"seconds": None} if fixed else {}) for step in steps.done],
        "period": dict(zip(("start", "end"), found.period, strict=True)),
        "churn": _churn_text(config),
        **_limits(config),
        **found.counts,
        "tables": {name: found.tables.height(name) for name in found.tables},
        "hide_below": config.output.hide_below,
        "warnings": found.warnings,
        "notes": found.notes,
        "incremental": {key: value for key, value in found.incremental.items() if key != "former"},
    }


def _memory_used(limit: int | None) -> dict[str, int]:
    """Return the limit and the most memory that the process has had so far, bytes; nothing for equal outputs."""
    told = {} if fixed_time() is not None else {"limit": limit, "peak": peak()}
    return {name: size for name, size in told.items() if size is not None}


def _churn_text(config: Config) -> str:
    churn = config.churn
    if churn is None:
        return ""
    if churn.event is not None:
        return f"the event {' or '.join(churn.events)}"
    if churn.inactive is not None:
        return f"no event for more than {churn.inactive}"
    return f"the times in {churn.table}"


def _tables_given(config: Config) -> dict[str, str]:
    """Return the tables beside the sources that the configuration names."""
    named = {
        "churn persons": config.churn and config.churn.persons,
        "churn table": config.churn and config.churn.table,
        "consent": config.consent and config.consent.table,
        "taxonomy": config.cleaning.taxonomy,
        "exclude": config.cleaning.exclude,
    }
    named |= {f"decide {name}": path for name, path in (config.decide.tables if config.decide else {}).items()}
    return {name: path for name, path in named.items() if path}


def _tables_read(config: Config) -> list[dict[str, Any]]:
    """Return these tables as inputs."""
    read = []
    for name, given in _tables_given(config).items():
        path = config.resolve(given)
        stat = path.stat()
        modified = datetime.fromtimestamp(stat.st_mtime, UTC)
        read.append(
            {"source": name, "path": str(path), "bytes": stat.st_size,
             "modified": f"{modified:%Y-%m-%dT%H:%M:%SZ}", "rows": None}
        )  # fmt: skip
    return read


def _limits(config: Config) -> dict[str, Any]:
    """Return the limits that the report names."""
    limits: dict[str, Any] = {}
    if config.churn is not None and config.churn.inactive is not None:
        limits["gap_days"] = to_us(config.churn.inactive) / DAY_US
    if config.journeys.funnel is not None and config.journeys.funnel.within is not None:
        limits["funnel_within"] = config.journeys.funnel.within
    return limits


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
