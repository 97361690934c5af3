"""FedEx: track results with their scan events.

Documented at https://developer.fedex.com/api/en-us/catalog/track/v1/docs.html (the pushes have the
same form: https://developer.fedex.com/api/en-us/guides/webhook-developer-guide.html) and, of SOAP,
in the Web Services developer guide (TrackReply).

One number may come twice, with two unique ids: two parcels, each a part (docs/decisions/0168).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from services.orders.domain.tracking.scan import Direction, Eta, Location, Pickup, Proof
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.local_etas import day_or_local
from services.orders.messages.carriers.moments import moment_of
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    WORD,
    each,
    either,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import readable, with_last
from services.orders.messages.carriers.wrapped import wrapped_parts

_SCANS = ("scanEvents", "scanEventList", "Events")
_STATUS = ("latestStatusDetail", "StatusDetail")
_RESULTS = ("trackResults", "trackResult", "TrackDetails")
_COLLECT = ("HL", "HP")
_NO_SIGNER = "signature "
"""Begins what stands for a name where no signature was taken: `Signature not required`."""
_TIME_OF_STATUS: Mapping[str | None, tuple[str, ...]] = {
    "DL": ("ACTUAL_DELIVERY", "ActualDeliveryTimestamp"),
    "PU": ("ACTUAL_PICKUP", "ActualPickupTimestamp"),
}
"""Where the time of a status stands, in a result without scan events."""
_ETAS = ("ESTIMATED_DELIVERY", "EstimatedDeliveryTimestamp", "APPOINTMENT_DELIVERY")
_COMMITMENTS = ("COMMITMENT", "CommitmentTimestamp")


def parts(body: Any) -> Iterator[Part]:
    """The track results of an answer, a push or a reply, without those that are an error alone."""
    for part in wrapped_parts(body, _is_result, ("trackingNumber",)):
        if not _is_error(part.value):
            yield part


def _is_result(name: str, value: Mapping[str, Any]) -> bool:
    return name in _RESULTS or any(each in value for each in ("trackingNumberInfo", *_SCANS))


def _is_error(result: Mapping[str, Any]) -> bool:
    """Whether a result says only that nothing is known of its number."""
    if either(result, *_SCANS) or text(member(either(result, *_STATUS), "code")):
        return False
    severity = text(member(result, "Notification", "Severity"), WORD)
    return member(result, "error") is not None or severity in ("ERROR", "FAILURE")


def report(result: Any) -> ParcelReport:
    """What a track result says."""
    name = next((each for each in _SCANS if member(result, each) is not None), _SCANS[0])
    direction = _direction(result)
    found = readable(member(result, name), f"/{name}", _scan, direction)
    scans = found.scans or readable(_status(result), "", _scan, direction).scans
    scans = with_last(scans, proof=_proof(result), eta=_eta(result), is_end=_is_delivery)
    return ParcelReport(
        tracking_number=_number(result),
        carrier="fedex",
        scans=_with_pickup(scans, _pickup(result)),
        left_out=found.left_out,
    )


def _number(result: Any) -> str | None:
    inner = either(result, "trackingNumberInfo")
    said = either(inner, "trackingNumber") or either(result, "trackingNumber", "TrackingNumber")
    return text(said, 512)


def _scan(event: Any, direction: Direction | None) -> SaidScan:
    return SaidScan(
        moment=moment_of(either(event, "date", "Timestamp")),
        code=_code(event),
        text=_words(event),
        location=_location(either(event, "scanLocation", "Address")),
        reason=_delay(event),
        direction=direction,
    )


def _code(event: Any) -> str | None:
    """The event with its exception, which says why.

    Exceptions of two digits are those of FedEx Express, of three digits those of FedEx Ground: `07`
    is a refusal, `007` that the addressee was not there.
    """
    code = text(either(event, "eventType", "EventType"), WORD)
    code = code or text(either(event, "derivedStatusCode"), WORD)
    why = text(either(event, "exceptionCode", "StatusExceptionCode"), WORD)
    return f"{code}/{why}" if code and why else code


def _words(event: Any) -> str | None:
    said = text(either(event, "eventDescription", "EventDescription"), LONG_LINE)
    why = text(either(event, "exceptionDescription", "StatusExceptionDescription"), LONG_LINE)
    return f"{said}: {why}"[:LONG_LINE] if said and why else said or why


def _delay(event: Any) -> str | None:
    delay = member(event, "delayDetail")
    is_late = text(member(delay, "status"), WORD) == "DELAYED"
    return text(member(delay, "type"), WORD) if is_late else None


def _location(said: Any) -> Location | None:
    """The place of an address, or of what has one."""
    address = either(either(said, "locationContactAndAddress") or said, "address") or said
    return location(
        city=either(address, "city", "City"),
        postal_code=either(address, "postalCode", "PostalCode"),
        province=either(address, "stateOrProvinceCode", "StateOrProvinceCode"),
        country=either(address, "countryCode", "CountryCode"),
    )


def _status(result: Any) -> Any:
    """The status as an event, where there is no event and its time is known."""
    status = either(result, *_STATUS)
    code = text(either(status, "code", "Code"), WORD) or text(either(result, "StatusCode"), WORD)
    times = _times(result)
    at = next((times[each] for each in _TIME_OF_STATUS.get(code, ()) if each in times), None)
    at = at or either(status, "CreationTime")
    if code is None or at is None:
        return None
    return {
        "date": at,
        "eventType": code,
        "eventDescription": either(status, "description", "Description"),
        "scanLocation": either(status, "scanLocation", "Location"),
    }


def _times(result: Any) -> dict[str, Any]:
    """The times of a result, by their names in JSON and in each version of XML."""
    found = {
        name: said
        for name in (*_ETAS, *_COMMITMENTS, "ActualDeliveryTimestamp", "ActualPickupTimestamp")
        if (said := either(result, name)) is not None
    }
    for _, entry in each(either(result, "dateAndTimes", "DatesOrTimes")):
        name = text(either(entry, "type", "Type"), WORD)
        said = either(entry, "dateTime", "DateOrTimestamp")
        if name is not None and said is not None:
            found[name] = said
    return found


def _eta(result: Any) -> Eta | None:
    """The estimated window, else the estimated day or time, else what the service commits to."""
    place, times = _destination(result), _times(result)
    windows = [
        _window(result, "estimatedDeliveryTimeWindow"),
        *((times.get(name), times.get(name)) for name in _ETAS),
        _window(result, "standardTransitTimeWindow"),
        *((times.get(name), times.get(name)) for name in _COMMITMENTS),
    ]
    for first, last in windows:
        earliest, latest = day_or_local(first, place), day_or_local(last, place)
        if earliest is not None or latest is not None:
            return Eta(earliest=earliest or latest, latest=latest or earliest)
    return None


def _window(result: Any, name: str) -> tuple[Any, Any]:
    window = member(result, name, "window")
    return member(window, "begins"), member(window, "ends")


def _destination(result: Any) -> Location | None:
    """The place of the delivery: hours without an offset are local there."""
    addresses = (
        member(result, "recipientInformation", "address"),
        member(result, "lastUpdatedDestinationAddress"),
        member(result, "destinationLocation"),
        member(result, "DestinationAddress"),
    )
    return next(filter(None, map(_location, addresses)), None)


def _is_delivery(scan: SaidScan) -> bool:
    return _event_of(scan) == "DL"


def _event_of(scan: SaidScan) -> str:
    return (scan.code or "").partition("/")[0]


def _proof(result: Any) -> Proof | None:
    details = either(result, "deliveryDetails")
    said = either(details, "signedByName") or either(details, "receivedByName")
    signer = text(said) or text(either(result, "DeliverySignatureName"))
    is_name = signer is not None and not signer.lower().startswith(_NO_SIGNER)
    return Proof(signed_by=signer) if is_name else None


def _pickup(result: Any) -> Pickup | None:
    """Where the parcel is held for collection."""
    held = member(result, "holdAtLocation", "locationContactAndAddress")
    name = text(member(held, "contact", "companyName"))
    address = either(held, "address")
    lines = [text(line) for _, line in each(member(address, "streetLines"))]
    town = [text(member(address, name)) for name in ("city", "stateOrProvinceCode", "postalCode")]
    street, place = ", ".join(filter(None, lines)), " ".join(filter(None, town))
    where = text(", ".join(filter(None, (street, place))))
    return Pickup(type="shop", name=name, address=where) if name or where else None


def _with_pickup(scans: list[SaidScan], pickup: Pickup | None) -> list[SaidScan]:
    if pickup is None:
        return scans
    return [replace(scan, pickup=pickup) if _event_of(scan) in _COLLECT else scan for scan in scans]


def _direction(result: Any) -> Direction | None:
    """A return that its shipper allowed has the name of who did."""
    allowed = text(member(result, "returnDetail", "authorizationName"))
    return Direction.CUSTOMER_MERCHANT if allowed else None


DIALECT = Dialect(
    types=("fedex.tracking",),
    scan_marks=(b'"date"', b'"dateTime"', b'"eventType"', b"imestamp>", b'imestamp"', b"Time>"),
    shape=re.compile(
        rb'"(?:completeTrackResults|trackingNumberUniqueId|scanEvents)"\s*:'
        rb"|<(?:\w+:)?TrackReply\b|\"CompletedTrackDetails\"\s*:"
    ),
    parts=parts,
    report=report,
)
