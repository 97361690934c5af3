"""The body `thin`: an event without `context`, always below THIN_BYTES bytes.

What only describes is left out of `event_data` where an event is larger, in a fixed order. The
members that stay keep their bytes: numbers and characters stay as they were written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from msgspec import Raw

THIN_BYTES = 20_000
"""A thin body is smaller than this, before gzip."""

DESCRIBING = (
    "optional_image_urls",
    "image_urls",
    "customer_signature_image_url",
    "applied_commands",
    "history",
    "description",
    "proof",
    "pickup",
    "location",
    "carrier_text",
    "tracking_url",
    "selected_items",
    "held_items",
    "shipment_ids",
    "changed_fields",
)
"""Members of `event_data` in the order in which they are left out, one after the other.

Before them go the pictures of `selected_items`; after them the other members, the largest first.
"""

DATA_KEPT = frozenset(
    {
        "event_id", "event_name", "event_group", "claim_id", "shipment_id", "tracking_number",
        "carrier_reference", "order_number", "status", "previous_status", "reason", "phase",
        "shipment_phase", "occurred_at", "notify", "campaign", "attribution_version", "credit",
        "former_credit",
    }
)  # fmt: skip
"""Members of `event_data` that are never left out: what happened, to what, and when."""

KEPT = frozenset(
    {
        "source", "ref", "event_name", "event_group", "version", "triggered_at", "shop_slug",
        "event_id", "order_id", "sequence", "order_version", "event_data", "event_data_truncated",
    }
)  # fmt: skip
"""Members of an event that are never left out: which event it is, of which order and shop."""

_Members = dict[str, Raw]
_MEMBERS = msgspec.json.Decoder(_Members)
_LIST = msgspec.json.Decoder(list[_Members])


def thin_body(value: bytes) -> bytes:
    """An event without `context`; `value` is the event as JSON.

    Below THIN_BYTES for every event whose members KEPT and DATA_KEPT are: the contract bounds them.
    Where `event_data` was cut, the member `event_data_truncated` is true.
    """
    event = _MEMBERS.decode(value)
    event.pop("context", None)
    event.pop("context_truncated", None)
    body = msgspec.json.encode(event)
    if len(body) < THIN_BYTES:
        return body
    data = _MEMBERS.decode(event["event_data"])
    event["event_data_truncated"] = Raw(b"true")
    for cut in _cuts(event, data):
        cut()
        event["event_data"] = Raw(msgspec.json.encode(data))
        body = msgspec.json.encode(event)
        if len(body) < THIN_BYTES:
            break
    return body


def _cuts(event: _Members, data: _Members) -> Iterator[Callable[[], object]]:
    """The steps, each to be taken before the next is asked for."""
    yield lambda: _cut_pictures(data)
    for name in DESCRIBING:
        if name in data:
            yield lambda name=name: data.pop(name)  # type: ignore[misc]
    for members, kept in ((data, DATA_KEPT), (event, KEPT)):
        rest = sorted((-len(raw), name) for name, raw in members.items() if name not in kept)
        for _, name in rest:
            yield lambda members=members, name=name: members.pop(name)  # type: ignore[misc]


def _cut_pictures(data: _Members) -> None:
    try:
        items = _LIST.decode(data.get("selected_items", b"[]"))
    except msgspec.ValidationError:
        return  # Not as claims write it: DESCRIBING leaves it out as a whole.
    for item in items:
        item.pop("image_urls", None)
    if items:
        data["selected_items"] = Raw(msgspec.json.encode(items))
