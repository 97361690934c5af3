"""Events of orders and claims: the twins and the contract's models say the same of them."""

from __future__ import annotations

import pytest

from schemas.events import ClaimEvent, Event
from schemas.topics import CLAIMS_EVENTS, ORDERS_EVENTS, SHIPMENTS_EVENTS
from services.analytics.messages.decode import READERS, read_facts
from services.runtime.messages.records import Malformed
from tests.unit.both_decoders import compare, published_events, share_of_fast
from tests.unit.orders.mutations import mutated, original_of, valid_messages

SOURCES = [
    *valid_messages([ORDERS_EVENTS, SHIPMENTS_EVENTS, CLAIMS_EVENTS]),
    *published_events("fulfilments"),
]
MODELS = {type_: ClaimEvent if topic == CLAIMS_EVENTS else Event for topic, type_, _ in SOURCES}


def reading_of(sent):
    """The facts, or the error."""
    try:
        return [repr(read_facts(original_of(sent)))]
    except Malformed as error:
        return [repr(error)]


def test_twins_exist_for_all_that_the_analytics_service_reads():
    assert not any(reader.left for reader in READERS.values())


def test_valid_messages_are_read_the_same_and_nearly_all_by_twins(monkeypatch):
    found = compare(SOURCES, reading_of, READERS, monkeypatch)

    assert found["taken"] > 60
    assert share_of_fast(SOURCES, reading_of, READERS) > 0.95


def test_mutated_messages_are_read_or_refused_the_same(monkeypatch):
    found = compare(mutated(16, 3_000, SOURCES, MODELS), reading_of, READERS, monkeypatch)

    assert found["fast"] > 600
    assert found["refused"] > 300


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_many_mutated_messages_are_read_or_refused_the_same(monkeypatch):
    found = compare(mutated(1_600, 50_000, SOURCES, MODELS), reading_of, READERS, monkeypatch)

    assert found["fast"] > 10_000
