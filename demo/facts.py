"""Facts: what a scan or an event says happened, whatever the spelling of the message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from demo.journal import Entry

Fact = tuple[str, str, datetime]
"""Tracking number in its plain form, event name, and the instant in UTC."""


ScanFact = tuple[str, datetime]
"""A scan of a known number: event name, and the instant in UTC."""


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


def fact_of(entry: Entry) -> object:
    """What an event says happened, without the ids and numbers of the event."""
    body, type_ = entry.body, entry.headers["ce_type"]
    data = body["event_data"]
    if type_ == "order.placed":
        return type_, entry.key
    if type_ == "shipment.scanned":
        name = data.get("scan_id") or data["event_name"]
        return type_, data["shipment_id"], name, data["event_name"], data["occurred_at"]
    if "attribution_version" in data:
        return type_, entry.key, data["attribution_version"]
    if type_ == "order.campaign_selected":
        chosen = json.dumps(data["campaign"], sort_keys=True)
        return type_, entry.key, entry.headers["ce_causationid"], chosen
    subject = data.get("shipment_id") or data.get("claim_id")
    if data.get("changed_fields") == ["delivery_state"]:
        # One message may bring several scans that change it.
        return type_, entry.key, *data["shipment_ids"], entry.headers["ce_time"]
    if data.get("changed_fields") == ["tracking"]:
        # A command that changes a carrier has an event of its own beside this one.
        return type_, entry.key, subject, entry.headers["ce_causationid"], "tracking"
    if type_ == "order.updated":
        # A bulk command may bring several items of one order, each with values of its own.
        order = body.get("context", {}).get("order", {})
        became = [(name, order.get(name)) for name in data.get("changed_fields", ())]
        values = json.dumps(became, sort_keys=True)
        return type_, entry.key, entry.headers["ce_causationid"], data.get("status"), values
    return type_, entry.key, subject, entry.headers["ce_causationid"], data.get("status")
