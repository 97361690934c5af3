"""Which command items the topics of claims name as applied, for a rebuild."""

import json

import msgspec
import pytest

from schemas.envelope import CloudEvent
from services.claims.domain.ids import digest, digest_text
from services.claims.operations.recall import applied_items
from services.runtime.messages.records import Coordinates, Original, item_id
from tests.unit.claims.builders import NOON, an_id

ORDER = an_id("order")
AT = Coordinates("claims.commands", 2, 17)
OUTCOME = {
    "command_id": "c-1",
    "command_source": "/shops/a",
    "index": 0,
    "command_type": "claim.update",
    "outcome": "applied",
    "reason": None,
    "detail": None,
    "shop_slug": "demo-shop",
    "order_id": ORDER,
    "order_number": "1",
    "order_version": 3,
    "topic": AT.topic,
    "partition": AT.partition,
    "offset": AT.offset,
    "decided_at": "2026-03-04T12:00:00Z",
    "claim_id": an_id("claim"),
}


def named_by(topic, body, key=b"key"):
    return list(applied_items(topic, key, json.dumps(body).encode()))


def the_item(envelope, key=b"key"):
    """As the command itself is read."""
    return (ORDER, digest(item_id(Original(AT, key, (), b"{}", NOON), envelope, 0)))


@pytest.mark.parametrize(
    ("changes", "envelope"),
    [
        ({}, CloudEvent(id="c-1", source="/shops/a")),
        ({"command_source": None}, CloudEvent(id="c-1")),
        ({"command_id": str(AT)}, CloudEvent(source="/shops/a")),
        ({"outcome": "no_change", "reason": "unchanged"}, CloudEvent(id="c-1", source="/shops/a")),
        ({"outcome": "no_change", "reason": "duplicate"}, CloudEvent(id="c-1", source="/shops/a")),
        ({"a_later_member": 1}, CloudEvent(id="c-1", source="/shops/a")),
    ],
    ids=str,
)
@pytest.mark.parametrize("key", [b"key", b"", None])
def test_outcome_names_the_item_by_the_identity_of_its_command(changes, envelope, key):
    assert named_by("claims.outcomes", OUTCOME | changes, key) == [the_item(envelope, key)]


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "rejected", "reason": "claim_closed"},
        # A repeat of an item that waits: the item itself may still be refused.
        {"outcome": "no_change", "reason": "duplicate", "order_id": None},
        {"outcome": "no_change", "reason": "duplicate", "claim_id": None},
    ],
    ids=str,
)
def test_outcome_of_an_item_that_no_claim_has_names_none(changes):
    assert named_by("claims.outcomes", OUTCOME | changes) == []


@pytest.mark.parametrize("number", [0, 1, -1, 2**63 - 1, -(2**63)])
def test_event_names_the_items_by_their_digests(number):
    body = {"order_id": ORDER, "event_data": {"applied_commands": [digest_text(number)]}}

    assert named_by("claims.events", body) == [(ORDER, number)]


@pytest.mark.parametrize("data", [{}, {"applied_commands": None}, {"applied_commands": []}])
def test_event_of_an_older_version_names_none(data):
    assert named_by("claims.events", {"order_id": ORDER, "event_data": data}) == []


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        ("claims.events", None),
        ("claims.events", b"not json"),
        ("claims.events", b"{}"),
        ("claims.events", b'{"order_id": "no uuid", "event_data": {}}'),
        (
            "claims.events",
            json.dumps(
                {"order_id": ORDER, "event_data": {"applied_commands": ["f" * 17]}}
            ).encode(),
        ),
        ("claims.outcomes", b"[]"),
        ("claims.outcomes", json.dumps(OUTCOME | {"index": "first"}).encode()),
    ],
)
def test_record_of_another_writer_is_unreadable(topic, value):
    with pytest.raises(msgspec.DecodeError):
        applied_items(topic, b"key", value)
