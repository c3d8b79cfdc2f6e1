"""The command line in a process of its own, for tests that start many."""

from __future__ import annotations

import os
import sys


def call_main(arguments: list[str]) -> None:
    """Call ``cjm`` as the shell would; nothing is printed."""
    from cjm import cli

    os.environ["SOURCE_DATE_EPOCH"] = "1700000000"
    sys.argv = ["cjm", *arguments]
    with open(os.devnull, "w") as nothing:
        sys.stdout = sys.stderr = nothing
        cli.main()
