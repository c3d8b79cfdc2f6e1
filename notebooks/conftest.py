"""Notebooks that need data from outside the project are skipped where these are not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NEEDS = dict.fromkeys(("02_measure.ipynb", "03_churn.ipynb", "05_paths_and_rules.ipynb"), "events/complete_journey_odd")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip a notebook whose tables are not in the folder that ``CJM_DATA`` names."""
    data = Path(__file__).parent / os.environ.get("CJM_DATA", "../../shared/data")
    for item in items:
        folder = NEEDS.get(item.path.name)
        if folder and not (data / folder).is_dir():
            item.add_marker(pytest.mark.skip(reason=f"no tables in {data / folder}: set CJM_DATA to the data folder"))
