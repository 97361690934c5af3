"""The life of one synthetic order: its messages, and what they must come to."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from demo.expectation import ClaimAnswer, OrderAnswer, ParcelAnswer, ReleaseAnswer
from demo.facts import moment_of
from demo.messages import Body, claim, command, tracking
from demo.parcels import DELIVERED, PHASES, Parcel
from demo.sample_data import CARRIER_NUMBERS, CATALOGUE, Place
from demo.script import CLAIM_ID, ScriptMessage
from schemas.identity import order_id


@dataclass(slots=True)
class Story:
    """One order as it goes: each act adds messages at `now` (business time), moves the answer."""

    shop: str
    number: str
    now: datetime
    place: Place
    rng: random.Random
    expected: int = 1
    promised: date = field(init=False)
    status: str | None = None
    city: str = field(init=False)
    campaign: str | None = None
    products: list[dict[str, Any]] = field(init=False)
    parcels: list[Parcel] = field(default_factory=list)
    released: list[ReleaseAnswer] = field(default_factory=list)
    messages: list[ScriptMessage] = field(default_factory=list)
    claims: list[ClaimAnswer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.promised = (self.now + timedelta(days=4)).astimezone(self.zone).date()
        self.city = self.place.city
        chosen = self.rng.sample(CATALOGUE, self.rng.randint(1, 3))
        self.products = [
            {"sku": sku, "title": title, "quantity": self.rng.randint(1, 3), "price": price}
            for sku, title, price in chosen
        ]
        # Every parcel holds one of the first line: enough for the largest order.
        self.products[0]["quantity"] = 4

    @property
    def key(self) -> str:
        """The order's name in messages."""
        return f"{self.shop}/{self.number}"

    @property
    def zone(self) -> ZoneInfo:
        """Where the parcel goes: days are counted there."""
        return ZoneInfo(self.place.zone)

    @property
    def uuid(self) -> UUID:
        """The order's id, as the contract makes it."""
        return order_id(self.shop, self.number)

    def wait(self, hours: float) -> Story:
        """Let business time pass, with some minutes more by chance."""
        self.now += timedelta(hours=hours, minutes=self.rng.randint(0, 20))
        return self

    # What the shop sends.

    def send(
        self, type_: str, body: Body, *, key: str | None = None, id_: str = ""
    ) -> ScriptMessage:
        """Publish a command of this order; `body` needs no reference."""
        name = id_ or f"{self.key}#{len(self.messages) + 1}"
        reference = {} if "order" in body and type_ == "order.place" else self.reference
        message = command(self.key, type_, {**reference, **body}, self.now, id_=name, key=key)
        self.messages.append(message)
        return message

    @property
    def reference(self) -> dict[str, str]:
        """How commands name the order."""
        return {"id": self.number, "id_type": "order_number"}

    def placement(self) -> dict[str, Any]:
        """The order as the shop took it."""
        return {
            "order_number": self.number,
            "external_id": f"ext-{self.number}",
            "order_name": f"#{self.number}",
            "order_placed_at": self.now.isoformat(),
            "promised_delivery_date": self.promised.isoformat(),
            "currency": self.place.currency,
            "expected_number_of_shipments": self.expected,
            "email_id": f"customer-{self.number}@mail.example",
            "products": self.products,
            "address": self.address(),
        }

    def address(self) -> dict[str, str]:
        """Where the order goes now."""
        known = {
            "zip_code": self.place.zip_code,
            "city": self.city,
            "province_code": self.place.province_code,
            "country_code": self.place.country_code,
        }
        return {name: text for name, text in known.items() if text}

    def order(self, **changes: Any) -> Story:
        """Place the order."""
        self.send("order.place", {"order": {**self.placement(), **changes}})
        self.status = "placed"
        return self

    def ship(self, carrier: str | None = None, *, key: str | None = None) -> Parcel:
        """Attach a parcel to the order."""
        return self.attach(self.pack(carrier), key=key)

    def pack(self, carrier: str | None = None) -> Parcel:
        """Make up a parcel; a message must attach it."""
        name = carrier or self.rng.choice(sorted(CARRIER_NUMBERS))
        return self.hold(Parcel(CARRIER_NUMBERS[name](self.rng), name))

    def hold(self, parcel: Parcel) -> Parcel:
        """Take a parcel for one of the order's; a message must attach it."""
        self.parcels.append(parcel)
        self.expected = max(self.expected, len(self.parcels))
        self.derive_status()
        return parcel

    def attach(self, parcel: Parcel, *, key: str | None = None) -> Parcel:
        """Send a parcel's tracking; sent again, it changes nothing."""
        self.send("order.upsert", {"trackings": [self.label(parcel)]}, key=key)
        return parcel

    def release(self, parcel: Parcel, by: str) -> None:
        """Take a parcel's number off the order: nothing of its scans stays."""
        seen = frozenset(parcel.scans)
        self.released.append(ReleaseAnswer(parcel.number, by, seen, parcel.shows_places))
        self.parcels.remove(parcel)
        self.derive_status()

    def label(self, parcel: Parcel) -> dict[str, Any]:
        """The parcel as an order's tracking; one product line each, so that parcels never hold too
        much.
        """
        parcel.product_lines = 1
        line = {**self.products[0], "quantity": 1}
        label = {
            "tracking_number": parcel.number,
            "carrier_reference": parcel.carrier,
            "tracking_placed_at": self.now.isoformat(),
            "products": [line],
        }
        return label | ({"external_shipment_id": parcel.external_id} if parcel.external_id else {})

    def derive_status(self) -> None:
        """Derive the status of the order from how many of its parcels are packed."""
        if self.status == "cancelled":
            return
        if not self.parcels:
            self.status = "placed"
        else:
            is_whole = len(self.parcels) >= self.expected
            self.status = "fulfilled" if is_whole else "partially_fulfilled"

    def expect(self, parcels: int, *, key: str | None = None) -> Story:
        """Change how many parcels the order will have."""
        self.send("order.update", {"expected_number_of_shipments": parcels}, key=key)
        self.expected = max(parcels, len(self.parcels))
        self.derive_status()
        return self

    def cancel(self) -> Story:
        """Cancel the order; parcels under way go on."""
        self.send("order.cancel", {"reason": "customer changed their mind"})
        self.status = "cancelled"
        return self

    # What the carrier sends.

    def scan(self, parcel: Parcel, *events: str, hours: float = 5) -> Story:
        """Report scans, one message each, some hours apart; each moves the parcel's phase."""
        for event in events:
            self.wait(hours)
            self.report(parcel, self.scanned(parcel, event))
            self.move(parcel, event)
        return self

    def move(self, parcel: Parcel, event: str) -> None:
        """What a scan in the order of time does to a parcel."""
        parcel.phase = PHASES[event]
        parcel.is_handed_over |= parcel.phase not in ("order_processed", "order_created")
        if event in DELIVERED:
            parcel.delivered_on = self.now.astimezone(self.zone).date()

    def scanned(self, parcel: Parcel, event: str) -> dict[str, Any]:
        """A scan at this moment."""
        parcel.scan_count += 1
        return {
            "scan_id": f"{parcel.number}-{parcel.scan_count}",
            "event_name": event,
            "occurred_at": self.now.isoformat(),
            "location": {"city": self.city, "country_code": self.place.country_code},
        }

    def report(self, parcel: Parcel, *scans: Body) -> ScriptMessage:
        """Publish scans as one message of the carrier."""
        parcel.scans |= {(scan["event_name"], moment_of(scan)) for scan in scans}
        name = f"{parcel.number}/{parcel.scan_count}"
        message = tracking(parcel.carrier, parcel.number, scans, self.now, id_=name)
        self.messages.append(message)
        return message

    # What the customer sends.

    def complain(self, parcel: Parcel, reason: str, **details: Any) -> None:
        """Open a claim on a parcel."""
        name = f"{self.key}#claim"
        body = {**self.reference, "tracking_number": parcel.number, "reason": reason, **details}
        self.messages.append(claim(self.key, "claim.open", body, self.now, id_=name))
        self.claims.append(ClaimAnswer(self.key, reason, "pending"))

    def decide(self, status: str, why: str) -> Story:
        """Decide the order's claim."""
        self._act_on_claim("claim.update", {"status": status, "reason_for_change": why})
        self.claims[-1] = replace(self.claims[-1], status=status)
        return self

    def withdraw(self, why: str) -> Story:
        """The customer takes the claim back."""
        self._act_on_claim("claim.withdraw", {"reason": why})
        self.claims[-1] = replace(self.claims[-1], is_withdrawn=True)
        return self

    def _act_on_claim(self, type_: str, details: Body) -> None:
        body = {"claim_id": CLAIM_ID, **details}
        name = f"{self.key}#claim-{len(self.messages)}"
        opened_by = f"{self.key}#claim"
        act = claim(self.key, type_, body, self.now, id_=name, opened_by=opened_by)
        self.messages.append(act)

    # What must come of it.

    def answer(self) -> OrderAnswer:
        """The order's right answer."""
        value = sum(
            (Decimal(line["price"]) * line["quantity"] for line in self.products), Decimal(0)
        )
        return OrderAnswer(
            shop=self.shop,
            number=self.number,
            status=self.status or "placed",
            parcels_expected=self.expected,
            parcels=tuple(self._parcel_answers()),
            released=tuple(self.released),
            currency=self.place.currency,
            item_value=value,
            city=self.city,
            campaign=self.campaign,
        )

    def _parcel_answers(self) -> Iterator[ParcelAnswer]:
        for parcel in self.parcels:
            day = parcel.delivered_on
            yield ParcelAnswer(
                tracking_number=parcel.number,
                phase=parcel.phase,
                is_handed_over=parcel.is_handed_over,
                is_delivered=day is not None,
                is_late=day is not None and day > self.promised,
                tracking_url=parcel.tracking_url,
                product_lines=parcel.product_lines,
                scans=frozenset(parcel.scans),
                notified=parcel.notified,
                shows_places=parcel.shows_places,
            )
