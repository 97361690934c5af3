"""The log of fulfilment events of an order: entries are appended, and stay as they are.

The events of an order's parcels are its log, in the order in which the service took them. An entry
has the id of its event. A correction is an entry of its own, as it is an event of its own. Where
the service has no log of an order yet, it begins with what the order says of its parcels.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from services.deliveries.messages.ucp.event import OrderEvent, Parcel
from services.deliveries.messages.ucp.quantities import LineQuantity, contents_of, line_ids
from services.runtime.messages.records import named_uuid

LOG_BYTES_MAX = 262_144
"""A log that would be larger is left as it is."""

GIVEN_UP = frozenset({"LOST", "DISPOSED", "CONFISCATED", "TRACKING_EXPIRED"})
SHIPPED, IN_TRANSIT, PROCESSING, DELIVERED = "shipped", "in_transit", "processing", "delivered"
_TYPES = {
    "order_created": PROCESSING,
    "order_processed": PROCESSING,
    "delivery_failed": "failed_attempt",
    "return_received": "returned_to_sender",
    "returned": "returned_to_sender",
}
"""Types of the protocol by phase; other phases are types of their own."""


class Entry(Struct, frozen=True, omit_defaults=True, gc=False):
    """A fulfilment event as it stands in bodies."""

    id: str
    occurred_at: str
    type: str
    line_items: tuple[LineQuantity, ...]
    tracking_number: str | None = None
    tracking_url: str | None = None
    carrier: str | None = None
    description: str | None = None

    @property
    def fact(self) -> tuple[str | None, str, str]:
        """What it says, to find the event of an entry that a log began with."""
        return self.tracking_number, self.type, self.occurred_at


Log = tuple[Entry, ...]
_LOG = msgspec.json.Decoder(Log)


def read_log(stored: bytes) -> Log:
    """A log as it is stored."""
    return _LOG.decode(stored)


def write_log(log: Log) -> bytes:
    """A log as it is stored."""
    return msgspec.json.encode(log)


def extended(log: Log | None, event: OrderEvent) -> Log:
    """The log with what an event says; None: there is no log of the order yet."""
    said = list(_entries(event, log or ()))
    if log is None:
        names = {(each.tracking_number, each.type) for each in said}
        log = tuple(
            each for each in _beginning(event) if (each.tracking_number, each.type) not in names
        )
    ids = {each.id for each in log}
    facts = {each.fact for each in log if each.description is None}  # Of `_beginning`.
    new = [each for each in said if each.id not in ids and each.fact not in facts]
    longer = (*log, *new)
    return longer if len(write_log(longer)) <= LOG_BYTES_MAX else log


def _entries(event: OrderEvent, before: Log) -> Iterator[Entry]:
    """What an event of a parcel says; nothing of other events."""
    data = event.event_data
    if event.source != "shipments" or data.event_name == "SHIPMENT_UPDATED":
        return
    parcel = next((p for p in event.context.shipments if p.shipment_id == data.shipment_id), None)
    yield Entry(
        event.event_id,
        data.occurred_at or event.triggered_at,
        _type_of(event, before),
        _contents(event, parcel),
        data.tracking_number,
        data.tracking_url,
        data.carrier_reference,
        data.event_name,
    )


def _type_of(event: OrderEvent, before: Log) -> str:
    """The type by the phase to which the event moved the parcel, else by its own phase.

    A parcel that is delivered after a return began is back at the sender.
    """
    data = event.event_data
    if data.event_name in GIVEN_UP:
        return "undeliverable"
    if data.event_name == "SHIPMENT_RELEASED":
        return "canceled"
    is_moved = data.previous_phase and data.shipment_phase != data.previous_phase
    phase = (data.shipment_phase if is_moved else data.phase) or ""
    if phase != IN_TRANSIT:
        return _TYPES.get(phase, phase or PROCESSING)
    number = data.tracking_number
    is_shipped = any(each.tracking_number == number and each.type != PROCESSING for each in before)
    return IN_TRANSIT if is_shipped else SHIPPED


def _contents(event: OrderEvent, parcel: Parcel | None) -> tuple[LineQuantity, ...]:
    order = event.context.order
    if parcel is None or order is None:
        return ()
    return contents_of(event.context, parcel, line_ids(order.products))


def _beginning(event: OrderEvent) -> Iterator[Entry]:
    """What the order says of its parcels, in the order of time."""
    found = []
    for parcel in event.context.shipments:
        for type_, at in (
            (PROCESSING, parcel.tracking_placed_at),
            (SHIPPED, parcel.first_scan_at),
            (DELIVERED, parcel.delivered_at),
        ):
            if at and not parcel.draft:
                found.append(_milestone(event, parcel, type_, at))
    yield from sorted(found, key=lambda each: each.occurred_at)


def _milestone(event: OrderEvent, parcel: Parcel, type_: str, at: str) -> Entry:
    return Entry(
        named_uuid(f"ucp/{parcel.shipment_id}/{parcel.tracking_number}/{type_}/{at}"),
        at,
        type_,
        _contents(event, parcel),
        parcel.tracking_number,
        parcel.tracking_url,
        parcel.carrier_reference,
    )
