"""The dialect of the contract: `tracking.reported` messages as scans of the domain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import MAXYEAR, MINYEAR, datetime, time

from schemas import enums
from schemas import tracking as contract
from services.orders.domain.model.commands import ReportTracking
from services.orders.domain.model.ids import scan_key
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.domain.tracking import scan as domain
from services.orders.domain.tracking.catalogue import CATALOGUE, SCAN_RETRACTED
from services.orders.domain.tracking.naming import said_form, with_meaning
from services.orders.domain.value import replace
from services.orders.messages.carriers.code_maps import CODE_MAPS
from services.orders.messages.carriers.dialect import OwnForm
from services.runtime.messages.records import Item
from services.runtime.twins import Reader, omitted

_PRECISIONS: Mapping[enums.Precision, domain.Precision] = {
    each: domain.Precision(each.value) for each in enums.Precision
}
_DIRECTIONS: Mapping[enums.Direction, domain.Direction] = {
    each: domain.Direction(each.value) for each in enums.Direction
}

_MIDNIGHT = time(0)
_NO_LOCATION = domain.Location()
_NO_PICKUP = domain.Pickup(type=enums.PickupType.UNKNOWN.value)


def report(message: contract.TrackingReport, item: Item, now: datetime) -> ReportTracking:
    """`tracking.reported`: the scans of one number, each with its instant and identity."""
    number = normalise_number(message.tracking_number)
    carrier = message.carrier_reference
    return ReportTracking(
        item_id=item.item_id,
        causation_id=item.causation_id,
        tracking_number=message.tracking_number,
        carrier_reference=carrier,
        scans=tuple([_scan(scan, carrier, number, now) for scan in message.scans]),
    )


def _scan(scan: contract.Scan, carrier: str | None, number: str, now: datetime) -> domain.Scan:
    occurred_at, tz_known = contract.instant_of(scan)
    written = _as_written(scan)
    code, name = scan.code or None, scan.event_name or None
    form, is_known = name, name in CATALOGUE
    if name is not None and not is_known:
        form = said_form(name)
        is_known = form in CATALOGUE
    key = scan_key(
        number=number,
        carrier=carrier,
        scan_id=scan.scan_id,
        name=form,
        code=code,
        occurred_at=occurred_at,
        retracts=scan.retracts,
    )
    said = None if "precision" in omitted(scan) else _PRECISIONS[scan.precision]
    precision = domain.precision_of(written, said)
    found = domain.Scan(
        key=key,
        event_name=form if form is not None and scan.retracts is None else SCAN_RETRACTED,
        occurred_at=occurred_at,
        recorded_at=now,
        carrier=carrier,
        scan_id=scan.scan_id,
        code=code,
        text=scan.text or None,
        timezone=scan.timezone,
        tz_known=tz_known,
        precision=precision,
        location=_location(scan.location),
        eta=_eta(scan.eta),
        reason=scan.reason or None,
        attempt=scan.attempt,
        direction=None if scan.direction is None else _DIRECTIONS[scan.direction],
        pickup=_pickup(scan.pickup),
        proof=_proof(scan.proof),
        retracts=scan.retracts,
        written_on=written.date() if precision is domain.Precision.DAY else None,
    )
    if not is_known:
        return _named(found, name)
    if found.reason is None or found.retracts is not None:
        return found
    return replace(found, why=CODE_MAPS.why_of(found.reason))


def _named(scan: domain.Scan, name: str | None) -> domain.Scan:
    """A scan whose sender gives it no name of the catalogue, by the code map of its carrier."""
    code_set = scan.carrier.casefold() if scan.carrier and scan.code else None
    found = replace(scan, name=name, code_set=code_set)
    if scan.retracts is not None:
        return found
    return with_meaning(found, CODE_MAPS.meaning_of(code_set, name, scan.code), CODE_MAPS)


def _as_written(scan: contract.Scan) -> datetime:
    """The time as the carrier wrote it.

    A carrier that names its zone may write a midnight there with another offset: `23:00Z` is a
    midnight in Berlin. Such a time is returned in the named zone.
    """
    written = scan.occurred_at
    if not scan.timezone or written.tzinfo is None or written.time() == _MIDNIGHT:
        return written
    zone = contract.zone_named(scan.timezone)
    if zone is None or not MINYEAR < written.year < MAXYEAR:
        return written
    local = written.astimezone(zone)
    return local if local.time() == _MIDNIGHT else written


# An object without a value says nothing, so it replaces nothing that earlier scans said.


def _location(said: contract.Location | None) -> domain.Location | None:
    if said is None:
        return None
    location = domain.Location(
        city=said.city,
        postal_code=said.postal_code,
        province=said.province,
        country_code=said.country_code,
        latitude=_text(said.latitude),
        longitude=_text(said.longitude),
    )
    return location if location != _NO_LOCATION else None


def _text(degrees: object) -> str | None:
    return None if degrees is None else str(degrees)


def _eta(said: contract.EtaWindow | None) -> domain.Eta | None:
    if said is None or (said.from_ is None and said.to is None):
        return None
    return domain.Eta(earliest=said.from_, latest=said.to)


def _proof(said: contract.Proof | None) -> domain.Proof | None:
    if said is None or not (said.signed_by or said.image_url):
        return None
    return domain.Proof(signed_by=said.signed_by, image_url=said.image_url)


def _pickup(said: contract.Pickup | None) -> domain.Pickup | None:
    if said is None:
        return None
    pickup = domain.Pickup(
        type=said.type.value,
        name=said.name,
        address=said.address,
        url=said.url,
        opening_hours=said.opening_hours,
        date_to=said.date_to.isoformat() if said.date_to else None,
    )
    return pickup if pickup != _NO_PICKUP else None


DIALECT = OwnForm(
    type=contract.TRACKING_REPORTED,
    scan_mark=b'"occurred_at"',
    reader=Reader(contract.TrackingReport, omitted_of=(contract.Scan,), is_repairing=True),
    report=report,
)
