"""Sources to one event log: read, convert, clean, count."""

from cjm.events._ids import clean_ids
from cjm.events._log import EventLog, scan_events
from cjm.events._source import Source

__all__ = ["EventLog", "Source", "clean_ids", "scan_events"]
