"""The life of one order as far as campaigns are concerned: its messages, and what they say."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from demo.campaigns.said import OrderFacts, Referral
from demo.messages import Body, command
from demo.sample_data import CARRIER_NUMBERS
from demo.script import ScriptMessage

CARRIER = "dhl"
URL_KEYS = {
    "campaign_id": "of_campaign",
    "campaign_code": "of_code",
    "clicked_at": "of_clicked_at",
    "session_id": "of_session",
}


@dataclass(slots=True)
class OrderStory:
    """One order as it goes: each act adds a message at `now` and moves the facts.

    The commands of a `scattered` order are upserts that say everything and how old it is, so that
    they may come in any order.
    """

    facts: OrderFacts
    rng: random.Random
    now: datetime
    scattered: bool = False
    messages: list[ScriptMessage] = field(default_factory=list)

    def wait(self, hours: float) -> OrderStory:
        """Let business time pass, some minutes more by chance."""
        self.now += timedelta(hours=hours, minutes=self.rng.randint(1, 50))
        return self

    def place(self, *, is_timed: bool = True, **said: Any) -> OrderStory:
        """Place the order; `said` are further members of it."""
        at = self.now if is_timed or self.scattered else None
        self.facts.segments = [(at, segments) for _, segments in self.facts.segments]
        body = {"order": {**self.placement(), **said}}
        if self.scattered:
            self._send("order.upsert", {**self._reference, **body})
        else:
            self._send("order.place", body, is_timed=is_timed)
        return self

    def segment(self, segments: Iterable[str], *, age: timedelta = timedelta(0)) -> OrderStory:
        """Say the customer's segments as they were some time ago."""
        at = self.now - age
        self.facts.segments.append((at, tuple(segments)))
        body = {"order": self.placement(segments=list(segments))}
        self._send("order.upsert", {**self._reference, **body}, updated_at=at)
        return self

    def describe(self, **said: Any) -> OrderStory:
        """Say the whole order again, as it is now."""
        body = {"order": {**self.placement(), **said}}
        self.facts.segments.append((self.now, self.facts.segments[-1][1]))
        self._send("order.upsert", {**self._reference, **body})
        return self

    def charge(self, total: Decimal) -> OrderStory:
        """Correct what the customer pays."""
        self.facts.total = total
        return self.describe()

    def ship(self, *, hours_before: float = 0) -> OrderStory:
        """Attach a parcel that was handed over some hours ago."""
        at = self.now - timedelta(hours=hours_before)
        self.facts.parcels.append(at)
        label = {
            "tracking_number": CARRIER_NUMBERS[CARRIER](self.rng),
            "carrier_reference": CARRIER,
            "tracking_placed_at": at.isoformat(),
        }
        body: dict[str, Any] = {**self._reference, "trackings": [label]}
        if self.scattered:
            body["order"] = self.placement()
            self.facts.segments.append((self.now, self.facts.segments[-1][1]))
        self._send("order.upsert", body)
        return self

    def analyse(self, analytics: Body, *, replaces: bool = False) -> OrderStory:
        """Say what led to the order, after it."""
        self._keep(analytics, replaces=replaces)
        body: dict[str, Any] = {**self._reference, "order_analytics": analytics}
        self._send("order.analytics.upsert", body | ({"replace": True} if replaces else {}))
        return self

    def refer(self, referral: Referral, *, by_url: bool) -> OrderStory:
        """Say a link that led to the order, after it."""
        self.facts.referrals.append(referral)
        return self.describe(referral=referral_body(referral, by_url=by_url))

    def cancel(self) -> OrderStory:
        """Cancel the order."""
        self.facts.is_cancelled = True
        self._send("order.cancel", {**self._reference, "reason": "changed my mind"})
        return self

    def with_analytics(self, analytics: Body) -> dict[str, Any]:
        """What led to the order, as a member of the order itself."""
        self._keep(analytics, replaces=False)
        return {"order_analytics": dict(analytics)}

    def with_referral(self, referral: Referral, *, by_url: bool) -> dict[str, Any]:
        """The link that led to the order, as a member of the order itself."""
        self.facts.referrals.append(referral)
        return {"referral": referral_body(referral, by_url=by_url)}

    def placement(self, segments: list[str] | None = None) -> dict[str, Any]:
        """The order as the shop has it; `segments` where they are older ones."""
        facts = self.facts
        known = {
            "order_number": facts.number,
            "order_placed_at": facts.placed_at.isoformat(),
            "external_customer_id": facts.customer,
            "currency": facts.currency,
            "total_order_price": str(facts.total) if facts.total is not None else None,
            "discount_price": str(facts.discount_price),
            "discounts": [{"code": code, "amount": "-5.00"} for code in facts.codes],
            "segments": segments if segments is not None else list(facts.segments[-1][1]),
            "products": [{"sku": "MUG-BLUE", "quantity": 2, "price": "12.95"}],
            "address": {"zip_code": "10115", "city": "Berlin", "country_code": "DE"},
            "expected_number_of_shipments": 2,
        }
        if self.scattered and facts.analytics:
            known["order_analytics"] = facts.analytics
        return {name: value for name, value in known.items() if value is not None}

    def _keep(self, analytics: Body, *, replaces: bool) -> None:
        held = {} if replaces else self.facts.analytics
        merged = {**held, **analytics}
        self.facts.analytics = {key: value for key, value in merged.items() if value is not None}

    @property
    def _reference(self) -> dict[str, str]:
        return {"id": self.facts.number}

    def _send(
        self,
        type_: str,
        body: Body,
        *,
        is_timed: bool = True,
        updated_at: datetime | None = None,
    ) -> None:
        name = f"{self.facts.key}#{len(self.messages) + 1}"
        timed = {"updated_at": (updated_at or self.now).isoformat()} if is_timed else {}
        message = command(self.facts.key, type_, {**body, **timed}, self.now, id_=name)
        self.messages.append(replace(message, order_key=None) if self.scattered else message)


def referral_body(referral: Referral, *, by_url: bool) -> dict[str, Any]:
    """A link as a command has it: its address, or the keys of it."""
    known = {
        "campaign_id": referral.campaign_id,
        "campaign_code": referral.campaign_code,
        "clicked_at": referral.clicked_at.isoformat() if referral.clicked_at else None,
        "session_id": referral.session_id,
    }
    said = {name: text for name, text in known.items() if text is not None}
    if not by_url:
        return said
    keys = urlencode({**{URL_KEYS[name]: text for name, text in said.items()}, "gclid": "xyz"})
    return {"landing_url": f"https://shop.example/mug?{keys}&utm_source=mail#top"}
