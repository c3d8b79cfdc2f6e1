"""How many identifiers persons have: a bar a size."""

from __future__ import annotations

import polars as pl

from cjm.plot._frames import COUNT, NO_ROWS, measured
from cjm.plot._picture import WIDTH, Picture, finished, inner_width
from cjm.plot._svg import COLOURS, QUIET, Drawing, message, mixed, rect, text, tip
from cjm.plot._words import number, percent, plural

__all__ = ["sizes"]

_COLUMNS = {"identifiers": COUNT, "persons": COUNT, "known": COUNT, "events": COUNT}
_BARS, _ROW, _LEFT, _FIGURES, _HEAD = 15, 24, 92, 160, 22
_PALE = mixed(0.35, "#ffffff", COLOURS[0])


def sizes(frame: pl.DataFrame, *, width: int = WIDTH) -> Picture:
    """Draw how many persons have how many identifiers.

    Parameters
    ----------
    frame : polars.DataFrame
        What :meth:`Identities.sizes` returns.
    width : int
        Width in pixels.

    Returns
    -------
    Picture
        A bar a number of identifiers, as long as its persons are many: dark those with a unique identifier, pale those
        without. Beside it the persons and their share of the events. The 15 smallest sizes stand alone, larger ones in
        one bar.

    Raises
    ------
    ArgumentError
        If the frame lacks a column.

    Examples
    --------
    >>> import polars as pl
    >>> from cjm import plot
    >>> frame = pl.DataFrame({"identifiers": [1, 2, 7], "persons": [50, 30, 1], "known": [0, 30, 1],
    ...                       "events": [90, 400, 10]})
    >>> plot.sizes(frame).description
    'Persons have 1 to 7 identifiers; 31 of 81 persons have a unique one.'
    """
    room = inner_width(width)
    found = measured(frame, "sizes", _COLUMNS, ["identifiers"], returned="people.sizes()")
    rows, title = found.frame.sort("identifiers"), "Identifiers of each person"
    if not rows.height:
        return finished(message(NO_ROWS, room), title, NO_ROWS)
    bars = _bars(rows)
    longest, events = max(int(bars["persons"].max()), 1), int(rows["events"].sum())  # type: ignore[arg-type]
    scale = (room - _LEFT - _FIGURES) / longest
    marks = [
        text(_LEFT - 8, 12, "identifiers", size=11, fill=QUIET, anchor="end"),
        text(room - _FIGURES + 70, 12, "persons", size=11, fill=QUIET, anchor="end"),
        text(room, 12, "of the events", size=11, fill=QUIET, anchor="end"),
    ]
    for place, (low, high, persons, known, on_them) in enumerate(bars.iter_rows()):
        y = _HEAD + place * _ROW
        label = number(low) if low == high else f"{number(low)} to {number(high)}"
        share = percent(on_them / events if events else None)
        words = (
            f"{label} {'identifier' if label == '1' else 'identifiers'}: {plural(persons, 'person')}, "
            f"{number(known)} with a unique one; {plural(on_them, 'event')} ({share})"
        )
        marks += [
            text(_LEFT - 8, y + 14, label, size=12, anchor="end"),
            rect(_LEFT, y + 2, scale * persons, _ROW - 6, _PALE, tip(words)),
            rect(_LEFT, y + 2, scale * known, _ROW - 6, COLOURS[0], tip(words)),
            text(room - _FIGURES + 70, y + 14, number(persons), size=12, anchor="end"),
            text(room, y + 14, share, size=12, anchor="end"),
        ]
    persons, known = int(rows["persons"].sum()), int(rows["known"].sum())
    note = "Dark: persons with a unique identifier. Pale: persons without one, whom nobody knows."
    few, many = number(rows["identifiers"][0]), number(rows["identifiers"][-1])
    span = few if few == many else f"{few} to {many}"
    said = f"Persons have {span} identifiers; {number(known)} of {plural(persons, 'person')} have a unique one."
    return finished(Drawing(room, _HEAD + bars.height * _ROW, marks, [note]), title, said)


def _bars(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``low``, ``high`` (identifiers), ``persons``, ``known``, ``events`` of each bar, from small to large."""
    bar = pl.int_range(pl.len()).clip(upper_bound=_BARS)
    return (
        rows.group_by(bar.alias("bar"), maintain_order=True)
        .agg(
            pl.col("identifiers").min().alias("low"),
            pl.col("identifiers").max().alias("high"),
            pl.col("persons", "known", "events").sum(),
        )
        .drop("bar")
    )
