"""Scans of the contract's own form as scans of the domain.

Other forms (aggregators', carriers') become further types on `carrier.tracking`: each gets a
module beside this one that ends in the same `ReportTracking`.
"""

from __future__ import annotations

from datetime import datetime

from schemas import tracking as contract
from services.orders.domain import scans as domain
from services.orders.domain.carriers import event_name_of
from services.orders.domain.commands import ReportTracking
from services.orders.domain.identity import scan_key
from services.orders.domain.parcel import normalise_number
from services.runtime.records import Item


def report(message: contract.TrackingReport, item: Item, now: datetime) -> ReportTracking:
    """`tracking.reported`: the scans of one number, each with its instant and identity."""
    number = normalise_number(message.tracking_number)
    return ReportTracking(
        item_id=item.item_id,
        causation_id=item.causation_id,
        tracking_number=message.tracking_number,
        carrier_reference=message.carrier_reference,
        scans=tuple(_scan(scan, message.carrier_reference, number, now) for scan in message.scans),
    )


def _scan(scan: contract.Scan, carrier: str | None, number: str, now: datetime) -> domain.Scan:
    occurred_at, tz_known = contract.instant_of(scan)
    event_name = event_name_of(carrier, scan.event_name, scan.code, scan.retracts)
    key = scan_key(
        number=number,
        carrier=carrier,
        scan_id=scan.scan_id,
        event_name=event_name,
        code=scan.code,
        occurred_at=occurred_at,
        retracts=scan.retracts,
    )
    is_said = "precision" in scan.model_fields_set
    precision = domain.Precision(scan.precision.value) if is_said else None
    return domain.Scan(
        key=key,
        event_name=event_name,
        occurred_at=occurred_at,
        recorded_at=now,
        carrier=carrier,
        scan_id=scan.scan_id,
        code=scan.code,
        text=scan.text,
        timezone=scan.timezone,
        tz_known=tz_known,
        precision=domain.precision_of(scan.occurred_at, precision),
        location=_location(scan.location),
        eta=domain.Eta(earliest=scan.eta.from_, latest=scan.eta.to) if scan.eta else None,
        reason=scan.reason,
        attempt=scan.attempt,
        direction=domain.Direction(scan.direction.value) if scan.direction else None,
        pickup=_pickup(scan.pickup),
        proof=domain.Proof(**dict(scan.proof)) if scan.proof else None,
        retracts=scan.retracts,
    )


def _location(location: contract.Location | None) -> domain.Location | None:
    if location is None:
        return None
    return domain.Location(
        city=location.city,
        postal_code=location.postal_code,
        province=location.province,
        country_code=location.country_code,
        latitude=_text(location.latitude),
        longitude=_text(location.longitude),
    )


def _text(degrees: object) -> str | None:
    return None if degrees is None else str(degrees)


def _pickup(pickup: contract.Pickup | None) -> domain.Pickup | None:
    if pickup is None:
        return None
    return domain.Pickup(
        type=pickup.type.value,
        name=pickup.name,
        address=pickup.address,
        url=pickup.url,
        opening_hours=pickup.opening_hours,
        date_to=pickup.date_to.isoformat() if pickup.date_to else None,
    )
