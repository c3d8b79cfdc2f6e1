"""Sources to one event log: read, convert, clean, count."""

from cjm.events._log import EventLog, scan_events
from cjm.events._readers import source_files
from cjm.events._source import Source
from cjm.events._stack import together
from cjm.events._times import to_utc
from cjm.identifiers import clean_ids

__all__ = ["EventLog", "Source", "clean_ids", "scan_events", "source_files", "to_utc", "together"]
