"""Fold news into facts: the newest wins, so that order and repetition of events do not matter.

Nothing is counted here. Counters would count a redelivered event twice; figures are made from
facts when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from services.analytics.domain.facts import (
    ClaimFact,
    ClaimNews,
    News,
    OrderFact,
    ParcelFact,
    Uuid,
)

Fact = TypeVar("Fact", ParcelFact, ClaimFact)


class Facts(Struct, frozen=True):
    """Facts by id, and per order the version of the newest event that listed all its parcels.

    A parcel older than that version is gone from its order (its number moved to another order,
    or a draft was dropped).
    """

    orders: dict[Uuid, OrderFact] = field(default_factory=dict)
    complete_versions: dict[Uuid, int] = field(default_factory=dict)
    parcels: dict[Uuid, ParcelFact] = field(default_factory=dict)
    claims: dict[Uuid, ClaimFact] = field(default_factory=dict)


def fold(news: Iterable[News]) -> Facts:
    """The facts that a set of news adds up to; the same for any order and repetition of it."""
    facts = Facts()
    for piece in news:
        if isinstance(piece, ClaimNews):
            _keep_newest(facts.claims, piece.claim.claim_id, piece.claim)
            continue
        order = piece.order
        _keep_order(facts.orders, order)
        for parcel in piece.parcels:
            _keep_newest(facts.parcels, parcel.shipment_id, parcel)
        for claim in piece.claims:
            _keep_newest(facts.claims, claim.claim_id, claim)
        if piece.is_complete:
            known = facts.complete_versions.get(order.order_id, 0)
            facts.complete_versions[order.order_id] = max(known, order.version)
    return _without_vanished(facts)


def merge(stored: Facts, fresh: Facts) -> Facts:
    """Both together. Commutative, associative and idempotent; what the upserts do in SQL."""
    merged = Facts(
        dict(stored.orders),
        dict(stored.complete_versions),
        dict(stored.parcels),
        dict(stored.claims),
    )
    for order in fresh.orders.values():
        _keep_order(merged.orders, order)
    for order_id, version in fresh.complete_versions.items():
        known = merged.complete_versions.get(order_id, 0)
        merged.complete_versions[order_id] = max(known, version)
    for parcel in fresh.parcels.values():
        _keep_newest(merged.parcels, parcel.shipment_id, parcel)
    for claim in fresh.claims.values():
        _keep_newest(merged.claims, claim.claim_id, claim)
    return _without_vanished(merged)


def _keep_order(known: dict[Uuid, OrderFact], fact: OrderFact) -> None:
    """The newest of all members but the value of the items: of it, the newest that was told."""
    present = known.get(fact.order_id, fact)
    newest = fact if fact.version > present.version else present
    valued = fact if fact.value_version > present.value_version else present
    known[fact.order_id] = replace(
        newest, item_value=valued.item_value, value_version=valued.value_version
    )


def _keep_newest(known: dict[Uuid, Fact], key: Uuid, fact: Fact) -> None:
    present = known.get(key)
    if present is None or fact.version > present.version:
        known[key] = fact


def _without_vanished(facts: Facts) -> Facts:
    living = {
        shipment_id: parcel
        for shipment_id, parcel in facts.parcels.items()
        if parcel.version >= facts.complete_versions.get(parcel.order_id, 0)
    }
    return Facts(facts.orders, facts.complete_versions, living, facts.claims)
