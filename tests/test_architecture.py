"""A module imports only from floors below its own; packages of one floor do not meet."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import cjm

ROOT = Path(cjm.__file__).parent
FLOORS = {
    "kernels": -1, "contracts": 0, "patterns": 0, "ragged": 0, "durations": 0, "progress": 0, "errors": 0, "files": 0,
    "statistics": 0, "identifiers": 0, "folders": 0, "codes": 0, "periods": 0, "stores": 0, "privacy": 0, "piles": 0,
    "events": 1, "identity": 1,
    "matching": 2, "journeys": 2,
    "measure": 3, "mining": 3, "survival": 3, "moments": 3,
    "job": 4, "report": 4, "plot": 4,
    "cli": 5,
}  # fmt: skip
# `job` draws its report through `report`, which shares its pictures with `plot`; the simulator hands out sources and an
# event log.
ALLOWED = {("job", "report"), ("report", "plot"), ("datasets", "events"), ("cli", "datasets")}


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def runtime_imports(tree: ast.Module) -> set[str]:
    """Return what a module imports of cjm when it runs: imports under ``if TYPE_CHECKING`` do not count."""
    found: set[str] = set()

    class Visitor(ast.NodeVisitor):
        def visit_If(self, node: ast.If) -> None:
            if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
                self.generic_visit(node)

        def visit_Import(self, node: ast.Import) -> None:
            found.update(alias.name for alias in node.names)

        def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
            assert node.level == 0, "relative imports hide the floor"
            if node.module == "cjm":
                found.update(f"cjm.{alias.name}" for alias in node.names)
            else:
                found.add(node.module or "")

    Visitor().visit(tree)
    return {name for name in found if name == "cjm" or name.startswith("cjm.")}


def faults_in(source: str, part: str) -> list[str]:
    faults = []
    for name in sorted(runtime_imports(ast.parse(source))):
        pieces = name.split(".")
        if len(pieces) == 1:  # `import cjm`: the public names, which only the floors above them may use
            if FLOORS.get(part, 5) < 4:
                faults.append(f"{part} imports the public names of cjm")
            continue
        other = pieces[1]
        if other == part or (part, other) in ALLOWED:
            continue
        if part == "datasets":
            below = FLOORS.get(other, 9) == 0
        elif part == "kernels":
            below = False
        else:
            below = FLOORS.get(other, 9) < FLOORS[part] or (FLOORS[part] == 0 and FLOORS.get(other, 9) == 0)
        if not below:
            faults.append(f"{part} imports {name}")
    return faults


MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_come_from_floors_below(path: Path) -> None:
    assert faults_in(path.read_text(encoding="utf-8"), part_of(path)) == []


@pytest.mark.parametrize(
    ("part", "source", "count"),
    [
        ("events", "from cjm.journeys import Journeys", 1),
        ("events", "import cjm", 1),
        ("mining", "from cjm.measure import funnel", 1),
        ("mining", "def f():\n    from cjm.survival import cox", 1),
        ("kernels", "from cjm.errors import CjmError", 1),
        ("kernels", "from cjm.kernels._jit import kernel", 0),
        ("survival", "from cjm.matching import find", 0),
        ("errors", "from cjm.events import Source", 1),
        ("measure", "if TYPE_CHECKING:\n    from cjm.survival import cox", 0),
    ],
)
def test_the_rule_itself(part: str, source: str, count: int) -> None:
    assert len(faults_in(source, part)) == count


def test_every_part_has_a_floor() -> None:
    assert {part_of(path) for path in MODULES} - {"datasets"} <= set(FLOORS)


def test_files_stay_readable() -> None:
    long = {str(path.relative_to(ROOT)): n for path in MODULES if (n := len(path.read_text().splitlines())) > 400}
    assert long == {}
