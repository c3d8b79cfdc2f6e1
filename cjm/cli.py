"""The command line: ``cjm run``, ``check``, ``watch``, ``forget``, ``demo``, ``report``.

Exit codes: 0 done, 1 failed, 2 wrong input, 75 busy: try again, 130 and 143 stopped by Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from cjm.errors import BusyError, CjmError, ConfigError, InputError, RunError, printable

__all__ = ["app", "main"]

_TRY_LATER = 75  # EX_TEMPFAIL of sysexits.h
_PATIENCE = 1.0  # seconds in which a stopped process may end in order

app = typer.Typer(
    help="Customer journeys from raw multichannel logs.", no_args_is_help=True, pretty_exceptions_enable=False
)


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False) -> None:
    """Analyse customer journeys from raw multichannel logs."""
    if show:
        typer.echo(metadata.version("cjm"))
        raise typer.Exit


Configuration = Annotated[Path, typer.Argument(help="The configuration, a TOML file.", show_default=False)]


@app.command()
def run(
    configuration: Configuration,
    memory: Annotated[
        str | None, typer.Option(help="Most memory that the process may take, such as 4GB.", show_default=False)
    ] = None,
) -> None:
    """Run a configuration: report, tables and manifest go to its output folder."""
    if memory is not None:  # the allocator of Polars reads this once; else it keeps for later what was freed
        os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
    from cjm import job

    _tell(job.run(job.load_config(configuration), memory=memory))


@app.command()
def check(configuration: Configuration) -> None:
    """Read the configuration and every source, and say what would stop a run. Nothing is written."""
    import polars as pl

    from cjm import job

    found = job.check(job.load_config(configuration))
    with pl.Config(tbl_rows=-1, tbl_cols=-1, fmt_str_lengths=60, tbl_hide_dataframe_shape=True, tbl_width_chars=140):
        if found.counts.height:
            typer.echo(found.counts)
            typer.echo(found.quality if found.quality.height else "Nothing to report about the rows.")
    for warning in found.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for fault in found.faults:
        typer.echo(f"error: {fault}", err=True)
    if found.faults:
        raise typer.Exit(2)
    typer.echo(f"{configuration}: ready to run")


@app.command()
def watch(
    configuration: Configuration,
    batch: Annotated[
        list[str] | None,
        typer.Option(help="A file of events, or NAME=FILE with the name of its source; may be repeated."),
    ] = None,
    advance_to: Annotated[
        datetime | None,
        typer.Option(help="All events up to this time (UTC) have come.", formats=["%Y-%m-%dT%H:%M:%SZ"]),
    ] = None,
) -> None:
    """Take a batch of events in, and write the moments found. The same batch again changes nothing."""
    from cjm import job

    clock = None if advance_to is None else advance_to.replace(tzinfo=UTC)
    done = job.watch(job.load_config(configuration), batch or [], advance_to=clock)
    if done.folder is None:
        typer.echo(f"batch {done.name} was taken in before: nothing to do")
        return
    typer.echo("; ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in done.counts.items()))
    typer.echo(f"matches: {done.folder / 'matches.parquet'}")
    typer.echo(f"late: {done.folder / 'late.parquet'}")
    if "decisions" in done.counts:
        typer.echo(f"decisions: {done.folder / 'decisions.parquet'}")


@app.command()
def forget(
    configuration: Configuration,
    id: Annotated[list[str] | None, typer.Option(help="An identifier, KIND=ID; may be repeated.")] = None,
    ids: Annotated[Path | None, typer.Option(help="A text file of identifiers, KIND=ID on each line.")] = None,
    store: Annotated[
        list[Path] | None, typer.Option(help="A folder of stored identities, journeys or state; may be repeated.")
    ] = None,
) -> None:
    """Erase persons from the output, the watch and stores; later runs and batches leave them out."""
    from cjm import job

    given = job.read_identifiers(id or [], ids)
    done = job.forget(job.load_config(configuration), given, stores=store or [])
    for place, rows in done.rows.items():
        typer.echo(f"{place}: {rows:,}")
    typer.echo(
        f"{done.at:%Y-%m-%dT%H:%M:%SZ} identifiers forgotten: {done.identifiers:,}; rows: {sum(done.rows.values()):,}"
    )


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where the report and the tables go.")] = Path("cjm-demo"),
) -> None:
    """Run the embedded sample: a small simulated company with known truth."""
    from cjm import datasets, job

    _tell(job.run(job.load_config(datasets.sample_path() / "cjm.toml"), output=folder))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="The output folder of a run.", show_default=False)],
) -> None:
    """Draw the report of a finished run again from its tables."""
    from cjm.job import TableFiles
    from cjm.report import write_report

    manifest = folder / "run.json"
    if not manifest.is_file():
        raise ConfigError.at("there is no run.json", where=str(folder), hint="Give the output folder of a run")
    try:
        run = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError.at("the manifest is damaged", where=str(manifest), hint="Run again") from error
    write_report(TableFiles(folder / "tables"), run, folder / "report.html")
    typer.echo(f"report: {folder / 'report.html'}")


def call() -> int:
    """Call the command line, turn errors of cjm and of the system into one line, and return the exit code."""
    try:
        app()
    except OSError as error:
        typer.echo(f"error: {printable(str(error.filename or 'output'))}: {error.strerror or error}", err=True)
        return 1
    except CjmError as error:
        typer.echo(f"error: {error}", err=True)
        return _TRY_LATER if isinstance(error, BusyError) else 1 if isinstance(error, RunError) else 2
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def main() -> None:
    """Call the command line and end the process with the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    stopped = _stoppable()
    try:
        code = call()
    except BaseException:  # libraries that are interrupted in native code raise errors of their own
        if not stopped:
            raise
        code = 1
    code = 128 + stopped[0] if stopped and code else code
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # it has been told, or there is nowhere to tell it
            stream.flush()
    # The exit code is a promise: thread pools of the readers have been seen to abort while the interpreter shuts down.
    os._exit(code)


def _stoppable() -> list[int]:
    """Let Ctrl-C and SIGTERM interrupt what is being done; return the list of those that came.

    A handler waits for native code to come back. What is on disk is whole at any time, so a process that has not ended
    soon is ended by a thread, which the system tells at once.
    """
    came: list[int] = []

    def interrupt(number: int, _: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    def end(heard: socket.socket, _: socket.socket) -> None:
        number = heard.recv(1)[0]
        time.sleep(_PATIENCE)
        os._exit(128 + number)

    heard, told = socket.socketpair()
    told.setblocking(False)
    signal.set_wakeup_fd(told.fileno())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    threading.Thread(target=end, args=(heard, told), daemon=True).start()
    return came


def _tell(folder: Path) -> None:
    typer.echo(f"report: {folder / 'report.html'}")
    typer.echo(f"tables: {folder / 'tables'}")
    typer.echo(f"manifest: {folder / 'run.json'}")


if __name__ == "__main__":
    main()
