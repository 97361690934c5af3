"""Compare what the auditor found with the right answer, one sentence per difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any

from demo.audit import Audit
from demo.counts import NumberCounts, found_counts, wanted_counts
from demo.expectation import Expectation, OrderAnswer, ParcelAnswer, ReleaseAnswer
from demo.facts import plain_number


def differences(expectation: Expectation, audit: Audit) -> list[str]:
    """What did not come out as it must; empty when all is right."""
    return [
        *_orders(expectation, audit),
        *_claims(expectation, audit),
        *_refusals(expectation, audit),
    ]


def differences_in_time(expectation: Expectation, audit: Audit) -> list[str]:
    """What did not come out as it must where all messages came in the order of business time.

    Then it is certain which scans make an event, who is notified, and who sees places.
    """
    return [
        *_unequal("numbers", _pairs(expectation, audit)),
        *(
            text
            for key, answer in expectation.orders.items()
            for each in answer.numbers
            for text in _seen(key, each, audit)
        ),
    ]


def _pairs(expectation: Expectation, audit: Audit) -> dict[str, tuple[object, object]]:
    wanted, found = wanted_counts(expectation), found_counts(audit)
    return {
        each.name: (getattr(wanted, each.name), getattr(found, each.name))
        for each in fields(NumberCounts)
    }


def _seen(order: str, answer: ParcelAnswer | ReleaseAnswer, audit: Audit) -> Iterator[str]:
    subject = f"{answer.tracking_number} of {order}"
    seen = audit.parcels.get((order, plain_number(answer.tracking_number)))
    if seen is None:
        yield f"{subject} has no event"
        return
    for name, at in sorted(seen.scans - answer.scans):
        yield f"{subject}: scan {name} at {at.isoformat()} has an event and should not"
    if isinstance(answer, ReleaseAnswer):
        for name, at in sorted(answer.scans - seen.scans):
            yield f"{subject}: scan {name} at {at.isoformat()} has no event"
    pairs: dict[str, tuple[object, object]] = {}
    if answer.shows_places is not None:
        pairs["shows places"] = (answer.shows_places, seen.shows_places)
    if isinstance(answer, ParcelAnswer) and answer.notified is not None:
        pairs["notified"] = (dict(answer.notified), dict(seen.notified))
    yield from _unequal(subject, pairs)


def _orders(expectation: Expectation, audit: Audit) -> Iterator[str]:
    for key in sorted(set(audit.orders) - set(expectation.orders)):
        yield f"order {key} exists and should not"
    for key, answer in expectation.orders.items():
        found = audit.orders.get(key)
        if found is None:
            yield f"order {key} has no event"
            continue
        yield from _order(answer, found)
        for parcel in answer.parcels:
            yield from _parcel(key, parcel, audit)


def _order(answer: OrderAnswer, found: Mapping[str, Any]) -> Iterator[str]:
    numbers = [each["tracking_number"] for each in found["trackings"] if each["tracking_number"]]
    pairs: dict[str, tuple[object, object]] = {
        "status": (answer.status, found["status"]),
        "parcels expected": (answer.parcels_expected, found["expected_number_of_shipments"]),
        "parcels": (
            sorted(plain_number(parcel.tracking_number) for parcel in answer.parcels),
            sorted(plain_number(number) for number in numbers),
        ),
        "item value": (answer.item_value, _item_value(found)),
        "currency": (answer.currency, found["currency"]),
    }
    if answer.city:
        pairs["city"] = (answer.city, (found.get("address") or {}).get("city"))
    if answer.campaign:
        analytics = found.get("order_analytics") or {}
        pairs["campaign"] = (answer.campaign, analytics.get("campaign_code"))
    yield from _unequal(f"order {answer.key}", pairs)


def _parcel(order: str, answer: ParcelAnswer, audit: Audit) -> Iterator[str]:
    name = (order, plain_number(answer.tracking_number))
    found = audit.shipments.get(name)
    if found is None:
        return  # Reported as a difference of the order's parcels.
    if name in audit.parcels:
        for event, at in sorted(answer.scans - audit.parcels[name].scans):
            yield f"parcel {name[1]} of {order}: scan {event} at {at.isoformat()} has no event"
    pairs: dict[str, tuple[object, object]] = {
        "phase": (answer.phase, found["phase"]),
        "is delivered": (answer.is_delivered, found.get("delivered_at") is not None),
        "is handed over": (answer.is_handed_over, found.get("first_scan_at") is not None),
    }
    if answer.tracking_url:
        pairs["url"] = (answer.tracking_url, found.get("tracking_url"))
    if answer.product_lines is not None:
        pairs["product lines"] = (answer.product_lines, len(found.get("products") or []))
    yield from _unequal(f"parcel {answer.tracking_number} of {order}", pairs)


def _item_value(order: Mapping[str, Any]) -> Decimal:
    lines = order.get("products") or []
    return sum(
        (
            Decimal(str(line["price"])) * line.get("quantity", 1)
            for line in lines
            if line.get("price") is not None
        ),
        Decimal(0),
    )


def _claims(expectation: Expectation, audit: Audit) -> Iterator[str]:
    order_ids = {found["uuid"]: key for key, found in audit.orders.items()}
    decided = Counter(
        (order_ids.get(claim["order_id"], "?"), claim["reason"], _standing(claim))
        for claim in audit.claim_states.values()
    )
    wanted = Counter(
        (claim.order, claim.reason, "withdrawn" if claim.is_withdrawn else claim.status)
        for claim in expectation.claims
    )
    for claim in sorted((decided - wanted).keys()):
        yield f"claim {claim} exists and should not"
    for claim in sorted((wanted - decided).keys()):
        yield f"claim {claim} does not exist"


def _standing(claim: Mapping[str, Any]) -> str:
    is_withdrawn = str(claim["event_name"]).lower() == "withdrawn"
    return "withdrawn" if is_withdrawn else str(claim["status"])


def _refusals(expectation: Expectation, audit: Audit) -> Iterator[str]:
    refused: dict[tuple[str, str], set[str]] = {}
    for topic, label, reason in audit.refusals:
        refused.setdefault((topic, label), set()).add(reason)
    wanted = {(answer.topic, answer.label): answer.reasons for answer in expectation.refusals}
    for item in sorted(refused.keys() - wanted.keys()):
        yield f"{item} was refused ({', '.join(sorted(refused[item]))}) and should not be"
    for item, reasons in wanted.items():
        if item not in refused:
            yield f"{item} was not refused; expected {' or '.join(sorted(reasons))}"
        elif not refused[item] <= reasons:
            yield f"{item} was refused for {refused[item]}, expected {' or '.join(sorted(reasons))}"


def _unequal(subject: str, pairs: Mapping[str, tuple[object, object]]) -> Iterator[str]:
    for name, (wanted, found) in pairs.items():
        if wanted != found:
            yield f"{subject}: {name} is {found}, should be {wanted}"
