"""The page: the sections that have something to say, in reading order, in one file without scripts or links."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from cjm.files import write_text
from cjm.report import (
    _arrivals,
    _calibration,
    _churn,
    _contrast,
    _figures,
    _goals,
    _moments,
    _path_curves,
    _paths,
    _retention,
    _steps,
    _survival,
    _timeline,
    _when,
)
from cjm.report._section import Col, Section, Table, Tables, counts, has, table
from cjm.report._text import capital, clean, duration, plural, short, thing

__all__ = ["render", "write_report"]

_SECTIONS = (
    _arrivals.quality,
    _arrivals.stitching,
    _figures.key_figures,
    _timeline.timeline,
    _paths.flow,
    _paths.funnel,
    _goals.goals,
    _steps.transitions,
    _steps.step_matrix,
    _paths.sequences,
    _retention.retention,
    _churn.hazards,
    _when.when,
    _path_curves.path_curves,
    _contrast.contrast,
    _survival.survival,
    _calibration.calibration,
    _moments.moments,
)
_OF_ORDER = (_paths.flow, _steps.transitions, _steps.step_matrix, _paths.sequences)
# The findings told at the top, those on leaving first.
_IN_SHORT = ("patterns", "when", "contrast", "survival", "moments", "goals", "funnel", "paths")
# What a reader will look for, and why it may not be there.
_EXPECTED = {
    "quality": "No table of checks on the input was given.",
    "identity_summary": "Stitching was not part of this run: persons are taken as the sources name them.",
    "timeline": "There are no events over time to show.",
    "flow": "There are no paths to show.",
    "funnel": "No funnel was declared.",
    "goal_journeys": "There are no journeys towards goals: no goal was declared, or nobody set out for one.",
    "hazards": "No pattern was tested before leaving: either churn was not defined or too few persons left.",
    "when": "By when to act is not said: no pattern clearly came before more leaving, or leaving shows as a silence.",
    "calibration": "Predicted risks are not compared with what happened: no pattern was declared, or too few left.",
    "curves": "There are no survival curves: churn was not defined, or nobody was at risk.",
    "moments": "No moment was found, or none was declared.",
}


def render(tables: Tables, run: Mapping[str, Any]) -> str:
    """Return the report as one HTML page that needs no network and runs no script.

    Parameters
    ----------
    tables : mapping of str to polars.DataFrame
        The results by name: ``sources``, ``quality``, ``identity_summary``, ``identity_sizes``, ``conflicts``,
        ``kpis``, ``timeline``, ``flow``, ``variants``, ``funnel``, ``funnel_next``, ``goal_journeys``,
        ``goal_overlap``, ``transitions``, ``step_matrix``, ``sequences``, ``rules``, ``retention``,
        ``contrast``, ``hazards``, ``hazards_patterns`` (``term``, ``pattern``), ``lead_time`` (``term``, ``left``
        persons, and the quartiles ``p25``, ``p50``, ``p75`` of the Duration from the path to leaving), ``dilution``
        (``term``, ``hazard_ratio``, ``exposed``, ``hidden_max``, ``hazard_ratio_corrected``), ``when`` (a row a path:
        ``term``, ``persons``, ``churned``, ``horizon``, ``excess``, ``lower``, ``upper``, ``act_by``, its interval
        ``act_by_lower``, ``act_by_upper``, and ``constant_p``), ``when_excess`` and ``when_stretches`` (the frames of
        :func:`cjm.survival.when` by ``term``), ``path_curves`` and ``path_tests`` (those of
        :func:`cjm.survival.landmark`, by ``term``, with ``landmark`` in days), ``sensitivity`` (that of
        :func:`cjm.survival.sensitivity`), ``calibration`` and ``validation``
        (those of :func:`cjm.survival.validate`, with ``horizon`` in days), ``curves``, ``audit``, ``moments``,
        ``decisions``;
        with the columns of the functions of the same name. Each is optional; an empty one counts as missing, but an
        empty ``quality`` says that the checks found nothing.
    run : mapping
        What is known of the run, each key optional: ``title``, ``created`` (text), ``period`` (``start``, ``end``),
        ``events``, ``persons``, ``churn`` (its definition as text), ``gap_days`` (the silence that counts as leaving),
        ``funnel_within`` (duration), ``inputs`` and ``steps`` (lists of mappings),
        ``warnings`` and ``notes`` (lists of text), ``versions`` (mapping), ``hide_below`` (persons; a smaller group is
        shown as small only; default 10).

    Returns
    -------
    str
        The page. The same tables and run give the same text.

    Examples
    --------
    >>> page = render({}, {"title": "Spring"})
    >>> "<h1>Spring</h1>" in page, "<script" in page
    (True, False)
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    single = _paths.one_touchpoint(tables)
    makers = [make for make in _SECTIONS if not (single and make in _OF_ORDER)]
    sections = [section for make in makers if (section := make(tables, run)) is not None]
    environment = Environment(
        loader=PackageLoader("cjm.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        title=short(run.get("title") or "Customer journeys", 120),
        facts=_facts(run),
        short=_in_short(sections),
        sections=sections,
        missing=_missing(tables, single=single),
        warnings=[short(text, 500) for text in run.get("warnings", [])],
        notes=[short(text, 500) for text in dict.fromkeys(run.get("notes", []))],
        churn=capital(clean(run["churn"])) if run.get("churn") else "",
        hide_below=run.get("hide_below", 10),
        aside=_aside(tables),
        tables=_closing_tables(run),
    )


def write_report(tables: Tables, run: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write the page of :func:`render` to ``path``: all of it, or nothing.

    Parameters
    ----------
    tables, run
        As for :func:`render`.
    path : path-like
        The file; one that is there is replaced in one step once the new one is safely on disk.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    RunError
        If the folder does not exist or cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report({}, {}, Path(folder) / "report.html").name
    'report.html'
    """
    target = Path(path)
    write_text(target, render(tables, run))
    return target


def _in_short(sections: list[Section]) -> list[Section]:
    """Return the sections whose findings are told at the top."""
    telling = {section.key: section for section in sections if section.telling}
    return [telling[key] for key in _IN_SHORT if key in telling]


def _missing(tables: Tables, *, single: bool) -> list[str]:
    """Say what a reader may look for in vain, and why."""
    there = {name for name in _EXPECTED if has(tables, name)}
    # An empty table of checks says that nothing was found; paths may be listed without being drawn.
    there |= {"quality"} if "quality" in tables else set()
    there |= {"flow"} if single or has(tables, "variants") else set()
    reasons = [reason for name, reason in _EXPECTED.items() if name not in there]
    only = ["All events are of one touchpoint, so their order tells nothing: there are no paths to show."]
    return only + reasons if single else reasons


def _facts(run: Mapping[str, Any]) -> list[str]:
    """Say in a few words how much the page stands on."""
    facts = [plural(run[name], name[:-1]) for name in ("events", "persons") if run.get(name) is not None]
    period = run.get("period") or {}
    if period.get("start") is not None and period.get("end") is not None:
        facts.append(
            f"{_arrivals.moment(period['start'], hour=False)} to {_arrivals.moment(period['end'], hour=False)}"
        )
    if run.get("created"):
        facts.append(f"made {_arrivals.moment(run['created'])}")
    return facts


def _aside(tables: Tables) -> list[str]:
    """Say what was set aside, by source and check."""
    if not has(tables, "quality"):
        return []
    lost = (
        tables["quality"]
        .filter((pl.col("action") != "kept") & (pl.col("rows") > 0))
        .sort("rows", descending=True, maintain_order=True)
    )
    said = [
        f"{short(row['source'], 60)}: {plural(row['rows'], 'row')}, {short(row['action'], 40)} "
        f"({short(row['check'], 80)})"
        for row in lost.head(12).iter_rows(named=True)
    ]
    return said + ([f"and {plural(lost.height - 12, 'finding')} more, in the table above"] if lost.height > 12 else [])


def _closing_tables(run: Mapping[str, Any]) -> list[Table]:
    shown = []
    steps = [dict(step) for step in run.get("steps", [])]
    if steps:
        columns = [
            Col("step", "step"),
            counts("rows_in", "rows in"),
            counts("rows_out", "rows out"),
            Col("seconds", "time", lambda seconds: duration(None if seconds is None else seconds / 86_400), True),
        ]
        shown.append(
            table("Steps of the run", _arrivals.rows_frame(steps, [column.name for column in columns]), columns, cap=60)
        )
    versions = run.get("versions") or {}
    if versions:
        frame = pl.DataFrame(
            {"name": [str(name) for name in versions], "version": [str(thing(value)) for value in versions.values()]}
        )
        shown.append(table("Versions", frame.sort("name"), [Col("name", "name"), Col("version", "version")], cap=60))
    return shown
