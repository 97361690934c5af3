"""Telling: the events that new scans make on the shipment they belong to, one per scan."""

from __future__ import annotations

from services.orders.domain.events.order_events import tell_updated
from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.decision import EventType, ShipmentFact
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order, Shipment, with_shipment
from services.orders.domain.tracking.catalogue import entry_of
from services.orders.domain.tracking.extend import Heard, Replay
from services.orders.domain.tracking.running_total import RunningTotal
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.tracking.state import TrackingState
from services.orders.domain.value import replace


def tell_scans(
    ledger: Recorder,
    order: Order,
    shipment_id: Uuid,
    known: tuple[Scan, ...],
    new: tuple[Scan, ...],
) -> RunningTotal:
    """Recompute a shipment over `known` and `new` scans, with one event per new scan, by time.

    A state that differs without a new scan (a scan was corrected, or left for another parcel) is
    published as an update of the shipment. Returns the sum of all of them.
    """
    replay = Replay(known, ledger.now)
    if not new:
        _tell_recomputed(ledger, order.order_id, shipment_id, replay.tally.course.state())
        return replay.tally
    is_import = not known and len(new) > 1
    for heard in replay.hear(new):
        shown = replace(heard, notify=False) if is_import else heard
        tell_scan(ledger, order.order_id, shipment_id, shown)
    return replay.tally


def tell_scan(ledger: Recorder, order_id: Uuid, shipment_id: Uuid, heard: Heard) -> None:
    """Put the state that a shipment has with a new scan, and add the scan's event."""
    before = _shipment(ledger, order_id, shipment_id)
    after = replace(before, tracking=heard.state)
    ledger.put(with_shipment(_order(ledger, order_id), after))
    # After a reassignment the same scan is a new fact of this shipment, with a new id.
    cause = f"{heard.scan.key}/{after.generation}" if after.generation else heard.scan.key
    ledger.tell_shipment(
        order_id,
        after,
        EventType.SHIPMENT_SCANNED,
        _fact(ledger, before, after, heard),
        name=entry_of(heard.scan.event_name).name,
        group=heard.group,
        cause=cause,
    )


def _fact(ledger: Recorder, before: Shipment, after: Shipment, heard: Heard) -> ShipmentFact:
    scan = heard.scan
    return ShipmentFact(
        carrier_reference=scan.carrier or after.carrier,
        tracking_number=after.tracking_number,
        tracking_url=after.tracking_url,
        direction=after.direction,
        phase=entry_of(scan.event_name).phase or after.tracking.phase,
        shipment_phase=after.tracking.phase,
        previous_phase=before.tracking.phase,
        flag=after.tracking.flag,
        previous_flag=before.tracking.flag,
        eta=after.tracking.eta,
        previous_eta=before.tracking.eta,
        leg=after.tracking.leg,
        updated_at=ledger.now,
        recorded_at=scan.recorded_at,
        occurred_at=scan.occurred_at,
        notify=heard.notify,
        scan_id=scan.scan_id,
        carrier_code=scan.code,
        carrier_text=scan.text,
        location=scan.location,
        reason=scan.reason,
        attempt=scan.attempt,
        pickup=scan.pickup,
        proof=scan.proof,
        tz_known=scan.tz_known,
    )


def _tell_recomputed(
    ledger: Recorder, order_id: Uuid, shipment_id: Uuid, state: TrackingState
) -> None:
    before = _shipment(ledger, order_id, shipment_id)
    after = replace(before, tracking=state)
    if after == before:
        return
    order = with_shipment(_order(ledger, order_id), after)
    ledger.put(order)
    cause = f"{ledger.item.item_id}/tracking"
    tell_updated(ledger, order, before, after, ("tracking",), cause=cause)


def _order(ledger: Recorder, order_id: Uuid) -> Order:
    order = ledger.order(order_id)
    if order is None:
        raise LookupError(f"order {order_id} is not in the ledger")
    return order


def _shipment(ledger: Recorder, order_id: Uuid, shipment_id: Uuid) -> Shipment:
    for shipment in _order(ledger, order_id).shipments:
        if shipment.shipment_id == shipment_id:
            return shipment
    raise LookupError(f"shipment {shipment_id} is not on order {order_id}")
