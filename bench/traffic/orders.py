"""A shop of made-up orders and parcels, and every letter that is written about them."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.traffic.messages import Json, Letter, command, encode, report
from bench.traffic.placements import address, placement
from demo.sample_data import PLACES

OPENS_AT = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
OPEN_SECONDS = 12 * 3600
CARRIERS = ("dhl", "dpd", "gls", "ups")
SCANS_OF_A_PARCEL = (
    ("LABEL_CREATED", "ES", "Sendung elektronisch angekündigt"),
    ("PICKED_UP_BY_CARRIER", "PU", "Picked up at the sender"),
    ("ARRIVAL_AT_TRANSPORT_HUB", "AH", "Arrived at the origin hub"),
    ("SORTED", "SO", "Sorted for onward transport"),
    ("DEPARTURE_FROM_TRANSPORT_HUB", "DH", "Left the origin hub"),
    ("ARRIVAL_AT_TRANSPORT_HUB", "AD", "Arrived at the destination hub"),
    ("DEPARTURE_FROM_TRANSPORT_HUB", "DD", "Left the destination hub"),
    ("ARRIVED_AT_DELIVERY_DEPOT", "AR", "Arrived at the delivery depot"),
    ("OUT_FOR_DELIVERY", "OD", "Out for delivery"),
    ("SUCCESSFULLY_DELIVERED", "DL", "Zugestellt, vielen Dank"),
)
"""A parcel's whole history: event name, the carrier's code and words."""


@dataclass(slots=True)
class Parcel:
    """A parcel of an order, and its scans so far."""

    carrier: str
    number: str
    at: datetime
    town: str
    reports: int = 0

    @property
    def label(self) -> Json:
        """The parcel as its shop describes it."""
        return {
            "tracking_number": self.number,
            "carrier_reference": self.carrier,
            "tracking_url": f"https://{self.carrier}.example/t/{self.number}",
            "tracking_placed_at": self.at.isoformat(),
        }

    def report(self, *steps: int) -> Letter:
        """Those steps of `SCANS_OF_A_PARCEL`, in one letter."""
        self.reports += 1
        scans = [self._scan(step) for step in steps]
        at = self.at + timedelta(hours=3 * max(steps), minutes=5)
        id_ = f"{self.number}/{self.reports}"
        return report(self.carrier, self.number, scans, at, id_=id_)

    def _scan(self, step: int) -> Json:
        name, code, words = SCANS_OF_A_PARCEL[step]
        is_far = step > 4
        return {
            "scan_id": f"{self.number}-{step:02}",
            "event_name": name,
            "code": code,
            "text": words,
            "occurred_at": (self.at + timedelta(hours=3 * step)).isoformat(),
            "precision": "second",
            "location": {"city": self.town if is_far else "Köln", "country_code": "DE"},
            "eta": {"to": (self.at + timedelta(days=2)).date().isoformat()},
        }


@dataclass(slots=True)
class Order:
    """An order of a shop: what was said of it so far, as its next letter builds on it."""

    shop: str
    number: str
    at: datetime
    rng: random.Random
    said: Json
    version: int = 0
    expected: int = 1

    @property
    def key(self) -> str:
        """The order's name, and the key of its commands."""
        return f"{self.shop}/{self.number}"

    def place(self) -> Letter:
        """`order.place`."""
        return self._write("order.place", {**self._next(), "order": self.said})

    def upsert(self, *parcels: Parcel) -> Letter:
        """`order.upsert` with the whole order, and parcels if any."""
        body = {**self._next(), **self._named, "order": self.said}
        return self._write("order.upsert", body | {"trackings": [each.label for each in parcels]})

    def fulfil(self, parcel: Parcel) -> Letter:
        """`order.upsert` with a parcel and without the order."""
        return self._write(
            "order.upsert", {**self._next(), **self._named, "trackings": [parcel.label]}
        )

    def item(self, parcel: Parcel) -> Json:
        """The same as an item of `orders.fulfill_bulk`."""
        return {**self._next(), **self._named, "trackings": [parcel.label]}

    def move(self) -> Letter:
        """`order.update`: it goes to another house."""
        house = f"Neue Straße {self.version + 1}"
        moved = {**address(self.rng, self.rng.choice(PLACES)), "street": house}
        return self._write("order.update", {**self._next(), **self._named, "address": moved})

    def expect_more(self) -> Letter:
        """`order.update`: one more parcel than so far."""
        self.expected += 1
        body = {"expected_number_of_shipments": self.expected}
        return self._write("order.update", {**self._next(), **self._named, **body})

    def add_piece(self) -> Letter:
        """`order.upsert`: one more piece of the first line."""
        first, *others = self.said["products"]
        more = {**first, "quantity": first["quantity"] + 1}
        self.said = {**self.said, "products": [more, *others]}
        return self.upsert()

    def cancel(self) -> Letter:
        """`order.cancel`."""
        body = {"reason": "Kundenwunsch"}
        return self._write("order.cancel", {**self._next(), **self._named, **body})

    @property
    def _named(self) -> Json:
        return {"id": self.number, "id_type": "order_number"}

    def _next(self) -> Json:
        self.version += 1
        return {"source_version": self.version}

    def _write(self, type_: str, body: Json) -> Letter:
        at = self.at + timedelta(seconds=self.version - 1)
        id_ = f"{self.key}#{self.version}"
        return command(self.key, type_, {"shop_slug": self.shop, **body}, at, id_=id_)


