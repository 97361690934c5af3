"""Both readers of a message, the derived twin and the contract's model, say the same of it."""

from __future__ import annotations

import pytest

from demo.olist import read_script
from services.orders.messages.decode import READERS, DecodedItem, read
from tests.olist import olist_folder
from tests.unit.both_decoders import compare, share_of_fast
from tests.unit.orders.mutations import (
    NOW,
    bench_messages,
    example_messages,
    messages_of,
    mutated,
    original_of,
    synthetic_messages,
    valid_messages,
)

SOURCES = valid_messages()


def reading_of(sent):
    """Each item's command or refusal."""
    found = [
        repr(entry.command) if isinstance(entry, DecodedItem) else repr(entry)
        for entry in read(original_of(sent), NOW)
    ]
    assert not any(each.startswith("UndecodedItem(") for each in found), sent
    return found


def test_twins_exist_for_every_type_that_the_orders_service_reads():
    for type_, reader in READERS.items():
        assert set(reader.left) <= {"OrderAnalytics"}, (type_, reader.left)


def olist_messages():
    return messages_of(read_script(olist_folder()))


@pytest.mark.parametrize(
    ("sources", "least"),
    [
        pytest.param(example_messages, 30, id="the contract's examples"),
        pytest.param(bench_messages, 60, id="the benchmark's mixes"),
        pytest.param(synthetic_messages, 300, id="the synthetic shop"),
        pytest.param(olist_messages, 4_000, id="Olist"),
    ],
)
def test_valid_messages_are_read_the_same_and_nearly_all_by_twins(sources, least, monkeypatch):
    sent = list(dict.fromkeys(sources()))

    assert compare(sent, reading_of, READERS, monkeypatch)["taken"] >= least
    assert share_of_fast(sent, reading_of, READERS) > 0.95


def test_mutated_messages_are_read_or_refused_the_same(monkeypatch):
    found = compare(mutated(14, 4_000, SOURCES), reading_of, READERS, monkeypatch)

    assert found["fast"] > 800
    assert found["refused"] > 800


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(8))
def test_many_mutated_messages_are_read_or_refused_the_same(seed, monkeypatch):
    found = compare(mutated(1_000 + seed, 25_000, SOURCES), reading_of, READERS, monkeypatch)

    assert found["fast"] > 5_000
