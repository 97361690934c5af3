"""What the orders service says of the examples is in the contract: all of its code but the stores.

Every member it publishes is in the models and every value fits the JSON Schema: no member is
published that the contract does not have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import jsonschema
import orjson
import pytest
from pydantic import BaseModel

from schemas import generate
from schemas.envelope import read_headers
from schemas.example_files import Example, load_examples
from schemas.gate import releases
from schemas.generate import json_schema
from schemas.model import ContractModel
from schemas.outcomes import REJECTED
from schemas.topics import TOPICS
from services.analytics.messages import decode as analytics_messages
from services.claims.messages import decode as claims_messages
from services.orders.domain.decide import decide
from services.orders.domain.model.decision import World
from services.orders.messages import encode
from services.orders.messages import snapshot as context
from services.orders.messages.decode import DecodedItem, read
from services.runtime.messages.headers import read_headers as unpacked
from services.runtime.messages.records import Coordinates, Original

NOW = datetime(2026, 3, 5, 9, 3, tzinfo=UTC)
CONTEXT_MAX_BYTES = 500_000


def original_of(example: Example, offset: int) -> Original:
    value = json.dumps(example.value).encode()
    headers = tuple(example.kafka_headers())
    return Original(
        Coordinates(example.topic, 0, offset), example.key.encode(), headers, value, NOW
    )


def published(examples: tuple[Example, ...]) -> Iterator[tuple[str, Any]]:
    """Type and record of all that follows from examples, orders first, then their tracking."""
    orders: dict[Any, Any] = {}
    parcels: dict[Any, Any] = {}
    references: dict[Any, Any] = {}
    sent = [e for name in ("orders.commands", "carrier.tracking") for e in _on(name, examples)]
    for offset, example in enumerate(sent):
        for entry in read(original_of(example, offset), NOW):
            if not isinstance(entry, DecodedItem):
                yield example.type, encode.OUTCOMES.of_refusal(entry, NOW)
                continue
            world = World(orders=orders, parcels=parcels, references=references)
            decision = decide(world, entry.command, NOW)
            orders.update({order.order_id: order for order in decision.orders})
            parcels.update({parcel.number: parcel for parcel in decision.parcels})
            references.update(dict(decision.references))
            for event in decision.events:
                snapshot = context.encode(orders[event.order_id], CONTEXT_MAX_BYTES)
                yield example.type, encode.event_record(event, snapshot, None)
            if example.topic == "orders.commands" and decision.waits_for is None:
                order = orders.get(decision.order_id)
                yield (
                    example.type,
                    encode.outcome_record(entry.item, entry.command, decision, order, NOW),
                )


def _on(topic: str, examples: tuple[Example, ...]) -> list[Example]:
    # Placements before what names their orders.
    found = [e for e in examples if e.topic == topic]
    return sorted(found, key=lambda e: e.type not in {"order.place", "order.upsert"})


@pytest.fixture(scope="module")
def records() -> list[Any]:
    return [record for _, record in published(load_examples())]


def test_examples_lead_to_events_and_outcomes_of_most_types(records) -> None:
    types = {read_headers(unpacked(record.headers)).type for record in records}

    assert types >= {
        "order.placed",
        "order.updated",
        "order.fulfilled",
        "order.cancelled",
        "order.analytics_updated",
        "shipment.fulfilled",
        "shipment.scanned",
        "shipment.updated",
        "command.decided",
    }


def test_published_records_name_the_json_schema_of_their_value(records) -> None:
    named = [read_headers(unpacked(record.headers)) for record in records]

    assert {each.type: each.data_schema for each in named} == {
        each.type: json_schema(each.type, generate.models()[each.type])["$id"] for each in named
    }


def test_published_values_are_valid_by_their_json_schema(records) -> None:
    wrong = []
    for record in records:
        type_ = read_headers(unpacked(record.headers)).type
        schema = json_schema(type_, TOPICS[record.topic].models[type_])
        errors = jsonschema.Draft202012Validator(schema).iter_errors(orjson.loads(record.value))
        wrong += [f"{type_} {error.json_path}: {error.message}" for error in errors]

    assert sorted(set(wrong)) == []


@pytest.mark.parametrize("release", releases.load(), ids=lambda release: str(release.number))
def test_released_messages_lead_to_records_that_released_readers_read(release) -> None:
    refused, wrong, read = [], [], 0
    for type_, record in published(release.contract.examples):
        of = read_headers(unpacked(record.headers)).type
        value = orjson.loads(record.value)
        if value.get("outcome") == REJECTED:
            refused.append((type_, value["reason"]))
        # A type that is newer than the release has the form of its topic's other types.
        known = of if of in release.contract.schemas else "order.updated"
        schema = release.contract.schemas[known]
        errors = jsonschema.Draft202012Validator(schema).iter_errors(value)
        wrong += [f"{of} {error.json_path}: {error.message}" for error in errors]
        read += 1

    assert sorted(set(wrong)) == []
    # The one item that shows how a bad one is refused.
    assert refused == [("orders.fulfill_bulk", "invalid_fields")]
    assert read > 60


@pytest.mark.parametrize("release", releases.load(), ids=lambda release: str(release.number))
def test_released_events_are_read_by_the_services_that_follow_them(release) -> None:
    followed = {"order.placed": 0, "shipment.scanned": 0, "claim.created": 0}
    for offset, example in enumerate(release.contract.examples):
        if example.topic in {"orders.events", "shipments.events"}:
            assert claims_messages.read_order(original_of(example, offset)) is not None
        if example.topic in {"orders.events", "shipments.events", "claims.events"}:
            assert analytics_messages.read_facts(original_of(example, offset)) is not None
            followed[example.type] = followed.get(example.type, 0) + 1
        if example.topic == "claims.commands":
            claims_messages.read_command(original_of(example, offset))

    assert all(followed.values())


def test_event_published_again_by_newer_code_has_the_same_id() -> None:
    """Ids made for release 1: a replay must give the same ones, or subscribers act twice."""
    ids_by_cause: dict[str, list[str]] = {}
    for _, record in published(releases.load()[0].contract.examples):
        event = read_headers(unpacked(record.headers))
        if event.subject and event.sequence:
            cause = f"{event.type} {event.subject} {event.causation_id}"
            ids_by_cause.setdefault(cause, []).append(str(event.id))
    frozen = json.loads(Path(__file__).with_name("event_ids.json").read_text("utf-8"))

    assert {cause: ids for cause, ids in ids_by_cause.items() if cause in frozen} == frozen


def test_published_members_are_all_in_the_contract(records) -> None:
    missing = set()
    for record in records:
        type_ = read_headers(unpacked(record.headers)).type
        model = TOPICS[record.topic].models[type_]
        missing |= set(_missing_members(model, orjson.loads(record.value), type_))

    assert sorted(missing) == []


def _missing_members(model: type[ContractModel], value: dict[str, Any], at: str) -> Iterator[str]:
    """The members of a value that its model does not name; free objects are not looked into."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for name, member in value.items():
        if name not in fields:
            yield f"{at}.{name}"
            continue
        inner = _model_in(fields[name].annotation)
        for each in member if isinstance(member, list) else [member]:
            if inner is not None and isinstance(each, dict):
                yield from _missing_members(inner, each, f"{at}.{name}")


def _model_in(annotation: Any) -> type[ContractModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in get_args(annotation) if (m := _model_in(a)) is not None), None)
