"""What follows from payloads of other companies is in the contract, also from mutated ones."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from typing import Any

import jsonschema
import orjson

from schemas.envelope import read_headers
from schemas.generate import json_schema
from schemas.topics import TOPICS
from services.orders.domain.value import replace
from services.orders.messages import encode
from services.orders.messages import snapshot as context
from services.orders.messages.decode import read
from services.orders.messages.entries import DecodedItem
from services.runtime.messages.headers import read_headers as unpacked
from services.runtime.messages.records import Original
from tests.unit.orders.builders import NOON, Desk, attach, place, report
from tests.unit.orders.test_carrier_corpus import ANSWERS, record_of
from tests.unit.orders.test_foreign_payloads import mutated

MUTATED = 200


def published(original: Original) -> Iterator[Any]:
    """The records of all events that follow from a payload, each parcel on an order of its own."""
    for entry in read(original, NOON):
        if not isinstance(entry, DecodedItem):
            continue
        desk = Desk()
        desk.send(place())
        number = entry.command.tracking_number
        desk.send(attach(number, carrier=None))
        fresh = report()
        sent = replace(entry.command, item_id=fresh.item_id, causation_id=fresh.causation_id)
        decision = desk.send(sent)
        for event in decision.events:
            snapshot = context.encode(desk.orders[event.order_id], 500_000)
            yield encode.event_record(event, snapshot, None)


@functools.cache
def validator_of(topic: str, type_: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema(type_, TOPICS[topic].models[type_]))


def wrong_in(record: Any) -> list[str]:
    type_ = read_headers(unpacked(record.headers)).type
    errors = validator_of(record.topic, type_).iter_errors(orjson.loads(record.value))
    return [f"{type_} {error.json_path}: {error.message}" for error in errors]


def test_events_of_the_corpus_are_valid_by_their_json_schema() -> None:
    wrong, count = [], 0
    for path in ANSWERS:
        for record in published(record_of(path)):
            wrong += wrong_in(record)
            count += 1

    assert sorted(set(wrong)) == []
    assert count > len(ANSWERS)


def test_events_of_mutated_payloads_are_valid_by_their_json_schema() -> None:
    rng = random.Random(19)
    wrong = [
        each
        for _ in range(MUTATED)
        for record in published(mutated(rng))
        for each in wrong_in(record)
    ]

    assert sorted(set(wrong)) == []
