"""Commands of the model as the records that say the same on the wire."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tests.integration.pipeline.commands import REPORT, Command, Item, shop_of
from tests.integration.pipeline.log import TOPIC, TRACKING
from tests.integration.pipeline.numbers import FOUND, LOST
from tests.integration.pipeline.parcels import F1

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TYPES = {
    "attach": "order.upsert",
    "attach_to_delivery": "order.upsert",
    "correct": "shipment.update",
    "void": "shipment.void",
    REPORT: "tracking.reported",
}


@dataclass(frozen=True)
class Message:
    """A record before it has a place: its commands, and its sender's id for it, if it has one."""

    commands: tuple[Command, ...]
    ce_id: str | None

    @property
    def is_report(self):
        """Whether a carrier sends it, and no shop."""
        return self.commands[0].kind == REPORT

    @property
    def key(self):
        """The order that it, or its first item, is about; of a report the number."""
        if self.is_report:
            return f"dhl/{self.commands[0].number}".encode()
        return f"{self._shop}/{self.commands[0].order}".encode()

    @property
    def _shop(self):
        return shop_of(self.commands[0].order)

    @property
    def headers(self):
        """CloudEvents in binary mode."""
        is_bulk = len(self.commands) > 1
        alone = self.commands[0].kind
        kind = "orders.fulfill_bulk" if is_bulk else TYPES.get(alone, f"order.{alone}")
        named = [("ce_id", self.ce_id.encode())] if self.ce_id else []
        return (("ce_type", kind.encode()), ("ce_source", f"/shops/{self._shop}".encode()), *named)

    @property
    def value(self):
        """JSON, unless it is malformed."""
        if self.commands[0].kind == "malformed":
            return b"{"
        if self.is_report:
            return json.dumps(_report(self.commands[0])).encode()
        if len(self.commands) > 1:
            body = {"items": list(map(_body, self.commands))}
        else:
            body = _body(self.commands[0])
        return json.dumps({"shop_slug": self._shop} | body).encode()

    def items(self, partition, offset):
        """What it holds, once it lies there."""
        topic = TRACKING if self.is_report else TOPIC
        cause = self.ce_id or f"{topic}/{partition}/{offset}"
        return [
            Item((partition, offset, index), (cause, index), cause, command)
            for index, command in enumerate(self.commands)
        ]


def happened(command, begun):
    """A command with the scans of a report, of the hours before the minute `begun`."""
    minutes = [begun - 600 + 60 * hour for hour in command.scans]
    names = [LOST if hour % 3 == 2 else FOUND for hour in command.scans]
    return replace(command, scans=tuple(zip(minutes, names, strict=True)))


def _report(command):
    scans = [
        {
            "event_name": name,
            "occurred_at": (START + timedelta(minutes=minute)).isoformat(),
            "precision": "second",
        }
        for minute, name in command.scans
    ]
    number = command.number
    return {"carrier_reference": "dhl", "tracking_number": number, "scans": scans}


def _body(command):
    address = {"zip_code": "10115", "city": command.city}
    order = {"order_number": command.order, "address": address}
    number = {"tracking_number": command.number}
    of_delivery = number | {"external_shipment_id": F1}
    return {
        "place": {"order": order},
        "upsert": {"id": command.order, "order": order},
        "update": {"id": command.order, "address": address},
        "cancel": {"id": command.order, "reason": command.city},
        "attach": {"id": command.order, "trackings": [number]},
        "attach_to_delivery": {"id": command.order, "trackings": [of_delivery]},
        "correct": {"id": command.order} | of_delivery,
        "void": {"id": command.order, "reason": command.city} | number,
    }[command.kind]
