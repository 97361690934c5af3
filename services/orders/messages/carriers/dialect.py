"""Dialect: one form of tracking messages, and what its parser makes of a payload.

A parser says what the carrier said. Identity, event names and refusals are made here and in
`foreign.py`, alike for all dialects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from re import Pattern
from typing import Any

from msgspec import Struct

from services.orders.domain.model.commands import ReportTracking
from services.orders.domain.tracking.scan import Direction, Eta, Location, Pickup, Proof
from services.orders.messages.carriers.moments import Moment
from services.runtime.messages.records import FieldError, Item
from services.runtime.twins import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnForm:
    """A form of the contract: a model reads it, and its errors have JSON pointers."""

    type: str
    """Message type (`ce_type`)."""
    scan_mark: bytes
    """Bytes that stand once for each scan in a message."""
    reader: Reader[Any]
    report: Callable[[Any, Item, datetime], ReportTracking]
    """The command of a message that `reader` has read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A form that another company owns. Bodies are plain values: see `plain.py`.

    Its functions are pure and take any body. One that raises refuses the item: see `foreign.py`.
    """

    types: tuple[str, ...]
    """Message types (`ce_type`); the first is the one that we document."""
    scan_marks: tuple[bytes, ...]
    """Bytes of which one stands once for each scan in a payload. Batches are bounded by how often
    the most frequent of them stands there: the weight of a payload."""
    shape: Pattern[bytes] | None = None
    """Found in each payload of the dialect and of no other: chooses a message without a type."""
    content_types: tuple[str, ...] = ()
    """Media types that say the dialect; not `application/json` and not `text/xml`."""
    parts: Callable[[Any], Iterable[Part]]
    """The parcels of a payload, in its order; one number may come twice."""
    report: Callable[[Any], ParcelReport]
    """What the value of a part says.

    Raises:
        Malformed: it names no parcel, with pointers from the value.
    """


class Part(Struct, frozen=True, gc=False):
    """One parcel of a payload."""

    pointer: str
    """JSON pointer to it in the payload; "" where the payload is the parcel."""
    value: Any
    around: Mapping[str, Any] = {}
    """What the parser needs from outside the part, by JSON pointer: kept with a part that waits."""


class SaidScan(Struct, frozen=True, kw_only=True, gc=False):
    """One scan as the carrier said it. Texts are bounded: see `plain.py`."""

    moment: Moment
    scan_id: str | None = None
    """The carrier's own id of the scan, if repeats and corrections of the scan keep it."""
    code: str | None = None
    """The carrier's own code."""
    code_set: str | None = None
    """The key of the carrier, where an aggregator gives the carrier's code and no status."""
    name: str | None = None
    """What the sender of the dialect calls it; an aggregator's status."""
    text: str | None = None
    location: Location | None = None
    eta: Eta | None = None
    reason: str | None = None
    attempt: int | None = None
    direction: Direction | None = None
    pickup: Pickup | None = None
    proof: Proof | None = None
    retracts: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelReport:
    """What a payload says of one parcel."""

    tracking_number: str | None
    """None where the payload names none: the item is refused."""
    carrier: str | None
    """The carrier as the payload says it, None where it does not: see `carrier_maps.py`."""
    scans: Sequence[SaidScan]
    left_out: Sequence[FieldError] = field(default=())
    """Scans that cannot be read, with pointers from the part: each is a warning."""
