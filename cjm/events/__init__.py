"""Sources to one event log: read, convert, clean, count."""

from cjm.events._cleaning import Cleaning, rewritten
from cjm.events._log import EventLog, scan_events
from cjm.events._paths import files_of, is_uri
from cjm.events._source import TABLES, Source, without_password
from cjm.events._stack import together
from cjm.events._times import to_utc, told
from cjm.identifiers import clean_ids

__all__ = [
    "TABLES",
    "Cleaning",
    "EventLog",
    "Source",
    "clean_ids",
    "files_of",
    "is_uri",
    "rewritten",
    "scan_events",
    "to_utc",
    "together",
    "told",
    "without_password",
]
