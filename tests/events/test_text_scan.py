"""The walks over bytes are the same compiled and as plain Python, which small files are read with."""

import subprocess
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cjm.kernels._jit import as_array, kernel
from cjm.kernels.text_scan import STATE, scan_csv, scan_json

COMPILED_CSV, COMPILED_JSON = kernel(scan_csv), kernel(scan_json)

csv_bytes = st.lists(st.sampled_from([b"a", b",", b'"', b'""', b"\n", b"\r", b"\r\n", b"\xc5\xbc"])).map(b"".join)
json_bytes = st.lists(
    st.sampled_from([b"{", b"[", b"}", b"]", b'"', b"\\", b"\\ud83d", b"\\ude00", b"\\u0041", b"u", b" ", b"\n", b"7"])
).map(b"".join)


def walked(scan, parts, room):
    """Return the state and the notes after a walk over the parts of a file."""
    state, notes, count = np.zeros(STATE, dtype=np.int64), np.empty((room, 3), dtype=np.int64), 0
    state[2:4] = 1
    for part in parts:
        data, at = as_array(np.frombuffer(part, dtype=np.uint8), np.uint8), 0
        while at < len(data):
            at, count = scan(data, at, ord(","), ord('"'), state, notes, count)
            if count + 2 > room:
                room *= 2
                notes = np.concatenate([notes, np.empty_like(notes)])
    return state.tolist(), notes[:count].tolist()


@settings(deadline=None)
@given(st.lists(csv_bytes, max_size=3), st.integers(2, 4))
def test_a_walk_over_csv(parts, room):
    assert walked(scan_csv, parts, room) == walked(COMPILED_CSV, parts, room)


@settings(deadline=None)
@given(json_bytes, st.integers(0, 4))
def test_a_walk_over_json(content, deepest):
    data = as_array(np.frombuffer(content, dtype=np.uint8), np.uint8)
    assert scan_json(data, deepest).tolist() == COMPILED_JSON(data, deepest).tolist()


def test_a_small_file_needs_no_compiler_and_a_large_one_does(tmp_path):
    code = (
        "import sys, cjm; log = cjm.scan_events({'w': cjm.Source(sys.argv[1], time='t', event='e', ids={'k': 'i'})});"
        "print(log.frame.collect().height, 'numba.core' in sys.modules)"
    )
    for rows, compiled in ((100, False), (10_000, True)):
        path = tmp_path / f"{rows}.csv"
        path.write_text("t,e,i\n" + "2026-01-01T10:00:00Z,a,1\n" * rows)
        command = [sys.executable, "-c", code, str(path)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert told.split() == [str(rows), str(compiled)]
