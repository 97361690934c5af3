"""Scans as facts: what happened to which parcel when, whatever the spelling of the message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

Fact = tuple[str, str, datetime]
"""Tracking number in its plain form, event name, and the instant in UTC."""


def plain_number(number: str) -> str:
    """A tracking number in capitals without separators: two spellings are one number."""
    return "".join(letter for letter in number if letter.isalnum()).upper()


def instant(text: str) -> datetime:
    """An RFC 3339 timestamp in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def facts_in(value: bytes | None) -> list[Fact]:
    """The scans in a tracking message; none where it cannot be read."""
    try:
        return list(_facts(json.loads(value or b"")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _facts(body: Mapping[str, Any]) -> Iterator[Fact]:
    number = plain_number(body["tracking_number"])
    for scan in body["scans"]:
        if scan.get("event_name") and scan.get("occurred_at"):
            yield number, scan["event_name"], moment_of(scan)


def moment_of(scan: Mapping[str, Any]) -> datetime:
    """When a scan happened: by its offset, else in its zone, else in UTC."""
    local = datetime.fromisoformat(scan["occurred_at"])
    if local.tzinfo is None:
        local = local.replace(tzinfo=ZoneInfo(scan.get("timezone") or "UTC"))
    return local.astimezone(UTC)
