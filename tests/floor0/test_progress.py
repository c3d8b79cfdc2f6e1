"""A bar where somebody looks, log lines where nobody does."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from cjm.progress import Steps, bar


def run() -> Steps:
    with Steps(2, seconds=7_200.0).shown() as steps:
        for name in ("load", "stitch"):
            with steps.step(name, 10) as step:
                step.rows_out = 7
    return steps


def test_lines_without_a_terminal(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="cjm"):
        steps = run()
    assert [(step.step, step.rows_in, step.rows_out) for step in steps.done] == [("load", 10, 7), ("stitch", 10, 7)]
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        "load: 10 rows in",
        "stitch: 10 rows in",
    ]


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with caplog.at_level(logging.INFO, logger="cjm"):
        run()
    assert "2/2" in terminal.getvalue()
    assert "until about" in terminal.getvalue()
    assert "stitch" in terminal.getvalue()
    assert caplog.records == []


def test_a_failed_step_is_not_done() -> None:
    steps = Steps(1)
    with pytest.raises(ZeroDivisionError), steps.step("load"):
        raise ZeroDivisionError
    assert steps.done == []


def test_a_bar_for_parts_leaves_no_lines_and_there_is_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="cjm"), bar("mine", 2) as advance:
        advance()
    assert not caplog.records

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with bar("mine", 2) as advance:
        with bar("inner", 3) as inner:
            inner()
        advance()
        advance()
    assert "mine" in terminal.getvalue()
    assert "2/2" in terminal.getvalue()
    assert "inner" not in terminal.getvalue()