@dataclass(slots=True)
class Shop:
    """Makes up orders and parcels, none twice; `value_bytes` is what placing an order weighs."""

    slug: str
    value_bytes: int
    rng: random.Random
    orders: int = 0
    parcels: int = 0
    bulks: int = 0

    def order(self, *, is_upsert: bool = True) -> Order:
        """A new order, which `upsert` (else `place`) will write in `value_bytes`."""
        self.orders += 1
        number = f"{100_000 + self.orders}"
        at = OPENS_AT + timedelta(seconds=self.orders % OPEN_SECONDS)
        order = Order(self.slug, number, at, self.rng, {})
        envelope = order.upsert() if is_upsert else order.place()
        weight = self.value_bytes - len(envelope.value) + len(encode({}))
        order.said = placement(self.rng, number, at, weight)
        order.version = 0
        return order

    def parcel(self, order: Order) -> Parcel:
        """A new parcel of an order; parcels of different shops never share a number."""
        self.parcels += 1
        number = f"JD{zlib.crc32(self.slug.encode()):010}{self.parcels:08}"
        town = self.rng.choice(PLACES).city
        return Parcel(self.rng.choice(CARRIERS), number, order.at + timedelta(hours=1), town)

    def bulk(self, items: list[Json], at: datetime) -> Letter:
        """`orders.fulfill_bulk` with items of any orders of the shop."""
        self.bulks += 1
        key = f"{self.slug}/bulk-{self.bulks}"
        body = {"shop_slug": self.slug, "items": items}
        return command(key, "orders.fulfill_bulk", body, at, id_=key, items=len(items))

    def campaign(self, number: int) -> Letter:
        """`campaign.upsert`: one for the orders of segment `number`, with the discount `save`."""
        body = {
            "campaign_id": f"campaign-{number}",
            "name": f"Campaign {number}",
            "segment": f"segment-{number}",
            "enabled": True,
            "promotion_type": "basic",
            "promotion_properties": {"title": f"Campaign {number}", "cta_label": "Zum Shop"},
            "discount_id": "save",
        }
        return self._change("campaign.upsert", f"campaign-{number}", body)

    def discount(self, id_: str, code: str) -> Letter:
        """`discount.upsert` of ten per cent."""
        body = {
            "discount_id": id_,
            "code": code,
            "type": "order",
            "value_type": "percentage",
            "value": "10",
        }
        return self._change("discount.upsert", id_, body)

    def test(self, number: int) -> Letter:
        """`ab_test.upsert`: the campaign of segment `number` against none."""
        body = {
            "test_id": f"test-{number}",
            "name": f"Test {number}",
            "segment": f"segment-{number}",
            "campaigns": [{"campaign_id": f"campaign-{number}", "allocation": 80}],
            "has_holdout": True,
            "holdout_percentage": 20,
        }
        return self._change("ab_test.upsert", f"test-{number}", body)

    def _change(self, type_: str, id_: str, body: Json) -> Letter:
        at = OPENS_AT - timedelta(days=1)
        said = {"shop_slug": self.slug, "effective_at": at.isoformat(), **body}
        return command(self.slug, type_, said, at, id_=f"{self.slug}/{type_}/{id_}")
