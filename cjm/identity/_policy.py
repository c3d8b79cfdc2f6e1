"""What a call of ``stitch`` asks for: checked, and as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from cjm.durations import format_duration, to_us
from cjm.errors import ArgumentError
from cjm.identity._evidence import AsOf, Mode, Policy

__all__ = ["describe", "policy_of", "roles"]


def policy_of(
    *,
    mode: Any,
    replay: Any,
    stale: Any,
    as_of: Any,
    max_per_person: int | None,
    max_size: int | None,
    salt: str | bytes | None,
) -> Policy:
    """Return the policy; durations and times in microseconds."""
    if mode not in get_args(Mode):
        raise ArgumentError.unknown("mode", str(mode), get_args(Mode), where="stitch")
    for name, value in (("max_per_person", max_per_person), ("max_size", max_size)):
        if value is not None and value < 1:
            raise ArgumentError.at(f"{name} is {value}", where="stitch", hint="Give 1 or more, or None for no limit")
    replay_us = to_us(replay, "replay") if replay is not None else None
    stale_us = to_us(stale, "stale") if stale is not None else None
    known = _as_of(as_of)
    return Policy(mode, None if known == "event" else replay_us, stale_us, known, max_per_person, max_size, salt)


def _as_of(as_of: Any) -> AsOf | int:
    if isinstance(as_of, datetime):
        if as_of.tzinfo is None:
            raise ArgumentError.at(
                "as_of has no time zone", where="stitch", hint="Give datetime(..., tzinfo=datetime.UTC)"
            )
        since = as_of.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if as_of in get_args(AsOf):
        return "event" if as_of == "event" else "end"
    raise ArgumentError.unknown("as_of", str(as_of), [*get_args(AsOf), "a datetime"], where="stitch")


def roles(
    kinds: Sequence[str], unique: str | Sequence[str] | None, ignored: str | Sequence[str], policy: Policy
) -> tuple[list[str], list[str]]:
    """Return the unique and the shared kinds, each in order of priority."""
    wanted = ["customer"] if unique is None else [unique] if isinstance(unique, str) else list(unique)
    left_out = [ignored] if isinstance(ignored, str) else list(ignored)
    for name in [*(wanted if unique is not None else []), *left_out]:
        if name not in kinds:
            raise ArgumentError.unknown("kind of identifier", name, kinds, where="stitch")
    used = [kind for kind in kinds if kind not in left_out]
    if not used:
        raise ArgumentError.at("no kind of identifier is left", where="stitch", hint="Shorten ignored=")
    found = [kind for kind in used if kind in wanted], [kind for kind in used if kind not in wanted]
    _check(policy, *found)
    return found


def _check(policy: Policy, unique: list[str], shared: list[str]) -> None:
    if policy.mode == "device split" and not unique:
        raise ArgumentError.at(
            f"no kind of identifier is unique; the log has {', '.join(shared)}",
            where="stitch",
            hint='Name the kind that stands for a person, unique="...", or use mode="components"',
        )
    if policy.as_of == "event" and (policy.mode == "components" or len(unique) > 1):
        found = policy.mode if policy.mode == "components" else f"the unique kinds {', '.join(unique)}"
        raise ArgumentError.at(
            f'as_of="event" cannot be had with {found}, which are joined by links of the whole log',
            where="stitch",
            hint='Use mode="device split" with one unique kind, or as_of= a datetime',
        )


def describe(policy: Policy) -> str:
    """Return a policy as text."""
    parts: list[str] = [policy.mode]
    if policy.mode == "device split":
        ahead = "no replay" if policy.replay is None else f"replay {format_duration(policy.replay)}"
        parts.append("as of each event" if policy.as_of == "event" else ahead)
        if policy.stale is not None:
            parts.append(f"stale after {format_duration(policy.stale)}")
    if isinstance(policy.as_of, int):
        parts.append(f"as of {datetime.fromtimestamp(policy.as_of / 1e6, tz=UTC):%Y-%m-%d %H:%M:%S} UTC")
    return ", ".join(parts)
