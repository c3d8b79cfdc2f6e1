"""The command line in a process of its own, for tests that start many."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess


def call_main(arguments: list[str]) -> None:
    """Call ``cjm`` as the shell would; nothing is printed."""
    from cjm import cli

    os.environ["SOURCE_DATE_EPOCH"] = "1700000000"
    sys.argv = ["cjm", *arguments]
    with open(os.devnull, "w") as nothing:
        sys.stdout = sys.stderr = nothing
        cli.main()


def started(*arguments: str) -> BaseProcess:
    """Call ``cjm`` in a process of its own, made from one that has loaded what a run takes long to load."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cjm.cli", "cjm.job._run", "altair", "numba", "vl_convert"])
    process = context.Process(target=call_main, args=(list(arguments),))
    process.start()
    return process
