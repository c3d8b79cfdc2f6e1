"""The configuration of a run: one TOML file, every key checked."""

from __future__ import annotations

import tomllib
from glob import escape, has_magic
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cjm.durations import to_us
from cjm.errors import ArgumentError, CjmError, ConfigError, did_you_mean
from cjm.events import Source
from cjm.measure import Goal, goal
from cjm.patterns import Pattern
from cjm.survival import Churn

__all__ = ["ChurnSection", "Config", "load_config"]


def _duration(text: str) -> str:
    to_us(text)
    return text


def _share(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"{value} is no share: give one above 0, up to 1.0, such as 0.02 (a whole number is a count)")
    return value


def _support(value: Any) -> float | int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if not isinstance(value, float):
        raise ValueError(f"{value!r} is neither a share, such as 0.02, nor a count, such as 50")
    return _share(value)


def _selector(text: str) -> str:
    Churn.inactive("1s", text)
    return text


def _pattern(text: str) -> str:
    Pattern.parse(text)
    return text


def _bounded(text: str) -> str:
    if Pattern.parse(text).horizon_us is None:
        raise ValueError('a moment must not wait for ever: give each step a limit, such as "within 3d"')
    return text


DurationText = Annotated[str, BeforeValidator(_duration)]
PatternText = Annotated[str, AfterValidator(_pattern)]
BoundedText = Annotated[str, AfterValidator(_bounded)]
Share = Annotated[float, AfterValidator(_share)]
Support = Annotated[Any, AfterValidator(_support)]
Selector = Annotated[str, AfterValidator(_selector)]
Name = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SourceSection(_Section):
    """``[sources.NAME]``: a table of events; see :class:`cjm.Source` for the meaning of the keys."""

    path: str | Annotated[list[str], Field(min_length=1)]
    time: str
    event: str | None = None
    event_name: str | None = None
    ids: dict[str, str]
    channel: str | None = None
    time_format: str | None = None
    time_zone: str | None = None
    value: str | None = None
    attributes: list[str] | None = None
    event_id: str | None = None
    order: str | None = None
    drop_duplicates: bool = False
    placeholders: list[str] | None = None
    on_error: Literal["raise", "set aside"] = "raise"
    format: str | None = None
    options: dict[str, str] = {}


class IdentitySection(_Section):
    """``[identity]``: how events find their person."""

    person: str | None = None
    mode: Literal["device split", "components"] = "device split"
    unique: list[str] = ["customer"]
    replay: DurationText = "30d"
    stale: DurationText | None = None
    as_of: Literal["end", "event"] = "end"


class FunnelSection(_Section):
    """``[journeys.funnel]``: the steps whose completion is counted."""

    steps: Annotated[list[str | list[str]], Field(min_length=2)]
    within: DurationText | None = None
    order: Literal["ordered", "strict", "any"] = "ordered"


class GoalSection(_Section):
    """``[journeys.goals.NAME]``: a kind of journey; see :func:`cjm.goal` for the meaning of the keys."""

    start: str | list[str]
    end: str | list[str] | None = None
    abandon: str | list[str] | None = None
    timeout: DurationText | None = None
    idle: DurationText | None = None
    key: str | None = None


class KpisSection(_Section):
    """``[journeys.kpis]``: touchpoints that figures need; see :func:`cjm.kpis`."""

    first_value: list[str] = []
    cancel: list[str] = []
    contacts: list[str] = []


class JourneysSection(_Section):
    """``[journeys]``: sessions, flow, funnel, goals and what key figures need."""

    gap: DurationText = "30m"
    start_on: list[str] = []
    end_on: list[str] = []
    day_in: str | None = None
    flow_steps: Annotated[int, Field(ge=2, le=10)] = 5
    funnel: FunnelSection | None = None
    goals: dict[Name, GoalSection] = {}
    kpis: KpisSection = KpisSection()


class MiningSection(_Section):
    """``[mining]``: frequent paths, items and rules, and what tells those who left from those who stayed."""

    min_support: Support = 0.02
    max_length: Annotated[int, Field(ge=1, le=10)] = 3
    max_gap: DurationText | None = None
    min_confidence: Share = 0.3
    window: DurationText | None = None
    top: Annotated[int, Field(ge=0, le=50)] = 5


