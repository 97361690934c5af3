"""Which facts a batch of events leads to: the newest of each order, parcel and claim.

The result does not depend on the order or repetition of the events. Nothing is counted here,
because a counter would count a redelivered event twice: figures are made of stored facts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from services.analytics.domain.facts import (
    ClaimEventFacts,
    ClaimFact,
    EventFacts,
    OrderFact,
    ParcelFact,
    Uuid,
)

Fact = TypeVar("Fact", ParcelFact, ClaimFact)


class Facts(Struct, frozen=True):
    """Facts by id, and for each order the version of the newest event that listed all its parcels.

    A parcel older than that version no longer belongs to its order: a draft was dropped, or a
    parcel beyond what the order expects lost its number.
    """

    orders: dict[Uuid, OrderFact] = field(default_factory=dict)
    complete_versions: dict[Uuid, int] = field(default_factory=dict)
    parcels: dict[Uuid, ParcelFact] = field(default_factory=dict)
    claims: dict[Uuid, ClaimFact] = field(default_factory=dict)


def newest_facts(events: Iterable[EventFacts]) -> Facts:
    """The newest facts of a set of events; the same for any order and repetition of the events."""
    facts = Facts()
    for event in events:
        if isinstance(event, ClaimEventFacts):
            _keep_newest(facts.claims, event.claim.claim_id, event.claim)
            continue
        order = event.order
        _keep_order(facts.orders, order)
        for parcel in event.parcels:
            _keep_newest(facts.parcels, parcel.shipment_id, parcel)
        for claim in event.claims:
            _keep_newest(facts.claims, claim.claim_id, claim)
        if event.is_complete:
            known = facts.complete_versions.get(order.order_id, 0)
            facts.complete_versions[order.order_id] = max(known, order.version)
    return _without_vanished(facts)


def merge(stored: Facts, fresh: Facts) -> Facts:
    """The newest of two sets of facts. Commutative, associative and idempotent.

    The statements of `store.save` do the same in SQL.
    """
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
    """Keep the newest fact, with the item value of the newest event that had one."""
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
