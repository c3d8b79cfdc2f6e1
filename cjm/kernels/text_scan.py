"""Walks over the bytes of CSV and JSON files: what is where, and what is wrong with it.

They are compiled by :func:`cjm.kernels._jit.compiled_for` where there are many bytes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["DRIFT", "SHORT", "STATE", "STRAY", "scan_csv", "scan_json"]

DRIFT, SHORT, STRAY = 0, 1, 2
"""What a note tells: a row is not on the line where the one before lets expect it; it has another number of fields than
the header; text follows a closing quote."""

STATE = 11
"""Length of the state of :func:`scan_csv`: mode, fields so far, line, first line of the record, fields of the header,
rows, lines ahead of rows, whether the last byte was a carriage return, whether text followed a closing quote, rows over
several lines, the line of the first of these."""

_START, _FIELD, _QUOTED, _CLOSED = 0, 1, 2, 3


# (uint8[:], int64, int64, int64, int64[:], int64[:, :], int64) -> (int64, int64)
def scan_csv(
    data: npt.NDArray[np.uint8],
    start: int,
    separator: int,
    quote: int,
    state: npt.NDArray[np.int64],
    notes: npt.NDArray[np.int64],
    count: int,
) -> tuple[int, int]:
    """Walk over one chunk of a CSV file; return where it stopped and how many notes there are.

    A note is (what, line, row); for a row of the wrong length (what, line, fields). The walk stops before the end of
    the chunk when there is no room for notes; ``state`` carries on to the next call. ``quote`` is -1 where quotes mean
    nothing.
    """
    mode, fields, line, first, width, rows, ahead, after, stray, several, spread = state
    plain = np.ones(256, dtype=np.bool_)
    plain[10] = plain[13] = plain[separator] = False
    if quote >= 0:
        plain[quote] = False
    at = start
    while at < len(data) and count + 2 <= len(notes):
        char = data[at]
        at += 1
        if plain[char]:
            while at < len(data) and plain[data[at]]:
                at += 1
            after = 0
            if mode == _START:
                mode = _FIELD
            elif mode == _CLOSED:
                stray = 1
                mode = _FIELD
            continue
        if after:
            after = 0
            if char == 10:
                continue
        ends = char == 10 or char == 13
        after = 1 if char == 13 else 0
        if mode == _QUOTED:
            if char == quote:
                mode = _CLOSED
            elif ends:
                line += 1
        elif mode == _CLOSED and char == quote:
            mode = _QUOTED
        elif ends:
            if mode != _START or fields > 0:  # else the line is blank
                if width == 0:
                    width = fields + 1
                elif fields + 1 != width:
                    notes[count] = (SHORT, first, fields + 1)
                    count += 1
                else:
                    if stray:
                        notes[count] = (STRAY, first, rows)
                        count += 1
                    if first - rows != ahead:
                        ahead = first - rows
                        notes[count] = (DRIFT, first, rows)
                        count += 1
                    if line > first:
                        several += 1
                        spread = first if several == 1 else spread
                    rows += 1
            line += 1
            first = line
            mode, fields, stray = _START, 0, 0
        elif char == separator:
            mode = _START
            fields += 1
        elif mode == _START:
            mode = _QUOTED
    state[:] = (mode, fields, line, first, width, rows, ahead, after, stray, several, spread)
    return at, count


# (uint8[:], int64) -> int64[:]
def scan_json(data: npt.NDArray[np.uint8], deepest: int) -> npt.NDArray[np.int64]:
    """Walk over JSON values, one a line.

    Return the first line nested deeper than ``deepest``, the first line with half of a surrogate pair (0: none), the
    length of the longest line in bytes and how many lines are not blank.
    """
    found = np.zeros(4, dtype=np.int64)
    line, depth, length, filled = 1, 0, 0, False
    text, escaped, half = False, False, False
    for at in range(len(data)):
        char = data[at]
        if char == 10:
            found[2] = max(found[2], length)
            found[3] += filled
            if half and found[1] == 0:
                found[1] = line
            line += 1
            depth, length, filled = 0, 0, False
            text, escaped, half = False, False, False
            continue
        length += 1
        if char > 32:
            filled = True
        if not text:
            if char == 34:
                text = True
            elif char == 91 or char == 123:
                depth += 1
                if depth > deepest and found[0] == 0:
                    found[0] = line
            elif char == 93 or char == 125:
                depth -= 1
            continue
        kind = 0  # of a \uXXXX that starts here: 1 the first half of a pair, 2 the second
        if escaped:
            escaped = False
            if char == 117 and at + 2 < len(data) and (data[at + 1] | 32) == 100:  # uD
                digit = data[at + 2] | 32
                kind = 1 if digit in (56, 57, 97, 98) else 2 if digit in (99, 100, 101, 102) else 0
            if half and kind != 2 and found[1] == 0:
                found[1] = line
            if kind == 2 and not half and found[1] == 0:
                found[1] = line
            half = kind == 1
        elif char == 92:
            if half and (data[at - 5] != 117 or data[at - 6] != 92):  # the second half follows the first at once
                found[1] = line if found[1] == 0 else found[1]
            escaped = True
        elif char == 34:
            if half and found[1] == 0:
                found[1] = line
            text, half = False, False
    found[2] = max(found[2], length)
    found[3] += filled
    return found
