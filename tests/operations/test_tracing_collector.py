"""Traces in the collector of OpenTelemetry, and their exemplars in a real Prometheus."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from aiokafka import AIOKafkaProducer

from deploy.stack import process
from deploy.stack.machine import free_port
from schemas.envelope import CloudEvent, write_headers
from schemas.topics import ORDERS_COMMANDS
from services.runtime.config.settings import Settings
from services.runtime.kafka import topics
from tests.operations.conftest import StartPrometheus
from tests.operations.prometheus_server import PrometheusServer, Target

DEADLINE_SECONDS = 60.0
SENDER_ID = "b7ad6b7169203331"
SHOP = "demo-shop"


class RealCollector:
    """The collector with a file of spans, one request of OTLP a line, as JSON."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "spans.json"
        self.port = free_port()
        self._config = folder / "collector.yaml"
        self._log = folder / "collector.log"
        self._config.write_text(yaml.safe_dump(self._settings()), encoding="utf-8")
        self._identity: process.Identity | None = None

    def _settings(self) -> dict[str, Any]:
        exporter = {"path": str(self.file), "format": "json", "flush_interval": "100ms"}
        return {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{self.port}"}}}},
            "exporters": {"file": exporter},
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file"]}},
            },
        }

    def start(self) -> None:
        """Start the program and wait until its port answers."""
        path = shutil.which("otelcol")
        assert path, "otelcol is not on PATH: run deploy/operations.sh"
        command = [path, f"--config=file:{self._config}"]
        program = process.Program("otelcol", command, self._log, signal.SIGTERM)
        self._identity = process.start(program)
        process.wait_ready(program, self._identity, self._answers, DEADLINE_SECONDS)

    def stop(self) -> None:
        """End the program."""
        if self._identity:
            process.stop(self._identity, "otelcol", signal.SIGTERM, DEADLINE_SECONDS)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/").status_code == 404
        except httpx.TransportError:
            return False

    def spans(self) -> list[dict[str, Any]]:
        """All spans so far, as OTLP has them in JSON, each with its service."""
        found = []
        lines = self.file.read_text("utf-8").splitlines() if self.file.exists() else []
        for line in lines:
            for resource in json.loads(line)["resourceSpans"]:
                about = _plain(resource["resource"]["attributes"])
                for scope in resource["scopeSpans"]:
                    found += [each | {"service": about["service.name"]} for each in scope["spans"]]
        return found

    async def until(self, names: set[str], trace_id: str) -> list[dict[str, Any]]:
        """Wait until the trace has spans of these names, and return its spans."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            found = [each for each in self.spans() if each["traceId"] == trace_id]
            if names <= {each["name"] for each in found}:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"only {sorted(each['name'] for each in found)}")
            await asyncio.sleep(0.1)


def _plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in attributes}


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[RealCollector]:
    started = RealCollector(tmp_path)
    started.start()
    yield started
    started.stop()


@pytest.fixture
async def settings(database_url: str, kafka_bootstrap_servers: str, topic_prefix: str) -> Settings:
    made = Settings(
        database_url=database_url,
        kafka_bootstrap_servers=kafka_bootstrap_servers,
        kafka_topic_prefix=topic_prefix,
    )
    await topics.create(made)
    return made


@asynccontextmanager
async def _served(settings: Settings, endpoint: str) -> AsyncIterator[int]:
    """Two processes of the orders service, ready; their port for metrics."""
    port = free_port()
    assert settings.database_url
    variables = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "HTTP_PORT": str(port),
    }
    served = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orderflow", "serve", "orders", "--processes", "2"),
        env=os.environ | variables,
        stderr=asyncio.subprocess.PIPE,
    )
    assert served.stderr
    log = asyncio.ensure_future(served.stderr.read())
    try:
        async with httpx.AsyncClient() as client, asyncio.timeout(DEADLINE_SECONDS):
            while not await _is_ready(client, f"http://127.0.0.1:{port}/health/ready"):
                await asyncio.sleep(0.05)
        yield port
    finally:
        served.terminate()
        text = (await log).decode()
        assert await served.wait() == 0, text


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == 200
    except httpx.TransportError:
        return False


async def _send(settings: Settings, number: int) -> str:
    """Send an order with a trace of its own; returns the id of the trace."""
    trace_id = f"{number:032x}"
    event = CloudEvent(
        type="order.upsert",
        source="/shop",
        id=f"c{number}",
        traceparent=f"00-{trace_id}-{SENDER_ID}-01",
    )
    body = {
        "shop_slug": SHOP,
        "id": str(number),
        "order": {"order_number": str(number), "address": {"zip_code": "10115"}},
        "trackings": [],
    }
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all")
    async with producer:
        await producer.send_and_wait(
            settings.topic(ORDERS_COMMANDS),
            json.dumps(body).encode(),
            f"{SHOP}/{number}".encode(),
            headers=write_headers(event),
        )
    return trace_id


async def test_tracing_is_understood_by_the_collector_and_prometheus(
    collector: RealCollector, settings: Settings, start_prometheus: StartPrometheus
) -> None:
    began = time.time()
    async with _served(settings, f"http://127.0.0.1:{collector.port}") as port:
        prometheus = start_prometheus([Target(f"127.0.0.1:{port}", job="orders")])
        await prometheus.until_scraped()
        trace_id = await _send(settings, 7)
        commands, events = map(settings.topic, (ORDERS_COMMANDS, "orders.events"))
        spans = await collector.until({f"process {commands}", f"send {events}"}, trace_id)

        def has_exemplar(server: PrometheusServer) -> bool:
            found = server.exemplars("orderflow_event_latency_seconds_bucket", began, time.time())
            return trace_id in {
                each["labels"]["trace_id"] for series in found for each in series["exemplars"]
            }

        await prometheus.until(has_exemplar, f"an exemplar of trace {trace_id}")
        stages = prometheus.exemplars("orderflow_batch_stage_seconds_bucket", began, time.time())

    by_name = {each["name"]: each for each in spans}
    item, sent = by_name[f"process {commands}"], by_name[f"send {events}"]
    assert {each["service"] for each in spans} == {"orderflow-orders"}
    assert item["parentSpanId"] == SENDER_ID
    assert sent["parentSpanId"] == item["spanId"]
    assert _plain(item["attributes"])["orderflow.outcome"] == "applied"
    (link,) = item["links"]
    batch = await collector.until({f"apply {commands}", "commit"}, link["traceId"])
    (applied,) = [each for each in batch if each["spanId"] == link["spanId"]]
    assert [(each["traceId"], each["spanId"]) for each in applied["links"]] == [
        (trace_id, SENDER_ID)
    ]
    named = {each["labels"]["trace_id"] for series in stages for each in series["exemplars"]}
    assert named == {link["traceId"]}
