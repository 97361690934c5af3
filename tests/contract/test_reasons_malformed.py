"""Every reason of a message that cannot be read, on each topic of commands and of tracking."""

from __future__ import annotations

import pytest

from schemas.topics import CARRIER_TRACKING, CLAIMS_COMMANDS, ORDERS_COMMANDS
from services.claims.intake import read_batch
from services.orders.messages.decode import read
from services.runtime.batch.batch import Batch
from services.runtime.messages.records import Coordinates, Original
from services.runtime.rejections import Rejection
from tests.contract.test_schemas_pages import malformed_codes
from tests.unit.orders.builders import NOON

TYPES = {
    ORDERS_COMMANDS: b"order.update",
    CLAIMS_COMMANDS: b"claim.withdraw",
    CARRIER_TRACKING: b"tracking.reported",
}
BODIES = {
    "body_empty": b"",
    "body_null": b"null",
    "not_utf8": b'{"id": "\xff"}',
    "not_json": b"{",
    "duplicate_key": b'{"id": "1", "id": "2"}',
    "number_not_finite": b'{"id": NaN}',
    "nul_character": b'{"id": "\\u0000"}',
    "lone_surrogate": b'{"id": "\\ud800"}',
    "invalid_fields": b"{}",
}
NESTED = b"[" * 5000 + b"]" * 5000
HEADERS = {
    "header_not_utf8": ("ce_id", b"\xff"),
    "header_not_allowed": ("ce_id", b"x" * 257),
    "unknown_type": ("ce_type", b"order.explode"),
}


def reason_of(
    topic: str,
    value: bytes = b"{}",
    *,
    header: tuple[str, bytes] | None = None,
    key: bytes = b"qa/1",
) -> str:
    """The reason for which a record is refused as a whole."""
    headers = (header or ("ce_type", TYPES[topic]),)
    record = Original(Coordinates(topic, 0, 0), key, headers, value, NOON)
    if topic == CLAIMS_COMMANDS:
        (entry,) = read_batch(Batch((record,), NOON)).refused
    else:
        (found,) = read(record, NOON)
        assert isinstance(found, Rejection)
        entry = found
    return entry.reason


@pytest.mark.parametrize("topic", TYPES)
@pytest.mark.parametrize("reason", BODIES)
def test_reason_of_a_body_that_cannot_be_read(topic: str, reason: str) -> None:
    assert reason_of(topic, BODIES[reason]) == reason


@pytest.mark.parametrize("topic", TYPES)
@pytest.mark.parametrize("reason", HEADERS)
def test_reason_of_a_header_that_cannot_be_read(topic: str, reason: str) -> None:
    assert reason_of(topic, header=HEADERS[reason]) == reason


@pytest.mark.parametrize("topic", TYPES)
def test_reason_of_a_body_that_is_nested_too_deep_is_not_json(topic: str) -> None:
    assert reason_of(topic, NESTED) == "not_json"


@pytest.mark.parametrize("topic", TYPES)
def test_reason_of_a_key_that_is_too_long(topic: str) -> None:
    assert reason_of(topic, key=b"x" * 1025) == "key_too_long"


@pytest.mark.parametrize("topic", [ORDERS_COMMANDS, CLAIMS_COMMANDS])
def test_reason_of_a_message_without_a_type(topic: str) -> None:
    assert reason_of(topic, header=("ce_id", b"c-1")) == "type_missing"


def test_every_reason_of_malformed_messages_has_a_message_that_gets_it() -> None:
    others = {"key_too_long", "type_missing", "not_xml"}
    assert {*BODIES, *HEADERS, *others} == malformed_codes()