class ChurnSection(_Section):
    """``[churn]``: who is at risk, what churn is, which paths are tested."""

    event: Name | Annotated[list[Name], Field(min_length=1)] | None = None
    inactive: DurationText | None = None
    activity: list[Selector] = []
    table: str | None = None
    persons: str | None = None
    persons_id: str = "customer"
    entry: str | None = None
    origin: str | None = None
    covariates: list[str] = []
    by: str | None = None
    patterns: dict[str, PatternText] = {}

    @property
    def events(self) -> list[str]:
        """The touchpoints that are churn; none where it is silence or a table."""
        return [self.event] if isinstance(self.event, str) else self.event or []

    @model_validator(mode="after")
    def _one_definition(self) -> ChurnSection:
        given = [name for name in ("event", "inactive", "table") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of event, inactive, table (given: {', '.join(given) or 'none'})")
        if (self.covariates or self.by or self.entry) and self.persons is None:
            raise ValueError("covariates, by and entry are columns of the table named by persons, which is not given")
        if self.inactive is not None and to_us(self.inactive) == 0:
            raise ValueError("inactive must be longer than zero")
        clash = sorted(set(self.patterns) & set(self.covariates))
        if clash:
            raise ValueError(f"{clash[0]!r} is both a pattern and a covariate: rename the pattern")
        if self.activity and self.inactive is None:
            raise ValueError("activity says what ends a silence; it goes with inactive")
        return self


class MomentSection(_Section):
    """``[moments.NAME]``: a pattern that is watched and the action it calls for."""

    pattern: BoundedText
    action: str = ""


class ConsentSection(_Section):
    """``[consent]``: who agreed to what, and which purposes the run needs."""

    table: str
    id: str = "customer"
    analysis: str | None = None
    lists: str | None = None
    default: bool = False

    @model_validator(mode="after")
    def _one_purpose(self) -> ConsentSection:
        if self.analysis is None and self.lists is None:
            raise ValueError("name the purpose that analysis or lists need")
        return self


class OutputSection(_Section):
    """``[output]``: where the report and the tables go."""

    dir: str
    title: str = "Customer journeys and churn"
    hide_below: Annotated[int, Field(ge=1)] = 10


class Config(_Section):
    """A whole configuration file.

    Attributes
    ----------
    base : Path
        Folder of the file; relative paths in it start there.
    """

    output: OutputSection
    sources: Annotated[dict[str, SourceSection], Field(min_length=1)]
    identity: IdentitySection = IdentitySection()
    journeys: JourneysSection = JourneysSection()
    mining: MiningSection = MiningSection()
    churn: ChurnSection | None = None
    consent: ConsentSection | None = None
    moments: dict[str, MomentSection] = {}
    base: Path = Field(default=Path(), exclude=True)

    def resolve(self, path: str) -> Path:
        """Return a path of the file as seen from the working directory."""
        return self.base / path

    def source(self, name: str) -> Source:
        """Return one source, its paths resolved.

        Raises
        ------
        ConfigError
            If a value does not make sense for a source.
        """
        section = self.sources[name]
        fields = {key: getattr(section, key) for key in SourceSection.model_fields if key != "path"}
        given = [section.path] if isinstance(section.path, str) else section.path
        folder = Path(escape(str(self.base)))  # a bracket in the name of a folder is no pattern
        paths = [str((folder if has_magic(path) else self.base) / path) for path in given]
        try:
            return Source(path=paths[0] if isinstance(section.path, str) else paths, **fields)
        except ArgumentError as error:
            raise ConfigError.at(str(error), where=f"section [sources.{name}]") from error

    def goals(self) -> list[Goal]:
        """Return the goals of ``[journeys.goals]``.

        Raises
        ------
        ConfigError
            If a value does not make sense for a goal.
        """
        found = []
        for name, section in self.journeys.goals.items():
            try:
                found.append(goal(name, **section.model_dump()))
            except CjmError as error:
                raise ConfigError.at(str(error), where=f"section [journeys.goals.{name}]") from error
        return found


def load_config(path: str | Path) -> Config:
    """Read and check a configuration file.

    Raises
    ------
    ConfigError
        For a file that is missing or no TOML, an unknown or missing key, and a value of the wrong kind: the message
        names the key, its section and, where there is one, the nearest valid key.
    """
    file = Path(path)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError.at(
            f"the configuration cannot be read ({error.strerror})", where=str(path), hint="Check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError.at("the file is not UTF-8 text", where=str(path), hint="Save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError.at(
            f"this is no valid TOML: {error}",
            where=str(path),
            hint="A section or key may be there twice or lack a quote",
        ) from error
    if "base" in content:
        raise ConfigError.at(_unknown(("base",)), where=file.name)
    try:
        config = Config.model_validate({**content, "base": file.parent})
    except ValidationError as error:
        faults = [_explain(dict(fault)) for fault in error.errors()]
        raise ConfigError.at("; ".join(dict.fromkeys(faults)), where=file.name) from error
    for name in config.sources:
        config.source(name)
    config.goals()
    return config


def _is_key(part: Any) -> bool:
    """Tell keys from what pydantic calls the alternatives of a value."""
    return (
        not isinstance(part, int)
        and not any(sign in str(part) for sign in "[(")
        and part not in ("str", "int", "float")
    )


def _explain(fault: dict[str, Any]) -> str:
    loc = tuple(part for part in fault["loc"] if _is_key(part))
    if fault["type"] == "extra_forbidden":
        return _unknown(loc)
    where = _section(loc[:-1])
    if fault["type"] == "missing":
        return f'{where}: key "{loc[-1]}" is missing'
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error" and isinstance(_model_at(loc), type):
        return f"{_section(loc)}: {message}"
    return f'{where}: key "{loc[-1]}": {message}'


def _unknown(loc: tuple[Any, ...]) -> str:
    parent = _model_at(loc[:-1])
    names = [name for name in parent.model_fields if name != "base"] if parent is not None else []
    return f'{_section(loc[:-1])}: unknown key "{loc[-1]}". {did_you_mean(str(loc[-1]), names, show=20)}'


def _section(loc: tuple[Any, ...]) -> str:
    return f"section [{'.'.join(str(part) for part in loc)}]" if loc else "top level"


def _model_at(loc: tuple[Any, ...]) -> type[BaseModel] | None:
    """Return the model of the section at ``loc``, or None where there is a plain value or a free mapping."""
    sections: dict[str, tuple[type[BaseModel], bool]] = {
        "output": (OutputSection, False),
        "sources": (SourceSection, True),
        "identity": (IdentitySection, False),
        "journeys": (JourneysSection, False),
        "mining": (MiningSection, False),
        "churn": (ChurnSection, False),
        "consent": (ConsentSection, False),
        "moments": (MomentSection, True),
    }
    if not loc:
        return Config
    if loc[:1] == ("journeys",) and len(loc) > 1:
        inside: dict[tuple[str, int], type[BaseModel]] = {
            ("funnel", 2): FunnelSection,
            ("kpis", 2): KpisSection,
            ("goals", 3): GoalSection,
        }
        return inside.get((str(loc[1]), len(loc)))
    model, named = sections.get(str(loc[0]), (None, False))
    return model if len(loc) == 1 + named else None
