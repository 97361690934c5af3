"""Scan events: one event for each new scan, on the shipment that the scan belongs to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from services.orders.domain.events.order_events import emit_delivery, emit_shipment_updated
from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.contents import match_contents
from services.orders.domain.model.decision import EventType
from services.orders.domain.model.ids import Uuid, event_id_of
from services.orders.domain.model.order import Order, Shipment, with_shipment
from services.orders.domain.tracking.catalogue import UNMAPPED, entry_of
from services.orders.domain.tracking.extend import ScanHistory, ScanResult
from services.orders.domain.tracking.fold import Fold
from services.orders.domain.tracking.notifications import (
    NOTICES_MAX,
    Notice,
    Standing,
    choose,
    notice_of,
    notices_until,
    with_given,
    with_moved,
)
from services.orders.domain.tracking.replay import replay, standing_of
from services.orders.domain.tracking.scan import Scan, day_of
from services.orders.domain.tracking.state import TrackingState
from services.orders.domain.tracking.unknown_code import unknown_code_of
from services.orders.domain.tracking.why import why_of
from services.orders.domain.value import replace

_NewScan: TypeAlias = tuple[Scan, str | None]
"""A new scan, and the notification group of its event."""


def emit_scans(
    recorder: Recorder,
    order: Order,
    shipment_id: Uuid,
    known: tuple[Scan, ...],
    new: tuple[Scan, ...],
    *,
    fold: Fold | None = None,
    late: tuple[Scan, ...] = (),
    quiet: Collection[str] = (),
    is_part: bool = False,
) -> ScanHistory:
    """Recompute the state of a shipment from its scans; add one event per new scan, by time.

    `late` are new scans for the fold; those whose keys are in `quiet` make no event. A state that
    differs without a new scan (a scan was corrected, or now belongs to another shipment) is
    published as `shipment.updated`, unless this `is_part` of what is added. Returns the history of
    all scans.
    """
    order_id, history = order.order_id, ScanHistory(known, recorder.now, fold)
    results: list[ScanResult] = []
    if new or late:
        _find_notices(recorder, order_id, shipment_id, known, fold)
        results = history.add(new) if not late else _add_late(history, late, quiet, new)
    if results:
        _move_notices(recorder, order_id, shipment_id, history.standings)
        emit_results(recorder, order_id, shipment_id, results, history.standings)
    elif not is_part:
        state = history.total.machine.state()
        _move_notices(recorder, order_id, shipment_id, history.standings)
        _emit_recomputed(recorder, order_id, shipment_id, state)
    return history


def _add_late(
    history: ScanHistory,
    late: tuple[Scan, ...],
    quiet: Collection[str],
    new: tuple[Scan, ...],
) -> list[ScanResult]:
    """Add scans to the fold, then new ones that are kept; returns the results with an event."""
    added = [history.add_late(scan) for scan in late]
    return [result for result in added if result.scan.key not in quiet] + history.add(new)


def _find_notices(
    recorder: Recorder,
    order_id: Uuid,
    shipment_id: Uuid,
    known: tuple[Scan, ...],
    fold: Fold | None,
) -> None:
    """Give a shipment whose notices were not stored those that its scans may have given."""
    if _shipment(recorder, order_id, shipment_id).notices is None:
        steps = replay(known, recorder.now, fold=fold).steps
        found = notices_until((step.scan, standing_of(step)) for step in steps)
        _put_notices(recorder, order_id, shipment_id, found)


def _move_notices(
    recorder: Recorder, order_id: Uuid, shipment_id: Uuid, standings: Mapping[str, Standing]
) -> None:
    """Keep the notices of a shipment as its scans stand now."""
    held = _shipment(recorder, order_id, shipment_id).notices or ()
    moved = with_moved(held, standings)
    if moved is not held:
        _put_notices(recorder, order_id, shipment_id, moved)


def _put_notices(
    recorder: Recorder, order_id: Uuid, shipment_id: Uuid, notices: tuple[Notice, ...]
) -> None:
    shipment = replace(_shipment(recorder, order_id, shipment_id), notices=notices)
    recorder.put(with_shipment(_order(recorder, order_id), shipment))


def emit_results(
    recorder: Recorder,
    order_id: Uuid,
    shipment_id: Uuid,
    results: Sequence[ScanResult],
    standings: Mapping[str, Standing],
) -> None:
    """Put the shipment with its state after new scans, and add the event of each scan."""
    new = [(result.scan, result.group) for result in results]
    if order_id in recorder.world.published:
        new = _unpublished(recorder, order_id, shipment_id, new, standings)
    held = _shipment(recorder, order_id, shipment_id).notices or ()
    key, notice = choose(new, standings, results[-1].state, held, recorder.now) or (None, None)
    for result in results:
        _emit_scan(
            recorder, order_id, shipment_id, result, notice if result.scan.key == key else None
        )


def _unpublished(
    recorder: Recorder,
    order_id: Uuid,
    shipment_id: Uuid,
    new: Sequence[_NewScan],
    standings: Mapping[str, Standing],
) -> list[_NewScan]:
    """Those of the new scans whose events were not published before a restore: they may notify.

    The shipment gets the notices of the others that notified then, as their scans stand now.
    """
    published = recorder.world.published[order_id]
    shipment = _shipment(recorder, order_id, shipment_id)
    notices, rest = shipment.notices or (), []
    for scan, group in new:
        cause = _cause(scan, shipment)
        event_id = event_id_of(order_id, shipment_id, EventType.SHIPMENT_SCANNED, cause)
        standing = standings.get(scan.key)
        if not published.has(event_id):
            rest.append((scan, group))
        elif standing is not None and standing.group and published.has_notified(event_id):
            notices = with_given(notices, notice_of(scan, standing))
    if notices != shipment.notices:
        _put_notices(recorder, order_id, shipment_id, notices)
    return rest


def _cause(scan: Scan, shipment: Shipment) -> str:
    """The cause of a scan's event. After a reassignment the scan is a new fact, with a new id."""
    return f"{scan.key}/{shipment.generation}" if shipment.generation else scan.key


