"""What the killed process does; a module of its own, so that little has to be loaded for it."""

from pathlib import Path

from cjm import job


def take_in(folder: str, path: str) -> None:
    job.watch(job.load_config(Path(folder) / "cjm.toml"), path)
