"""The stored document of an order, and its members in the events of claims."""

import json
from decimal import Decimal

import orjson
import pytest

from services.claims.messages.encode import encode_within
from services.claims.messages.order_document import document_members, encode_document

CONTEXT = {
    "order": {"order_number": "1", "total": Decimal("12.90"), "note": 'größe \u2028 "x"'},
    "customer": None,
    "shipments": [{"products": [{"weight": Decimal("0.10")}]}],
    "claims": [{"claim_id": "ours"}],
}  # fmt: skip


@pytest.mark.parametrize("is_truncated", [False, True])
def test_document_members_are_in_events_as_they_were_written(is_truncated):
    kept = encode_document(CONTEXT, is_truncated=is_truncated, lines_cut=True)

    parts, was_cut = document_members(kept)

    shown = orjson.dumps(parts)
    assert was_cut is is_truncated
    assert b'"total":12.90' in shown
    assert b'"weight":0.10' in shown
    expected = {name: CONTEXT[name] for name in ("order", "customer", "shipments")}
    assert json.loads(shown, parse_float=Decimal) == expected


def test_document_of_the_version_before_gives_the_same_members():
    kept = encode_document(CONTEXT, is_truncated=False, lines_cut=False)
    spelled = json.dumps(json.loads(kept)).encode()  # With spaces, as jsonb is spelled.

    assert orjson.loads(orjson.dumps(document_members(spelled)[0])) == orjson.loads(
        orjson.dumps(document_members(kept)[0])
    )


def test_document_of_an_unseen_order_has_no_members():
    assert document_members(b"{}") == ({}, False)


def test_context_written_with_spaces_is_cut_only_if_it_does_not_fit_without():
    lines = [{"sku": "A", "quantity": 1}] * 400
    kept = encode_document(
        {**CONTEXT, "shipments": [{"products": lines}]}, is_truncated=False, lines_cut=False
    )
    spelled = json.dumps(json.loads(kept)).encode()
    bytes_max = len(kept) + 200
    assert len(spelled) > bytes_max
    parts, _ = document_members(spelled)

    value = encode_within({"context": parts, "context_truncated": False}, bytes_max)

    shown = json.loads(value)
    assert shown["context_truncated"] is False
    assert len(shown["context"]["shipments"][0]["products"]) == 400
