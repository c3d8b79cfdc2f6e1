"""SipHash-2-4 over many texts at once: a keyed hash that is the same on every machine and in every version."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cjm.kernels._jit import kernel

__all__ = ["siphash"]


@kernel
def _round(v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64):  # type: ignore[no-untyped-def]
    v0 += v1
    v2 += v3
    v1 = ((v1 << np.uint64(13)) | (v1 >> np.uint64(51))) ^ v0
    v3 = ((v3 << np.uint64(16)) | (v3 >> np.uint64(48))) ^ v2
    v0 = (v0 << np.uint64(32)) | (v0 >> np.uint64(32))
    v2 += v1
    v0 += v3
    v1 = ((v1 << np.uint64(17)) | (v1 >> np.uint64(47))) ^ v2
    v3 = ((v3 << np.uint64(21)) | (v3 >> np.uint64(43))) ^ v0
    v2 = (v2 << np.uint64(32)) | (v2 >> np.uint64(32))
    return v0, v1, v2, v3


@kernel
def siphash(
    prefix: npt.NDArray[np.uint8],
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    key0: np.uint64,
    key1: np.uint64,
) -> npt.NDArray[np.uint64]:
    """Hash ``prefix`` and text ``i``, bytes ``data[offsets[i]:offsets[i + 1]]``, with the 128-bit key ``key0, key1``.

    Signature: (uint8[:], uint8[:], int64[:], uint64, uint64) -> uint64[:].

    References
    ----------
    Aumasson and Bernstein (2012), SipHash: a fast short-input PRF, section 2.
    """
    out = np.empty(len(offsets) - 1, dtype=np.uint64)
    before = len(prefix)
    for i in range(len(out)):
        start = offsets[i] - before
        length = offsets[i + 1] - start
        v0 = key0 ^ np.uint64(0x736F6D6570736575)
        v1 = key1 ^ np.uint64(0x646F72616E646F6D)
        v2 = key0 ^ np.uint64(0x6C7967656E657261)
        v3 = key1 ^ np.uint64(0x7465646279746573)
        whole = length // 8
        for word in range(whole):
            m = np.uint64(0)
            for byte in range(8):
                at = word * 8 + byte
                m |= np.uint64(prefix[at] if at < before else data[start + at]) << np.uint64(8 * byte)
            v3 ^= m
            v0, v1, v2, v3 = _round(v0, v1, v2, v3)
            v0, v1, v2, v3 = _round(v0, v1, v2, v3)
            v0 ^= m
        m = np.uint64(length & 0xFF) << np.uint64(56)
        for byte in range(length - whole * 8):
            at = whole * 8 + byte
            m |= np.uint64(prefix[at] if at < before else data[start + at]) << np.uint64(8 * byte)
        v3 ^= m
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= m
        v2 ^= np.uint64(0xFF)
        for _ in range(4):
            v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        out[i] = v0 ^ v1 ^ v2 ^ v3
    return out
