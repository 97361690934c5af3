"""Stored claims: documents of the version before are read and written in the same form."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from services.claims.domain.claim import Claim, ClaimReason, Status
from services.claims.store import CLAIM

OLD = {
    "claim_id": "0a2b7c84-52f1-5d9e-9f5e-6a0f3f0e7c55",
    "order_id": "9d0f3a52-5d0c-5b3b-9d4e-6a6f5b6c0d11",
    "order_number": "1001",
    "shop": "demo-shop",
    "shipment": {
        "shipment_id": "5b0e2c1e-9c0f-5d3a-8a51-0f6f2b1f8d11",
        "tracking_number": "1Z-001",
        "carrier_reference": "ups",
        "phase": "delivered",
    },
    "reason": "partial_damage",
    "resolution_preference": "refund",
    "description": "Broken",
    "selected_items": [
        {"sku": "A", "title": None, "quantity": 2, "net_price": "12.90", "image_urls": []}
    ],
    "items_hash": "abc",
    "holds": [{"product": "sku/A", "quantity": 2}],
    "evidence": {
        "image_urls": ["https://evidence.example/1.jpg"],
        "optional_image_urls": [],
        "customer_signature_image_url": None,
    },
    "dropoff_permission": False,
    "status": "accepted",
    "history": [{"status": "pending", "at": "2026-03-04T12:00:00Z", "reason": None}],
    "is_granted": True,
    "created_at": "2026-03-04T12:00:00.123456Z",
    "updated_at": "2026-03-04T13:00:00Z",
    "deleted_at": None,
    "withdrawal_reason": None,
    "applied": [-9223372036854775808, 9223372036854775807],
}
"""A document as pydantic wrote it."""


def test_claim_stored_by_the_version_before_is_read():
    claim = CLAIM.decode(json.dumps(OLD).encode())

    assert (claim.reason, claim.status) == (ClaimReason.PARTIAL_DAMAGE, Status.ACCEPTED)
    assert claim.selected_items[0].net_price == Decimal("12.90")
    assert claim.created_at == datetime(2026, 3, 4, 12, 0, 0, 123456, tzinfo=UTC)


def test_claim_is_stored_as_by_the_version_before():
    claim = CLAIM.decode(json.dumps(OLD).encode())

    assert json.loads(msgspec.json.encode(claim)) == OLD


def test_claim_members_with_defaults_may_be_missing():
    needed = {name: OLD[name] for name in Claim.__struct_fields__ if name in REQUIRED}

    assert CLAIM.decode(json.dumps(needed).encode()).status is Status.PENDING


@pytest.mark.parametrize("name", ["claim_id", "reason", "created_at"])
def test_claim_without_required_members_cannot_be_read(name):
    lacking = {member: value for member, value in OLD.items() if member != name}

    with pytest.raises(msgspec.ValidationError):
        CLAIM.decode(json.dumps(lacking).encode())


REQUIRED = {
    "claim_id",
    "order_id",
    "order_number",
    "shop",
    "reason",
    "items_hash",
    "created_at",
    "updated_at",
}
