"""Messages of shop systems, read as the orders service reads them."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from schemas import commands as contract
from services.orders.messages.decode import DecodedItem, read
from services.runtime.messages.records import Coordinates, Original
from services.runtime.rejections import Rejection

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MARK = "<number>"
PLACEMENT = {"order_number": "1", "address": {"zip_code": "10115", "country_code": "DE"}}
NEEDED = {
    "images": {"src": "https://shop.example/a.png"},
    "discounts": {"code": "A"},
    "trackings": {"tracking_number": "1Z999"},
}
BODIES = {
    contract.ORDER_PLACE: {"order": PLACEMENT},
    contract.ORDER_UPSERT: {"id": "1", "order": PLACEMENT},
    contract.ORDER_UPDATE: {"id": "1"},
    contract.ORDER_CANCEL: {"id": "1"},
    contract.SHIPMENT_UPDATE: {"id": "1", "tracking_number": "1Z999"},
    contract.SHIPMENT_VOID: {"id": "1", "tracking_number": "1Z999"},
    contract.ORDER_ANALYTICS_UPSERT: {"id": "1", "order_analytics": {}},
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=70)


def plain(value: Any) -> str:
    """JSON with a Decimal written as its digits."""
    text = json.dumps(value, default=lambda number: f"{MARK}{number:f}{MARK}")
    return text.replace(f'"{MARK}', "").replace(f'{MARK}"', "")


def original(type_: str, body: Any) -> Original:
    value = body if isinstance(body, bytes) else plain(body).encode()
    headers = (("ce_type", type_.encode()), ("ce_id", b"c-1"), ("ce_source", b"/shops/qa"))
    return Original(Coordinates("orders.commands", 0, 1), b"qa/1", headers, value, NOW)


def read_all(type_: str, body: Any) -> tuple[Any, ...]:
    return read(original(type_, body), NOW)


def taken(type_: str, body: Any) -> Any:
    """The command of a message that is taken."""
    (entry,) = read_all(type_, body)
    assert isinstance(entry, DecodedItem), entry
    return entry.command


def placed(**members: Any) -> Any:
    """The command that places an order with these members."""
    return taken("order.place", {"shop_slug": "qa", "order": {**PLACEMENT, **members}})


def warned(command: Any) -> list[tuple[str, str]]:
    return [(each.code.value, each.pointer) for each in command.warnings]


def refused(type_: str, body: Any) -> list[str]:
    """The pointers of a message that is refused as malformed."""
    (entry,) = read_all(type_, body)
    assert isinstance(entry, Rejection), entry
    assert entry.reason == "invalid_fields"
    return [each.pointer for each in entry.errors]


def with_value(type_: str, path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """A command with one member set; the objects around it have what they need."""
    body: dict[str, Any] = {"shop_slug": "qa", **deepcopy(BODIES[type_])}
    holder: Any = body
    for step, following in pairwise(path):
        if isinstance(step, int):
            holder = holder[step]
        elif following == 0:
            holder = holder.setdefault(step, [deepcopy(NEEDED.get(step, {}))])
        else:
            holder = holder.setdefault(step, {})
    holder[path[-1]] = value
    return body
