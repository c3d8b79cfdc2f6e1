"""Sources to one event log: read, convert, clean, count."""

from cjm.events._cleaning import Cleaning
from cjm.events._log import EventLog, scan_events
from cjm.events._paths import is_uri
from cjm.events._readers import source_files
from cjm.events._source import Source, without_password
from cjm.events._stack import together
from cjm.events._times import to_utc
from cjm.identifiers import clean_ids

__all__ = [
    "Cleaning",
    "EventLog",
    "Source",
    "clean_ids",
    "is_uri",
    "scan_events",
    "source_files",
    "to_utc",
    "together",
    "without_password",
]
