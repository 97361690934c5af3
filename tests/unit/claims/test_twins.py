"""Events of orders and claim commands: the twins and the contract's models say the same of them."""

from __future__ import annotations

import pytest

from schemas.claims import MODELS
from schemas.events import Event
from schemas.topics import CLAIMS_COMMANDS, ORDERS_EVENTS, SHIPMENTS_EVENTS
from services.claims.messages.decode import READERS, read_command, read_order
from services.claims.messages.order_document import decode_order
from services.runtime.messages.records import Malformed
from tests.unit.both_decoders import compare, published_events, share_of_fast
from tests.unit.orders.mutations import mutated, original_of, valid_messages

COMMANDS = valid_messages([CLAIMS_COMMANDS])
EVENTS = [*valid_messages([ORDERS_EVENTS, SHIPMENTS_EVENTS]), *published_events("fulfilments")]
SOURCES = [*COMMANDS, *EVENTS]
ALL_MODELS = MODELS | dict.fromkeys({type_ for _, type_, _ in EVENTS}, Event)


def reading_of(sent):
    """The command, or the received order and the order decoded from its document; or the error."""
    original = original_of(sent)
    try:
        if original.coordinates.topic == CLAIMS_COMMANDS:
            return [repr(read_command(original)[1])]
        received = read_order(original)
    except Malformed as error:
        return [repr(error)]
    if received is None:
        return ["nothing"]
    order = received.order
    return [
        repr(received),
        repr(decode_order(received.document, order.order_id, order.shop, order.version)),
    ]


def test_twins_exist_for_all_that_the_claims_service_reads():
    assert not any(reader.left for reader in READERS.values())


def test_valid_messages_are_read_the_same_and_nearly_all_by_twins(monkeypatch):
    found = compare(SOURCES, reading_of, READERS, monkeypatch)

    assert found["taken"] > 60
    for sources in (COMMANDS, EVENTS):
        assert share_of_fast(sources, reading_of, READERS) > 0.95


@pytest.mark.parametrize("sources", [COMMANDS, EVENTS], ids=["commands", "events"])
def test_mutated_messages_are_read_or_refused_the_same(sources, monkeypatch):
    messages = mutated(15, 2_000, sources, ALL_MODELS)

    found = compare(messages, reading_of, READERS, monkeypatch)

    assert found["fast"] > 400
    assert found["refused"] > 200


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("sources", [COMMANDS, EVENTS], ids=["commands", "events"])
def test_many_mutated_messages_are_read_or_refused_the_same(sources, monkeypatch):
    messages = mutated(1_500, 50_000, sources, ALL_MODELS)

    found = compare(messages, reading_of, READERS, monkeypatch)

    assert found["fast"] > 10_000
