"""A shop that sends messages to the orders service without servers, and reads what comes out."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from services.orders.messages.decode import DecodedItem, read
from services.orders.outcomes import decided_records
from services.orders.unit_of_work import UnitOfWork
from services.runtime.batch.batch import Batch
from services.runtime.messages.records import Coordinates, Original
from services.runtime.outbox.outbox import Outgoing
from services.runtime.parking.gate import ParkingGate
from tests.unit.orders.builders import HOUR, NOON

ADDRESS = {"zip_code": "10115"}
MAX_BYTES = 900_000
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TOPICS = {"tracking.reported": "carrier.tracking", "claim.withdrawn": "claims.events"}


class Shop:
    """The orders service without servers: messages in, records out."""

    def __init__(self) -> None:
        self.unit = UnitOfWork(NOON, ParkingGate(Batch((), NOON)))
        self._offset = 0

    def send(self, type_: str, **body: Any) -> list[Outgoing]:
        """The records that a message ends in."""
        self._offset += 1
        topic = TOPICS.get(type_, "orders.commands")
        named = (("ce_type", type_), ("ce_id", str(self._offset)), ("traceparent", TRACE))
        headers = tuple((name, text.encode()) for name, text in named)
        value = json.dumps({"shop_slug": "qa", "id": "1", **body}).encode()
        original = Original(Coordinates(topic, 0, self._offset), b"qa/1", headers, value, NOON)
        before = len(self.unit.conclude(()))
        for entry in read(original, NOON):
            assert isinstance(entry, DecodedItem), entry
            self.unit.take(entry)
        return list(decided_records(self.unit, self.unit.conclude(())[before:], MAX_BYTES))

    def place(self, *, hours_ago: int = 0, **members: Any) -> list[Outgoing]:
        at = (NOON - hours_ago * HOUR).isoformat()
        order = {"order_number": "1", "address": ADDRESS, "order_placed_at": at, **members}
        return self.send("order.place", order=order)

    def attach(self, *numbers: str) -> list[Outgoing]:
        parcels = [{"tracking_number": number} for number in numbers]
        return self.send("order.upsert", trackings=parcels)

    def cancel(self, **members: Any) -> list[Outgoing]:
        return self.send("order.cancel", **members)

    def report(self, *names: str, number: str = "1Z999", **members: Any) -> list[Outgoing]:
        scans = [
            {
                "event_name": name,
                "scan_id": f"{number}-{name}",
                "occurred_at": (NOON + timedelta(minutes=place)).isoformat(),
                **members,
            }
            for place, name in enumerate(names)
        ]
        return self.send("tracking.reported", tracking_number=number, scans=scans)


def bodies(records: list[Outgoing]) -> list[dict[str, Any]]:
    """The events among records."""
    return [json.loads(each.value) for each in records if each.topic.endswith(".events")]
