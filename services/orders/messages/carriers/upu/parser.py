"""UPU: mail items with their EMSEVT events.

The International Postal System of the UPU has a web service TrackAndTraceService (`GetMailitems`,
`TMailitem`), whose answers posts also give as JSON: events of the own post by scanning, and those
of other posts by EDI (EMSEVT messages, standard M40). Posts with services of their own write a mail
item (`mailItemId`) with `events`. The country in a number of standard S10 is the post.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from services.orders.domain.tracking.scan import Eta, Location, Proof
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import Moment, day_or_instant, moment_of
from services.orders.messages.carriers.plain import (
    LINE,
    LONG_LINE,
    WORD,
    each_having,
    each_named,
    each_with_pointer,
    either,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import ReadScans, eta_scan, readable
from services.runtime.messages.records import FieldError

_ITEMS = ("TMailitem", "mailItems", "mailitems", "MailItems", "mailItem", "items")
_NUMBERS = (
    "mailItemId",
    "mailitemId",
    "MailItemId",
    "itemId",
    "ItemId",
    "InternationalId",
    "trackingNumber",
    "tracking_number",
    "barcode",
)
_MAIL_ITEM = ("mailItemId", "mailitemId", "MailItemId", "InfoFromEdi", "OperationalMailitems")
"""Names of a mail item that stands alone."""
_IPS_NUMBERS = ("InternationalId", "LocalId")
_IPS_EVENTS = ("TMailitemEventEDI", "TMailitemEventScanning")
_EVENTS = ("events", "Events", "trackingEvents", "history")
_TIMES = ("eventDateTime", "dateTime", "eventTime", "EventDateTime", "LocalDateTime", "date")
_UTC_TIMES = ("GmtDateTime", "gmtDateTime", "utcDateTime")
_POSTS: Mapping[str, str] = {
    "AT": "postat",
    "BE": "bpost",
    "CH": "swisspost",
    "DE": "depost",
    "DK": "postnord",
    "FI": "posti",
    "GB": "royalmail",
    "IE": "anpost",
    "NL": "postnl_inter",
    "NO": "bring",
    "SE": "postnord",
    "US": "usps",
}
"""The post of a country, as our key; the others have none."""
_S10 = re.compile(r"[A-Z]{2}\d{9}([A-Z]{2})")
_IMPC = re.compile(r"[A-Z]{5}[A-Z0-9]")
_IS_CODE = re.compile(r"E[A-Z]{2}")


def parts(body: Any) -> Iterator[Part]:
    """The mail items of an answer, of a list, or the body itself."""
    for name in _ITEMS:
        if found := list(each_named(body, name)):
            yield from (Part(pointer, item) for pointer, item in found)
            return
    alone = list(each_having(body, _MAIL_ITEM)) or each_with_pointer(body, "")
    yield from (Part(pointer, item) for pointer, item in alone)


def report(item: Any) -> ParcelReport:
    """What a mail item says."""
    found = _scans(item)
    number = _number(item)
    compact = re.sub(r"[\s-]", "", number or "").upper()
    post = _S10.fullmatch(compact)
    return ParcelReport(
        tracking_number=number,
        carrier=_POSTS.get(post[1]) if post else None,
        scans=[*found.scans, *eta_scan(_eta(item), None, found.scans)],
        left_out=found.left_out,
    )


def _number(item: Any) -> str | None:
    said = either(item, *_NUMBERS)
    inner = (found for name in _IPS_NUMBERS for _, found in each_named(item, name))
    return text(next(inner, None) if said is None else said, 512)


def _scans(item: Any) -> ReadScans:
    """The events of the item; of the International Postal System from both of its lists."""
    name = next((name for name in _EVENTS if isinstance(member(item, name), list)), None)
    if name is not None:
        return readable(member(item, name), f"/{name}", _scan, None)
    entries = [each for name in _IPS_EVENTS for each in each_named(item, name)]
    found = readable([entry for _, entry in entries], "", _scan, None)
    errors = [
        FieldError(entries[int(error.pointer[1:])][0], error.message) for error in found.left_out
    ]
    return ReadScans(found.scans, errors)


def _scan(event: Any, _: None) -> SaidScan:
    code, name = _code(event), text(member(event, "IPSEventType", "Name"), LINE)
    said = either(event, "description", "eventName", "EventName", "text", "message")
    signer = text(either(event, "signatoryName", "signatory", "signedBy")) or text(
        member(event, "Delivery", "SignatoryName")
    )
    return SaidScan(
        moment=_moment(event),
        code=code,
        name=name if code is None else None,
        text=text(said if said is not None else name, LONG_LINE),
        location=_place(event),
        reason=_reason(event),
        proof=Proof(signed_by=signer) if signer else None,
    )


def _code(event: Any) -> str | None:
    """The EMSEVT code; in whatever case it is written."""
    inner = either(member(event, "EdiEvent"), "Code", "code")
    said = text(either(event, "eventCode", "EventCode", "code", "event") or inner, WORD)
    return said.upper() if said and _IS_CODE.fullmatch(said.upper()) else said


def _moment(event: Any) -> Moment:
    return moment_of(
        either(event, *_TIMES),
        clock=either(event, "time"),
        utc=either(event, *_UTC_TIMES),
        offset=either(event, "offset", "utcOffset"),
        zone=either(event, "timeZone", "timezone"),
    )


def _place(event: Any) -> Location | None:
    """The office: the first two letters of its code are the country (IMPC code)."""
    office = either(event, "EventOffice", "office", "eventOffice", "location")
    code = text(either(office, "Code", "code") or either(event, "officeCode", "impc"), WORD) or ""
    city = either(office, "city", "City", "Name", "name") or either(event, "officeName", "city")
    if isinstance(office, str):
        code, city = (office, city) if _IMPC.fullmatch(office) else (code, city or office)
    country = either(office, "countryCode", "country") or either(event, "countryCode", "country")
    return location(
        city=city,
        postal_code=either(office, "postalCode", "postcode") or either(event, "postalCode"),
        country=country or (code[:2] if _IMPC.fullmatch(code) else None),
    )


def _reason(event: Any) -> str | None:
    reasons = (
        member(event, "NonDeliveryReason", "Name"),
        member(event, "RetentionReason", "Name"),
        either(event, "nonDeliveryReason", "retentionReason", "reason", "reasonCode"),
    )
    return next(filter(None, (text(each, WORD) for each in reasons)), None)


def _eta(item: Any) -> Eta | None:
    at = day_or_instant(either(item, "expectedDeliveryDate", "estimatedDeliveryDate"))
    return Eta(earliest=at, latest=at) if at else None


DIALECT = Dialect(
    types=("upu.tracking",),
    scan_marks=(b"EventOffice", b"IPSEventType", b'"eventCode"', b'"EventCode"', b'"code"'),
    shape=re.compile(rb'TMailitem(?:Info|Event)|"[mM]ail[iI]temId"\s*:'),
    parts=parts,
    report=report,
)
