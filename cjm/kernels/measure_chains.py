"""Runs of touchpoints and what comes after them, for any number of touchpoints: counted after sorts by counting.

A hash table of all runs would be slower: most look-ups would have to wait for memory.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["EDGE", "count_edges", "number_runs"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]

# The sum of the times is high * 2**32 + low.
_SUMS = [("count", "i8"), ("persons", "i8"), ("high", "i8"), ("low", "i8")]
EDGE = np.dtype([*_SUMS, ("last", "i4"), ("run", "i4"), ("group", "i4"), ("target", "i4")])
_STEP = np.dtype([("wait", "i8"), ("owner", "i4"), ("target", "i4"), ("group", "i4"), ("event", "i4"), ("run", "i4")])


@kernel
def _begins(counts: IntArray) -> None:
    """Turn numbers of things into where each begins, in a list of all of them."""
    before = 0
    for i in range(len(counts)):
        number = counts[i]
        counts[i] = before
        before += number


@kernel
def number_runs(
    offsets: IntArray, code: CodeArray, width: int, shorter: CodeArray, size: int, start: int
) -> tuple[CodeArray, CodeArray]:
    """Give a number to each different run of touchpoints in the paths that is one longer than ``shorter``.

    ``shorter`` is the number of the run that ends with each event, below ``size``, or -1 where the path is too short
    for it. ``start`` is the number of the run of nothing but the code width - 2 that comes before each path; -1 if
    paths begin with their first event. Returned are the same for the longer runs, where that of the starts is 0, and
    for each of them the shorter run and the code that it is made of.
    """
    free = np.zeros(size, dtype=np.int64)
    for path in range(len(offsets) - 1):
        before = start
        for event in range(offsets[path], offsets[path + 1]):
            if before >= 0:
                free[before] += 1
            before = shorter[event]
    total = free.sum()
    _begins(free)
    events = np.empty(total, dtype=np.int32)  # by the run before
    for path in range(len(offsets) - 1):
        before = start
        for event in range(offsets[path], offsets[path + 1]):
            if before >= 0:
                events[free[before]] = event
                free[before] += 1
            before = shorter[event]
    longer = np.full(len(code), -1, dtype=np.int32)
    runs = np.empty((total + 1, 2), dtype=np.int32)
    runs[0, 0], runs[0, 1] = max(start, 0), max(width - 2, 0)
    found = 1
    number = np.zeros(width, dtype=np.int32)  # the last number that each code was given
    i = 0
    for run in range(size):
        first = found
        while i < free[run]:
            event = events[i]
            if number[code[event]] < first:
                number[code[event]] = found
                runs[found, 0], runs[found, 1] = run, code[event]
                found += 1
            longer[event] = number[code[event]]
            i += 1
    return longer, runs[:found]


@kernel
def count_edges(
    offsets: IntArray,
    owner: IntArray,
    code: CodeArray,
    time: IntArray,
    group: CodeArray,
    groups: int,
    width: int,
    ends: bool,
    runs: CodeArray,
    size: int,
    start: int,
    where: CodeArray,
) -> npt.NDArray[np.void]:
    """Count how often each touchpoint comes directly after each run of touchpoints.

    ``runs``, ``size`` and ``start`` are as ``shorter`` in :func:`number_runs`. With ``ends``, code width - 1 comes
    after each path. An edge belongs to the ``group`` of the last event of the run, or of the target at the start of a
    path (empty: there are no groups). Owners are ascending. Unless ``where`` is empty, it becomes the edge that leads
    to each event from the one before it, or -1. Edges (of type EDGE) come by run and group.
    """
    grouped = len(group) > 0
    free = np.zeros(size, dtype=np.int64)
    sides = np.zeros(groups, dtype=np.int64)
    for path in range(len(offsets) - 1):
        first, stop = offsets[path], offsets[path + 1]
        before = start
        for event in range(first, stop + 1 if ends else stop):
            if before >= 0:
                free[before] += 1
                if grouped:
                    sides[group[max(event - 1, first)]] += 1
            if event < stop:
                before = runs[event]
    total = free.sum()
    _begins(free)
    _begins(sides)
    steps = np.empty(total, dtype=_STEP)  # by group if there are any, else by run
    for path in range(len(offsets) - 1):
        first, stop = offsets[path], offsets[path + 1]
        before = start
        for event in range(first, stop + 1 if ends else stop):
            if before >= 0:
                timed = first < event < stop
                side = group[max(event - 1, first)] if grouped else 0
                place = sides[side] if grouped else free[before]
                step = steps[place]
                step["wait"] = time[event] - time[event - 1] if timed else 0
                step["owner"] = owner[path]
                step["target"] = code[event] if event < stop else width - 1
                step["group"] = side
                step["event"] = event if timed else -1
                step["run"] = before
                if grouped:
                    sides[side] += 1
                else:
                    free[before] += 1
            if event < stop:
                before = runs[event]
    if grouped:
        by_group = steps
        steps = np.empty(total, dtype=_STEP)
        for i in range(total):
            before = by_group[i]["run"]
            steps[free[before]] = by_group[i]
            free[before] += 1
    where[:] = -1
    edges = np.empty(total, dtype=EDGE)
    found = 0
    number = np.full(width, -1, dtype=np.int32)  # the last edge to each target
    i = 0
    for run in range(size):
        side = -1
        begin = found
        while i < free[run]:
            step = steps[i]
            if step["group"] != side:
                side = step["group"]
                begin = found
            at = number[step["target"]]
            if at < begin:
                at = np.int32(found)
                number[step["target"]] = at
                new = edges[found]
                new["count"], new["persons"], new["high"], new["low"] = 0, 0, 0, 0
                new["last"], new["run"], new["group"], new["target"] = -1, run, side, step["target"]
                found += 1
            edge = edges[at]
            edge["count"] += 1
            edge["persons"] += edge["last"] != step["owner"]
            edge["last"] = step["owner"]
            edge["high"] += step["wait"] >> 32
            edge["low"] += step["wait"] & 0xFFFFFFFF
            if len(where) and step["event"] >= 0:
                where[step["event"]] = at
            i += 1
    return edges[:found]
