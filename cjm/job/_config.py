"""The configuration of a run: one TOML file, every key checked."""

from __future__ import annotations

import tomllib
from glob import escape, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    Field,
    ValidationError,
)

from cjm.errors import ArgumentError, CjmError, ConfigError, did_you_mean
from cjm.events import Source, is_uri
from cjm.job._sections import (
    ActionSection,
    BudgetSection,
    ChurnSection,
    CleaningSection,
    ConsentSection,
    ContextSection,
    DecideSection,
    FunnelSection,
    GoalSection,
    IdentitySection,
    JourneysSection,
    KpisSection,
    MiningSection,
    MomentSection,
    Name,
    OutputSection,
    PrivacySection,
    Section,
    SourceSection,
    WatchSection,
)
from cjm.patterns import Pattern

if TYPE_CHECKING:
    from cjm.measure import Goal
    from cjm.moments import Action, Budget, Moment, Running

__all__ = ["Config", "load_config"]


class Config(Section):
    """A whole configuration file.

    Attributes
    ----------
    base : Path
        Folder of the file; relative paths in it start there.
    """

    output: OutputSection
    sources: Annotated[dict[str, SourceSection], Field(min_length=1)]
    cleaning: CleaningSection = CleaningSection()
    identity: IdentitySection = IdentitySection()
    journeys: JourneysSection = JourneysSection()
    mining: MiningSection = MiningSection()
    churn: ChurnSection | None = None
    consent: ConsentSection | None = None
    privacy: PrivacySection | None = None
    moments: dict[Name, MomentSection] = Field(default_factory=dict)
    context: dict[Name, ContextSection] = Field(default_factory=dict)
    watch: WatchSection = WatchSection()
    actions: dict[Name, ActionSection] = Field(default_factory=dict)
    decide: DecideSection | None = None
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
        paths = [path if is_uri(path) else str((folder if has_magic(path) else self.base) / path) for path in given]
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
        from cjm.measure import goal

        found = []
        for name, section in self.journeys.goals.items():
            try:
                found.append(goal(name, **section.model_dump()))
            except CjmError as error:
                raise ConfigError.at(str(error), where=f"section [journeys.goals.{name}]") from error
        return found

    def watched(self) -> tuple[list[Moment], list[Running]]:
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
            for name, figure in self.context.items():
                where = f"section [context.{name}]"
                figures.append(Running(name, **figure.model_dump()))
            moments = []
            for name, moment in self.moments.items():
                where = f"section [moments.{name}]"
                moments.append(Moment(name, Pattern.parse(moment.pattern), moment.action, moment.once_per))
        except CjmError as error:
            raise ConfigError.at(str(error), where=where) from error
        return moments, figures

    def choices(self) -> tuple[list[Action], list[Budget]]:
        """Return the actions of ``[actions]`` and the budgets of ``[decide]``.

        Raises
        ------
        ConfigError
            If a value does not make sense for one of them, or something that they need is not there.
        """
        from cjm.moments import Action, Budget

        section = self.decide
        if section is None and not self.actions:
            return [], []
        if section is None or not self.actions:
            raise ConfigError.at("[actions.NAME] and [decide] need each other; one is not there", where="top level")
        where = "section [decide]"
        try:
            budgets = [Budget(**budget.model_dump()) for budget in section.budgets]
            actions = []
            for name, action in self.actions.items():
                where = f"section [actions.{name}]"
                actions.append(Action(name, **action.model_dump()))
                for moment in action.moments:
                    if moment not in self.moments:
                        raise ConfigError.unknown("moment", moment, self.moments, where="moments")
                if action.purpose is not None and section.consent is None:
                    raise ConfigError.at("purpose needs the table that [decide] consent names", where="purpose")
        except CjmError as error:
            raise ConfigError.at(str(error), where=where) from error
        return actions, budgets


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
    if config.journeys.goals:
        config.goals()
    config.watched()
    config.choices()
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
        "cleaning": (CleaningSection, False),
        "identity": (IdentitySection, False),
        "journeys": (JourneysSection, False),
        "mining": (MiningSection, False),
        "churn": (ChurnSection, False),
        "consent": (ConsentSection, False),
        "privacy": (PrivacySection, False),
        "moments": (MomentSection, True),
        "context": (ContextSection, True),
        "watch": (WatchSection, False),
        "actions": (ActionSection, True),
        "decide": (DecideSection, False),
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
    if loc == ("decide", "budgets"):
        return BudgetSection
    model, named = sections.get(str(loc[0]), (None, False))
    return model if len(loc) == 1 + named else None
