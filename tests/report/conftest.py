"""What the tests of the report share."""

from html import escape

import pytest


@pytest.fixture
def undrawn(monkeypatch):
    """Put the rows of a picture in its place: drawing takes most of the time of a page."""
    monkeypatch.setattr("cjm.report._charts._svg", lambda chart, data, key: f"<svg>{escape(str(data))}</svg>")
