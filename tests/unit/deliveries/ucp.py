"""Orders that are played through the domain, as bodies `ucp`, and the protocol's own schemas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from services.deliveries.messages.ucp.event import read_order_event
from services.deliveries.messages.ucp.log import Log, extended
from services.deliveries.messages.ucp.order import ucp_body
from services.orders.messages.encode import event_record
from services.orders.messages.snapshot import encode
from tests.unit.orders.builders import Desk

SCHEMAS = Path(__file__).parent / "ucp_schemas" / "ucp-2026-04-08.json"
ORDER = "https://ucp.dev/schemas/shopping/order.json"
ERROR = "https://ucp.dev/schemas/shopping/types/error_response.json"
PAGE = "https://shop.example/orders/{order_number}"
BYTES_MAX = 921_600


@cache
def validator_of(schema: str) -> Draft202012Validator:
    """A validator of one of the protocol's schemas; formats are checked too."""
    schemas = json.loads(SCHEMAS.read_text())["schemas"]
    resources = ((id_, Resource.from_contents(each)) for id_, each in schemas.items())
    registry: Registry = Registry().with_resources(resources)
    return Draft202012Validator({"$ref": schema}, registry=registry, format_checker=FormatChecker())


@dataclass(frozen=True)
class Sent:
    """One event of an order, and the body that it makes."""

    event: dict[str, Any]
    value: bytes
    log: Log
    body: dict[str, Any]


def sent_of(values: list[bytes], log: Log | None = None) -> list[Sent]:
    """The bodies of events of one order, in the order in which they are taken."""
    found = []
    for value in values:
        event = read_order_event(value)
        assert event is not None
        log = extended(log, event)
        body = json.loads(ucp_body(value, log, PAGE))
        found.append(Sent(json.loads(value), value, log, body))
    return found


def values_of(desk: Desk, commands: Any, bytes_max: int = BYTES_MAX) -> dict[str, list[bytes]]:
    """The values of all events of commands, by order, in the order in which they are decided."""
    found: dict[str, list[bytes]] = {}
    for command in commands:
        decision = desk.send(command)
        after = {order.order_id: order for order in decision.orders}
        for event in decision.events:
            record = event_record(event, encode(after[event.order_id], bytes_max), None)
            found.setdefault(event.order_id, []).append(record.value)
    return found


def contents(group: dict[str, Any]) -> dict[str, int]:
    """What an expectation or fulfilment event names, by line item."""
    return {each["id"]: each["quantity"] for each in group["line_items"]}
