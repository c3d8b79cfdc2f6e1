"""What the README and the documents show is what happens."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from pathlib import Path

import pytest

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
    OutputSection,
    PrivacySection,
    SourceSection,
    WatchSection,
)

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_example_prints_what_is_shown() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code, shown = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL).groups()  # type: ignore[union-attr]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    assert printed.getvalue() == shown


@pytest.mark.parametrize("page", ["verbs.md", "moments.md"])
def test_the_examples_run(page: str) -> None:
    done = doctest.testfile(str(ROOT / "docs" / page), module_relative=False)
    assert done.attempted > 10
    assert done.failed == 0


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


def test_every_key_of_the_configuration_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    sections = (
        OutputSection,
        SourceSection,
        CleaningSection,
        ConsentSection,
        PrivacySection,
        IdentitySection,
        JourneysSection,
        MiningSection,
        ChurnSection,
        MomentSection,
        ContextSection,
        WatchSection,
        ActionSection,
        DecideSection,
    )
    keys = {key for section in sections for key in section.model_fields} - {"funnel", "goals", "kpis", "patterns"}
    keys |= {f"funnel.{key}" for key in FunnelSection.model_fields} | {"patterns.NAME"}
    keys |= {f"goals.NAME.{key}" for key in GoalSection.model_fields} | {
        f"kpis.{key}" for key in KpisSection.model_fields
    }
    keys |= {f"budgets.{key}" for key in BudgetSection.model_fields}
    assert {key for key in keys if f"| `{key}` |" not in text} == set()
