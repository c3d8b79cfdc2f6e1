"""`import cjm` is light."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"numba", "pandas", "lifelines", "mlxtend", "sklearn", "matplotlib", "altair", "scipy.stats", "pyarrow.dataset"}


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("statement", ["import cjm", "import cjm\nfor name in cjm.__all__: getattr(cjm, name)"])
def test_heavy_libraries_stay_out(statement: str) -> None:
    assert loaded_by(statement) & HEAVY == set()


def cpu_seconds(statement: str) -> float:
    code = f"{statement}\nimport time\nprint(time.process_time())"
    runs = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
        for _ in range(5)
    ]
    return min(runs)


def test_import_costs_little_more_than_polars() -> None:
    assert cpu_seconds("import cjm") <= cpu_seconds("import polars") + 0.2


def test_every_public_name_is_there_and_documented() -> None:
    import cjm

    for name in cjm.__all__:
        value = getattr(cjm, name)
        assert (value.__doc__ or "").strip(), name
