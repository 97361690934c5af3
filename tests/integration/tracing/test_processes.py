"""Traces over processes: one that is killed, several with one port, and a chain of services."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from aiohttp import web
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from deploy.stack.machine import free_port
from schemas.topics import (
    DELIVERIES_COMMANDS,
    DELIVERIES_OUTCOMES,
    ORDERS_COMMANDS,
    ORDERS_EVENTS,
)
from services.gateway.access.keys import SHOP as OF_SHOP
from services.gateway.operations import keys
from services.gateway.operations.keys import Owner
from services.runtime.batch.batch_spans import received_span_id
from services.runtime.messages.records import Coordinates
from services.runtime.observability.metrics import process_metrics
from services.runtime.operations.audit import Signature
from tests.integration.tracing.conftest import (
    DEADLINE_SECONDS,
    SENDER,
    SENDER_ID,
    SHOP,
    TRACE_ID,
    an_order,
    traceparent_of,
)

KEY = f"{SHOP}/1001"
OPEN_METRICS = {"accept": "application/openmetrics-text;version=1.0.0"}


async def test_events_of_a_process_that_was_killed_are_published_in_their_trace(
    start, send, read, collector, settings, tmp_path
):
    await send(ORDERS_COMMANDS, "order.upsert", an_order(), key=KEY, id_="c1")
    stored = tmp_path / "settings.json"
    url = settings.database_url.get_secret_value()
    given = settings.model_dump(mode="json", exclude_unset=True) | {"database_url": url}
    stored.write_text(json.dumps({k: v for k, v in given.items() if not k.startswith("deliver")}))
    program = "tests.integration.tracing.killed_orders"
    killed = await asyncio.create_subprocess_exec(sys.executable, "-m", program, str(stored))
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await killed.wait() == -signal.SIGKILL

    await start("orders")
    ((headers, event),) = await read(ORDERS_EVENTS)
    (sent,) = await collector.until(lambda: collector.named("send orders.events", TRACE_ID))

    trace_id, span_id = traceparent_of(headers).split("-")[1:3]
    places = [Coordinates(ORDERS_COMMANDS, partition, 0) for partition in range(3)]
    assert trace_id == TRACE_ID
    assert span_id in {received_span_id("orders", at, 0) for at in places}
    assert sent.parent_id == span_id
    assert sent.attributes["messaging.message.id"] == event["event_id"]
    assert sent.attributes["orderflow.outbox_seconds"] > 0


async def test_processes_of_a_service_send_spans_and_show_exemplars_on_one_port(
    send, collector, settings
):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with _served(settings, port), httpx.AsyncClient(base_url=url) as client:
        await _until_ready(client)
        number = 0
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len({each.resource["service.instance.id"] for each in collector.spans}) < 2:
                number += 1
                key = f"{SHOP}/{number}"
                order = an_order(str(number))
                await send(ORDERS_COMMANDS, "order.upsert", order, key=key, id_=f"c{number}")
        plain = await client.get("/metrics")
        rich = await client.get("/metrics", headers=OPEN_METRICS)

    assert "trace_id" not in plain.text
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert rich.headers["content-type"].startswith("application/openmetrics-text")
    exemplars = {
        (family.name, sample.labels["process"], sample.exemplar.labels["trace_id"])
        for family in text_string_to_metric_families(rich.text)
        for sample in family.samples
        if sample.exemplar
    }
    stages = {each[1:] for each in exemplars if each[0] == "orderflow_batch_stage_seconds"}
    latencies = {each[1:] for each in exemplars if each[0] == "orderflow_event_latency_seconds"}
    assert {process for process, _ in stages} == {"1", "2"}
    assert {trace_id for _, trace_id in stages} <= {each.trace_id for each in collector.spans}
    assert {trace_id for _, trace_id in latencies} == {TRACE_ID}


@asynccontextmanager
async def _served(settings, port) -> AsyncIterator[None]:
    """Two processes of the orders service, which end well."""
    variables = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
        "OTEL_EXPORTER_OTLP_ENDPOINT": settings.otel_exporter_otlp_endpoint,
        "HTTP_PORT": str(port),
    }
    served = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orderflow", "serve", "orders", "--processes", "2"),
        env=os.environ | variables,
        stderr=asyncio.subprocess.PIPE,
    )
    log = asyncio.ensure_future(served.stderr.read())
    try:
        yield
    finally:
        served.terminate()
        text = (await log).decode()
        assert await served.wait() == 0, text


async def _until_ready(client) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                if (await client.get("/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


@pytest.fixture
async def hooks() -> AsyncIterator[list]:
    """Requests that a receiver of webhooks got; the first entry is its URL."""
    seen = []

    async def take(request: web.Request) -> web.Response:
        seen.append(dict(request.headers))
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/hook", take)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    seen.append(f"http://127.0.0.1:{port}/hook")
    yield seen
    await runner.cleanup()


async def test_request_is_in_one_trace_with_its_command_its_event_and_its_webhook(
    start, send, read, collector, settings, hooks
):
    (url,) = hooks
    gateway, *_ = await start("gateway", "orders", "deliveries")
    hook = {"shop_slug": SHOP, "destination_id": "erp", "url": url}
    await send(
        DELIVERIES_COMMANDS, "destination.upsert", hook, key=SHOP, id_="d1", traceparent=None
    )
    await read(DELIVERIES_OUTCOMES)
    answer = await _post(gateway, settings, {"traceparent": SENDER})
    (attempt,) = await collector.until(lambda: collector.named("POST webhook", TRACE_ID))

    (request,) = await collector.until(
        lambda: collector.named("POST /shops/{shop}/commands", TRACE_ID)
    )
    (command,) = await collector.until(lambda: collector.named("process orders.commands", TRACE_ID))
    matched = await collector.until(lambda: collector.named("process orders.events", TRACE_ID))
    assert (request.service, request.kind, request.parent_id) == (
        "orderflow-gateway",
        "SERVER",
        SENDER_ID,
    )
    assert request.attributes["http.response.status_code"] == answer.status_code == 202
    assert command.parent_id == request.span_id
    assert {each.service for each in matched} == {"orderflow-deliveries"}
    assert (attempt.kind, attempt.parent_id) == ("CLIENT", command.span_id)
    assert attempt.attributes["http.response.status_code"] == 204
    assert hooks[1]["traceparent"] == attempt.traceparent
    seconds = process_metrics().http_request_seconds.collect()[0].samples
    assert TRACE_ID in {each.exemplar.labels["trace_id"] for each in seconds if each.exemplar}


async def test_request_without_a_trace_begins_one_by_the_share_of_the_settings(
    start, read, collector, settings
):
    gateway, _ = await start("gateway", "orders", otel_traces_sampler_arg=1.0)
    await _post(gateway, settings, {"traceparent": SENDER.upper()})
    ((headers, _),) = await read(ORDERS_COMMANDS)
    (request,) = await collector.until(lambda: collector.named("POST /shops/{shop}/commands"))

    assert request.parent_id == ""
    assert traceparent_of(headers) == request.traceparent


async def test_request_that_is_not_sampled_says_so_to_what_follows(
    start, read, collector, settings
):
    gateway, _ = await start("gateway", "orders")
    await _post(gateway, settings, {})
    ((headers, _),) = await read(ORDERS_EVENTS)

    assert traceparent_of(headers).endswith("-00")
    assert not collector.spans


async def _post(gateway, settings, headers):
    """Send an order over HTTP, once the gateway reaches Kafka."""
    async with keys.opened_by_owner(settings) as connection:
        owner, by = Owner(OF_SHOP, SHOP, f"/shops/{SHOP}"), Signature("a test", "to send")
        key = await keys.add(connection, owner, by, per_second=None, expires_at=None)
    await gateway.keys.refresh()
    event = {"id": "c1", "type": "order.upsert", "data": an_order()}
    known = {
        "authorization": f"Bearer {key.text}",
        "content-type": "application/cloudevents-batch+json",
    }
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.web.port}") as client:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while gateway.publisher.trouble:
                await asyncio.sleep(0.02)
        return await client.post(f"/shops/{SHOP}/commands", json=[event], headers=known | headers)
