"""Data whose truth is known: a simulator of multichannel logs, and a small sample made with it."""

from __future__ import annotations

from pathlib import Path

from cjm.datasets._design import DESIGN, PATHS, VISITS, Design, PlantedPath, Visit
from cjm.datasets._moments import MOMENTS, PlantedMoment
from cjm.datasets._world import Truth, World, open_world, simulate

__all__ = [
    "DESIGN",
    "MOMENTS",
    "PATHS",
    "VISITS",
    "Design",
    "PlantedMoment",
    "PlantedPath",
    "Truth",
    "Visit",
    "World",
    "open_world",
    "sample_path",
    "simulate",
]


def sample_path() -> Path:
    """Return the folder of the sample: 4,000 customers over 180 days, made by ``python -m cjm.datasets``.

    Examples
    --------
    >>> open_world(sample_path()).persons.height
    4000
    """
    return Path(__file__).parent / "sample"
