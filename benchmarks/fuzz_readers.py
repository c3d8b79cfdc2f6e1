"""Mutated files and pattern texts: no crash, no hang, no wrong count.

Call: python benchmarks/fuzz_readers.py [--cases 10000] [--seed 0] [--findings folder]

Valid CSV, NDJSON, Parquet and pattern text are changed at random: bytes turned, cut out, repeated, put elsewhere,
words that mean something put in. Children with a limit on memory (4 GB of address space above what they hold) and
time (20 s a case) read them. A case may end in a log or in an error of cjm; a log must keep read = kept + set aside +
duplicates, tell a place for each row set aside, and a CSV must have as many rows as a plain walk over its bytes.
Anything else is a finding: the case is written to the folder with what happened, to be read again with ``--again
FILE``. Exits with 1 if there are findings.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import io
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# fmt: off
WORDS = [
    b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"null",
    b"NaN", b"1e999", b"-1", b"{", b"}", b"[", b"]", b"[" * 70, b"\\u", b"\\ud800", b":", b"2025-03-30T02:30",
    b"9" * 20, b"0001-01-01", b"PAR1", b"->", b"=>", b" within 3d", b" not ", b" unless ", b"*", b" x ", b"7d",
    b"0.5s", b"a" * 300,
]
# fmt: on
LIMIT_S = 20


def seeds() -> dict[str, list[bytes]]:
    """Return valid input of each kind."""
    import polars as pl

    times = ["2025-01-01T10:00:00Z", "2025-01-02 11:30:00.5+02:00", "1735725600", "2025-03-30T02:30:00Z"] * 3
    frame = pl.DataFrame(
        {"at": times, "what": ["home", 'a "b", c', "x\ny", "ü"] * 3, "who": ["7", "007", None, "null"] * 3}
    )
    out = io.BytesIO()
    frame.with_columns(n=pl.int_range(pl.len()), list=pl.lit([[1, 2]])).write_parquet(out)
    plain = b"at,what,who\n" + b"2025-01-01T10:00:00Z,home,a\n" * 5
    patterns = [
        b'web:view_offer[segment = "premium"] -> store:visit within 3d unless store:renew -> not store:renew within 1d',
        b"3 x call:failed within 2h => {web:a, web:b} after 1m within 7d of start",
        b'"odd: name":* -> *:"a -> b"',
    ]
    return {
        "csv": [frame.write_csv().encode(), plain],
        "ndjson": [
            frame.write_ndjson().encode(),
            b'{"at":1735725600,"what":"a","who":1,"x":{"y":[1,{"z":null}]}}\n' * 4,
        ],
        "parquet": [out.getvalue()],
        "pattern": patterns,
    }


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return input with a few changes."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 3, 8])):
        at = chance.randrange(len(changed) + 1)
        length = min(chance.choice([1, 1, 2, 5, 30]), len(changed) - at)
        how = chance.randrange(6)
        if how == 0:
            changed[at : at + length] = chance.randbytes(length)
        elif how == 1:
            del changed[at : at + length]
        elif how == 2:
            changed[at:at] = chance.choice(WORDS)
        elif how == 3:
            changed[at:at] = changed[at : at + length] * chance.choice([2, 50])
        elif how == 4 and length:
            changed[at] ^= 1 << chance.randrange(8)
        else:
            other = chance.randrange(len(changed) + 1)
            changed[at : at + length] = changed[other : other + length]
    return bytes(changed)


def rows_of(data: bytes) -> int:
    """Return how many records follow the header of a CSV file; quotes count at the start of a field only."""
    mode, blank, records, after = "start", True, 0, False
    for byte in data.removeprefix(b"\xef\xbb\xbf") + b"\n":
        char = bytes([byte])
        if after and char == b"\n":
            after = False
            continue
        after = char == b"\r"
        if mode == "quoted":
            mode = "closed" if char == b'"' else mode
        elif char in b"\r\n":
            records += not blank
            mode, blank = "start", True
            continue
        elif char == b",":
            mode = "start"
        elif char == b'"':
            mode = "quoted" if mode in ("start", "closed") else mode
        else:
            mode = "field"
        blank = False
    return records - 1


def check(kind: str, data: bytes, folder: Path) -> str:
    """Read one case; return what is wrong with what came of it, blank if nothing is."""
    import cjm
    from cjm.errors import CjmError

    try:
        if kind == "pattern":
            try:
                pattern = cjm.Pattern.parse(data.decode(errors="replace"))
            except CjmError:
                return ""
            return "" if cjm.Pattern.parse(str(pattern)) == pattern else f"{pattern} does not come back"
        path = folder / f"log.{kind}"
        path.write_bytes(data)
        source = cjm.Source(
            path, time="at", event="what", ids={"customer": "who"}, time_zone="UTC", on_error="set aside"
        )
        log = cjm.scan_events({"web": source})
        try:
            events = log.frame.collect()
        except CjmError as error:
            return "" if str(error).isprintable() else f"the message is not printable: {str(error)!r}"
        counts = log.counts().row(0, named=True)
        if (
            counts["read"] != counts["kept"] + counts["set_aside"] + counts["duplicates"]
            or counts["kept"] != events.height
        ):
            return f"rows vanish: {counts}"
        if log.set_aside().height != counts["set_aside"]:
            return f"{log.set_aside().height} places of {counts['set_aside']} rows set aside"
        if kind == "csv" and counts["read"] != rows_of(data):
            return f"{counts['read']} rows read of {rows_of(data)}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{type(error).__name__}: {error}"
    return ""


def child(seed: int, cases: int) -> None:
    """Make and read cases; print a line before each, so that the parent knows which one killed the process."""
    with tempfile.TemporaryDirectory() as name:
        folder, chance, known = Path(name), random.Random(seed), seeds()
        for kind, examples in known.items():
            check(kind, examples[0], folder)  # loads libraries and kernels
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + 4 * 2**30, -1))
        for number in range(cases):
            kind = chance.choice(list(known))
            data = mutated(chance.choice(known[kind]), chance)
            print(json.dumps([number, kind, data.hex()]), flush=True)
            faulthandler.dump_traceback_later(LIMIT_S, exit=True)
            what = check(kind, data, folder)
            faulthandler.cancel_dump_traceback_later()
            if what:
                print(json.dumps(["finding", what]), flush=True)
    print(json.dumps(["done"]), flush=True)


def fuzz(cases: int, seed: int, findings: Path) -> int:
    """Run children until all cases are read; return how many findings there are."""
    found = done = 0
    started = time.monotonic()
    while done < cases:
        size = min(cases - done, 2_000)
        command = [sys.executable, __file__, "--child", str(size), "--seed", str(seed)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        last = ["", "", ""]
        for line in lines:
            if line[0] == "finding":
                found += 1
                keep(findings, last, line[1])
            elif line != ["done"]:
                last = line
        read = sum(isinstance(line[0], int) for line in lines)
        if not lines or lines[-1] != ["done"]:
            found += 1
            keep(findings, last, f"the process ended with {ended.returncode}\n{ended.stderr[-4_000:]}")
        if not read:
            raise SystemExit(f"the child did nothing\n{ended.stderr}")
        done, seed = done + read, seed + 1
        print(f"{done:,} of {cases:,} cases, {found} findings, {time.monotonic() - started:.0f} s", flush=True)
    return found


def keep(folder: Path, case: list[str], what: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{case[1]}-{hashlib.sha256(case[2].encode()).hexdigest()[:12]}"
    (folder / f"{name}.{case[1]}").write_bytes(bytes.fromhex(case[2]))
    (folder / f"{name}.txt").write_text(what)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--again", type=Path, help="read one case again, its kind is its suffix")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.seed, given.child)
    elif given.again:
        with tempfile.TemporaryDirectory() as folder:
            print(check(given.again.suffix[1:], given.again.read_bytes(), Path(folder)) or "nothing is wrong")
    elif fuzz(given.cases, given.seed, given.findings):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
