"""Check a prepared message with the reading of the service that takes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from orderflow.parked.validate_value import Refusals
from schemas.topics import TOPICS
from services import registry
from services.runtime.batch.items import WHOLE, ItemFailed
from services.runtime.messages.json_codec import FieldError
from services.runtime.messages.records import Coordinates, Original
from services.runtime.messages.repair import ItemWarning

Warnings = Callable[[Original, datetime], list[ItemWarning]]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the service says of a message before it decides. With errors it is not to be sent."""

    errors: Sequence[FieldError] = ()
    warnings: Sequence[ItemWarning] = ()


def read_as_service(
    topic: str,
    key: str,
    headers: tuple[tuple[str, bytes], ...],
    value: bytes,
    now: datetime,
) -> Reading:
    """Read a message as the services that consume `topic` would; of many items, each.

    A message that the service's own code fails on is no error here: the service parks it.
    """
    original = Original(Coordinates(topic, 0, 0), key.encode(), headers, value, now)
    errors: list[FieldError] = []
    warnings: list[ItemWarning] = []
    for service in _readers(topic):
        entry = registry.entry_of(service)
        refusals: Refusals = registry.load(entry.refusals)
        try:
            for refusal in refusals(original, WHOLE, now):
                errors += refusal.errors or (FieldError("", refusal.detail),)
            if entry.warnings:
                found: Warnings = registry.load(entry.warnings)
                warnings += found(original, now)
        except ItemFailed:
            continue
    return Reading(errors, warnings)


def _readers(topic: str) -> Iterator[str]:
    return (name for name in TOPICS[topic].readers if name in registry.names())
