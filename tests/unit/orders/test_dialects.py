"""Every dialect of `DIALECTS` is read on carrier.tracking, by its reader, under a separate type."""

from collections import Counter

import pytest

from services.orders.domain.model.commands import ReportTracking
from services.orders.messages import decode
from services.orders.messages.carriers import DIALECTS, Dialect, standard
from tests.unit.orders.mutations import NOW, example_messages, original_of


def test_dialects_have_different_types():
    assert max(Counter(dialect.TYPE for dialect in DIALECTS).values()) == 1


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.__name__)
def test_dialect_has_its_reader_and_its_mark_in_decode(dialect: Dialect):
    assert decode.READERS[dialect.TYPE] is dialect.READER
    assert dialect.SCAN_MARK in decode.MARKS


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.__name__)
def test_dialect_is_a_known_type_of_carrier_tracking_only(dialect: Dialect):
    topics = {topic for topic, types in decode._KNOWN_TYPES.items() if dialect.TYPE in types}

    assert topics == {decode.TRACKING}


def test_examples_of_the_standard_dialect_become_reports():
    entries = [
        entry
        for sent in example_messages()
        if (original := original_of(sent)).coordinates.topic == decode.TRACKING
        for entry in decode.read(original, NOW)
    ]
    read = [entry for entry in entries if isinstance(entry, decode.DecodedItem)]

    assert read
    assert all(isinstance(entry.command, ReportTracking) for entry in read)
    assert {entry.item.envelope.type for entry in read} == {standard.TYPE}
