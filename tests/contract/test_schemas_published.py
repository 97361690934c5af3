"""What the orders service says of the examples is in the contract: all of its code but the stores.

Every member it publishes is in the models and every value fits the JSON Schema: nothing is said
that subscribers were not told of.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import jsonschema
import orjson
import pytest
from pydantic import BaseModel

from schemas.envelope import read_headers
from schemas.example_files import Example, load_examples
from schemas.generate import json_schema
from schemas.model import Message
from schemas.topics import TOPICS
from services.orders.domain.decision import World
from services.orders.domain.policy import decide
from services.orders.messages import context, outgoing
from services.orders.messages.incoming import Asked, read
from services.runtime.records import Coordinates, Item, Original

NOW = datetime(2026, 3, 5, 9, 3, tzinfo=UTC)
CONTEXT_MAX_BYTES = 500_000


def original_of(example: Example, offset: int) -> Original:
    value = json.dumps(example.value).encode()
    headers = tuple(example.kafka_headers())
    return Original(
        Coordinates(example.topic, 0, offset), example.key.encode(), headers, value, NOW
    )


def published() -> Iterator[tuple[str, Any]]:
    """Topic and record of all that follows from the examples, orders first, then their tracking."""
    orders: dict[Any, Any] = {}
    parcels: dict[Any, Any] = {}
    references: dict[Any, Any] = {}
    sent = [e for name in ("orders.commands", "carrier.tracking") for e in _on(name)]
    for offset, example in enumerate(sent):
        for entry in read(original_of(example, offset), NOW):
            if not isinstance(entry, Asked):
                yield (
                    example.type,
                    outgoing.refusal_record(
                        _item(example, offset, entry), entry.reason, entry.detail, NOW
                    ),
                )
                continue
            world = World(orders=orders, parcels=parcels, references=references)
            decision = decide(world, entry.command, NOW)
            orders.update({order.order_id: order for order in decision.orders})
            parcels.update({parcel.number: parcel for parcel in decision.parcels})
            references.update(dict(decision.references))
            for event in decision.events:
                snapshot = context.encode(orders[event.order_id], CONTEXT_MAX_BYTES)
                yield example.type, outgoing.event_record(event, snapshot, None)
            if example.topic == "orders.commands" and decision.waits_for is None:
                order = orders.get(decision.order_id)
                yield (
                    example.type,
                    outgoing.outcome_record(entry.item, entry.command, decision, order, NOW),
                )


def _on(topic: str) -> list[Example]:
    # Placements before what names their orders.
    found = [e for e in load_examples() if e.topic == topic]
    return sorted(found, key=lambda e: e.type not in {"order.place", "order.upsert"})


def _item(example: Example, offset: int, refusal: Any) -> Any:
    return Item(original_of(example, offset), refusal.index, refusal.envelope, None)


@pytest.fixture(scope="module")
def records() -> list[Any]:
    return [record for _, record in published()]


def test_the_examples_lead_to_events_and_outcomes_of_most_types(records) -> None:
    types = {read_headers(record.headers).type for record in records}

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


def test_every_published_value_fits_its_json_schema(records) -> None:
    wrong = []
    for record in records:
        type_ = read_headers(record.headers).type
        schema = json_schema(type_, TOPICS[record.topic].models[type_])
        errors = jsonschema.Draft202012Validator(schema).iter_errors(orjson.loads(record.value))
        wrong += [f"{type_} {error.json_path}: {error.message}" for error in errors]

    assert sorted(set(wrong)) == []


def test_every_published_member_is_in_the_contract(records) -> None:
    untold = set()
    for record in records:
        type_ = read_headers(record.headers).type
        model = TOPICS[record.topic].models[type_]
        untold |= set(_untold(model, orjson.loads(record.value), type_))

    assert sorted(untold) == []


def _untold(model: type[Message], value: dict[str, Any], at: str) -> Iterator[str]:
    """The members of a value that its model does not name; free objects are not looked into."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for name, member in value.items():
        if name not in fields:
            yield f"{at}.{name}"
            continue
        inner = _model_in(fields[name].annotation)
        for each in member if isinstance(member, list) else [member]:
            if inner is not None and isinstance(each, dict):
                yield from _untold(inner, each, f"{at}.{name}")


def _model_in(annotation: Any) -> type[Message] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in get_args(annotation) if (m := _model_in(a)) is not None), None)
