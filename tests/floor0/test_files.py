"""An output folder appears whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cjm import files
from cjm.errors import ConfigError, RunError
from cjm.files import write_text
from cjm.folders import new_folder, replaced_folder

WRITER = """
import sys, time
from pathlib import Path
from cjm.files import write_text
from cjm.folders import new_folder, replaced_folder
generation = 0
print("ready", flush=True)
while True:
    generation += 1
    with replaced_folder(Path(sys.argv[1])) as folder:
        for name in ("run.json", "report.html", "tables.parquet"):
            (folder / name).write_text(f"{sys.argv[2]}-{generation}" * 1000)
"""


def write(target: Path, text: str) -> None:
    with replaced_folder(target) as folder:
        (folder / "run.json").write_text(text)


def write_and_fail(target: Path) -> None:
    with replaced_folder(target) as folder:
        (folder / "run.json").write_text("half")
        raise ZeroDivisionError


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@pytest.mark.parametrize("exchange", [True, False])
def test_the_new_folder_takes_the_place_of_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(files.disk, "exchange", lambda one, other: False)
    target = tmp_path / "deep" / "out"
    write(target, "one")
    write(target, "two")
    assert (target / "run.json").read_text() == "two"
    assert hidden(target.parent) == []


def test_a_failed_run_leaves_the_former_output(tmp_path: Path) -> None:
    write(tmp_path / "out", "one")
    with pytest.raises(ZeroDivisionError):
        write_and_fail(tmp_path / "out")
    assert (tmp_path / "out" / "run.json").read_text() == "one"
    assert hidden(tmp_path) == []


def test_an_output_that_was_moved_aside_comes_back(tmp_path: Path) -> None:
    write(tmp_path / ".out.old", "one")
    with pytest.raises(ZeroDivisionError):
        write_and_fail(tmp_path / "out")
    assert (tmp_path / "out" / "run.json").read_text() == "one"
    assert hidden(tmp_path) == []


def test_foreign_files_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(ConfigError, match="no output of cjm"), replaced_folder(tmp_path):
        pass
    with pytest.raises(ConfigError, match="no output of cjm"), replaced_folder(tmp_path / "thesis.txt"):
        pass
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty", "one")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="cannot be written"), replaced_folder(tmp_path / "file" / "out"):
        pass


def test_kills_at_random_times_leave_a_whole_output(tmp_path: Path) -> None:
    """Twenty writers are killed; after each kill all three files are of one generation and one writer."""
    target = tmp_path / "out"
    with replaced_folder(target) as folder:
        for name in ("run.json", "report.html", "tables.parquet"):
            (folder / name).write_text("first")
    for turn in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(target), f"writer{turn}"], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.007 * turn)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        contents = {path.name: path.read_text() for path in target.iterdir()}
        assert sorted(contents) == ["report.html", "run.json", "tables.parquet"]
        assert len(set(contents.values())) == 1
    assert "first" not in contents.values()
    write(target, "last")
    assert hidden(tmp_path) == []


def test_a_file_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "page.html"
    write_text(target, "é one")
    write_text(target, "two")
    assert target.read_text(encoding="utf-8") == "two"

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device"):
        write_text(target, "three")
    assert target.read_text() == "two"
    assert hidden(tmp_path) == []
    with pytest.raises(RunError, match="cannot be written"):
        write_text(tmp_path / "none" / "page.html", "x")


def test_a_new_folder_never_replaces_anything(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="something already"), new_folder(tmp_path):
        pass


def test_a_full_disk_is_an_error_and_the_former_output_stays(tmp_path: Path) -> None:
    write(tmp_path / "out", "one")

    def fill() -> None:
        with replaced_folder(tmp_path / "out"):
            raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match="No space left on device"):
        fill()
    assert (tmp_path / "out" / "run.json").read_text() == "one"
    assert hidden(tmp_path) == []


def test_what_dead_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    dead = [tmp_path / f".out.partial-{os.getpid()}-aa", tmp_path / ".out.partial-999999999-bb"]
    foreign = [
        tmp_path / ".out.partial-abc-zzz",
        tmp_path / ".out.partial-1-cc",
        tmp_path / ".other.partial-999999999-dd",
    ]
    for folder in [*dead, *foreign]:
        folder.mkdir()
    write(tmp_path / "out", "one")
    assert [folder.exists() for folder in dead] == [False, False]
    assert [folder.exists() for folder in foreign] == [True, True, True]
