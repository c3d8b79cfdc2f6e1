"""What several tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with data sets and reference results that lies beside the checkout, or skip."""
    if not SHARED.is_dir():
        pytest.skip("there is no folder ../shared beside this checkout: its data sets are not part of the project")
    return SHARED
