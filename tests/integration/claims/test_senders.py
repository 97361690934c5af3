"""A claim command of a sender who may not speak for its shop touches nothing."""

import json
from uuid import uuid4

import pytest
from msgspec.structs import replace

from services.claims.handler import ClaimBatches
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics

from .conftest import SHOP, a_change, an_event, an_opening

TOUCHED = {"claim": "claim_id", "order_copy": "order_id", "waiting": "item_id", "parked": "id"}


@pytest.fixture
def claims(settings: Settings) -> ClaimBatches:
    """The batch of an installation with a list for the shop."""
    lists = json.dumps({SHOP: ["/shops/*"]})
    return ClaimBatches(settings.model_copy(update={"allowed_sources": lists}), Metrics())


@pytest.mark.parametrize("source", [b"/stranger", b""])
async def test_command_of_a_source_that_is_not_allowed_is_rejected_alone(
    apply, published, rows, source
):
    """News of orders are ours and need no list."""
    await apply(an_event("1"), an_event("2"))
    before = {table: await rows(table, key) for table, key in TOUCHED.items()}

    await apply(*(replace(each, headers=_of(each, source)) for each in _commands()))

    assert {table: await rows(table, key) for table, key in TOUCHED.items()} == before
    reasons = [body["reason"] for _, body in await published("claims.rejected")]
    assert reasons == ["source_not_allowed"] * 3

    await apply(an_opening("2", ce_id="c-4"))

    assert [body["event_name"] for _, body in await published()] == ["created"]


def _commands():
    yield an_opening("1", ce_id="c-1")
    yield a_change(uuid4(), ce_id="c-2", description="mine")
    yield a_change(uuid4(), "claim.withdraw", ce_id="c-3")


def _of(record, source):
    kept = tuple(header for header in record.headers if header[0] != "ce_source")
    return (*kept, ("ce_source", source)) if source else kept
