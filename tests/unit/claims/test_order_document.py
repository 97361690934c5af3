"""What is kept of an order's context, and what a claim's events show of it."""

import json
from decimal import Decimal

import orjson
import pytest

from services.claims.messages.encode import within
from services.claims.messages.order_document import keep, parts_of

CONTEXT = {
    "order": {"order_number": "1", "total": Decimal("12.90"), "note": 'größe \u2028 "x"'},
    "customer": None,
    "shipments": [{"products": [{"weight": Decimal("0.10")}]}],
    "claims": [{"claim_id": "ours"}],
}  # fmt: skip


@pytest.mark.parametrize("is_truncated", [False, True])
def test_events_show_what_is_kept_as_it_was_written_and_not_its_marks(is_truncated):
    kept = keep(CONTEXT, is_truncated=is_truncated, lines_cut=True)

    parts, was_cut = parts_of(kept)

    shown = orjson.dumps(parts)
    assert was_cut is is_truncated
    assert b'"total":12.90' in shown
    assert b'"weight":0.10' in shown
    expected = {name: CONTEXT[name] for name in ("order", "customer", "shipments")}
    assert json.loads(shown, parse_float=Decimal) == expected


def test_a_copy_as_the_version_before_stored_it_is_shown_alike():
    kept = keep(CONTEXT, is_truncated=False, lines_cut=False)
    spelled = json.dumps(json.loads(kept)).encode()  # With spaces, as jsonb is spelled.

    assert orjson.loads(orjson.dumps(parts_of(spelled)[0])) == orjson.loads(
        orjson.dumps(parts_of(kept)[0])
    )


def test_nothing_is_shown_of_an_order_without_an_event():
    assert parts_of(b"{}") == ({}, False)


def test_a_context_spelled_with_spaces_is_cut_only_where_it_does_not_fit_without():
    lines = [{"sku": "A", "quantity": 1}] * 400
    kept = keep(
        {**CONTEXT, "shipments": [{"products": lines}]}, is_truncated=False, lines_cut=False
    )
    spelled = json.dumps(json.loads(kept)).encode()
    bytes_max = len(kept) + 200
    assert len(spelled) > bytes_max
    parts, _ = parts_of(spelled)

    value = within({"context": parts, "context_truncated": False}, bytes_max)

    shown = json.loads(value)
    assert shown["context_truncated"] is False
    assert len(shown["context"]["shipments"][0]["products"]) == 400
