"""What sections of the configuration are made of, and those on moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from cjm.durations import to_us
from cjm.errors import CjmError, ConfigError
from cjm.patterns import Pattern

if TYPE_CHECKING:
    from cjm.moments import Moment, Running

__all__ = ["STRICT", "ContextSection", "DurationText", "MomentSection", "Name", "WatchSection", "watched"]


def _duration(text: str) -> str:
    to_us(text)
    return text


def _bounded(text: str) -> str:
    if Pattern.parse(text).horizon_us is None:
        raise ValueError('a moment must not wait for ever: give each step a limit, such as "within 3d"')
    return text


DurationText = Annotated[str, BeforeValidator(_duration)]
BoundedText = Annotated[str, AfterValidator(_bounded)]
Name = Annotated[str, Field(min_length=1)]
STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Section(BaseModel):
    model_config = STRICT


class MomentSection(_Section):
    """``[moments.NAME]``: a pattern that is watched and the action it calls for."""

    pattern: BoundedText
    action: str = ""
    once_per: DurationText | None = None


class ContextSection(_Section):
    """``[context.NAME]``: a figure that adds up within a calendar period; see :class:`cjm.Running`."""

    of: str
    value: str | None = None
    every: str = "1mo"
    time_zone: str = "UTC"


class WatchSection(_Section):
    """``[watch]``: how ``cjm watch`` takes batches in, and where it keeps its state and what it found."""

    dir: str = "watch"
    lateness: DurationText = "0s"
    sources: list[str] = []
    attributes: str | None = None
    attributes_id: str = "customer"


def watched(
    moments: Mapping[str, MomentSection], context: Mapping[str, ContextSection]
) -> tuple[list[Moment], list[Running]]:
    """Return the moments of ``[moments]`` and the figures of ``[context]``.

    Raises
    ------
    ConfigError
        If a value does not make sense for one of them.
    """
    from cjm.moments import Moment, Running

    where = ""
    try:
        figures = []
        for name, figure in context.items():
            where = f"section [context.{name}]"
            figures.append(Running(name, **figure.model_dump()))
        found = []
        for name, moment in moments.items():
            where = f"section [moments.{name}]"
            found.append(Moment(name, Pattern.parse(moment.pattern), moment.action, moment.once_per))
    except CjmError as error:
        raise ConfigError.at(str(error), where=where) from error
    return found, figures
