"""Letters: Kafka records that are still to be published, as a shop or a carrier writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from schemas.envelope import CloudEvent, rfc3339, write_headers
from schemas.topics import CARRIER_TRACKING, ORDERS_COMMANDS

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Letter:
    """One Kafka record to publish; `topic` is the catalogue's name, without a prefix."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    outcomes: int
    """Records it gets on `orders.outcomes`: one per item of a command, none for scans."""


@dataclass(frozen=True, slots=True)
class Mix:
    """What one measurement publishes."""

    name: str
    before: tuple[Letter, ...]
    """Must have been applied before the clock runs."""
    letters: tuple[Letter, ...]
    """What is measured, in causal order: no letter waits for one that comes after it."""


def command(
    key: str, type_: str, body: Mapping[str, Any], at: datetime, *, id_: str, items: int = 1
) -> Letter:
    """A command of a shop; `key` is `shop/...`, `id_` is unique among the shop's."""
    source = f"shops/{key.partition('/')[0]}"
    return _letter(ORDERS_COMMANDS, key, (type_, source, id_), body, at, items)


def report(carrier: str, number: str, scans: list[Json], at: datetime, *, id_: str) -> Letter:
    """Scans of one parcel in our own form; `id_` is unique among the carrier's."""
    body = {"carrier_reference": carrier, "tracking_number": number, "scans": scans}
    named = ("tracking.reported", f"carriers/{carrier}", id_)
    return _letter(CARRIER_TRACKING, f"{carrier}/{number}", named, body, at, 0)


def _letter(
    topic: str,
    key: str,
    named: tuple[str, str, str],
    body: Mapping[str, Any],
    at: datetime,
    outcomes: int,
) -> Letter:
    type_, source, id_ = named
    subject = key.partition("/")[2]
    event = CloudEvent(type=type_, source=source, id=id_, time=rfc3339(at), subject=subject)
    return Letter(topic, key.encode(), encode(body), tuple(write_headers(event)), outcomes)


def encode(body: Mapping[str, Any]) -> bytes:
    """JSON as publishers send it; money is text already, so nothing is ever a float."""
    return orjson.dumps(body)
