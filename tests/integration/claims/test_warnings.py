"""Claim commands with describing values that are wrong: opened, counted and logged by sender."""

from structlog.testing import capture_logs

from services.claims.handler import ClaimBatches
from services.runtime.observability.metrics import Metrics
from tests.integration.batches import applied_by

from .conftest import NOW, an_event, an_opening


async def test_claim_with_warnings_is_opened_counted_and_logged(pool, settings, published):
    metrics = Metrics()
    apply = applied_by(ClaimBatches(settings, metrics), pool, NOW)
    item = {"sku": "MUG-BLUE", "quantity": "1", "net_price": "cheap"}

    with capture_logs() as logs:
        await apply(an_event("1"))
        await apply(an_opening("1", ce_id="c-1", selected_items=[item], image_urls=["picture"]))

    assert [body["event_name"] for _, body in await published()] == ["created"]
    (entry,) = [each for each in logs if each["event"] == "items_warned"]
    assert (entry["ce_source"], entry["items"]) == ("/shops/demo-shop", 1)
    assert entry["codes"] == {"value_left_out": 1, "entry_left_out": 1}
    labels = {"service": "claims", "topic": "claims.commands", "reason": "entry_left_out"}
    assert metrics.registry.get_sample_value("orderflow_warnings_total", labels) == 1
