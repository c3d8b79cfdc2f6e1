"""How much room on the disk a run needs, as far as it can be said before it starts."""

from __future__ import annotations

from pathlib import Path

from cjm.files import require_room
from cjm.folders import folder_size
from cjm.job._work import work_folder

__all__ = ["require_room_for"]

_LEAST = 0.3  # of an estimate; low, so that no run is refused that would end


def require_room_for(target: Path, disk: float) -> None:
    """Raise RunError if less is free than the run will need.

    It needs twice what the former output takes: for the steps, and for the new output beside the former one. Where
    there is none, the estimate of its bytes, ``disk``, tells the least. Steps of a run that was interrupted have their
    room already.
    """
    needed = 2 * folder_size(target) if target.exists() else int(_LEAST * disk)
    require_room(target, needed - folder_size(work_folder(target)))
