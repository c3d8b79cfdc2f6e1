"""Sources to one event log: read, convert, clean, count."""

from cjm.events._cleaning import Cleaning, rewritten
from cjm.events._kept import Arrived, arrived, keep, keep_more, open_kept, why_not_kept
from cjm.events._log import EventLog, scan_events
from cjm.events._paths import File, files_of, is_uri
from cjm.events._readers import arrow_rows, in_pieces
from cjm.events._source import TABLES, Source, without_password
from cjm.events._stack import together
from cjm.events._times import to_utc, told
from cjm.identifiers import clean_ids

__all__ = [
    "TABLES",
    "Arrived",
    "Cleaning",
    "EventLog",
    "File",
    "Source",
    "arrived",
    "arrow_rows",
    "clean_ids",
    "files_of",
    "in_pieces",
    "is_uri",
    "keep",
    "keep_more",
    "open_kept",
    "rewritten",
    "scan_events",
    "to_utc",
    "together",
    "told",
    "why_not_kept",
    "without_password",
]
