"""The fulfilment logs of the orders of a batch, of shops with a destination of the body `ucp`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.deliveries.domain.destination import Form
from services.deliveries.intake import EventItem
from services.deliveries.messages.decode import ReceivedEvent
from services.deliveries.messages.ucp.event import read_order_event
from services.deliveries.messages.ucp.log import Log, extended
from services.deliveries.receivers import ShopReceivers
from services.deliveries.store import OrderKey


def orders_with_logs(
    events: Sequence[EventItem], receivers: Mapping[str, ShopReceivers]
) -> set[OrderKey]:
    """The orders of a batch of which a log is kept: all of a shop, whatever its filters are."""
    shops = {shop for shop, found in receivers.items() if Form.UCP in found.forms}
    return {
        (each.received.head.shop, each.received.order_id)
        for each in events
        if each.received.head.shop in shops
    }


class FulfilmentLogs:
    """The logs of the orders of a batch, and which of them became longer."""

    def __init__(self, stored: Mapping[OrderKey, Log | None]) -> None:
        self._logs = dict(stored)
        self.changed: dict[OrderKey, Log] = {}

    def extend(self, event: ReceivedEvent, value: bytes) -> int | None:
        """Append what an event says; returns the length of the log, None where none is kept."""
        key = (event.head.shop, event.order_id)
        if key not in self._logs:
            return None
        before, read = self._logs[key], read_order_event(value)
        if read is None:
            return None if before is None else len(before)
        log = extended(before, read)
        if log != before:
            self._logs[key] = self.changed[key] = log
        return len(log)
