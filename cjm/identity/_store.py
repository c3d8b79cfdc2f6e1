"""Identities on disk: Parquet and Arrow files and a manifest, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cjm.errors import ArgumentError
from cjm.folders import new_folder
from cjm.identity._assignment import Assignment
from cjm.identity._evidence import Declared, Evidence, Part, Policy
from cjm.identity._identities import Identities
from cjm.identity._merge import Refused
from cjm.identity._names import Names
from cjm.identity._numbers import Numbers, hash_ids
from cjm.stores import check_file, read_columns, read_manifest, read_table, write_columns, write_manifest, write_table

__all__ = ["open_identities", "write_identities"]

Int32Array = npt.NDArray[np.int32]

_VERSION = 3  # not one that stored journeys have: a folder of the other kind is refused
_WHAT = "identities"
_DECLARED = ("a", "b", "since", "until", "source")
_REFUSED = ("a", "b", "rule", "events")
_LABELS = ("person", "reason", "known")
_LABELS_FILE = "labels.arrow"


def write_identities(
    evidence: Evidence, found: Assignment, numbers: Numbers, clusters: Sequence[Int32Array], path: Path
) -> None:
    """See :meth:`Identities.write`."""
    policy = asdict(evidence.policy)
    salt = policy.pop("salt")
    manifest = {
        "version": _VERSION,
        "policy": policy,
        "salt": None if salt is None else _mark_of(salt),
        "kinds": list(evidence.kinds),
        "unique": evidence.unique,
        "sources": list(evidence.sources),
        "blocked": {kind: list(texts) for kind, texts in evidence.blocked.items()},
        "ignored": list(evidence.ignored),
        "key": evidence.key.hex(),
        "parts": len(evidence.parts),
    }
    tables = {
        "nodes": pl.DataFrame(
            {
                "id": evidence.names.texts[: len(found.anchor)],
                "kind": evidence.names.kind[: len(found.anchor)],
                "anchor": found.anchor,
                "barred": found.barred,
                "tripped": found.tripped,
                "number": numbers.of[: len(found.anchor)],
            }
        ),
        "declared": pl.DataFrame(dict(zip(_DECLARED, evidence.declared.parts, strict=True))),
        "refused": pl.DataFrame({name: getattr(found.refused, name) for name in _REFUSED}),
        "apart": pl.DataFrame({"a": evidence.apart[:, 0], "b": evidence.apart[:, 1]}),
        "erased": pl.DataFrame(
            {
                "node": evidence.erased,
                "mark": evidence.marks,
                "place": [evidence.names.places[node] for node in evidence.erased.tolist()],
            },
            schema_overrides={"place": pl.Int64},
        ),
        "consent": evidence.consent,
        "dropped": evidence.dropped,
    }
    if clusters:
        tables["nodes"] = tables["nodes"].with_columns(cluster=clusters[0][: len(found.anchor)])
    with new_folder(path) as folder:
        files = {f"{name}.parquet": write_table(folder / f"{name}.parquet", table) for name, table in tables.items()}
        for number, part in enumerate(evidence.parts):
            for name, values in ((_times(number), part.time), (_codes(number), part.codes.ravel())):
                files[name] = write_columns(folder / name, pl.DataFrame({"value": values}))
        labels = pl.DataFrame({name: getattr(found, name) for name in _LABELS})
        files[_LABELS_FILE] = write_columns(folder / _LABELS_FILE, labels)
        write_manifest(folder, {**manifest, "files": files})


def _times(number: int) -> str:
    return f"times-{number:04d}.arrow"


def _codes(number: int) -> str:
    return f"codes-{number:04d}.arrow"


def _mark_of(salt: str | bytes) -> int:
    """Return a number by which a salt is known again; it does not give the salt away."""
    return int(hash_ids(pl.Series(["salt"]), "salt", salt)[0])


def open_identities(path: str | Path, *, salt: str | bytes | None = None) -> Identities:
    """Open identities that :meth:`Identities.write` stored.

    Parameters
    ----------
    path : str or Path
    salt : str or bytes, optional
        The salt they were made with.

    Returns
    -------
    Identities
        Equal to those that were stored. ``apply`` reads the log that it is given and compares it with what was stored.

    Raises
    ------
    InputError
        If the folder is no store, was written by another version, or a file in it is damaged.
    ArgumentError
        For another salt.

    Examples
    --------
    >>> import tempfile
    >>> import cjm
    >>> events = pl.DataFrame({"at": ["2026-01-01T10:00Z"], "what": ["home"], "who": ["a"]})
    >>> log = cjm.scan_events({"web": cjm.Source(events, time="at", event="what", ids={"customer": "who"})})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cjm.stitch(log).write(f"{folder}/people")
    ...     open_identities(f"{folder}/people").apply(log).collect().height
    1
    """
    folder = Path(path).absolute()
    manifest = read_manifest(folder, _VERSION, _WHAT)
    files = manifest["files"]
    if manifest["salt"] != (None if salt is None else _mark_of(salt)):
        raise ArgumentError.at("not the salt that the identities were made with", where="open_identities(salt=...)")
    nodes, declared, refused, apart, erased, consent, dropped = (
        _read(folder, name, files) for name in ("nodes", "declared", "refused", "apart", "erased", "consent", "dropped")
    )
    parts = []
    for number in range(manifest["parts"]):
        times, codes = (
            read_columns(folder / name, files[name], _WHAT)["value"].to_numpy()
            for name in (_times(number), _codes(number))
        )
        parts.append(Part(None, times, codes.reshape(len(manifest["kinds"]), len(times))))
    labels = read_columns(folder / _LABELS_FILE, files[_LABELS_FILE], _WHAT)
    evidence = Evidence(
        policy=Policy(**manifest["policy"], salt=salt),
        kinds=tuple(manifest["kinds"]),
        unique=manifest["unique"],
        names=Names.of(nodes["id"], nodes["kind"].to_numpy(), dict(erased.select("node", "place").iter_rows())),
        parts=tuple(parts),
        declared=Declared(*(declared[name].to_numpy() for name in _DECLARED)),
        sources=tuple(manifest["sources"]),
        apart=np.stack([apart["a"].to_numpy(), apart["b"].to_numpy()], axis=1),
        consent=consent,
        erased=erased["node"].to_numpy(),
        marks=erased["mark"].to_numpy(),
        key=bytes.fromhex(manifest["key"]),
        dropped=dropped,
        blocked={kind: tuple(texts) for kind, texts in manifest["blocked"].items()},
        ignored=tuple(manifest["ignored"]),
    )
    found = Assignment(
        nodes["anchor"].to_numpy(),
        nodes["barred"].to_numpy(),
        nodes["tripped"].to_numpy(),
        Refused(*(refused[name].to_numpy() for name in _REFUSED)),
        *(labels[name].to_numpy() for name in _LABELS),
    )
    of = nodes["number"].to_numpy()
    clusters = [nodes["cluster"].to_numpy()] if "cluster" in nodes.columns else []
    return Identities(evidence, found, Numbers(of, np.sort(of[of >= 0])), clusters)


def _read(folder: Path, name: str, files: Mapping[str, Any]) -> pl.DataFrame:
    path = folder / f"{name}.parquet"
    check_file(path, files[path.name], _WHAT)
    return read_table(path, _WHAT)
