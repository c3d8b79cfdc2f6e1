"""Distinct paths, and their order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["distinct_paths", "gathered", "group_totals", "sort_ties"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]


@kernel
def distinct_paths(
    offsets: IntArray,
    code: CodeArray,
    group: CodeArray,
    owner: IntArray,
    weight: IntArray,
    people: IntArray,
    collapse: bool,
    limit: int,
) -> tuple[CodeArray, IntArray, IntArray, IntArray, IntArray, CodeArray]:
    """Find the distinct paths of each group: by hash, and code by code where hashes are equal.

    Parameters
    ----------
    offsets, code : ndarray
        Path ``i`` is ``code[offsets[i]:offsets[i + 1]]``.
    group, owner : ndarray, one value a path
        All paths of an owner come one after the other.
    weight, people : ndarray, one value a path
        What the path adds to the count, and to the number of persons if the path before, of those that are equal, had
        another owner.
    collapse : bool
        Take equal neighbours as one.
    limit : int
        Cut paths after as many codes.

    Returns
    -------
    values, ends : ndarray
        Codes of the distinct paths, end to end in order of appearance, and where they begin and end.
    first, count, persons : ndarray, one value a distinct path
        The first path of its kind, and the sums.
    kind : ndarray, one value a path
        Which of the distinct paths it is.
    """
    paths = len(offsets) - 1
    values = np.empty(len(code), dtype=np.int32)
    ends = np.zeros(paths + 1, dtype=np.int64)
    first = np.empty(paths, dtype=np.int64)
    count = np.zeros(paths, dtype=np.int64)
    persons = np.zeros(paths, dtype=np.int64)
    kind = np.empty(paths, dtype=np.int32)
    last_owner = np.full(paths, -1, dtype=np.int64)
    hashes = np.empty(paths, dtype=np.uint64)
    places = 16
    while places < 2 * paths:
        places *= 2
    slots = np.full(places, -1, dtype=np.int32)
    mask = np.uint64(places - 1)
    factor = np.uint64(0x9E3779B97F4A7C15)
    found = 0
    for path in range(paths):
        # The path is written after those found so far, and stays there if it is new.
        begin = ends[found]
        end = begin
        mixed = (np.uint64(group[path]) + np.uint64(1)) * factor
        for event in range(offsets[path], offsets[path + 1]):
            if end - begin == limit:
                break
            now = code[event]
            if collapse and end > begin and values[end - 1] == now:
                continue
            values[end] = now
            end += 1
            mixed = (mixed ^ np.uint64(now)) * factor
            mixed ^= mixed >> np.uint64(32)
        slot = mixed & mask
        known = np.int64(slots[slot])
        while known >= 0:
            if hashes[known] == mixed and group[first[known]] == group[path]:
                start = ends[known]
                length = ends[known + 1] - start
                same = 0
                if length == end - begin:
                    while same < length and values[start + same] == values[begin + same]:
                        same += 1
                    if same == length:
                        break
            slot = (slot + np.uint64(1)) & mask
            known = np.int64(slots[slot])
        if known < 0:
            known = np.int64(found)
            slots[slot] = known
            hashes[known] = mixed
            first[known] = path
            found += 1
            ends[found] = end
        kind[path] = known
        count[known] += weight[path]
        if last_owner[known] != owner[path]:
            last_owner[known] = owner[path]
            persons[known] += people[path]
    return (
        values[: ends[found]].copy(),
        ends[: found + 1].copy(),
        first[:found].copy(),
        count[:found].copy(),
        persons[:found].copy(),
        kind,
    )


@kernel
def group_totals(group: CodeArray, owner: IntArray, groups: int) -> tuple[IntArray, IntArray]:
    """Return the number of paths and of owners of each group; all paths of an owner come one after the other."""
    paths = np.zeros(groups, dtype=np.int64)
    owners = np.zeros(groups, dtype=np.int64)
    last = np.full(groups, -1, dtype=np.int64)
    for path in range(len(group)):
        at = group[path]
        paths[at] += 1
        owners[at] += last[at] != owner[path]
        last[at] = owner[path]
    return paths, owners


@kernel
def gathered(values: CodeArray, ends: IntArray, chosen: IntArray) -> tuple[CodeArray, IntArray]:
    """Return the chosen paths end to end, and where they begin and end."""
    bounds = np.zeros(len(chosen) + 1, dtype=np.int64)
    for row in range(len(chosen)):
        bounds[row + 1] = bounds[row] + ends[chosen[row] + 1] - ends[chosen[row]]
    found = np.empty(bounds[-1], dtype=np.int32)
    for row in range(len(chosen)):
        shift = ends[chosen[row]] - bounds[row]
        for place in range(bounds[row], bounds[row + 1]):
            found[place] = values[place + shift]
    return found, bounds


@kernel
def sort_ties(order: IntArray, starts: IntArray, stops: IntArray, values: CodeArray, ends: IntArray, bits: int) -> None:
    """Put the paths ``order[starts[i]:stops[i]]`` in the order of their codes, for each ``i``; all of them differ.

    As many codes as fit, ``bits`` each, are packed into one number, and paths sorted by it; those that still tie are
    sorted by the codes that come next.
    """
    chunk = 62 // bits
    todo = [(np.int64(0), np.int64(0), np.int64(0))]
    for run in range(len(starts)):
        todo.append((starts[run], stops[run], np.int64(0)))
        while len(todo) > 1:
            start, stop, depth = todo.pop()
            if stop - start < 2:
                continue
            keys = np.zeros(stop - start, dtype=np.int64)
            for i in range(stop - start):
                path = order[start + i]
                key = np.int64(0)
                for place in range(ends[path] + depth, ends[path] + depth + chunk):
                    key <<= bits
                    if place < ends[path + 1]:
                        key += values[place] + 1  # 0 for the end: a path comes before those that go on
                keys[i] = key
            by_key = np.argsort(keys)
            moved = order[start:stop].copy()
            for i in range(stop - start):
                order[start + i] = moved[by_key[i]]
            tie = 0
            for i in range(1, stop - start + 1):
                if i == stop - start or keys[by_key[i]] != keys[by_key[tie]]:
                    if i - tie > 1:
                        todo.append((start + tie, start + i, depth + chunk))
                    tie = i
