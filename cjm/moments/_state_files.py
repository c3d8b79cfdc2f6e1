"""The state of a watch on disk: files that never change, named by what is in them, and one that says which count."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import polars as pl

from cjm.errors import InputError, RunError
from cjm.files import write_bytes, write_files
from cjm.moments._layers import Layer, Layers
from cjm.moments._state import WatchState

__all__ = ["open_state", "save_state"]

_FORMAT = 2
_HEAD = "state.json"
_FRAMES = ("pending", "waiting", "late")
_PLAIN = ("moments", "context", "width", "reached", "complete", "seen", "events", "suppressed", "refused", "batches")


def save_state(state: WatchState, folder: Path) -> None:
    """Write what is new, then the file that says what counts; remove what no longer does."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError.at(f"the folder cannot be made ({error.strerror})", where=str(folder)) from error
    head: dict[str, Any] = {"format": _FORMAT, "layers": [], "frames": {}}
    head |= {name: getattr(state, name) for name in _PLAIN}
    new: dict[Path, bytes] = {}
    for layer in state.layers.layers:
        if not _there(folder, layer.stored):
            arrays = (layer.person, layer.offsets, layer.rows)
            data = b"".join(np.ascontiguousarray(array, dtype="<i8").tobytes() for array in arrays)
            layer.stored.update(_put(folder, data, new), persons=len(layer.person), rows=len(layer.rows))
        head["layers"].append(layer.stored)
    for name in _FRAMES:
        frame = getattr(state, name)
        former, entry = state.stored.get(name, (None, {}))
        if former is not frame or not _there(folder, entry):
            buffer = io.BytesIO()
            frame.write_ipc(buffer)
            entry = _put(folder, buffer.getvalue(), new)
            state.stored[name] = (frame, entry)
        head["frames"][name] = entry
    write_files(new)
    text = json.dumps(head, ensure_ascii=False, sort_keys=True)
    write_bytes(folder / _HEAD, json.dumps({"sha256": _hash(text.encode()), "state": text}).encode())
    used = {entry["file"] for entry in (*head["layers"], *head["frames"].values())}
    for path in (*folder.glob("*.bin"), *folder.glob(".*.part")):  # the latter of a process that was killed
        if path.name not in used:
            path.unlink(missing_ok=True)


def open_state(folder: Path) -> WatchState:
    """Read the state and check every byte of it."""
    try:
        outer = json.loads((folder / _HEAD).read_bytes())
        text, wanted = outer["state"], outer["sha256"]
        head = json.loads(text)
    except FileNotFoundError:
        raise InputError.at("there is no state of a watch", where=str(folder), hint="Was it saved here?") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _damaged(folder / _HEAD) from error
    if _hash(text.encode()) != wanted:
        raise _damaged(folder / _HEAD)
    if head["format"] != _FORMAT:
        raise InputError.at(
            f"the state has format {head['format']}, this version reads {_FORMAT}",
            where=str(folder),
            hint="Use the version that wrote it, or take the whole log in again, oldest files first: "
            f"rm -r {quote(str(folder))}; cjm watch cjm.toml --batch FILE",
        )
    layers = []
    for entry in head["layers"]:
        numbers = np.frombuffer(_get(folder, entry), dtype="<i8").astype(np.int64, copy=False)
        persons = entry["persons"]
        rows = numbers[2 * persons + 1 :].reshape(entry["rows"], head["width"])
        layers.append(Layer(numbers[:persons], numbers[persons : 2 * persons + 1], rows, entry))
    parts: dict[str, Any] = {name: head[name] for name in _PLAIN}
    parts |= {name: pl.read_ipc(io.BytesIO(_get(folder, head["frames"][name]))) for name in _FRAMES}
    parts |= {"moments": tuple((name, version) for name, version in head["moments"])}
    parts |= {name: tuple(head[name]) for name in ("context", "batches")}
    return WatchState(layers=Layers(layers), **parts)


def _put(folder: Path, data: bytes, new: dict[Path, bytes]) -> dict[str, Any]:
    """Return the entry of a file that is named by its content; it is to be written unless it is there."""
    digest = _hash(data)
    entry: dict[str, Any] = {"file": f"{digest[:32]}.bin", "sha256": digest, "bytes": len(data)}
    if not _there(folder, entry):
        new[folder / entry["file"]] = data
    return entry


def _there(folder: Path, entry: Mapping[str, Any]) -> bool:
    path = folder / entry.get("file", "")
    return path.is_file() and bool(path.stat().st_size == entry["bytes"])


def _get(folder: Path, entry: dict[str, Any]) -> bytes:
    try:
        data: bytes = (folder / entry["file"]).read_bytes()
    except OSError as error:
        raise _damaged(folder / entry["file"]) from error
    if len(data) != entry["bytes"] or _hash(data) != entry["sha256"]:
        raise _damaged(folder / entry["file"])
    return data


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _damaged(path: Path) -> InputError:
    return InputError.at(
        "the state is damaged or a part of it is missing",
        where=str(path),
        hint="Take it from a backup, or begin a new state from the whole log",
    )
