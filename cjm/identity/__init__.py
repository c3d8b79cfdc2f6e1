"""Identifiers to persons."""

from cjm.identity._errors import identity_errors
from cjm.identity._evaluate import evaluate_identities
from cjm.identity._grown import grown
from cjm.identity._identities import Identities
from cjm.identity._labels import StoredLabels
from cjm.identity._numbers import hash_ids, person_numbers
from cjm.identity._persons_in import persons_in
from cjm.identity._stitch import stitch
from cjm.identity._stitch_buckets import stitch_in_buckets
from cjm.identity._store import open_identities

__all__ = [
    "Identities",
    "StoredLabels",
    "evaluate_identities",
    "grown",
    "hash_ids",
    "identity_errors",
    "open_identities",
    "person_numbers",
    "persons_in",
    "stitch",
    "stitch_in_buckets",
]
