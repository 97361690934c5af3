"""Cuts: what a snapshot loses, one after the other, until it is small enough.

Each changes a decoded snapshot in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]


def _cut_candidates(snapshot: Json) -> None:
    """Candidates for a carrier; the number that they are found from stays."""
    for tracking in (*snapshot["order"]["trackings"], *snapshot["shipments"]):
        tracking.pop("carrier_candidates", None)


def _cut_contents(snapshot: Json) -> None:
    """What is in each parcel; the order still says what was bought."""
    for shipment in snapshot["shipments"]:
        shipment["products"] = []
        shipment.pop("lines", None)
        shipment.pop("contents", None)
        shipment.pop("not_ordered", None)


def _cut_decoration(snapshot: Json) -> None:
    """Pictures, taxes and bundle contents of the lines, the ledger, and free members."""
    snapshot["order"].pop("ledger", None)
    keep = ("line_id", "product_id", "variant_id", "sku", "title", "quantity", "price", "type")
    order = snapshot["order"]
    order["products"] = [{name: line[name] for name in keep} for line in order["products"]]
    order["segments"], order["user_agent"], order["order_analytics"] = [], None, None


def _cut_shipments(snapshot: Json) -> None:
    """The fuller parcels; their summaries in `order.trackings` stay."""
    snapshot["shipments"] = []


def _cut_claims(snapshot: Json) -> None:
    """Claims; they are on claims.events."""
    snapshot["claims"] = []


def _cut_lines(snapshot: Json) -> None:
    """The order's lines and discounts."""
    snapshot["order"]["products"], snapshot["order"]["discounts"] = [], []


def _cut_urls(snapshot: Json) -> None:
    """The addresses of tracking pages."""
    for tracking in snapshot["order"]["trackings"]:
        tracking["tracking_url"] = None


def _cut_considered(snapshot: Json) -> None:
    """The campaigns that were not chosen."""
    if campaign := snapshot["order"].get("campaign"):
        campaign.pop("considered", None)


def _cut_touches(snapshot: Json) -> None:
    """The contacts that may have led to the order; the credit stays."""
    if attribution := snapshot["order"].get("attribution"):
        attribution.pop("touches", None)


CUTS: tuple[Callable[[Json], None], ...] = (
    _cut_candidates,
    _cut_contents,
    _cut_decoration,
    _cut_shipments,
    _cut_claims,
    _cut_lines,
    _cut_urls,
    _cut_considered,
    _cut_touches,
)
"""What goes first when a snapshot is too large; the last of them leaves it well below any bound."""
