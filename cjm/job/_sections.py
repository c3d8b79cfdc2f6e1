"""The sections of a configuration: their keys, and what a value must be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_serializer,
    model_validator,
)

from cjm.durations import to_us
from cjm.events import without_password
from cjm.patterns import Pattern

__all__ = [
    "ActionSection",
    "BudgetSection",
    "ChurnSection",
    "CleaningSection",
    "ConsentSection",
    "ContextSection",
    "DecideSection",
    "FunnelSection",
    "GoalSection",
    "IdentitySection",
    "JourneysSection",
    "KpisSection",
    "MiningSection",
    "MomentSection",
    "Name",
    "OutputSection",
    "PrivacySection",
    "Section",
    "SourceSection",
    "WatchSection",
]


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
    from cjm.survival import Churn

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


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SourceSection(Section):
    """``[sources.NAME]``: a table of events; see :class:`cjm.Source` for the meaning of the keys."""

    path: str | Annotated[list[str], Field(min_length=1)]
    time: str | dict[Name, str]
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
    options: dict[str, str | dict[str, str]] = {}

    @field_serializer("path")
    def _path_for_the_manifest(self, path: str | list[str]) -> str | list[str]:
        return without_password(path) if isinstance(path, str) else list(map(without_password, path))

    @field_serializer("options")
    def _options_for_the_manifest(self, options: dict[str, str | dict[str, str]]) -> dict[str, Any]:
        """Leave out keys to an object store."""
        return {name: "***" if name == "storage" else value for name, value in options.items()}


class CleaningSection(Section):
    """``[cleaning]``: rules for the events of all sources; see :class:`cjm.Cleaning` for the meaning of the keys."""

    ids: dict[str, list[str]] = {}
    taxonomy: str | None = None
    exclude: str | None = None
    shared: dict[str, int] = {}
    sample: dict[str, float] = {}


class IdentitySection(Section):
    """``[identity]``: how events find their person."""

    person: str | None = None
    mode: Literal["device split", "components"] = "device split"
    unique: list[str] = ["customer"]
    replay: DurationText = "30d"
    stale: DurationText | None = None
    as_of: Literal["end", "event"] = "end"

    @property
    def known_by(self) -> str:
        """The kind of identifier that is the person where nothing is stitched."""
        return self.person or self.unique[0]


class FunnelSection(Section):
    """``[journeys.funnel]``: the steps whose completion is counted."""

    steps: Annotated[list[str | list[str]], Field(min_length=2)]
    within: DurationText | None = None
    order: Literal["ordered", "strict", "any"] = "ordered"


class GoalSection(Section):
    """``[journeys.goals.NAME]``: a kind of journey; see :func:`cjm.goal` for the meaning of the keys."""

    start: str | list[str]
    end: str | list[str] | None = None
    abandon: str | list[str] | None = None
    timeout: DurationText | None = None
    idle: DurationText | None = None
    key: str | None = None


class KpisSection(Section):
    """``[journeys.kpis]``: touchpoints that figures need; see :func:`cjm.kpis`."""

    first_value: list[str] = []
    cancel: list[str] = []
    contacts: list[str] = []


class JourneysSection(Section):
    """``[journeys]``: sessions, flow, funnel, goals and what key figures need."""

    gap: DurationText = "30m"
    start_on: list[str] = []
    end_on: list[str] = []
    day_in: str | None = None
    flow_steps: Annotated[int, Field(ge=2, le=10)] = 5
    funnel: FunnelSection | None = None
    goals: dict[Name, GoalSection] = {}
    kpis: KpisSection = KpisSection()


class MiningSection(Section):
    """``[mining]``: frequent paths, items and rules, and what tells those who left from those who stayed."""

    min_support: Support = 0.02
    max_length: Annotated[int, Field(ge=1, le=10)] = 3
    max_gap: DurationText | None = None
    min_confidence: Share = 0.3
    window: DurationText | None = None
    top: Annotated[int, Field(ge=0, le=50)] = 5


class ChurnSection(Section):
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


class MomentSection(Section):
    """``[moments.NAME]``: a pattern that is watched and the action it calls for."""

    pattern: BoundedText
    action: str = ""
    once_per: DurationText | None = None


class ContextSection(Section):
    """``[context.NAME]``: a figure that adds up within a calendar period; see :class:`cjm.Running`."""

    of: str
    value: str | None = None
    every: str = "1mo"
    time_zone: str = "UTC"


class WatchSection(Section):
    """``[watch]``: how ``cjm watch`` takes batches in, and where it keeps its state and what it found."""

    dir: str = "watch"
    lateness: DurationText = "0s"
    sources: list[str] = []
    attributes: str | None = None
    attributes_id: str = "customer"


class ActionSection(Section):
    """``[actions.NAME]``: an answer to moments; see :class:`cjm.moments.Action` for the meaning of the keys."""

    channel: Name
    moments: Annotated[list[Name], Field(min_length=1)]
    within: DurationText
    purpose: str | None = None
    eligible: str | None = None
    cost: float = 0.0
    value: float | None = None
    despite: list[str] = []
    counts: bool = True


class BudgetSection(Section):
    """An entry of ``budgets`` in ``[decide]``; see :class:`cjm.moments.Budget`."""

    contacts: int
    within: DurationText
    channel: str | None = None


class DecideSection(Section):
    """``[decide]``: what :func:`cjm.decide` needs to know, beside the moments and the actions."""

    persons: str
    effects: str
    consent: str | None = None
    suppressions: str | None = None
    contacts: str | None = None
    id: str = "customer"
    budgets: list[BudgetSection] = []
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    experiment: str = "holdout"

    @property
    def tables(self) -> dict[str, str]:
        """The paths that are given, by what is in them."""
        named = {name: getattr(self, name) for name in ("persons", "effects", "consent", "suppressions", "contacts")}
        return {name: path for name, path in named.items() if path is not None}

    @model_validator(mode="after")
    def _contacts_to_count(self) -> DecideSection:
        if self.budgets and self.contacts is None:
            raise ValueError("budgets limit the contacts in the table named by contacts, which is not given")
        return self


class ConsentSection(Section):
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


class PrivacySection(Section):
    """``[privacy]``: the key under which identifiers are stored, and those who were forgotten are known again."""

    key_file: str
    pseudonyms: list[str] = []
    forgotten: str = "forgotten.json"


class OutputSection(Section):
    """``[output]``: where the report and the tables go."""

    dir: str
    title: str = "Customer journeys and churn"
    hide_below: Annotated[int, Field(ge=1)] = 10
