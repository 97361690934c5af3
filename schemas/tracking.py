"""Carriers' news on `carrier.tracking`, in our own form: `tracking.reported`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ConfigDict, Field, model_validator

from .enums import Direction, PickupType, Precision
from .model import ContractModel, about, refused
from .repair import APART, FACT
from .values import (
    Attempt,
    CarrierReference,
    CountryCode,
    DayOrTimestamp,
    Latitude,
    Line,
    LocalOrTimestamp,
    Longitude,
    LongLine,
    Reference,
    TrackingNumberField,
    Url,
    Word,
)


class Location(ContractModel):
    """Where a scan was made, as far as the carrier says."""

    city: Annotated[Line | None, about("Town or depot", "Leipzig")] = None
    postal_code: Annotated[Word | None, about("Postal code", "04103")] = None
    province: Annotated[Line | None, about("Province or state", "Sachsen")] = None
    country_code: Annotated[CountryCode | None, about("ISO 3166-1, two letters", "DE")] = None
    latitude: Annotated[Latitude | None, about("Latitude", 51.34, unit="degrees north")] = None
    longitude: Annotated[Longitude | None, about("Longitude", 12.37, unit="degrees east")] = None


class EtaWindow(ContractModel):
    """When the parcel is expected. A day is the destination's day, never midnight UTC."""

    from_: Annotated[
        DayOrTimestamp | None, Field(alias="from"), about("Earliest", "2026-03-04T10:00:00+01:00")
    ] = None
    to: Annotated[DayOrTimestamp | None, about("Latest", "2026-03-04T14:00:00+01:00")] = None

    model_config = ConfigDict(populate_by_name=True)

    @model_validator(mode="after")
    def _runs_forward(self) -> EtaWindow:
        first, last = self.from_, self.to
        if first is not None and last is not None and _is_later(first, last):
            raise refused("`from` must not be after `to`")
        return self


class Pickup(ContractModel):
    """Where the parcel waits for its customer."""

    type: Annotated[PickupType, about("Kind of place", "shop")] = PickupType.UNKNOWN
    name: Annotated[Line | None, about("Its name", "Kiosk am Markt")] = None
    address: Annotated[LongLine | None, about("Its address", "Markt 1, 04109 Leipzig")] = None
    url: Annotated[Url | None, about("Its page", "https://carrier.example/shops/1")] = None
    opening_hours: Annotated[LongLine | None, about("When it is open", "Mo-Sa 8-20")] = None
    date_to: Annotated[DayOrTimestamp | None, about("Kept until", "2026-03-11")] = None


class Proof(ContractModel):
    """Proof of delivery."""

    signed_by: Annotated[Line | None, about("Who signed", "A. Example")] = None
    image_url: Annotated[Url | None, about("Picture", "https://carrier.example/pod/1.jpg")] = None


class Scan(ContractModel):
    """One thing a carrier saw. Its identity: scan_id, else carrier, number, code and instant."""

    scan_id: Annotated[Reference | None, about("The carrier's id of the scan", "sc-1")] = None
    event_name: Annotated[
        Word | None,
        about("Name in our catalogue; one not in it is kept as UNMAPPED", "PICKED_UP_BY_CARRIER"),
    ] = None
    code: Annotated[Line | None, about("The carrier's own code", "PU")] = None
    text: Annotated[LongLine | None, about("The carrier's own words", "Picked up")] = None
    occurred_at: Annotated[
        LocalOrTimestamp,
        about("When: RFC 3339; without offset it is local time", "2026-03-02T18:05:00+01:00"),
    ]
    timezone: Annotated[
        Word | None, about("IANA name, used if occurred_at has no offset", "Europe/Berlin")
    ] = None
    precision: Annotated[Precision, about("How exact the time is", "minute")] = Precision.SECOND
    location: Annotated[
        Location | None, about("Where", {"city": "Leipzig", "country_code": "DE"})
    ] = None
    eta: Annotated[EtaWindow | None, about("Expected arrival", {"to": "2026-03-04"})] = None
    reason: Annotated[Word | None, about("Why, for a failure", "consignee_not_home")] = None
    attempt: Annotated[Attempt | None, about("Delivery attempt it belongs to", 1)] = None
    direction: Annotated[Direction | None, about("Which way it travels", "merchant_customer")] = (
        None
    )
    pickup: Annotated[Pickup | None, about("Where it waits", {"type": "shop"})] = None
    proof: Annotated[Proof | None, about("Proof of delivery", {"signed_by": "A. Example"})] = None
    retracts: Annotated[Reference | None, FACT, about("scan_id this one takes back", "sc-0")] = None

    @model_validator(mode="after")
    def _says_what_happened(self) -> Scan:
        if self.event_name is None and self.code is None:
            raise refused("say what happened: event_name or code is needed")
        return self


class TrackingReport(ContractModel):
    """`tracking.reported`: scans of one parcel; sending its whole history again is fine."""

    carrier_reference: Annotated[CarrierReference | None, FACT, about("Carrier key", "ups")] = None
    tracking_number: Annotated[
        TrackingNumberField, about("The parcel's number", "1Z999AA10123456784")
    ]
    scans: Annotated[
        list[Scan],
        APART,
        Field(min_length=1),
        about(
            "What was seen, in any order",
            [{"event_name": "PICKED_UP_BY_CARRIER", "occurred_at": "2026-03-02T18:05:00+01:00"}],
        ),
    ]


def instant_of(scan: Scan) -> tuple[datetime, bool]:
    """The instant of a scan in UTC, and whether its time zone is known.

    A local time that the clocks skip or repeat is read by the offset before the change. An
    unknown zone counts as none: the time is then read as UTC, and marked as uncertain.
    """
    moment = scan.occurred_at
    if moment.tzinfo is not None:
        return moment.astimezone(UTC), True
    zone = zone_named(scan.timezone) if scan.timezone else None
    if zone:
        return moment.replace(tzinfo=zone).astimezone(UTC), True
    return moment.replace(tzinfo=UTC), False


def zone_named(name: str) -> ZoneInfo | None:
    """A time zone of the IANA database; None for a name that it does not have."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


_EASTERNMOST = timedelta(hours=14)
_WESTERNMOST = timedelta(hours=-12)


def _is_later(first: date | datetime, last: date | datetime) -> bool:
    """Whether `first` is certainly later than `last`, instants compared as instants.

    A day is the destination's, whose zone is not known: it begins at the earliest in UTC+14, and
    ends at the latest in UTC-12.
    """
    if isinstance(first, datetime) and isinstance(last, datetime):
        return first > last
    if isinstance(first, datetime):
        return first >= _midnight(last) + timedelta(days=1) - _WESTERNMOST
    if isinstance(last, datetime):
        return last < _midnight(first) - _EASTERNMOST
    return first > last


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


TRACKING_REPORTED = "tracking.reported"

MODELS: Mapping[str, type[ContractModel]] = {TRACKING_REPORTED: TrackingReport}
