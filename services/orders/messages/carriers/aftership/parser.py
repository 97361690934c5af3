"""AfterShip: a tracking with its checkpoints.

Documented at https://www.aftership.com/docs/tracking/2026-07/webhook/webhook-specifications and, of
the tracking, at https://www.aftership.com/docs/tracking/2026-07/model/tracking.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from schemas.codes import country_of
from services.orders.domain.tracking.scan import Direction, Eta, Location, Pickup, Proof
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import day_or_instant, moment_of
from services.orders.messages.carriers.plain import (
    ID,
    LONG_LINE,
    WORD,
    each,
    either,
    link,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import (
    apart,
    eta_scan,
    readable,
    status_scan,
    with_last,
)
from services.orders.messages.carriers.wrapped import wrapped_parts

_COUNTRIES = ("country_region", "country_iso3", "country_name", "country_region_name")
_NAMED_PLACES = ("state", "zip", "postal_code", *_COUNTRIES)
_CODE_LENGTH = 3
_SET_BY_AFTERSHIP = ("Delivered", "Exception", "Expired")
"""Tags that no checkpoint has where the shop completed the tracking, or AfterShip gave it up."""


def parts(body: Any) -> Iterator[Part]:
    """The trackings of webhooks, of an answer of the API, or the body itself."""
    return wrapped_parts(body, _is_tracking)


def _is_tracking(_: str, value: Mapping[str, Any]) -> bool:
    return "tracking_number" in value or "checkpoints" in value


def report(tracking: Any) -> ParcelReport:
    """What a tracking says."""
    direction = _direction(tracking)
    # The answer about the last checkpoint has this one alone.
    name = "checkpoints" if member(tracking, "checkpoints") is not None else "checkpoint"
    found = readable(member(tracking, name), f"/{name}", _scan, direction)
    updated = member(tracking, "updated_at") or member(tracking, "last_updated_at")
    scans = [*apart(found.scans, _statuses), *_status(tracking, updated, found.scans)]
    scans = with_last(scans, proof=_proof(tracking), pickup=_pickup(tracking))
    return ParcelReport(
        tracking_number=text(member(tracking, "tracking_number"), 512),
        carrier=text(member(tracking, "slug"), WORD),
        scans=[*scans, *eta_scan(_eta(tracking), updated, scans)],
        left_out=found.left_out,
    )


def _scan(checkpoint: Any, direction: Direction | None) -> SaidScan:
    events = [event for _, event in each(member(checkpoint, "events"))]
    first = events[0] if events else None
    subtag = text(member(checkpoint, "subtag"), WORD)
    return SaidScan(
        moment=moment_of(member(checkpoint, "checkpoint_time")),
        scan_id=text(member(checkpoint, "hash"), ID),
        code=text(member(checkpoint, "raw_tag")) or text(member(first, "code")),
        name=subtag or text(member(checkpoint, "tag"), WORD),
        text=text(member(checkpoint, "message"), LONG_LINE),
        location=_location(checkpoint),
        reason=text(member(first, "reason", "code"), WORD),
        direction=direction,
    )


def _statuses(name: str) -> tuple[str, str]:
    """The tag of a sub-status, and what it says beyond the tag: `InTransit_001` says nothing."""
    tag, _, number = name.partition("_")
    return tag, "" if number == "001" else number


def _status(tracking: Any, updated: Any, scans: Sequence[SaidScan]) -> Iterable[SaidScan]:
    """The status of the tracking, where no checkpoint has it."""
    tag = text(member(tracking, "tag"), WORD)
    name = text(member(tracking, "subtag"), WORD) or tag
    if name is None or tag in (None, "Pending") or (scans and tag not in _SET_BY_AFTERSHIP):
        return ()
    if any(
        (said.name or "").startswith(name if tag == "Exception" else str(tag)) for said in scans
    ):
        return ()
    delivered_at = member(tracking, "shipment_delivery_date") if tag == "Delivered" else None
    return status_scan(name, (delivered_at, updated), scans)


def _location(checkpoint: Any) -> Location | None:
    place = member(checkpoint, "coordinate")
    country = text(either(checkpoint, *_COUNTRIES))
    return location(
        city=text(member(checkpoint, "city")) or _city_of(checkpoint, country),
        postal_code=member(checkpoint, "postal_code") or member(checkpoint, "zip"),
        province=member(checkpoint, "state"),
        country=country,
        latitude=member(place, "latitude"),
        longitude=member(place, "longitude"),
    )


def _city_of(checkpoint: Any, country: str | None) -> str | None:
    """The place in AfterShip's words, `Bremen, DEU`, without what other members say."""
    others = (text(member(checkpoint, name)) for name in _NAMED_PLACES)
    named = {each.casefold() for each in others if each}
    words = [part.strip() for part in (text(member(checkpoint, "location")) or "").split(",")]
    kept = [word for word in words if word and word.casefold() not in named]
    code = country_of(country) if country else None
    if code is None:
        return ", ".join(kept) or None
    while kept and country_of(kept[-1]) == code and (kept[1:] or len(kept[0]) <= _CODE_LENGTH):
        kept.pop()  # A single name of a country is that of a city: Singapore.
    return ", ".join(kept).removesuffix(f" {code}") or None


def _direction(tracking: Any) -> Direction | None:
    said = text(member(tracking, "shipment_direction"), WORD)
    return Direction.CUSTOMER_MERCHANT if said is not None and said.lower() == "return" else None


def _eta(tracking: Any) -> Eta | None:
    """The newest estimate of all sources, else the carrier's, else that of AfterShip before 2024.

    None after the delivery.
    """
    if text(member(tracking, "tag")) == "Delivered":
        return None
    dates = (
        "estimated_delivery_date_min",
        "estimated_delivery_date_max",
        "estimated_delivery_date",
    )
    newest = member(tracking, "latest_estimated_delivery")
    return (
        _window(newest, "datetime_min", "datetime_max", "datetime")
        or _window(member(tracking, "courier_estimated_delivery_date"), *dates)
        or _window({"at": member(tracking, "expected_delivery")}, "", "", "at")
        or _window(member(tracking, "aftership_estimated_delivery_date"), *dates)
    )


def _window(said: Any, first: str, last: str, one: str) -> Eta | None:
    at = day_or_instant(member(said, one))
    earliest = day_or_instant(member(said, first)) or at
    latest = day_or_instant(member(said, last)) or at
    return Eta(earliest=earliest, latest=latest) if earliest or latest else None


def _proof(tracking: Any) -> Proof | None:
    """The signer and the first picture of the delivery."""
    links = (
        link(member(entry, "url") or member(entry, "image_url") or member(entry, "file_url"))
        for _, entry in each(member(tracking, "proof_of_delivery"))
    )
    signer, image = text(member(tracking, "signed_by")), next(filter(None, links), None)
    return Proof(signed_by=signer, image_url=image) if signer or image else None


def _pickup(tracking: Any) -> Pickup | None:
    name = text(member(tracking, "pickup_location"))
    return Pickup(type="unknown", name=name) if name else None


DIALECT = Dialect(
    types=("aftership.tracking",),
    scan_marks=(b'"checkpoint_time"', b'"tag"'),
    shape=re.compile(
        rb'"(?:checkpoint_time|is_tracking_first_tag|subtag_message|tracked_count)"\s*:'
    ),
    parts=parts,
    report=report,
)
