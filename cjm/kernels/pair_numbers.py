"""Numbers for keys that are met one by one: a hash table that hands out 1, 2, 3, ..."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["SlotArray", "empty_keys", "empty_slots", "number_of", "numbered", "place_of", "roomy_keys", "roomy_slots"]

SlotArray = npt.NDArray[np.int32]  # the number of the key that is found there, 0 for none
KeyArray = npt.NDArray[np.int64]  # the key of each number; the first element holds how many there are


@kernel
def empty_slots() -> SlotArray:
    """Return slots for :func:`empty_keys`."""
    return np.zeros(2048, dtype=np.int32)


@kernel
def empty_keys() -> KeyArray:
    """Return room for keys, without any."""
    return np.zeros(1024, dtype=np.int64)


@kernel
def _slot(slots: SlotArray, keys: KeyArray, key: int) -> int:
    """Return where ``key`` is found, or where it belongs."""
    last = len(slots) - 1
    mixed = key * 0x9E3779B97F4A7C1
    slot = (mixed ^ (mixed >> 32)) & last
    while slots[slot] != 0 and keys[slots[slot]] != key:
        slot = (slot + 1) & last
    return slot


@kernel
def roomy_keys(keys: KeyArray, more: int) -> KeyArray:
    """Return the keys, or a longer copy if there is no room for ``more`` of them."""
    needed = keys[0] + 1 + more
    if needed <= len(keys):
        return keys
    size = len(keys)
    while size < needed:
        size *= 2
    longer = np.zeros(size, dtype=np.int64)
    longer[: keys[0] + 1] = keys[: keys[0] + 1]
    return longer


@kernel
def roomy_slots(slots: SlotArray, keys: KeyArray) -> SlotArray:
    """Return the slots, or new ones if there is room for more keys than before."""
    size = 2 * len(keys)
    if len(slots) == size:
        return slots
    found = np.zeros(size, dtype=np.int32)
    for number in range(1, keys[0] + 1):
        found[_slot(found, keys, keys[number])] = number
    return found


@kernel
def place_of(slots: SlotArray, keys: KeyArray, key: int) -> int:
    """Return the number of ``key``, 0 if it has none."""
    return int(slots[_slot(slots, keys, key)])


@kernel
def numbered(wanted: KeyArray) -> tuple[SlotArray, KeyArray]:
    """Return slots and keys in which ``wanted``, all different, have the numbers 1, 2, 3, ..."""
    keys = roomy_keys(empty_keys(), len(wanted))
    keys[0] = len(wanted)
    keys[1 : len(wanted) + 1] = wanted
    return roomy_slots(np.zeros(0, dtype=np.int32), keys), keys


@kernel
def number_of(slots: SlotArray, keys: KeyArray, key: int) -> int:
    """Return the number of ``key``: the next one if it is new, for which there must be room."""
    slot = _slot(slots, keys, key)
    if slots[slot] == 0:
        keys[0] += 1
        keys[keys[0]] = key
        slots[slot] = keys[0]
    return int(slots[slot])
