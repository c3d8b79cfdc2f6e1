"""SipHash and person numbers."""

import hashlib
from functools import reduce

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjm.errors import InputError
from cjm.identity import _numbers, person_numbers
from cjm.kernels._jit import as_array
from cjm.kernels.siphash import siphash

MASK = 2**64 - 1


def naive_siphash(message, key):
    """SipHash-2-4 in plain integers, after the paper."""
    k0, k1 = (int.from_bytes(part, "little") for part in (key[:8], key[8:]))
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def turn(value, bits):
        return ((value << bits) | (value >> (64 - bits))) & MASK

    def sip_round():
        for a, b, bits, half in ((0, 1, 13, True), (2, 3, 16, False), (0, 3, 21, False), (2, 1, 17, True)):
            v[a] = (v[a] + v[b]) & MASK
            v[b] = turn(v[b], bits) ^ v[a]
            if half:
                v[a] = turn(v[a], 32)

    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) & 255])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        sip_round()
        sip_round()
        v[0] ^= word
    v[2] ^= 255
    for _ in range(4):
        sip_round()
    return reduce(lambda x, y: x ^ y, v)


def kernel_siphash(messages, key):
    offsets = np.cumsum([0, *map(len, messages)])
    k0, k1 = np.frombuffer(key, dtype="<u8")
    data = as_array(np.frombuffer(b"".join(messages), np.uint8), np.uint8)
    return siphash(as_array([], np.uint8), data, as_array(offsets, np.int64), k0, k1)


def test_siphash_gives_the_vectors_of_its_authors():
    expected = {
        0: 0x726FDB47DD0E0E31,
        1: 0x74F839C593DC67FD,
        2: 0x0D6C8009D9A94F5A,
        3: 0x85676696D7FB7E2D,
        15: 0xA129CA6149BE45E5,
    }
    messages = [bytes(range(length)) for length in expected]
    assert kernel_siphash(messages, bytes(range(16))).tolist() == list(expected.values())
    assert naive_siphash(bytes(range(15)), bytes(range(16))) == expected[15]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1), st.binary(min_size=16, max_size=16))
def test_siphash_equals_its_slow_twin(messages, key):
    assert kernel_siphash(messages, key).tolist() == [naive_siphash(message, key) for message in messages]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.none() | st.text(max_size=20)), st.text(max_size=5), st.none() | st.text() | st.binary())
def test_numbers_are_the_hash_of_kind_and_identifier(ids, kind, salt):
    secret = salt.encode() if isinstance(salt, str) else salt
    key = bytes(16) if secret is None else hashlib.blake2b(secret, digest_size=16).digest()
    expected = [None if text is None else naive_siphash(f"{kind}\x1f{text}".encode(), key) >> 1 for text in ids]
    got = person_numbers(pl.Series(ids, dtype=pl.String), kind, salt=salt)
    assert got.name == "person"
    assert got.dtype == pl.Int64
    assert got.to_list() == expected


def test_numbers_of_a_slice_and_of_categories():
    ids = pl.Series(["a", "b", "c", None, "d"])
    whole = person_numbers(ids, "customer")
    assert person_numbers(ids[2:], "customer").equals(whole[2:])
    assert person_numbers(ids.cast(pl.Categorical), "customer").equals(whole)
    assert person_numbers(ids.append(ids), "customer").equals(whole.append(whole))
    assert whole.drop_nulls().min() >= 0


def test_a_collision_is_an_error(monkeypatch):
    monkeypatch.setattr(_numbers, "hash_ids", lambda ids, kind, salt: np.zeros(len(ids), dtype=np.int64))
    assert person_numbers(pl.Series(["a", "a", None]), "customer").to_list() == [0, 0, None]
    with pytest.raises(InputError, match="two identifiers have the same person number"):
        person_numbers(pl.Series(["a", "b"]), "customer")
