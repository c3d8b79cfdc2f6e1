"""Malformed input, made here: each case ends in the one expected error or in counted findings, never in another log.

A case gives either the beginning of what the error says, or the events that stay and what is counted, both written
down by hand. The whole messages are kept beside this file: run with ``CJM_WRITE_SNAPSHOT=1`` to write them anew, and
read the difference.
"""

from __future__ import annotations

import bz2
import faulthandler
import gzip
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import cjm
from cjm import cli
from cjm.errors import InputError

SNAPSHOT = Path(__file__).with_name("corpus.json")
T = "2025-01-01T10:00:00Z"
HEAD = "at,what,who\n"
ROW = f"{T},home,a\n"
GOOD = f"{T},cart,b\n"
STAY = [("home", "a"), ("cart", "b")]


@dataclass(frozen=True)
class Case:
    """A file, how it is declared, and what must come of it."""

    name: str
    data: bytes | None
    error: str = ""
    stay: list[tuple[str, str | None]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    file: str = "log.csv"
    options: dict[str, Any] = field(default_factory=dict)

    def declared(self, folder: Path, on_error: str) -> dict[str, Any]:
        meaning = {"time": "at", "event": "what", "ids": {"customer": "who"}, "on_error": on_error}
        return {"path": str(folder / self.file), **meaning, **self.options}


CASES: list[Case] = []


def fails(name: str, data: bytes | str | None, error: str, file: str = "log.csv", **options: Any) -> None:
    CASES.append(Case(name, data.encode() if isinstance(data, str) else data, error, file=file, options=options))


def counted(
    name: str,
    data: bytes | str,
    stay: list[tuple[str, str | None]],
    counts: dict[str, int],
    file: str = "log.csv",
    **options: Any,
) -> None:
    CASES.append(Case(name, data.encode() if isinstance(data, str) else data, "", stay, counts, file, options))


def jsons(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def parquet(**columns: Any) -> bytes:
    return packed("write_parquet", **columns)


def packed(how: str, **columns: Any) -> bytes:
    out = io.BytesIO()
    getattr(pl.DataFrame({"at": [T], "what": ["home"], "who": ["a"], **columns}), how)(out)
    return out.getvalue()


ENCODED = (HEAD + f"{T},hé,a\n" + GOOD).encode
for encoding in ("utf-16", "utf-32", "utf-16-le", "utf-16-be"):
    fails(f"{encoding} not declared", ENCODED(encoding), "log.csv: the text is not encoded as utf8")
for encoding in ("latin-1", "cp1250", "cp1252", "mac_roman", "cp437"):
    fails(f"{encoding} not declared", ENCODED(encoding), "log.csv: the text is not encoded as utf8")
for encoding in ("utf-16", "utf-32", "utf-16-le", "latin-1", "cp1250", "gb18030", "mac_roman", "utf-8-sig", "utf-7"):
    counted(f"{encoding} declared", ENCODED(encoding), [("hé", "a"), ("cart", "b")], {}, options={"encoding": encoding})
for encoding in ("ascii", "utf-16", "utf-32"):
    fails(
        f"UTF-8 declared as {encoding}", ENCODED(), "log.csv: the text is not encoded", options={"encoding": encoding}
    )
fails("EBCDIC not declared", ENCODED("cp037"), "log.csv: the text is not encoded as utf8")
for name, sign in {
    "half a character": b"\xc3",
    "an overlong character": b"\xc0\xaf",
    "half of a surrogate pair": b"\xed\xa0\x80",
    "a byte that never is": b"\xff",
    "a character past the last": b"\xf5\x80\x80\x80",
}.items():
    fails(f"{name} in a field", HEAD.encode() + b"%s,h%s,a\n" % (T.encode(), sign), "log.csv: the text is not encoded")
    fails(f"{name} in the header", b"at,what,who,%s\n" % sign, "log.csv: the text is not encoded as utf8")
fails("a character cut off at the end", (HEAD + ROW + f"{T},cart,bé").encode()[:-1], "log.csv: the text is not encoded")
fails("UTF-16 with half a unit", ENCODED("utf-16")[:-1], "log.csv: the text is not enc", options={"encoding": "utf-16"})
counted("a mark of byte order", b"\xef\xbb\xbf" + (HEAD + ROW + GOOD).encode(), STAY, {})
fails("two marks of byte order", b"\xef\xbb\xbf" * 2 + (HEAD + ROW).encode(), "log.csv: the file cannot be read as CSV")
counted("a mark of byte order in the middle", HEAD + f"{T},\ufeffhome,a\n", [("\ufeffhome", "a")], {})
fails("binary", bytes(range(256)), "log.csv")
fails("zeros", bytes(100), "log.csv: the text is not encoded as utf8")
counted("a zero in a field", HEAD + f"{T},ho\0me,a\n", [("ho\0me", "a")], {})

for place, row in {"first": f'{T},"home,a\n', "last": f'{T},home,"a\n', "time": f'"{T},home,a\n'}.items():
    for where, data in {
        "first": HEAD + row + GOOD,
        "middle": HEAD + ROW + row + GOOD,
        "last": HEAD + ROW + row,
    }.items():
        line = {"first": 2, "middle": 3, "last": 3}[where]
        fails(
            f"a quote never closed: {place} field, {where} row",
            data,
            f"log.csv line {line}: a quote is opened here and never",
        )
fails("a quote never closed in the header", '"at,what,who\n' + ROW, "log.csv line 1: a quote is opened here and never")
fails("a quote never closed, no line break", HEAD + f'{T},home,"a', "log.csv line 2: a quote is opened here")
STRAY = {"text after a closing quote": 1}
counted("text after a closing quote", HEAD + f'{T},"ho"me,x\n' + GOOD, STAY[1:], STRAY)
counted("a blank after a closing quote", HEAD + f'{T},"home" ,x\n' + GOOD, STAY[1:], STRAY)
counted("an inch mark in quotes", HEAD + f'{T},"5" cable",x\n' + GOOD, STAY[1:], STRAY)
counted(
    "a quote closed two rows later",
    HEAD + f'{T},x,"a\n{GOOD}{T},y,"b\n' + GOOD,
    STAY[1:],
    {**STRAY, "text over several lines": 1},
)
counted("an inch mark without quotes", HEAD + f'{T},5" cable,a\n' + GOOD, [('5" cable', "a"), ("cart", "b")], {})
counted("a blank before a quote", HEAD + f'{T}, "home",a\n', [('"home"', "a")], {})
fails("a quote as in C", HEAD + f'{T},"ho\\"me,",x\n' + GOOD, "log.csv line 2: a quote is opened here and never")
counted("a line break in quotes", HEAD + f'{T},"ho\nme",a\n', [("ho\nme", "a")], {"text over several lines": 1})
counted("a return in quotes", HEAD + f'{T},"ho\r\nme",a\r\n', [("ho\r\nme", "a")], {"text over several lines": 1})
counted("another quote declared", HEAD + f"{T},'ho,me',\"a\"\n", [("ho,me", '"a"')], {}, options={"quote": "'"})
counted("quotes mean nothing", HEAD + f'{T},"home,a\n', [('"home', "a")], {}, options={"quote": ""})
counted("everything in quotes", f'"at","what","who"\n"{T}","ho""me","a"\n', [('ho"me', "a")], {})

fails("no bytes", b"", "log.csv: the file is empty")
for name, blank in {"a line break": "\n", "line breaks": "\r\n\r\n", "a mark of byte order": "\ufeff"}.items():
    fails(f"nothing but {name}", blank, "log.csv: the file is empty")
counted("a header alone", HEAD, [], {"no rows": 1})
counted("a header alone, no line break", HEAD.strip(), [], {"no rows": 1})
fails("no header", ROW + GOOD, "log.csv, time: unknown column 'at'")
for column, role in {"at": "time", "what": "event", "who": "ids['customer']"}.items():
    fails(f"no column {column}", (HEAD + ROW).replace(column, "x", 1), f"log.csv, {role}: unknown column '{column}'")
    fails(
        f"column {column} twice",
        (HEAD + ROW).replace("\n", f",{column}\n", 1),
        f"log.csv line 1: column '{column}' is there",
    )
    fails(
        f"column {column} with blanks",
        (HEAD + ROW).replace(column, f" {column} ", 1),
        f"log.csv, {role}: unknown column",
    )
    fails(
        f"column {column} in capitals",
        (HEAD + ROW).replace(column, column.upper(), 1),
        f"log.csv, {role}: unknown column",
    )
for separator in ";\t|:":
    fails(f"separator {separator!r}", (HEAD + ROW).replace(",", separator), "log.csv, time: unknown column 'at'")
fails("commas declared as semicolons", HEAD + ROW, "log.csv, time: unknown column", options={"separator": ";"})
fails("commas in a .tsv", HEAD + ROW, "log.tsv, time: unknown column 'at'", "log.tsv")
fails("a title before the header", "Export of today\n" + HEAD + ROW, "log.csv, time: unknown column 'at'")
fails("what spreadsheets write first", "sep=,\n" + HEAD + ROW, "log.csv, time: unknown column 'at'")
fails("a reserved name", "at,what,who,__x\n" + f"{T},home,a,1\n", "log.csv: the name of column '__x' begins with two")
fails("two columns without a name", "at,what,who,,\n" + f"{T},home,a,,\n", "log.csv line 1: column '' is there twice")
fails(
    "10,001 columns",
    HEAD.strip() + "," + ",".join(f"c{n}" for n in range(9_998)) + "\n",
    "log.csv line 1: there are 10,001",
)
counted("a column without a name", "at,what,who,\n" + f"{T},home,a,1\n", STAY[:1], {})
counted("blank lines before the header", "\n\r\n" + HEAD + ROW + GOOD, STAY, {})

LENGTH = {"row of the wrong length": 1}
counted("a short first row", HEAD + f"{T},home\n" + GOOD, STAY[1:], LENGTH)
counted("a short last row", HEAD + ROW + f"{T}\n", STAY[:1], LENGTH)
counted("a last row cut off", HEAD + ROW + f"{T},ca", STAY[:1], LENGTH)
counted("a long row", HEAD + f"{T},home,a,x\n" + GOOD, STAY[1:], LENGTH)
counted("a separator too many at the end", HEAD + f"{T},home,a,\n" + GOOD, STAY[1:], LENGTH)
counted("a comma in a text without quotes", HEAD + f"{T},home, sweet,a\n" + GOOD, STAY[1:], LENGTH)
counted("every row too short", HEAD + f"{T},home\n" * 3, [], {"row of the wrong length": 3})
counted("every row too long", HEAD + f"{T},home,a,x\n" * 3, [], {"row of the wrong length": 3})
counted("a line of blanks", HEAD + ROW + "   \n" + GOOD, STAY, LENGTH)
counted("a footer", HEAD + ROW + GOOD + "2 rows\n", STAY, LENGTH)
counted("a comment", HEAD + "# of today\n" + ROW + GOOD, STAY, LENGTH)
counted("blank lines between", HEAD + "\n" + ROW + "\r\n\n" + GOOD, STAY, {})
counted("returns alone", (HEAD + ROW + GOOD).replace("\n", "\r"), STAY, {})
counted("all kinds of line ends", HEAD + ROW.replace("\n", "\r") + GOOD.replace("\n", "\r\n"), STAY, {})
counted("no line break at the end", HEAD + ROW + GOOD.strip(), STAY, {})
counted("the header again", HEAD + ROW + HEAD + GOOD, STAY, {"time unreadable": 1})
counted("control Z at the end", HEAD + ROW + GOOD + "\x1a", STAY, LENGTH)

USUAL = (
    "null|NULL|Null|none|None|NONE|nan|NaN|NAN|undefined|UNDEFINED|Undefined|unknown|Unknown|anonymous|"
    "Anonymous|guest|GUEST|not set|(not set)|(Not Set)|(none)|(None)|true|True|false|FALSE|"
    '[object Object]|0|00|0000000000|-1|-|--|---|0-0|""| |\t| null |00000000-0000-0000-0000-000000000000'
)
for text in USUAL.split("|"):
    nobody = {"no identifier": 1} if text == '""' else {"placeholder in customer": 1, "no identifier": 1}
    counted(f"placeholder {text!r}", HEAD + f"{T},home,{text}\n" + GOOD, STAY[1:], nobody)
counted(
    "ids that spreadsheets mend",
    HEAD + "".join(f"{T},e,{text}\n" for text in ("007", "7", "1e5", "100000", "7.0")),
    [("e", "007"), ("e", "7"), ("e", "1e5"), ("e", "100000"), ("e", "7.0")],
    {},
)
counted("an id of a megabyte", HEAD + f"{T},e,{'x' * 2**20}\n", [("e", "x" * 2**20)], {})
counted("no id at all", HEAD + f"{T},home,\n" * 3, [], {"no identifier": 3})
counted("no name of an event", HEAD + f"{T},,a\n{T}, ,a\n" + GOOD, STAY[1:], {"event missing": 2})

for text in ("12,50", "1.234,5", "1 000", "5 EUR", "0x10", "--1", "1_000", "inf", "nan", "1e400", "ten", "１２"):
    data = f'at,what,who,v\n{T},home,a,"{text}"\n{T},cart,b,+5.5\n'
    counted(f"value {text!r}", data, STAY, {"value is no number": 1}, value="v")
counted(
    "values of every kind",
    "at,what,who,v\n" + "".join(f"{T},e,a,{v}\n" for v in ("", "1e3", "-0.5", ".5", "7.")),
    [("e", "a")] * 5,
    {},
    value="v",
)

NO_TIMES = (
    "soon|2025-02-30|2025-13-01|2025-00-10|2025-01-00|2025-1-1|20250101|01.02.2025|1/2/2025|2025/01/02|"
    "2025-01-01T24:00:00Z|2025-01-01T10:60:00Z|2025-01-01T10:00:61Z|2025-01-01T10:00:00+15:00|"
    "2025-01-01T10:00:00 CET|10:00|2025-W01-1|2025-001|Wed Jan 01 2025|1e9|12345678|"
    "2025-01-01T10:00:00Z x|+2025-01-01|１２３４５６７８９"
)
for text in NO_TIMES.split("|"):
    reason = "time unreadable"
    counted(f"time {text!r}", HEAD + f"{text},x,a\n" + ROW + GOOD, STAY, {reason: 1}, time_zone="UTC")
for text, reason in {
    "1970-01-01": "time before 1990",
    "0000000000": "time unreadable",
    "1601-01-01": "time before 1990",
    "2999-12-31": "time more than a year ahead",
    "9999-12-31": "time more than a year ahead",
    "": "time missing",
    "1735725600000": "epoch number in another unit than s",
    "1735725600000000": "epoch number in another unit than s",
    "1735725600000000000": "epoch number in another unit than s",
    "-1735725600": "time before 1990",
}.items():
    rows = f"{text},x,a\n1735725600,home,a\n1735725601,cart,b\n"
    kept = {"epoch number read as s by its size": 3 if text.startswith("-17") else 2}
    counted(f"time {text!r} among seconds", HEAD + rows, STAY, {reason: 1, **kept}, time_zone="UTC")
for zone, gap, twice in (
    ("Europe/Warsaw", "2025-03-30 02:30", "2025-10-26 02:30"),
    ("America/New_York", "2025-03-09 02:30", "2025-11-02 01:30"),
    ("Australia/Lord_Howe", "2025-10-05 02:15", "2025-04-06 01:45"),
    ("Africa/Casablanca", "2025-04-06 02:30", "2025-02-23 02:30"),
):
    found = {"time skipped by daylight saving": 1, "time in the repeated hour read as its first pass": 1}
    counted(f"clocks in {zone}", HEAD + f"{gap},x,a\n{twice},home,a\n" + GOOD, STAY, found, time_zone=zone)
fails(
    "times without a zone",
    HEAD + "2025-01-01 10:00,home,a\n",
    "source 'web', column 'at': times such as '2025-01-01 10:00'",
)
fails(
    "a format without a zone",
    HEAD + "01.02.2025,home,a\n",
    "source 'web', column 'at': times such",
    time_format="%d.%m.%Y",
)
counted(
    "another format",
    HEAD + "01.02.2025,home,a\n1.2.2025,cart,b\n2025-02-01,x,c\n31.02.2025,x,c\n",
    STAY,
    {"time unreadable": 2, "time of day is always midnight": 2},
    time_format="%d.%m.%Y",
    time_zone="UTC",
)
counted(
    "milliseconds declared as seconds",
    HEAD + "1735725600000,home,a\n",
    [],
    {"time more than a year ahead": 1},
    time_format="s",
)
counted("seconds declared as milliseconds", HEAD + "1735725600,home,a\n", [], {"time before 1990": 1}, time_format="ms")

OBJECT = f'{{"at": "{T}", "what": "home", "who": "a"}}'
OTHER = f'{{"at": "{T}", "what": "cart", "who": "b"}}'
for name, line in {
    "an object cut off": OBJECT[:-1],
    "a text cut off": OBJECT[:20],
    "single quotes": OBJECT.replace('"', "'"),
    "a comma too many": OBJECT[:-1] + ",}",
    "a comma after": OBJECT + ",",
    "a list": f"[{OBJECT}]",
    "a number": "7",
    "a text": '"a"',
    "null": "null",
    "two objects in a line": OBJECT + OBJECT,
    "text after": OBJECT + " x",
    "no quotes": "{at: 1}",
    "NaN": OBJECT.replace('"a"', "NaN"),
    "Infinity": OBJECT.replace('"a"', "-Infinity"),
    "hexadecimal": OBJECT.replace('"a"', "0x10"),
    "a leading zero": OBJECT.replace('"a"', "007"),
    "a tab in a text": OBJECT.replace("home", "ho\tme"),
    "a comment": "// today",
    "an unknown escape": OBJECT.replace("home", "\\x41"),
    "a plus sign": OBJECT.replace('"a"', "+1"),
    "a dot": OBJECT.replace('"a"', "1."),
    "a Python value": OBJECT.replace('"a"', "True"),
    "a zero byte": OBJECT.replace("home", "\0"),
    "CSV": "at,what,who",
    "half of a character": OBJECT.replace("home", "\\ud83d"),
    "halves in the wrong order": OBJECT.replace("home", "\\ude00\\ud83d"),
}.items():
    fails(f"JSON: {name}", jsons(OTHER, line), "log.ndjson line 2: ", "log.ndjson")
fails(
    "JSON: a document over lines",
    json.dumps(json.loads(OBJECT), indent=1),
    "log.ndjson line 1: the line is no",
    "log.ndjson",
)
fails(
    "JSON: 65 deep",
    jsons(OTHER, OBJECT.replace('"a"', "[" * 64 + "]" * 64)),
    "log.ndjson line 2: the value is nested",
    "log.ndjson",
)
fails("JSON: 100,000 deep", jsons(OTHER, "[" * 100_000), "log.ndjson line 2: the value is nested more", "log.ndjson")
fails(
    "JSON: Latin-1",
    OBJECT.replace("home", "hé").encode("latin-1"),
    "log.ndjson: the file is not UTF-8 text",
    "log.ndjson",
)
fails("JSON: UTF-16", OBJECT.encode("utf-16"), "log.ndjson", "log.ndjson")
fails("JSON: no bytes", b"", "log.ndjson: the file is empty", "log.ndjson")
fails("JSON: blank lines", "\n \n", "log.ndjson: the file is empty", "log.ndjson")
fails(
    "JSON: no id anywhere",
    jsons(OBJECT.replace("who", "whom")),
    "log.ndjson, ids['customer']: unknown column",
    "log.ndjson",
)
fails(
    "JSON: an id that is an object",
    jsons(OBJECT.replace('"a"', '{"id": 1}')),
    "log.ndjson: column 'who' is of",
    "log.ndjson",
)
fails(
    "JSON: an id that is a list",
    jsons(OBJECT.replace('"a"', '["a"]')),
    "log.ndjson: column 'who' is of type List",
    "log.ndjson",
)
fails(
    "JSON: a time that is an object",
    jsons(OBJECT.replace(f'"{T}"', "{}")),
    "source 'web', column 'at': a column of",
    "log.ndjson",
)
fails(
    "JSON: ids that lose digits",
    jsons(OBJECT.replace('"a"', str(2**53 + 1)), OBJECT.replace('"a"', "1.5")),
    "log.ndjson: column 'who' holds",
    "log.ndjson",
)
fails(
    "JSON: a key of its own in each line",
    jsons(*(f'{{"k{n}": 1}}' for n in range(10_001))),
    "log.ndjson: there are",
    "log.ndjson",
)
counted("JSON: 64 deep", jsons(OBJECT[:-1] + ', "x": ' + "[" * 63 + "]" * 63 + "}"), STAY[:1], {}, "log.ndjson")
counted(
    "JSON: a pair of halves", jsons(OBJECT.replace("home", "\\ud83d\\ude00")), [("\U0001f600", "a")], {}, "log.ndjson"
)
counted("JSON: brackets in a text", jsons(OBJECT.replace("home", "[" * 99)), [("[" * 99, "a")], {}, "log.ndjson")
counted("JSON: blank lines between", OBJECT + "\n\n \r\n" + OTHER, STAY, {}, "log.ndjson")
counted("JSON: a mark of byte order", "\ufeff" + OBJECT, STAY[:1], {}, "log.ndjson")
counted(
    "JSON: ids of several types",
    jsons(*(OBJECT.replace('"a"', value) for value in ("7", '"007"', "7.5", "true", "null"))),
    [("home", "7"), ("home", "007"), ("home", "7.5")],
    {"placeholder in customer": 1, "no identifier": 2},
    "log.ndjson",
)
counted(
    "JSON: a key seen late",
    jsons(*[OBJECT] * 150, OTHER[:-1] + ', "late": 1}'),
    [STAY[0]] * 150 + STAY[1:],
    {},
    "log.ndjson",
)
counted(
    "JSON: a line without an id",
    jsons(OBJECT, f'{{"at": "{T}", "what": "cart"}}'),
    STAY[:1],
    {"no identifier": 1},
    "log.ndjson",
)

for kind, how, magic in (("Parquet", "write_parquet", b"PAR1"), ("Arrow IPC", "write_ipc", b"ARROW1")):
    file = "log.parquet" if kind == "Parquet" else "log.arrow"
    whole = packed(how)
    for name, data in {
        "cut off after a byte": whole[:1],
        "cut in half": whole[: len(whole) // 2],
        "without its last byte": whole[:-1],
        "without its first byte": whole[1:],
        "nothing but its sign": magic,
        "its signs alone": magic * 2,
        "that is text": (HEAD + ROW).encode(),
        "compressed": gzip.compress(whole),
        "of zeros": bytes(500),
        "with its end overwritten": whole[:-40] + b"\xff" * 30 + whole[-10:],
    }.items():
        fails(f"{kind} {name}", data, f"{file}: the file cannot be read as {kind}", file)
    fails(f"{kind} of no bytes", b"", f"{file}: the file is empty", file)
STREAM = packed("write_ipc_stream")
for name, data in {
    "cut in half": STREAM[: len(STREAM) // 2],
    "without the mark at its end": STREAM[:-8],
    "with a part overwritten": STREAM[:-60] + b"\xff" * 30 + STREAM[-30:],
}.items():
    fails(f"Arrow stream {name}", data, "log.arrow: the file cannot be read as Arrow IPC", "log.arrow")
fails("Parquet that is Arrow", packed("write_ipc"), "log.parquet: the file cannot be read as Parquet", "log.parquet")
fails("Arrow that is Parquet", parquet(), "log.arrow: the file cannot be read as Arrow IPC", "log.arrow")
fails("CSV that is Parquet", parquet(), "log.csv", "log.csv")
fails("Parquet with an id of floats", parquet(who=[2.0**53]), "log.parquet: column 'who' holds", "log.parquet")
fails("Parquet with an id of lists", parquet(who=[["a"]]), "log.parquet: column 'who' is of type List", "log.parquet")
fails("Parquet with an id of bytes", parquet(who=[b"a"]), "log.parquet: column 'who' is of type Binary", "log.parquet")
fails(
    "Parquet with a duration for a time",
    parquet(at=pl.Series([1], dtype=pl.Duration)),
    "source 'web', column 'at': a",
    "log.parquet",
)
fails(
    "Parquet with a Boolean for a time",
    parquet(at=[True]),
    "source 'web', column 'at': a column of type",
    "log.parquet",
)
fails(
    "Parquet with names of floats", parquet(what=[1.5]), "log.parquet: column 'what' is of type Float64", "log.parquet"
)
fails(
    "Parquet with values of dates",
    parquet(v=pl.Series([1]).cast(pl.Date)),
    "log.parquet: column 'v' is of",
    "log.parquet",
    value="v",
)
fails(
    "Parquet of 10,001 columns",
    parquet(**{f"c{n}": [1] for n in range(9_998)}),
    "log.parquet: there are 10,001",
    "log.parquet",
)
counted(
    "Parquet times without a zone",
    parquet(at=pl.Series([1735725600 * 10**6]).cast(pl.Datetime("us"))),
    STAY[:1],
    {"time without zone read as UTC": 1},
    "log.parquet",
)
counted(
    "Parquet times past the calendar",
    parquet(at=pl.Series([2**62]).cast(pl.Datetime("us", "UTC"))),
    [],
    {"time unreadable": 1},
    "log.parquet",
)
counted("Parquet ids of floats", parquet(who=[7.0]), [("home", "7")], {}, "log.parquet")

TEXT = (HEAD + ROW * 50 + GOOD).encode()
LONG = [STAY[0]] * 50 + STAY[1:]
ZSTD = __import__("pyarrow").compress(TEXT, codec="zstd", asbytes=True)
for suffix, data in {"gz": gzip.compress(TEXT, mtime=0), "bz2": bz2.compress(TEXT), "zst": ZSTD}.items():
    file = f"log.csv.{suffix}"
    counted(f"{suffix} as it should be", data, LONG, {}, file)
    fails(f"{suffix} cut in half", data[: len(data) // 2], f"{file}", file)
    fails(f"{suffix} that is text", TEXT, f"{file}: the file cannot be read as CSV", file)
    fails(f"{suffix} with a byte turned", data[:30] + bytes([data[30] ^ 255]) + data[31:], f"{file}", file)
    fails(f"{suffix} of no bytes", b"", f"{file}: the file is empty", file)
    fails(f"{suffix} named CSV", data, "log.csv", "log.csv")
fails("gz twice", gzip.compress(gzip.compress(TEXT)), "log.csv.gz", "log.csv.gz")
fails("gz of nothing", gzip.compress(b""), "log.csv.gz: the file is empty", "log.csv.gz")
fails(
    "JSON: gz cut in half",
    gzip.compress(OBJECT.encode())[:30],
    "log.ndjson.gz: the file cannot be read as",
    "log.ndjson.gz",
)
fails("JSON: gz that is text", OBJECT, "log.ndjson.gz: the file cannot be read as NDJSON", "log.ndjson.gz")
counted(
    "two gz one after the other",
    gzip.compress((HEAD + ROW).encode()) + gzip.compress(GOOD.encode()),
    STAY,
    {},
    "log.csv.gz",
)

fails("no file", None, "source 'web', ")
fails("no folder", None, "source 'web', ", "nowhere/log.csv")
fails("no match", None, "source 'web': no file matches", "*.csv")
for file in ("log", "log.dat", "log.csv.zip", "log.xlsx", "log.json", "log.gz", ".csv"):
    fails(f"file {file!r}", HEAD + ROW, f"source 'web', {file}: the file name does not tell the format", file)
for file in ("log\n.csv", "log\x1b[31m.csv", "log\u202e.csv", "log'\".csv"):
    fails(f"file {file!r}", b"", "log", file)
    counted(f"good file {file!r}", HEAD + ROW + GOOD, STAY, {}, file)


def normal(text: str, folder: Path) -> str:
    """Leave out of a message what differs between machines and versions: folders and the words of other libraries."""
    text = text.replace(str(folder), "FOLDER")
    text = re.sub(r"(cannot be read as [A-Za-z ]+) \(.*\)\. It may", r"\1 (...). It may", text)
    return re.sub(r"(is no JSON object) \(.*\)\. Is", r"\1 (...). Is", text)


@pytest.fixture(scope="session")
def snapshot() -> Iterator[dict[str, Any]]:
    known = json.loads(SNAPSHOT.read_text(encoding="utf-8")) if SNAPSHOT.exists() else {}
    yield known
    if os.environ.get("CJM_WRITE_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(known, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")


@pytest.fixture
def written(case: Case, tmp_path: Path) -> Iterator[Path]:
    """Write the file of a case; a case that hangs ends the tests."""
    if case.data is not None:
        (tmp_path / case.file).write_bytes(case.data)
    faulthandler.dump_traceback_later(60, exit=True)
    yield tmp_path
    faulthandler.cancel_dump_traceback_later()


def read(case: Case, folder: Path, on_error: str) -> cjm.EventLog:
    log = cjm.scan_events({"web": cjm.Source(**case.declared(folder, on_error))})
    log.require()
    return log


def outcome(case: Case, folder: Path) -> dict[str, Any]:
    """Return what a case ends in: the message where nothing is set aside, and else what is counted."""
    result: dict[str, Any] = {}
    try:
        read(case, folder, "raise")
    except InputError as error:
        result["error"] = normal(str(error), folder)
    if not case.error:
        log = read(case, folder, "set aside")
        events = log.frame.select("event", "customer").collect().rows()
        assert events == case.stay
        counts = log.counts().row(0, named=True)
        assert counts["read"] == counts["kept"] + counts["set_aside"] + counts["duplicates"]
        assert counts["kept"] == len(events)
        assert log.set_aside().height == counts["set_aside"]
        quality = log.quality().filter(
            pl.col("check") != "time of day is always midnight" if "midnight" not in str(case.counts) else True
        )
        assert dict(quality.select("check", "rows").rows()) == case.counts
        result["quality"] = [[row[1], row[2], normal(row[4], folder), row[5]] for row in log.quality().rows()]
    return result


def test_there_are_enough_cases_and_each_has_a_name() -> None:
    assert len(CASES) >= 200
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[ascii(case.name)[1:-1] for case in CASES])
def test_case(case: Case, written: Path, snapshot: dict[str, Any]) -> None:
    result = outcome(case, written)
    if case.error:
        assert result["error"].startswith(case.error)
    if "error" in result:  # where: what. hint, in one line without anything that moves a terminal
        assert re.fullmatch(r"[^:]+.*: .+\. [A-Z].+", result["error"])
        assert result["error"].isprintable()
    if os.environ.get("CJM_WRITE_SNAPSHOT"):
        snapshot[case.name] = result
    assert result == snapshot[case.name]


@pytest.mark.parametrize("case", CASES, ids=[ascii(case.name)[1:-1] for case in CASES])
def test_the_command_line_ends_with_one_message(
    case: Case, written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = case.declared(written, "raise" if case.error else "set aside")
    lines = "".join(f"{key} = {toml(value)}\n" for key, value in values.items())
    (written / "cjm.toml").write_text(f'[output]\ndir = "out"\n[sources.web]\n{lines}', encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["cjm", "check", str(written / "cjm.toml")])
    code = cli.call()
    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err
    assert sorted(path.name for path in written.iterdir()) == sorted(
        {"cjm.toml"} | ({case.file} if case.data is not None else set())
    )
    errors = [line for line in told.err.splitlines() if line.startswith("error: ")]
    if case.error:
        assert code == 2
        assert len(errors) == 1
        assert told.err.count("\n") == 1
        assert normal(errors[0], written).startswith(f"error: {case.error}")
    elif not case.stay:
        assert (code, errors) == (2, ["error: no events are left after cleaning"])
    else:
        assert (code, errors) == (0, [])


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value)


@pytest.mark.parametrize("name", ["JSON: 100,000 deep", "zeros", "no bytes", "gz cut in half"])
def test_a_process_of_its_own_ends_with_2(name: str, tmp_path: Path) -> None:
    import subprocess

    case = next(case for case in CASES if case.name == name)
    (tmp_path / case.file).write_bytes(case.data or b"")
    lines = "".join(f"{key} = {toml(value)}\n" for key, value in case.declared(tmp_path, "raise").items())
    (tmp_path / "cjm.toml").write_text(f'[output]\ndir = "out"\n[sources.web]\n{lines}', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "cjm.cli", "run", "cjm.toml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == [done.stderr.splitlines()[-1]]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
