"""The step matrix as a heat map: which share of paths is at each touchpoint at each step."""

from __future__ import annotations

import polars as pl

from cjm.plot._frames import COUNT, HIDDEN, NAME, NO_ROWS, SHARE, measured
from cjm.plot._heat import Cell, Grid, draw_grid
from cjm.plot._picture import WIDTH, Picture, finished, inner_width
from cjm.plot._svg import SPECIAL, Drawing, message
from cjm.plot._words import known_as, number, percent, plural

__all__ = ["draw_step_matrix", "step_matrix"]

_ROWS = 20
_OTHERS = "(other)"


def step_matrix(frame: pl.DataFrame, *, width: int = WIDTH) -> Picture:
    """Draw a heat map of steps and touchpoints.

    Parameters
    ----------
    frame : polars.DataFrame
        What :func:`cjm.step_matrix` returns.
    width : int
        Width in pixels.

    Returns
    -------
    Picture
        A square a row, darker for a greater share; the share is written in it in per cent where there is room. If the
        steps were aligned on a touchpoint, its column is marked. Of more than 20 touchpoints, the smallest are put
        together. What is no touchpoint (a path that is over, or has not begun) is grey.

    Raises
    ------
    ArgumentError
        If the frame lacks a column or holds several groups.

    Examples
    --------
    >>> import polars as pl
    >>> from cjm import plot
    >>> frame = pl.DataFrame({"step": [1, 2, 2], "touchpoint": ["web:home", "(end)", "web:cart"],
    ...                       "persons": [2, 1, 1], "of": [2, 2, 2], "share": [1.0, 0.5, 0.5]})
    >>> plot.step_matrix(frame).title
    'Touchpoints at the first 2 steps'
    """
    room = inner_width(width)
    columns = {"step": COUNT, "touchpoint": NAME, "persons": COUNT, "of": COUNT, "share": SHARE}
    found = measured(frame, "step_matrix", columns, ["step", "touchpoint"])
    rows, group = found.frame, found.groups[0]
    if not rows.height:
        return finished(message(NO_ROWS, room), "Touchpoints by step", NO_ROWS, group=group)
    drawing = draw_step_matrix(rows, room)
    steps = rows["step"].unique().sort()
    aligned = rows.filter(pl.col("step") == 0)
    of = rows["of"].max()
    notes = [f"Per cent of {plural(of, 'path') if isinstance(of, int) else 'paths'} at each step."]
    names = rows["touchpoint"].n_unique()
    if names > _ROWS:
        notes.append(f"(other): {number(names - _ROWS + 1)} touchpoints with fewer persons, together.")
    masked = rows["share"].null_count()
    if masked:
        others = " (other) is the sum of those that are not." if names > _ROWS else ""
        notes.append(f"{plural(masked, 'figure')} {HIDDEN}: too few persons.{others}")
    title = f"Touchpoints at the first {plural(steps.len(), 'step')}"
    if aligned.height:
        centre = known_as(aligned.row(0, named=True)["touchpoint"])
        title = f"Touchpoints before and after {centre}"
        notes.append("Step 0, framed, is where the paths were aligned; negative steps come before it.")
    description = f"A square for each of {plural(names, 'touchpoint')} and {plural(steps.len(), 'step')}."
    return finished(Drawing(drawing.width, drawing.height, drawing.marks, notes), title, description, group=group)


def draw_step_matrix(rows: pl.DataFrame, width: float, *, hide_below: int = 0) -> Drawing:
    """Draw ``step, touchpoint, persons, share``, touchpoints with most persons first.

    Figures of fewer than ``hide_below`` are hidden, after small touchpoints have been put together.
    """
    steps = rows["step"].unique().sort().to_list()
    place = {step: index for index, step in enumerate(steps)}
    ordered = (
        rows.group_by("touchpoint")
        .agg(pl.col("persons").sum())
        .sort(pl.col("touchpoint").is_in(SPECIAL), -pl.col("persons"), "touchpoint")["touchpoint"]
        .to_list()
    )
    if len(ordered) > _ROWS:
        ends = [name for name in ordered if name in SPECIAL and name != _OTHERS]
        kept = [name for name in ordered if name not in SPECIAL][: _ROWS - 1 - len(ends)]
        rows = _together(rows, [*kept, *ends])
        ordered = [*kept, _OTHERS, *ends]
    small = (pl.col("persons") > 0) & (pl.col("persons") < hide_below)
    rows = rows.with_columns(pl.when(~small).then(pl.col("persons", "share")))
    row_of = {name: index for index, name in enumerate(ordered)}
    cells = [
        Cell(place[step], row_of[name], share, _said(step, name, persons, share))
        for step, name, persons, share in rows.select("step", "touchpoint", "persons", "share").iter_rows()
    ]
    # Step 0 is one touchpoint, and paths that are over soon outnumber the rest: neither sets the scale.
    shares = rows.filter((pl.col("step") != 0) & ~pl.col("touchpoint").is_in(SPECIAL))["share"].drop_nulls().to_list()
    grid = Grid(
        [known_as(name) for name in ordered],
        [str(step) for step in steps],
        cells,
        "step of the path",
        top=max([*shares, 0.01]),
        grey_rows={row for name, row in row_of.items() if name in SPECIAL},
        centre=place.get(0),
    )
    return draw_grid(grid, width)


def _together(rows: pl.DataFrame, kept: list[str]) -> pl.DataFrame:
    """Put all but these touchpoints together; hidden figures are left out of the sum, unless all are."""
    name = pl.when(pl.col("touchpoint").is_in(kept)).then("touchpoint").otherwise(pl.lit(_OTHERS)).alias("touchpoint")
    whole = [
        pl.when(pl.col(column).is_not_null().any()).then(pl.col(column).sum()).alias(column)
        for column in ("persons", "share")
    ]
    return rows.group_by("step", name, maintain_order=True).agg(whole)


def _said(step: int, name: str, persons: int | None, share: float | None) -> str:
    figures = HIDDEN if persons is None or share is None else f"{number(persons)} ({percent(share)})"
    return f"Step {step}, {known_as(name)}: {figures}"
