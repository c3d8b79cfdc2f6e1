"""The report: one self-contained HTML page on what came in, the paths, leaving, and the moments found."""

from cjm.report._page import render, write_report

__all__ = ["render", "write_report"]
