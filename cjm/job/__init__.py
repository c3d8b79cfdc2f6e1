"""The configured batch run: one TOML file in, one folder of report, tables and manifest out."""

from cjm.job._check import check
from cjm.job._config import Config, load_config
from cjm.job._run import run

__all__ = ["Config", "check", "load_config", "run"]
