"""What comes after what, sooner or later: in how many paths, after how long."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel
from cjm.kernels.pair_numbers import SlotArray, number_of, place_of, roomy_keys, roomy_slots

__all__ = ["CELL", "LONG", "OWNER", "count_follows"]

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]
Records = npt.NDArray[np.void]

# Of a pair: in how many paths, and the sum of the times as time + carry * LONG. Small, so that more stay in the cache.
CELL = np.dtype([("time", "i8"), ("paths", "i4"), ("carry", "i4")])
LONG = 1 << 62
# Of a pair: how many owners these paths have, and the last of them.
OWNER = np.dtype([("count", "i4"), ("last", "i4")])


@kernel
def _roomy_cells(cells: Records, rows: int) -> Records:
    longer = np.zeros(rows, dtype=CELL)
    longer[: len(cells)] = cells
    return longer


@kernel
def _roomy_owners(owners: Records, rows: int) -> Records:
    longer = np.zeros(rows, dtype=OWNER)
    longer[: len(owners)] = owners
    return longer


@kernel
def _add(cells: Records, pair: int, wait: int) -> None:
    cell = cells[pair]
    cell["paths"] += 1
    time = cell["time"] + wait
    if time >= LONG:
        time -= LONG
        cell["carry"] += 1
    cell["time"] = time


@kernel
def _count(
    slots: SlotArray,
    keys: IntArray,
    cells: Records,
    owners: Records,
    base: int,
    sources: IntArray,
    first: IntArray,
    begin: int,
    stop: int,
    now: int,
    person: np.int32,
) -> None:
    """Count the pairs of the sources ``begin`` to ``stop`` with one target, ``base`` being its pair with source 0."""
    hashed = len(slots) > 0
    owned = len(owners) > 0
    for i in range(begin, stop):
        pair = base + sources[i]
        if hashed:
            pair = number_of(slots, keys, pair)
        _add(cells, pair, now - first[i])
        if owned and owners[pair]["last"] != person:
            owners[pair]["last"] = person
            owners[pair]["count"] += 1


@kernel
def _put(
    slots: SlotArray,
    keys: IntArray,
    place: IntArray,
    times: IntArray,
    base: int,
    sources: IntArray,
    first: IntArray,
    begin: int,
    stop: int,
    now: int,
) -> None:
    """Write the times of these pairs to where they have their place."""
    hashed = len(slots) > 0
    for i in range(begin, stop):
        pair = base + sources[i]
        if hashed:
            pair = place_of(slots, keys, pair)
        at = place[pair]
        if at >= 0:
            times[at] = now - first[i]
            place[pair] = at + 1


@kernel
def _walk(
    start: int,
    stop: int,
    person: np.int32,
    code: CodeArray,
    time: IntArray,
    group: CodeArray,
    width: int,
    groups: int,
    within: int,
    slots: SlotArray,
    keys: IntArray,
    cells: Records,
    owners: Records,
    asked: npt.NDArray[np.bool_],
    place: IntArray,
    times: IntArray,
    met: IntArray,
    sources: IntArray,
    first: IntArray,
    done: CodeArray,
) -> int:
    """Walk the events ``start`` to ``stop`` of one path; return where there was no room for more keys, or ``stop``.

    ``met`` is how many sources there are so far, and how many of them are longer ago than ``within``. ``sources``,
    in order of their first events, hold the code and the group, ``first`` the time of that event. ``done`` is 1 and
    how many sources have been paired with each code as the target, 0 before its first event: those that were there at
    its event before need no second look, so each pair is met once a path.
    """
    filling = len(place) > 0
    grouped = len(group) > 0
    hashed = len(slots) > 0
    plain = not hashed and not filling and len(owners) == 0  # the usual case: spares a call for each event
    side = groups * width
    count, near = met[0], met[1]
    for event in range(start, stop):
        if hashed and not filling and keys[0] + count + 2 > len(keys):
            met[0], met[1] = count, near
            return event
        target = code[event]
        now = time[event]
        while near < count and now - first[near] > within:
            near += 1
        begin = max(done[target] - 1, near)
        new = done[target] == 0
        done[target] = count + 1
        if plain:
            base = target * side
            for i in range(begin, count):
                _add(cells, base + sources[i], now - first[i])
        elif not filling:
            _count(slots, keys, cells, owners, target * side, sources, first, begin, count, now, person)
        elif asked[target]:
            _put(slots, keys, place, times, target * side, sources, first, begin, count, now)
        if new:
            sources[count] = (group[event] if grouped else 0) * width + target
            first[count] = now
            count += 1
            if plain:
                _add(cells, width * side + sources[count - 1], 0)
            elif not filling:
                _count(slots, keys, cells, owners, width * side, sources, first, count - 1, count, now, person)
    met[0], met[1] = count, near
    return stop


@kernel
def count_follows(
    offsets: IntArray,
    owner: IntArray,
    code: CodeArray,
    time: IntArray,
    group: CodeArray,
    width: int,
    groups: int,
    within: int,
    slots: SlotArray,
    keys: IntArray,
    cells: Records,
    owners: Records,
    asked: npt.NDArray[np.bool_],
    place: IntArray,
    times: IntArray,
) -> tuple[IntArray, Records, Records]:
    """Count the pairs of codes of which the second comes after the first event of the first, once a path.

    Pair (target * groups + group of that first event) * width + source, with the target ``width`` for the paths with
    the source at all, is a row of ``cells`` (of type CELL) and, unless it is empty, of ``owners`` (of type OWNER).
    If ``slots`` are given, it is instead the number of the pair among ``keys``. What is returned are keys, cells and
    owners, longer ones perhaps. Only pairs at most ``within`` apart count.

    With ``place``, nothing is counted: the time of each pair whose target is ``asked`` for is written to where its
    row has its place, unless that is -1, and the place goes on by one.
    """
    met = np.zeros(2, dtype=np.int64)
    sources = np.empty(width, dtype=np.int64)
    first = np.empty(width, dtype=np.int64)
    done = np.zeros(width, dtype=np.int32)
    for path in range(len(offsets) - 1):
        person = np.int32(owner[path] + 1)
        event, stop = offsets[path], offsets[path + 1]
        met[:] = 0
        while True:
            event = _walk(
                event, stop, person, code, time, group, width, groups, within, slots, keys, cells, owners, asked,
                place, times, met, sources, first, done,
            )  # fmt: skip
            if event == stop:
                break
            keys = roomy_keys(keys, met[0] + 1)
            slots = roomy_slots(slots, keys)
            cells = _roomy_cells(cells, len(keys))
            if len(owners) > 0:
                owners = _roomy_owners(owners, len(keys))
        for i in range(met[0]):
            done[sources[i] % width] = 0
    return keys, cells, owners
