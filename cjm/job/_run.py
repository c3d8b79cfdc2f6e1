"""One run: analyse, then write everything at once."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import polars as pl

from cjm.durations import DAY_US, to_us
from cjm.errors import RunError
from cjm.files import check_replaceable, replaced_folder
from cjm.job._analysis import Analysis, analyse
from cjm.job._config import Config
from cjm.progress import Steps
from cjm.report import render

__all__ = ["run"]

_LIBRARIES = ("cjm", "polars", "pyarrow", "numba", "numpy", "lifelines", "mlxtend", "prefixspan")


def run(config: Config, *, output: Path | None = None) -> Path:
    """Run a configuration and write its report, tables and manifest.

    Parameters
    ----------
    config : Config
    output : Path, optional
        Folder to write instead of ``[output] dir``.

    Returns
    -------
    Path
        The folder: ``report.html``, ``run.json``, ``tables/*.parquet``. It appears whole; until then a former output
        stays as it was.

    Raises
    ------
    CjmError
        If the data cannot be used, or the folder cannot be written.
    """
    target = output or config.resolve(config.output.dir)
    check_replaceable(target)
    started = datetime.now(UTC)
    total = 5 + (config.identity.person is None) + (config.churn is not None) + bool(config.moments)
    with Steps(total).shown() as steps:
        found = analyse(config, steps)
        with steps.step("report", len(found.tables)) as step, replaced_folder(target) as folder:
            (folder / "tables").mkdir()
            for name, table in found.tables.items():
                _write_table(table, folder / "tables" / f"{name}.parquet")
            manifest = _manifest(config, found, steps, started)
            (folder / "report.html").write_text(render(found.tables, manifest), encoding="utf-8")
            (folder / "run.json").write_text(json.dumps(manifest, indent=2, ensure_ascii=False), encoding="utf-8")
            step.rows_out = len(found.tables)
    return target


def _write_table(table: pl.DataFrame, path: Path) -> None:
    try:
        table.write_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RunError.at(
            f"the table cannot be written ({str(error).splitlines()[0]})", where=path.name, hint="Is the disk full?"
        ) from error


def _manifest(config: Config, found: Analysis, steps: Steps, started: datetime) -> dict[str, Any]:
    inputs = found.tables["inputs"].with_columns(pl.col("modified").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return {
        "title": config.output.title,
        "created": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "seconds": round((datetime.now(UTC) - started).total_seconds(), 3),
        "versions": _versions(),
        "configuration": json.loads(config.model_dump_json(exclude_none=True)),
        "inputs": [*inputs.to_dicts(), *_tables_read(config)],
        "sources": found.tables["sources"].to_dicts(),
        "steps": [vars(step) for step in steps.done],
        "period": dict(zip(("start", "end"), found.period, strict=True)),
        "churn": _churn_text(config),
        **_limits(config),
        **found.counts,
        "tables": {name: table.height for name, table in found.tables.items()},
        "hide_below": config.output.hide_below,
        "warnings": found.warnings,
        "notes": found.notes,
    }


def _churn_text(config: Config) -> str:
    churn = config.churn
    if churn is None:
        return ""
    if churn.event is not None:
        return f"the event {' or '.join(churn.events)}"
    if churn.inactive is not None:
        return f"no event for more than {churn.inactive}"
    return f"the times in {churn.table}"


def _tables_read(config: Config) -> list[dict[str, Any]]:
    """Return the tables of persons among the inputs."""
    read = []
    for name in ("persons", "table"):
        given = getattr(config.churn, name, None)
        if given is not None:
            path = config.resolve(given)
            stat = path.stat()
            modified = datetime.fromtimestamp(stat.st_mtime, UTC)
            read.append(
                {"source": f"churn {name}", "path": str(path), "bytes": stat.st_size,
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
