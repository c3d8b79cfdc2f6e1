"""Every command that writes says how much is needed and free when the disk is full, and leaves what was there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from small_run import digests, small_run

import cjm
from cjm import cli, files, job
from cjm.errors import RunError

COMMANDS = ["run", "watch", "forget", "report"]
PRIVACY = '\n[privacy]\nkey_file = "key"\n'

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="limits and mounts are a matter of POSIX")


def prepared(folder: Path) -> Path:
    """Write a small run and do all there is to do once."""
    path = small_run(folder)
    path.write_text(path.read_text() + PRIVACY)
    (folder / "key").write_text("a key of sixteen")
    (folder / "next.csv").write_text((folder / "web.csv").read_text().replace("2026-", "2027-"))
    config = job.load_config(path)
    job.run(config)
    job.watch(config, f"web={folder / 'web.csv'}")
    return path


def called(monkeypatch: pytest.MonkeyPatch, command: str, path: Path) -> int:
    """Call a command that has something to write; return the exit code."""
    folder = path.parent
    arguments = {
        "run": [str(path)],
        "watch": [str(path), "--batch", f"web={folder / 'next.csv'}"],
        "forget": [str(path), "--id", "customer=c3"],
        "report": [str(folder / "out")],
    }
    monkeypatch.setattr(sys, "argv", ["cjm", command, *arguments[command]])
    return cli.call()


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """Let no file become larger."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def kept(folder: Path) -> dict[str, str]:
    """Return what must not be lost: the output and the state of the watch."""
    return {**digests(folder / "out"), **{f"watch {name}": mark for name, mark in digests(folder / "watch").items()}}


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("ready"))


@pytest.mark.parametrize("command", COMMANDS)
def test_too_little_room_is_told_before_anything_is_written(
    ready: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    if command == "report":
        pytest.skip("one file in the place of another: written, or told with its size")
    before = kept(ready.parent)
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(files.shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 100, 100))
        assert called(patch, command, ready) == 1
    said = capfd.readouterr().err
    assert "MB are needed on this disk and 0.0 MB are free" in said
    assert kept(ready.parent) == before
    assert [path.name for path in ready.parent.iterdir() if ".partial" in path.name] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_files_that_may_not_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    path = prepared(tmp_path)
    before = digests(tmp_path / "out")
    with small_files(1_000):
        assert called(monkeypatch, command, path) == 1
    said = capfd.readouterr().err
    assert "MB are free there" in said
    assert digests(tmp_path / "out") == before
    assert called(monkeypatch, command, path) == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_nowhere_to_say_anything(
    ready: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    full = open("/dev/full", "w")  # noqa: SIM115
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        assert called(patch, command, ready) == 1
    with pytest.raises(OSError, match="No space left"):
        full.close()
    assert "error: output: No space left on device" in capfd.readouterr().err


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Return what makes a disk of so many KB."""
    mounted = tmp_path / "disk"
    mounted.mkdir()

    def make(size: int) -> Path:
        order = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(mounted)]
        if subprocess.run(order, check=False, capture_output=True).returncode:
            pytest.skip("a small disk can be mounted by root only")
        return mounted

    yield make
    subprocess.run(["umount", str(mounted)], check=False, capture_output=True)


def test_a_small_disk_that_fills_up(disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    small = disk(900)
    path = prepared(small)
    left = os.statvfs(small).f_bavail * os.statvfs(small).f_frsize
    (small / "ballast").write_bytes(bytes(left - 8_000))
    before = kept(small)
    for command in COMMANDS[:3]:
        assert called(monkeypatch, command, path) == 1
        assert kept(small) == before
    people = cjm.stitch(cjm.scan_events({"web": job.load_config(path).source("web")}))
    with pytest.raises(RunError, match="MB are free there, and more than"):
        people.write(small / "people")
    assert not (small / "people").exists()
    (small / "ballast").unlink()
    for command in COMMANDS:
        assert called(monkeypatch, command, path) == 0
    assert "c3" not in pl.read_parquet(small / "out" / "tables" / "identity_map.parquet")["id"]
