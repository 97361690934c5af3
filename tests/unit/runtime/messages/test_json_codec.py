"""JSON bodies are decoded strictly; errors have a reason and a place."""

import contextlib
import tracemalloc
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.messages.json_codec import BOM, Malformed, decode_json, encode_json

DEEP = b"[" * 10_000


@pytest.mark.parametrize(
    ("value", "reason", "pointer"),
    [
        (None, "body_empty", ""),
        (b"", "body_empty", ""),
        (b"null", "body_null", ""),
        (b"{", "not_json", ""),
        (b"hello", "not_json", ""),
        (DEEP, "not_json", ""),
        (b'{"a":' + DEEP, "not_json", ""),
        (b'{"a":"\xff"}', "not_utf8", ""),
        (b'{"a":{"b":[1,NaN]}}', "number_not_finite", "/a/b/1"),
        (b'{"a":-Infinity}', "number_not_finite", "/a"),
        (b'{"a":["\\ud800"]}', "lone_surrogate", "/a/0"),
        (b'{"a":{"x/y":"\\u0000"}}', "nul_character", "/a/x~1y"),
        (b'{"a":1,"b":{"c":1,"c":2}}', "duplicate_key", "/b/c"),
        (b'{"a":[{"c":1},{"c":1,"c":2}]}', "duplicate_key", "/a/1/c"),
        (BOM, "body_empty", ""),
        (BOM + BOM + b"{}", "not_json", ""),
        (BOM + b'{"a":NaN}', "number_not_finite", "/a"),
        (BOM * 100_000, "not_json", ""),
        ("{}".encode("utf-16"), "not_utf8", ""),
    ],
)
def test_decode_json_refuses_other_bodies_with_reason_and_place(value, reason, pointer):
    with pytest.raises(Malformed) as refused:
        decode_json(value)

    assert (refused.value.reason, refused.value.errors[0].pointer) == (reason, pointer)


@pytest.mark.parametrize("is_normalizing", [False, True])
def test_decode_json_leaves_out_a_byte_order_mark(is_normalizing):
    value = BOM + '{"a":"e\u0301"}'.encode()

    assert decode_json(value, is_normalizing=is_normalizing) == {
        "a": "\u00e9" if is_normalizing else "e\u0301"
    }


def test_decode_json_keeps_every_digit():
    assert decode_json(b'{"a":12.340,"b":1e400}') == {"a": Decimal("12.340"), "b": Decimal("1e400")}


def test_decode_json_reads_an_escaped_backslash_before_u0000():
    assert decode_json(rb'{"a":"\\u0000"}') == {"a": "\\u0000"}


@given(st.binary(max_size=200))
def test_decode_json_of_any_bytes_raises_nothing_but_malformed(value):
    with contextlib.suppress(Malformed):
        decode_json(value)


def test_encode_json_takes_no_more_memory_than_its_length():
    body = {"events": ["a scan"] * 300}
    tracemalloc.start()
    try:
        kept = [encode_json(body) for _ in range(100)]
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert taken < 1.2 * sum(map(len, kept))


def test_encode_json_refuses_types_that_json_does_not_have():
    with pytest.raises(TypeError):
        encode_json({"amount": Decimal("1.0")})
    assert encode_json({"amount": Decimal("1.0")}, default=str) == b'{"amount":"1.0"}'
