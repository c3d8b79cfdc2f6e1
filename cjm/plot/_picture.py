"""A finished picture: its SVG, what a notebook shows of it, and the files it can be saved as."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from cjm.errors import ArgumentError, RunError
from cjm.files import write_bytes, write_text
from cjm.plot._svg import INK, QUIET, Drawing, rect, svg, tag, text, tip, wrapped
from cjm.plot._words import fit

__all__ = ["WIDTH", "Picture", "finished", "inner_width"]

WIDTH = 900
_EDGE, _LEAST, _MOST = 16, 320, 4000
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_SUFFIXES = (".svg", ".png", ".html")


@dataclass(frozen=True)
class Picture:
    """A picture that needs no network and runs no script; a notebook shows it by itself.

    Attributes
    ----------
    svg : str
        The picture as text. It holds its own light background, so that it can be read on dark pages too.
    title : str
        What it shows.
    description : str
        A sentence that stands for the picture where it cannot be seen.

    Examples
    --------
    >>> import polars as pl
    >>> from cjm import plot
    >>> frame = pl.DataFrame({"step": [1], "source": ["web:home"], "target": ["web:cart"], "persons": [40]})
    >>> plot.flow(frame)
    Picture('Flow over the first 2 steps')
    """

    svg: str
    title: str
    description: str = field(default="")

    def __repr__(self) -> str:
        return f"Picture({self.title!r})"

    def _repr_html_(self) -> str:
        return f'<div style="max-width:100%;overflow-x:auto;background:#fff;color:{INK}">{self.svg}</div>'

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file: all of it, or nothing.

        Parameters
        ----------
        path : path-like
            The file; its ending says what is written: ``.svg``, ``.png`` (twice as many pixels as the picture's
            width, for sharp screens) or ``.html`` (a page of its own). A file that is there is replaced in one step.

        Returns
        -------
        pathlib.Path
            The file written.

        Raises
        ------
        ArgumentError
            For another ending.
        RunError
            If the folder does not exist or cannot be written to.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix not in _SUFFIXES:
            raise ArgumentError.at(
                f"cannot be written as {suffix!r}", where=str(target), hint="End the name in .svg, .png or .html"
            )
        if suffix == ".png":
            write_bytes(target, self._png())
        else:
            write_text(target, self.svg if suffix == ".svg" else self._page())
        return target

    def _png(self) -> bytes:
        import vl_convert

        try:
            return bytes(vl_convert.svg_to_png(self.svg, scale=2))
        except ValueError as error:
            raise RunError.at(f"the picture cannot be turned into PNG ({error})", hint="Save it as .svg") from error

    def _page(self) -> str:
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            '<meta name="referrer" content="no-referrer">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n"
            f'</head>\n<body style="margin:0;background:#fff;color:{INK}">\n{self.svg}\n</body>\n</html>\n'
        )


def inner_width(width: int) -> int:
    """Return the pixels that are left between the edges of a picture of ``width``.

    Raises
    ------
    ArgumentError
        Unless ``width`` is a whole number within what can be drawn.
    """
    if not isinstance(width, int) or isinstance(width, bool) or not _LEAST <= width <= _MOST:
        raise ArgumentError.at(
            f"must be a whole number of pixels from {_LEAST} to {_MOST}, not {width!r}", where="width="
        )
    return width - 2 * _EDGE


def finished(drawing: Drawing, title: str, description: str, *, group: str = "") -> Picture:
    """Put a heading above a drawing, its notes below, and a light background behind it."""
    whole = f"{title} · {group}" if group else title
    y = _EDGE + 16.0
    marks = [text(_EDGE, y, fit(whole, drawing.width, 16), size=16, weight="600")]
    y += 18
    marks.append(tag("g", *drawing.marks, transform=f"translate({_EDGE} {y:.0f})"))
    y += drawing.height + 4
    for note in drawing.notes:
        for said in wrapped(note, drawing.width, 11.5):
            y += 15
            marks.append(text(_EDGE, y, said, size=11.5, fill=QUIET))
    width, height = drawing.width + 2 * _EDGE, round(y + _EDGE)
    drawn = svg(
        width,
        height,
        tip(whole),
        tag("desc", escape(description)),
        rect(0, 0, width, height, "#fff"),
        *marks,
        role="img",
        aria_label=f"{whole}. {description}",
        style="max-width:100%;height:auto",
    )
    return Picture(drawn, whole, description)
