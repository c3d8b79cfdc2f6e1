from ._check import check as check
from ._config import Config as Config
from ._config import load_config as load_config
from ._run import run as run
from ._watch import Watched as Watched
from ._watch import watch as watch
from ._work import TableFiles as TableFiles
