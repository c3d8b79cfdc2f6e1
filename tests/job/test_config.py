"""Every key of the configuration is checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from cjm.errors import ConfigError
from cjm.job import load_config

GOOD = """
[output]
dir = "out"
[sources.web]
path = "web.parquet"
time = "t"
event = "e"
ids = { customer = "c" }
"""


def load(tmp_path: Path, text: str) -> None:
    (tmp_path / "cjm.toml").write_text(text, encoding="utf-8")
    load_config(tmp_path / "cjm.toml")


def test_a_good_file_is_read_and_paths_start_at_it(tmp_path: Path) -> None:
    (tmp_path / "cjm.toml").write_text(GOOD)
    config = load_config(tmp_path / "cjm.toml")
    assert config.source("web").path == str(tmp_path / "web.parquet")
    assert config.resolve(config.output.dir) == tmp_path / "out"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (GOOD.replace("time =", "tme ="), ["[sources.web]", 'unknown key "tme"', 'Did you mean "time"']),
        (GOOD.replace('time = "t"\n', ""), ["[sources.web]", 'key "time" is missing']),
        (GOOD + '[churnn]\nevent = "a"', ["top level", 'unknown key "churnn"', 'Did you mean "churn"']),
        (GOOD + '[churn]\nevnt = "a"', ["[churn]", 'unknown key "evnt"', 'Did you mean "event"']),
        (GOOD + '[churn]\nevent = "a:b"\ninactive = "3d"', ["[churn]", "exactly one of event, inactive, table"]),
        (GOOD + '[churn]\nevent = "a:b"\ncovariates = ["x"]', ["[churn]", "persons"]),
        (GOOD + "[journeys]\ngap = 30", ["[journeys]", '"gap"', "30m"]),
        (GOOD + '[journeys]\ngap = "30x"', ["[journeys]", '"gap"', "30x"]),
        (GOOD + "[mining]\nmin_support = 2.0", ["[mining]", '"min_support"', "2.0 is no share"]),
        (GOOD + '[journeys.funnel]\nsteps = ["a"]', ["[journeys.funnel]", '"steps"']),
        (GOOD + '[journeys.funnel]\nstep = ["a", "b"]', ["[journeys.funnel]", 'Did you mean "steps"']),
        (GOOD + '[moments.x]\npatern = "a:b"', ["[moments.x]", 'Did you mean "pattern"']),
        (GOOD + '[moments.x]\npattern = "a:b -> c:d"', ["[moments.x]", '"pattern"', "wait for ever"]),
        (GOOD + '[moments.x]\npattern = "a:b ->"', ["[moments.x]", '"pattern"', "character"]),
        (GOOD + '[churn]\nevent = "a:b"\n[churn.patterns]\nbad = "a:b within"', ["[churn.patterns]", '"bad"']),
        (GOOD + '[sources.web]\npath = "a"', ["twice"]),
        (GOOD.replace("ids =", 'on_error = "skip"\nids ='), ["[sources.web]", '"on_error"', "set aside"]),
        (
            GOOD.replace("ids =", 'time_zone = "Europe/Warszawa"\nids ='),
            ["[sources.web]", 'Did you mean "Europe/Warsaw"'],
        ),
        (GOOD.replace('"web.parquet"', "3"), ["[sources.web]", '"path"']),
        ("[output]\ndir = 'out'", ['key "sources" is missing']),
        ('base = "x"\n' + GOOD, ['unknown key "base"']),
        ("[output", ["no valid TOML"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    for part in parts:
        assert part in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes("# \xe9".encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(tmp_path / "latin.toml")
