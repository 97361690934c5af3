"""Events to deliver: the bytes of an example of the contract, with ids of their own."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from bench.traffic import Letter
from schemas.example_files import load_examples
from services.runtime.messages.records import named_uuid

EXAMPLE = "picked_up"
EVENTS_OF_AN_ORDER = 2
ID_HEADER = "ce_id"


def _example() -> tuple[str, Mapping[str, str], Mapping[str, Any]]:
    [found] = [each for each in load_examples("shipment.scanned") if each.case == EXAMPLE]
    return found.topic, found.headers, found.value


TOPIC, _HEADERS, _VALUE = _example()


def event(shop: str, number: int, run: str) -> Letter:
    """The event `number` (from 0) of a shop; two events after one another are of one order.

    `run` makes the ids differ from those of another run.
    """
    order = str(uuid.UUID(named_uuid(f"{run}/{shop}/{number // EVENTS_OF_AN_ORDER}")))
    sequence = number % EVENTS_OF_AN_ORDER + 1
    event_id = named_uuid(f"{order}/{sequence}")
    changed = {"event_id": event_id, "order_id": order, "shop_slug": shop, "sequence": sequence}
    headers = {**_HEADERS, ID_HEADER: event_id, "ce_subject": order, "ce_sequence": str(sequence)}
    written = tuple((name, text.encode()) for name, text in headers.items())
    return Letter(TOPIC, order.encode(), orjson.dumps({**_VALUE, **changed}), written, 0)


def id_of(letter: Letter) -> str:
    """The id of an event."""
    return dict(letter.headers)[ID_HEADER].decode()
