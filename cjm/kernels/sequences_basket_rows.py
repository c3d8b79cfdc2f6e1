"""Rows of a search for sequences whose steps are sets of items at one time: see ``sequences_baskets``.

Entries of rows stand in three arrays: item, number of a word of 64 times, and the times of that word as bits. A row
begins with the times at which the pattern can end, under the item -1; the entries of an item stand side by side. In a
row of one word its number is of no account.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["count_items", "enter_hits", "open_row", "project"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
MaskArray = npt.NDArray[np.uint64]

_ONE = np.uint64(1)
_NONE = np.uint64(0)
_END = -1
# Columns of a line: the first entry of a row, and whether it has more than one word of times.
_ENTRY, _LONG = 0, 1


@kernel
def open_row(
    code: CodeArray, event: CodeArray, place: int, row_stop: int, last_word: IntArray, slot: IntArray, met: IntArray,
    item: CodeArray, word: CodeArray, mask: MaskArray, line: IntArray, at: int, top: int,
) -> int:  # fmt: skip
    """Write the row of a pattern of the one item at ``place``, its first in the row; return where entries end."""
    n_met = 0
    time = 0
    for index in range(place, row_stop):  # how many words each item has
        time += index > place and event[index] != event[index - 1]
        one = code[index]
        if last_word[one] < 0:
            met[n_met] = one
            n_met += 1
            slot[one] = 0
        slot[one] += last_word[one] < time >> 6
        last_word[one] = time >> 6
    line[at, _ENTRY] = top
    line[at, _LONG] = time >> 6 > 0
    ends = slot[code[place]]
    stop = top + ends
    for index in range(n_met):
        size = slot[met[index]]
        slot[met[index]] = stop - 1
        stop += size
        last_word[met[index]] = -1
    time = 0
    for index in range(place, row_stop):
        time += index > place and event[index] != event[index - 1]
        one = code[index]
        if last_word[one] < time >> 6:
            last_word[one] = time >> 6
            slot[one] += 1
            item[slot[one]] = one
            word[slot[one]] = time >> 6
            mask[slot[one]] = _NONE
        mask[slot[one]] |= _ONE << np.uint64(time & 63)
    for index in range(ends):  # the item was met first
        item[top + index] = _END
        word[top + index] = word[top + ends + index]
        mask[top + index] = mask[top + ends + index]
    for index in range(n_met):
        last_word[met[index]] = -1
        slot[met[index]] = -1
    line[at + 1, _ENTRY] = stop
    return stop  # type: ignore[no-any-return]


@kernel
def _above(ends: np.uint64) -> np.uint64:
    """Return the bits above the lowest."""
    return ~(ends ^ (ends - _ONE))


@kernel
def _from(ends: np.uint64) -> np.uint64:
    """Return the lowest bit and those above."""
    return ~((ends & (~ends + _ONE)) - _ONE)


@kernel
def _meet(
    entry: int, stop: int, first_word: int, later: np.uint64, item: CodeArray, word: CodeArray, mask: MaskArray,
    ends: MaskArray,
) -> tuple[bool, bool, int]:  # fmt: skip
    """Tell whether the item of ``entry`` comes later, whether it joins, and where its entries end."""
    one = item[entry]
    follows = False
    joins = False
    while entry < stop and item[entry] == one:
        follows |= word[entry] > first_word or mask[entry] & later != _NONE
        joins |= mask[entry] & ends[word[entry]] != _NONE
        entry += 1
    return follows, joins, entry


@kernel
def count_items(
    line: IntArray, lo: int, hi: int, item: CodeArray, word: CodeArray, mask: MaskArray, ends: MaskArray,
    after: IntArray, beside: IntArray,
) -> None:  # fmt: skip
    """Count the rows in which each item comes later, and in which it joins the last step."""
    for row in range(lo, hi):
        entry = line[row, _ENTRY]
        stop = line[row + 1, _ENTRY]
        here = mask[entry]
        later = _above(here)
        if line[row, _LONG] == 0:
            for index in range(entry + 1, stop):
                after[item[index]] += mask[index] & later != _NONE
                beside[item[index]] += mask[index] & here != _NONE
            continue
        first = entry
        while item[entry] == _END:
            ends[word[entry]] = mask[entry]
            entry += 1
        items = entry
        while entry < stop:
            one = item[entry]
            follows, joins, entry = _meet(entry, stop, word[first], later, item, word, mask, ends)
            after[one] += follows
            beside[one] += joins
        for index in range(first, items):
            ends[word[index]] = _NONE


@kernel
def enter_hits(
    line: IntArray, lo: int, hi: int, item: CodeArray, word: CodeArray, mask: MaskArray, ends: MaskArray,
    slot: IntArray, slot_beside: IntArray, hit_row: CodeArray, hit_entry: CodeArray, waste: int,
) -> None:  # fmt: skip
    """Enter row and entry of each item that comes later, or joins, where it has a slot for that.

    Short rows are done without branches: what is not wanted goes to the place ``waste``.
    """
    for row in range(lo, hi):
        first = line[row, _ENTRY]
        stop = line[row + 1, _ENTRY]
        later = _above(mask[first])
        if line[row, _LONG] == 0:
            for index in range(first + 1, stop):
                one = item[index]
                wanted = (slot[one] >= 0) & (mask[index] & later != _NONE)
                to = slot[one] if wanted else waste
                hit_row[to] = row
                hit_entry[to] = index
                slot[one] += wanted
                wanted = (slot_beside[one] >= 0) & (mask[index] & mask[first] != _NONE)
                to = slot_beside[one] if wanted else waste
                hit_row[to] = row
                hit_entry[to] = index
                slot_beside[one] += wanted
            continue
        entry = first
        while item[entry] == _END:
            ends[word[entry]] = mask[entry]
            entry += 1
        items = entry
        while entry < stop:
            one = item[entry]
            begin = entry
            follows, joins, entry = _meet(entry, stop, word[first], later, item, word, mask, ends)
            if follows and slot[one] >= 0:
                hit_row[slot[one]] = row
                hit_entry[slot[one]] = begin
                slot[one] += 1
            if joins and slot_beside[one] >= 0:
                hit_row[slot_beside[one]] = row
                hit_entry[slot_beside[one]] = begin
                slot_beside[one] += 1
        for index in range(first, items):
            ends[word[index]] = _NONE


@kernel
def project(
    hit_row: CodeArray, hit_entry: CodeArray, lo: int, hi: int, joins: bool, keep: npt.NDArray[np.bool_],
    line: IntArray, at: int, item: CodeArray, word: CodeArray, mask: MaskArray, ends: MaskArray, top: int,
) -> tuple[int, int]:  # fmt: skip
    """Write the rows of a child from line ``at`` and entry ``top`` on; return the last line and where entries end.

    Rows in which no item that is kept can follow are left out.
    """
    for hit in range(lo, hi):
        row = hit_row[hit]
        first = line[row, _ENTRY]
        stop = line[row + 1, _ENTRY]
        later = _above(mask[first])
        begin = top
        entry = hit_entry[hit]
        is_long = False
        if line[row, _LONG] == 0:
            here = mask[entry] & (mask[first] if joins else later)
            item[top] = _END
            mask[top] = here
            top += 1
            written = top
            onward = _from(here)
            for index in range(first + 1, stop):
                here = mask[index] & onward
                item[top] = item[index]
                mask[top] = here
                top += (here != _NONE) & keep[item[index]]  # no branch: what is not kept is written over
        else:
            items = first
            while item[items] == _END:
                ends[word[items]] = mask[items]
                items += 1
            one = item[entry]
            while entry < stop and item[entry] == one:
                here = mask[entry]
                if joins:
                    here &= ends[word[entry]]
                elif word[entry] <= word[first]:
                    here &= later if word[entry] == word[first] else _NONE
                if here != _NONE:
                    item[top] = _END
                    word[top] = word[entry]
                    mask[top] = here
                    top += 1
                entry += 1
            for index in range(first, items):
                ends[word[index]] = _NONE
            written = top
            is_long = word[top - 1] > word[begin]
            onward = _from(mask[begin])
            for index in range(items, stop):
                here = mask[index]
                if word[index] <= word[begin]:
                    here &= onward if word[index] == word[begin] else _NONE
                if here != _NONE and keep[item[index]]:
                    item[top] = item[index]
                    word[top] = word[index]
                    mask[top] = here
                    is_long |= word[index] > word[begin]
                    top += 1
        if top == written:
            top = begin
            continue
        line[at, _ENTRY] = begin
        line[at, _LONG] = is_long
        at += 1
    line[at, _ENTRY] = top
    return at, top
