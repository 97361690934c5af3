"""Ids and headers: the same for everyone, today and for ever."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID, uuid5

import pytest

from schemas import identity
from schemas.envelope import CloudEvent, read_headers, write_headers
from services.claims.domain import ids as claims_ids
from services.orders.domain.model import ids as orders_ids

ORDER = UUID("7ce7c1e0-0000-5000-8000-000000000001")


def test_order_id_is_computed_as_the_page_says() -> None:
    namespace = uuid5(UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8"), "https://orderflow.dev/ids")

    assert identity.order_id("demo-shop", "1001") == uuid5(namespace, "demo-shop/1001")
    assert identity.order_id("demo-shop", "e\u0301") == uuid5(namespace, "demo-shop/\xe9")
    assert identity.shipment_id(ORDER, 2) == uuid5(namespace, f"{ORDER}/shipment/2")


def test_copies_in_the_services_agree_with_the_contract() -> None:
    order, shipment = identity.order_id("demo-shop", "1001"), identity.shipment_id(ORDER, 2)
    assert orders_ids.order_id_of("demo-shop", "1001") == str(order)
    assert orders_ids.shipment_id_of(str(ORDER), 2) == str(shipment)
    claim, event = (
        identity.claim_id(ORDER, str(ORDER)),
        identity.event_id(ORDER, "claims.events", 3),
    )
    assert claims_ids.order_id("demo-shop", "1001") == str(order)
    assert claims_ids.claim_id(str(ORDER), str(ORDER)) == str(claim)
    assert claims_ids.event_id(str(ORDER), 3) == str(event)


def test_ids_of_the_claims_service_are_uuids_of_version_5() -> None:
    for number in map(str, range(500)):
        found = claims_ids.order_id("größe", number)
        assert found == str(identity.order_id("größe", number)) == str(UUID(found))
        assert claims_ids.digest(found) == claims_ids.parse_digest(
            sha256(UUID(found).bytes).hexdigest()[:16]
        )


def test_headers_are_read_as_they_were_written() -> None:
    event = CloudEvent(
        type="order.placed",
        source="orderflow/orders",
        id="1",
        time="2026-03-01T09:30:05Z",
        subject=str(ORDER),
        causation_id="cmd-1",
        sequence=1,
        order_version=2,
    )
    headers = write_headers(event)

    assert read_headers(headers) == event
    assert ("ce_specversion", b"1.0") in headers
    assert "traceparent" not in dict(headers)


def test_headers_of_others_are_ignored_and_unreadable_ones_of_ours_reported() -> None:
    assert read_headers([("x-mine", b"\xff"), ("ce_type", b"order.place")]).type == "order.place"
    with pytest.raises(ValueError, match="utf-8"):
        read_headers([("ce_type", b"\xff")])
    with pytest.raises(ValueError, match="invalid literal"):
        read_headers([("ce_sequence", b"first")])
