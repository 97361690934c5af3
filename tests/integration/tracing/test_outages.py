"""A collector that is away or slow, and traces that are off: the services do not notice."""

import os
import subprocess
import sys
import threading
import time

import pytest
import structlog
from pydantic import SecretStr

from schemas.topics import ORDERS_COMMANDS, ORDERS_EVENTS
from services.runtime.observability.listener import listen
from services.runtime.observability.metrics import process_metrics
from tests.integration.tracing.conftest import SHOP, an_order

OFF = """
import sys
from services import registry
from services.runtime.config.settings import Settings
from services.runtime.serve import serve

settings = Settings(database_url="postgresql://localhost/none", deliveries_key=None)
for name in registry.names():
    registry.load(registry.entry_of(name).build)(settings)
# FastStream looks whether it is there; it is an empty package.
looked_for = {"opentelemetry"}
roots = ("opentelemetry", "google", "requests")
print(sorted(name for name in {*sys.modules} - looked_for if name.split(".")[0] in roots))
"""


def spans(result):
    """How many spans of orders were sent or dropped so far, in this process."""
    return process_metrics().trace_spans_total.labels("orders", result)._value.get()


def test_traces_that_are_off_import_nothing_of_opentelemetry():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    found = subprocess.run(
        [sys.executable, "-c", OFF], capture_output=True, text=True, check=True, env=environment
    )

    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("answer", ["refused", 503, 400])
async def test_collector_that_is_away_is_logged_once_and_disturbs_nothing(
    start, send, read, collector, answer
):
    """Refused connections, answers that are worth a repetition, and answers that are not."""
    endpoint = collector.endpoint
    if answer == "refused":
        with listen("127.0.0.1", 0) as taken:
            endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
    else:
        collector.status = answer
    dropped = spans("dropped")
    with structlog.testing.capture_logs() as logged:
        (orders,) = await start("orders", otel_exporter_otlp_endpoint=endpoint)
        for number in range(3):
            body, key = an_order(str(number)), f"{SHOP}/{number}"
            await send(ORDERS_COMMANDS, "order.upsert", body, key=key, id_=f"c{number}")
            await read(ORDERS_EVENTS, number + 1)
        await collector.until(lambda: spans("dropped") > dropped)
        checks = [await check() for check in orders.readiness().values()]
        await orders.stop()

    assert all(is_well for is_well, _ in checks), checks
    lost = [entry for entry in logged if entry["event"] == "collector_lost"]
    assert len(lost) == 1
    assert lost[0]["error"]
    assert not collector.spans


async def test_collector_that_comes_back_is_logged_and_gets_what_follows(
    start, send, read, collector
):
    collector.status = 400
    with structlog.testing.capture_logs() as logged:
        await start("orders")
        await send(ORDERS_COMMANDS, "order.upsert", an_order("1"), key=f"{SHOP}/1", id_="c1")
        await collector.until(
            lambda: [each for each in logged if each["event"] == "collector_lost"]
        )
        collector.status = 200
        await send(ORDERS_COMMANDS, "order.upsert", an_order("2"), key=f"{SHOP}/2", id_="c2")
        (answers,) = await collector.until(
            lambda: [each for each in logged if each["event"] == "collector_answers"]
        )

    assert answers["spans_dropped"] > 0
    assert await collector.until(lambda: collector.named("send orders.events"))


async def test_collector_that_never_answers_does_not_keep_a_service_from_its_end(
    start, send, read, collector
):
    collector.held = threading.Event()
    (orders,) = await start("orders", drain_timeout_seconds=5.0)
    await send(ORDERS_COMMANDS, "order.upsert", an_order(), key=f"{SHOP}/1001", id_="c1")
    await read(ORDERS_EVENTS)
    await collector.until(lambda: collector.requests)
    dropped, began = spans("dropped"), time.monotonic()
    await orders.stop()

    assert time.monotonic() - began < 8.0, "the drain timeout, and what the last export may take"
    assert spans("dropped") > dropped


async def test_spans_that_wait_are_sent_before_the_process_ends(start, send, read, collector):
    (orders,) = await start("orders")
    await send(ORDERS_COMMANDS, "order.upsert", an_order(), key=f"{SHOP}/1001", id_="c1")
    await read(ORDERS_EVENTS)
    await orders.stop()

    assert collector.named("send orders.events")


async def test_collector_gets_the_headers_and_the_resource_of_the_settings(start, send, collector):
    await start(
        "orders",
        otel_exporter_otlp_headers=SecretStr("authorization=Bearer%20abc"),
        otel_resource_attributes="deployment.environment.name=test,service.name=other",
    )
    await send(ORDERS_COMMANDS, "order.upsert", an_order(), key=f"{SHOP}/1001", id_="c1")
    await collector.until(lambda: collector.spans)

    assert collector.requests[0]["authorization"] == "Bearer abc"
    assert {each.service for each in collector.spans} == {"orderflow-orders"}
    assert {each.resource["deployment.environment.name"] for each in collector.spans} == {"test"}
