"""Which event follows which: how often, for how many persons, after how long."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.pair_numbers import empty_keys, empty_slots, number_of, roomy_keys, roomy_slots

__all__ = ["CELL", "COUNT", "HIGH", "LOW", "PERSONS", "TOTALS", "count_chains", "count_pairs", "put_times"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]

# 16 bytes a pair, so that the pairs met often stay in the cache; what does not fit is moved to a row of totals.
CELL = np.dtype([("time", "i8"), ("last", "i4"), ("count", "u2"), ("persons", "u2")])
_FULL = np.uint16(65_535)
_LONG = 1 << 62

COUNT, PERSONS, HIGH, LOW, LAST = 0, 1, 2, 3, 4  # of a row of totals; the time is HIGH * 2**32 + LOW
TOTALS = 5


@kernel
def _add(cells: npt.NDArray[np.void], totals: IntArray, pair: np.uint64, person: np.int32, wait: int) -> None:
    cell = cells[pair]
    count = cell["count"] + np.uint16(1)
    cell["count"] = count
    cell["persons"] += np.uint16(cell["last"] != person)
    cell["last"] = person
    time = cell["time"] + wait
    cell["time"] = time
    if (count == _FULL) | (time >= _LONG):
        totals[pair, COUNT] += count - 1
        totals[pair, PERSONS] += cell["persons"]
        totals[pair, HIGH] += time >> 32
        totals[pair, LOW] += time & 0xFFFFFFFF
        totals[-1, COUNT] += 1
        cell["count"] = 1  # a cell that is in use is never 0
        cell["persons"] = 0
        cell["time"] = 0


@kernel
def count_pairs(
    offsets: IntArray,
    owner: IntArray,
    code: CodeArray,
    time: IntArray,
    group: CodeArray,
    width: int,
    ends: bool,
    cells: npt.NDArray[np.void],
    totals: IntArray,
    where: CodeArray,
) -> None:
    """Count the pairs of neighbours in each path, in a table of all pairs.

    Pair (group * width + source) * width + target is a row of ``cells`` (of type CELL) and of ``totals``, both zero
    before; what is in both together is the result. A last row of ``totals`` counts how often something was moved there,
    so that nobody need look if nothing was. A pair belongs to the ``group`` of its source event (empty: there
    are no groups). With ``ends``, code width - 2 comes before each path and code width - 1 after it, without a time.
    Owners are ascending. Unless ``where`` is empty, it becomes the pair of each event with the one before it in the
    path, or -1.
    """
    wide = np.uint64(width)
    grouped = len(group) > 0
    kept = len(where) > 0
    for path in range(len(offsets) - 1):
        first, stop = offsets[path], offsets[path + 1]
        person = np.int32(owner[path] + 1)
        side = np.uint64(group[first]) * wide if grouped else np.uint64(0)
        source = np.uint64(code[first])
        before = time[first]
        if ends:
            _add(cells, totals, (side + wide - np.uint64(2)) * wide + source, person, 0)
        if kept:
            where[first] = -1
        for event in range(first + 1, stop):
            target = np.uint64(code[event])
            now = time[event]
            pair = (side + source) * wide + target
            _add(cells, totals, pair, person, now - before)
            if kept:
                where[event] = np.int32(pair)
            if grouped:
                side = np.uint64(group[event]) * wide
            source = target
            before = now
        if ends:
            _add(cells, totals, (side + source) * wide + wide - np.uint64(1), person, 0)


@kernel
def count_chains(
    offsets: IntArray,
    owner: IntArray,
    code: CodeArray,
    time: IntArray,
    group: CodeArray,
    width: int,
    ends: bool,
    order: int,
    where: CodeArray,
) -> tuple[IntArray, IntArray, IntArray]:
    """Count each run of ``order`` + 1 neighbours in a path, in a hash table.

    As :func:`count_pairs`, with ``order`` codes width - 2 before each path. Returned are ``states``, ``edges`` and
    the totals of each edge. A state is a code, or ``width`` and the place of a pair in ``states``: its first half (the
    upper 32 bits) is the state without the last code, or without the group, which is ``width`` and more; the lower
    half is that code or group. An edge is the state of the source and the code of the target, in the same halves. The
    first element of ``states`` and of ``edges`` says how many there are.
    """
    states, state_slots = empty_keys(), empty_slots()
    edges, edge_slots = empty_keys(), empty_slots()
    totals = np.zeros((len(edges), TOTALS), dtype=np.int64)
    grouped = len(group) > 0
    kept = len(where) > 0
    for path in range(len(offsets) - 1):
        first, stop = offsets[path], offsets[path + 1]
        states = roomy_keys(states, 3 * (stop - first + 2))
        state_slots = roomy_slots(state_slots, states)
        edges = roomy_keys(edges, stop - first + 1)
        edge_slots = roomy_slots(edge_slots, edges)
        if len(totals) < len(edges):
            longer = np.zeros((len(edges), TOTALS), dtype=np.int64)
            longer[: len(totals)] = totals
            totals = longer
        person = owner[path] + 1
        length = 0  # of the run so far, counted up to order; one, two, three are the states of its last codes
        one, two, three = 0, 0, 0
        if ends:
            length = order
            one = width - 2
            two = width + number_of(state_slots, states, (one << 32) | one)
            three = width + number_of(state_slots, states, (two << 32) | one)
        for event in range(first, stop + 1 if ends else stop):
            target = code[event] if event < stop else width - 1
            timed = first < event < stop
            if kept and event < stop:
                where[event] = -1
            if length >= order:
                state = one if order == 1 else two if order == 2 else three
                if grouped:
                    side = width + group[max(event - 1, first)]
                    state = width + number_of(state_slots, states, (state << 32) | side)
                edge = number_of(edge_slots, edges, (state << 32) | target)
                totals[edge, COUNT] += 1
                if totals[edge, LAST] != person:
                    totals[edge, LAST] = person
                    totals[edge, PERSONS] += 1
                if timed:
                    wait = time[event] - time[event - 1]
                    totals[edge, HIGH] += wait >> 32
                    totals[edge, LOW] += wait & 0xFFFFFFFF
                    if kept:
                        where[event] = edge
            length += 1
            if order > 2 and length > 2:
                three = width + number_of(state_slots, states, (two << 32) | target)
            if order > 1 and length > 1:
                two = width + number_of(state_slots, states, (one << 32) | target)
            one = target
    return states, edges, totals


@kernel
def put_times(where: CodeArray, time: IntArray, place: IntArray, times: IntArray) -> None:
    """Write the time since the event before to where its pair keeps its times.

    ``place`` is the next free element of ``times`` for each pair, or -1, and goes on with each one written.
    """
    for event in range(len(where)):
        pair = where[event]
        if pair >= 0 and place[pair] >= 0:
            times[place[pair]] = time[event] - time[event - 1]
            place[pair] += 1