def _emit_scan(
    recorder: Recorder,
    order_id: Uuid,
    shipment_id: Uuid,
    result: ScanResult,
    notice: Notice | None,
) -> None:
    scan, entry = result.scan, entry_of(result.scan.event_name)
    order = _order(recorder, order_id)
    before = _shipment_of(order, shipment_id)
    notices = before.notices
    if notice is not None:
        notices = (*(notices or ()), notice)[-NOTICES_MAX:]
    after = replace(before, tracking=result.state, notices=notices)
    recorder.put(_with_tracking(order, before, after))
    if entry.name == UNMAPPED:
        _note_unknown(recorder, scan, after)
    cause = _cause(scan, after)
    why = entry.why if scan.why is None else why_of(scan, entry)
    recorder.emit_shipment(
        order_id,
        before,
        after,
        EventType.SHIPMENT_SCANNED,
        name=entry.name,
        group=result.group,
        occurred_at=scan.occurred_at,
        occurred_on=day_of(scan),
        cause=cause,
        carrier_reference=scan.carrier or after.carrier,
        phase=entry.phase or after.tracking.phase,
        recorded_at=scan.recorded_at,
        notify=notice is not None,
        scan_id=scan.scan_id,
        carrier_code=scan.code,
        carrier_text=scan.text,
        location=scan.location,
        reason=scan.reason,
        attempt=scan.attempt,
        pickup=scan.pickup,
        proof=scan.proof,
        tz_known=scan.tz_known,
        reason_code=why and why.reason_code,
        carrier_status=scan.name,
        timezone=scan.timezone,
    )
    if _is_delivery_changed(before, after):
        at = scan.occurred_at
        _emit_delivery(recorder, order_id, before, after, occurred_at=at, cause=cause)


def _note_unknown(recorder: Recorder, scan: Scan, shipment: Shipment) -> None:
    found = unknown_code_of(scan, shipment.number or "", recorder.world.code_maps)
    if found is not None:
        recorder.unknown_codes += (found,)


def _emit_recomputed(
    recorder: Recorder, order_id: Uuid, shipment_id: Uuid, state: TrackingState
) -> None:
    before = _shipment(recorder, order_id, shipment_id)
    after = replace(before, tracking=state)
    if after == before or _is_only_completed(before.tracking, state):
        return
    order = _with_tracking(_order(recorder, order_id), before, after)
    recorder.put(order)
    cause = f"{recorder.item.item_id}/tracking"
    emit_shipment_updated(recorder, order, before, after, ("tracking",), cause=cause)
    if _is_delivery_changed(before, after):
        _emit_delivery(recorder, order_id, before, after, cause="tracking")


def _is_only_completed(before: TrackingState, after: TrackingState) -> bool:
    """Whether only members differ that a version before did not store (docs/decisions/0169).

    A parcel that was scanned always has a sub-status since. `orderflow migrate` fills these members
    without an event; so does the next scan.
    """
    if before.sub_status is not None or before.first_scan_at is None:
        return False
    return replace(before, sub_status=after.sub_status, why=after.why) == after


def _is_delivery_changed(before: Shipment, after: Shipment) -> bool:
    return (before.tracking.delivered_at is None) is not (after.tracking.delivered_at is None)


def _emit_delivery(
    recorder: Recorder,
    order_id: Uuid,
    before: Shipment,
    after: Shipment,
    *,
    occurred_at: datetime | None = None,
    cause: str,
) -> None:
    """Add the event of the order for a shipment that came to be delivered, or is so no more.

    `occurred_at` is the time of the scan that is the cause, None where no scan is.
    """
    order = _order(recorder, order_id)
    emit_delivery(
        recorder,
        with_shipment(order, before),
        order,
        occurred_at=occurred_at,
        cause=f"{after.shipment_id}/{cause}",
        shipment=after.shipment_id,
    )


def _with_tracking(order: Order, before: Shipment, after: Shipment) -> Order:
    """The order with a shipment's new state; goods that are gone may be sent a second time."""
    changed = with_shipment(order, after)
    return match_contents(changed) if before.is_gone is not after.is_gone else changed


def _order(recorder: Recorder, order_id: Uuid) -> Order:
    order = recorder.order(order_id)
    if order is None:
        raise LookupError(f"order {order_id} is neither read nor changed by this decision")
    return order


def _shipment(recorder: Recorder, order_id: Uuid, shipment_id: Uuid) -> Shipment:
    return _shipment_of(_order(recorder, order_id), shipment_id)


def _shipment_of(order: Order, shipment_id: Uuid) -> Shipment:
    for shipment in order.shipments:
        if shipment.shipment_id == shipment_id:
            return shipment
    raise LookupError(f"shipment {shipment_id} is not on order {order.order_id}")
