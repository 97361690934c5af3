"""Messages to be published: their topic and key, and what the service that takes them says.

A message is checked by the reading of the service itself, found through the registry, so that what
is refused here is what the service would refuse, no more and no less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.topics import CARRIER_TRACKING, TOPICS
from services import registry
from services.runtime.batch.items import WHOLE, ItemFailed
from services.runtime.messages.json_codec import FieldError
from services.runtime.messages.records import Coordinates, Original
from services.runtime.messages.repair import ItemWarning
from services.runtime.rejections import Rejection

Refusals = Callable[[Original, int, datetime], list[Rejection]]
Warnings = Callable[[Original, datetime], list[ItemWarning]]

MODELS_BY_TOPIC: Mapping[str, Mapping[str, Any]] = {
    topic.name: topic.models for topic in TOPICS.values() if topic.incoming
}
"""The models of each topic that others write, by type."""
TOPIC_OF: Mapping[str, str] = {
    kind: topic for topic, models in MODELS_BY_TOPIC.items() for kind in models
}
"""The topic of each type of the contract that others send."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the service says of a message before it decides. With errors it is not to be sent."""

    errors: Sequence[FieldError] = ()
    warnings: Sequence[ItemWarning] = ()


def default_key(kind: str, value: Mapping[str, Any]) -> str:
    """The key the contract asks for: `{carrier}/{number}` for tracking, else `{shop}/{order}`.

    A bulk command has the shop alone.
    """
    if TOPIC_OF.get(kind) == CARRIER_TRACKING:
        return f"{value.get('carrier_reference') or 'unknown'}/{value.get('tracking_number')}"
    order = value.get("order")
    placed = order.get("order_number") if isinstance(order, dict) else None
    number = placed or value.get("id") or value.get("order_number") or value.get("claim_id")
    shop = str(value.get("shop_slug") or "unknown")
    return f"{shop}/{number}" if number else shop


def read_as_service(original: Original, now: datetime) -> Reading:
    """Read a message as the services that consume its topic would; of many items, each.

    A message that the service's own code fails on is no error here: the service parks it.
    """
    errors: list[FieldError] = []
    warnings: list[ItemWarning] = []
    for service in _readers(original.coordinates.topic):
        entry = registry.entry_of(service)
        try:
            refusals: Refusals = registry.load(entry.refusals or "")
            for refusal in refusals(original, WHOLE, now):
                errors += refusal.errors or (FieldError("", refusal.detail),)
            if entry.warnings and not errors:
                found: Warnings = registry.load(entry.warnings)
                warnings += found(original, now)
        except ItemFailed:
            continue
    return Reading(errors, warnings)


def unpublished(
    topic: str,
    key: str,
    headers: tuple[tuple[str, bytes], ...],
    value: bytes,
    now: datetime,
) -> Original:
    """The record of a message that is not published yet."""
    return Original(Coordinates(topic, 0, 0), key.encode(), headers, value, now)


def _readers(topic: str) -> Iterator[str]:
    return (name for name in TOPICS[topic].readers if name in registry.consumers())
