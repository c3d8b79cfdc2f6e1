"""Progress of long work: a bar where somebody looks, log lines where nobody does."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

__all__ = ["Step", "Steps", "bar"]

logger = logging.getLogger("cjm")


@dataclass
class Step:
    """One step of a run: what went in, what came out, how long it took."""

    step: str
    rows_in: int = 0
    rows_out: int = 0
    seconds: float = 0.0


@dataclass
class Steps:
    """The steps of a run, timed and shown as they go.

    Attributes
    ----------
    total : int
        How many steps there will be.
    seconds : float
        How long they will take, about; 0 where nobody knows.
    done : list of Step
    drawn : bool
        Whether a bar is on the screen: there can be one.
    """

    total: int
    seconds: float = 0.0
    done: list[Step] = field(default_factory=list)
    _bar: Any = None
    _task: Any = None
    drawn: ClassVar[bool] = False

    @contextmanager
    def shown(self) -> Iterator[Steps]:
        """Draw a bar for the time of the ``with`` block if standard error is a terminal or a notebook."""
        if not (sys.stderr.isatty() or "ipykernel" in sys.modules):
            yield self
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        console = None if "ipykernel" in sys.modules else Console(stderr=True)
        end = f"{datetime.now() + timedelta(seconds=self.seconds):until about %H:%M}" if self.seconds >= 60 else ""
        columns = (
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn(end),
        )
        with Progress(*columns, console=console) as bar:
            self._bar, self._task = bar, bar.add_task("", total=self.total)
            Steps.drawn = True
            try:
                yield self
            finally:
                self._bar = None
                Steps.drawn = False

    def advance(self, name: str) -> None:
        """Move the bar, if there is one, by a part that is not worth a line in the log."""
        if self._bar is not None:
            self._bar.update(self._task, description=name, advance=1)

    def again(self, step: Step) -> None:
        """Count a step that an earlier run took."""
        self.done.append(step)
        if self._bar is not None:
            self._bar.advance(self._task)
        else:
            logger.info("%s: done by an earlier run that was interrupted", step.step)

    @contextmanager
    def step(self, name: str, rows_in: int = 0) -> Iterator[Step]:
        """Time one step; the body sets ``rows_out``."""
        one = Step(name, rows_in)
        if self._bar is not None:
            self._bar.update(self._task, description=name)
        started = time.perf_counter()
        yield one
        one.seconds = round(time.perf_counter() - started, 3)
        self.done.append(one)
        if self._bar is not None:
            self._bar.advance(self._task)
        else:
            logger.info("%s: %s rows in, %s out, %.1f s", name, f"{one.rows_in:,}", f"{one.rows_out:,}", one.seconds)


@contextmanager
def bar(name: str, total: int) -> Iterator[Callable[[], None]]:
    """Yield what to call when one of ``total`` parts is done; a bar is drawn as for ``Steps``, unless there is one."""
    parts = Steps(total)
    if Steps.drawn:
        yield lambda: None
        return
    with parts.shown():
        yield lambda: parts.advance(name)
