"""How much room on the disk a run needs, as far as it can be said before it starts."""

from __future__ import annotations

from pathlib import Path

from cjm.events import TABLES, files_of
from cjm.files import require_room
from cjm.folders import folder_size
from cjm.job._config import Config
from cjm.job._work import work_folder

__all__ = ["require_room_for"]

# Tables, written twice (as steps and as output), per byte of a source; low, so that no run is refused that would end.
_PACKED, _TEXT = 2.0, 0.5
_SUFFIXES_OF_TEXT = {".csv", ".tsv", ".txt", ".ndjson", ".jsonl", ".json"}


def require_room_for(config: Config, target: Path) -> None:
    """Raise RunError if less is free than the run will need.

    It needs twice what the former output takes: for the steps, and for the new output beside the former one. Where
    there is none, the sizes of the sources tell the least. Steps of a run that was interrupted have their room already.
    """
    needed = 2 * folder_size(target) if target.exists() else _least(config)
    require_room(target, needed - folder_size(work_folder(target)))


def _least(config: Config) -> int:
    needed = 0.0
    for name in config.sources:
        source = config.source(name)
        files = None if source.format in TABLES else files_of(source, name)
        for path in (file.path for file in files or () if isinstance(file.path, Path)):
            needed += path.stat().st_size * (_TEXT if path.suffix.lower() in _SUFFIXES_OF_TEXT else _PACKED)
    return int(needed)
