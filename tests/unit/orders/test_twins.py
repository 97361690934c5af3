"""Both readers of a message, the derived twin and the contract's model, say the same of it."""

from __future__ import annotations

from collections import Counter

import pytest

from demo.olist import read_script
from services.orders.messages.incoming import READERS, Asked, read
from services.runtime.rejections import Rejection
from services.runtime.twins import Reader
from tests.olist import olist_folder
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
    """What reading comes to, with the spelling of every value: 1.0 and 1.00 are not the same."""
    return [
        repr(entry.command) if isinstance(entry, Asked) else repr(entry)
        for entry in read(original_of(sent), NOW)
    ]


def by_the_contract(sent, monkeypatch):
    """The same with pydantic alone."""
    with monkeypatch.context() as patched:
        patched.setattr(Reader, "fast_or_none", lambda *_: None)
        return reading_of(sent)


def roads_taken():
    """How many bodies the twins and the models read since the last call."""
    taken = [reader.counted() for reader in READERS.values()]
    return sum(fast for fast, _ in taken), sum(slow for _, slow in taken)


def compare(messages, monkeypatch):
    """How many took the fast road, were taken and refused; fails at the first that differs."""
    found = Counter()
    for sent in messages:
        roads_taken()
        fast = reading_of(sent)
        found["fast"] += bool(roads_taken()[0])
        assert fast == by_the_contract(sent, monkeypatch), sent
        found["refused" if any("Rejection(" in each for each in fast) else "taken"] += 1
        assert not any(each.startswith("Unread(") for each in fast), sent
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

    assert compare(sent, monkeypatch)["taken"] >= least
    assert share_of_the_fast_road(sent) > 0.95


def share_of_the_fast_road(messages):
    """Of what is accepted: what a demo sends to be refused is the contract's to judge."""
    fast, slow = 0, 0
    for sent in messages:
        roads_taken()
        entries = list(read(original_of(sent), NOW))
        if not any(isinstance(entry, Rejection) for entry in entries):
            taken = roads_taken()
            fast, slow = fast + taken[0], slow + taken[1]
    return fast / (fast + slow)


def test_mutated_messages_are_read_or_refused_the_same(monkeypatch):
    found = compare(mutated(14, 4_000, SOURCES), monkeypatch)

    assert found["fast"] > 800
    assert found["refused"] > 800


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(8))
def test_many_mutated_messages_are_read_or_refused_the_same(seed, monkeypatch):
    found = compare(mutated(1_000 + seed, 25_000, SOURCES), monkeypatch)

    assert found["fast"] > 5_000
