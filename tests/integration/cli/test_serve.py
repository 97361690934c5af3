"""`orderflow serve` as a process of its own, with the commands a person would run beside it."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from services import registry
from services.runtime.postgres.migrate import migrate

from .conftest import Run

Serve = Callable[..., tuple["subprocess.Popen[bytes]", Path]]
DEADLINE_SECONDS = 60


@pytest.fixture
def serve(
    servers: None, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Serve]:
    """Start `orderflow serve NAME` on a free port; returns the process and its log."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    started: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []

    def start(name: str, **environment: str) -> tuple["subprocess.Popen[bytes]", Path]:
        log = tmp_path / f"{name}.log"
        stream = log.open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "orderflow", "serve", name],
            env=os.environ | {"HTTP_PORT": "0"} | environment,
            stdout=stream,
            stderr=stream,
        )
        started.append((process, stream))
        return process, log

    yield start
    for process, stream in started:
        process.kill()
        process.wait(DEADLINE_SECONDS)
        stream.close()


def _entries(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def _until(is_so: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def _port(log: Path) -> str:
    def found() -> list[object]:
        lines = [line for line in log.read_text().splitlines() if "http_listening" in line]
        return [json.loads(line)["port"] for line in lines]

    _until(lambda: bool(found()), log)
    return str(found()[0])


@pytest.mark.slow
def test_command_that_is_sent_becomes_an_order_that_can_be_shown(
    run: Run, topics: None, serve: Serve
) -> None:
    process, log = serve("all")
    port = _port(log)
    _until(lambda: run("health", "--port", port).exit_code == 0, log)
    shop, number = "demo-shop", "1Z999AA10123456784"
    order = {"order_number": "1001", "address": {"zip_code": "10115"}}
    scan = {"event_name": "PICKED_UP_BY_CARRIER", "occurred_at": "2026-05-04T09:00:00Z"}
    lines = [
        {"type": "order.place", "id": "c-1", "value": {"shop_slug": shop, "order": order}},
        {
            "type": "order.upsert",
            "id": "c-2",
            "value": {
                "shop_slug": shop,
                "id": "1001",
                "trackings": [{"tracking_number": number, "carrier_reference": "ups"}],
            },
        },
        {
            "type": "tracking.reported",
            "value": {"carrier_reference": "ups", "tracking_number": number, "scans": [scan]},
        },
    ]

    sent = run("send", "-", "--wait", "--json", input="\n".join(map(json.dumps, lines)))
    _until(lambda: "PICKED_UP_BY_CARRIER" in run("order", "demo-shop/1001").stdout, log)
    shown = json.loads(run("order", "demo-shop/1001", "--json").stdout)
    events = run("tail", "orders.events", "--from", "beginning", "--max", "2", "--json")

    lines_sent = [json.loads(line) for line in sent.stdout.splitlines()]
    outcomes = {
        t["outcome"]["command_id"]: t["outcome"]["outcome"] for t in lines_sent if "outcome" in t
    }
    assert outcomes == {"c-1": "applied", "c-2": "applied"}
    (shipment,) = shown["shipments"]
    assert (shown["status"], shipment["phase"]) == ("fulfilled", "in_transit")
    assert shipment["scans"][0]["why"] == "It moved the parcel to in_transit."
    assert [json.loads(line)["value"]["event_name"] for line in events.stdout.splitlines()] == [
        "ORDER_PLACED",
        "ORDER_FULFILLED",
    ]

    process.send_signal(signal.SIGTERM)

    assert process.wait(DEADLINE_SECONDS) == 0
    assert [e["service"] for e in _entries(log) if e["event"] == "service_stopped"]
    assert run("health", "--port", port).exit_code == 1


_SHOP = {"shop_slug": "demo-shop", "id": "1001"}
_CLAIM = {**_SHOP, "reason": "damage", "tracking_number": "1Z999AA1", "description": "d" * 5000}
_ABOVE = {**_CLAIM, "selected_items": [{"sku": "MUG", "quantity": 3}]}
_MIXED_LINES: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "order.upsert",
        "o-1",
        {
            **_SHOP,
            "order": {
                "order_number": "1001",
                "address": {"zip_code": "10115", "country_code": "UK"},
                "products": [{"sku": "MUG", "quantity": 2}],
            },
            "trackings": [{"tracking_number": "1Z999AA1", "carrier_reference": "ups"}],
        },
        "applied",
    ),
    (
        "tracking.reported",
        "t-1",
        {
            "carrier_reference": "ups",
            "tracking_number": "1Z999AA1",
            "scans": [
                {"event_name": "PICKED_UP_BY_CARRIER", "occurred_at": "2026-05-03T09:00:00Z"},
                {"event_name": "SUCCESSFULLY_DELIVERED", "occurred_at": "2026-05-04T09:00:00Z"},
            ],
        },
        "none",
    ),
    ("claim.open", "k-1", _CLAIM, "applied"),
    ("claim.open", "k-1", _CLAIM, "no_change duplicate"),
    ("claim.open", "k-2", _ABOVE, "rejected quantity_above_shipped"),
    ("order.cancel", "x-1", {"shop_slug": "demo-shop", "id": "1001"}, "applied"),
    ("order.cancel", "x-1", {"shop_slug": "demo-shop", "id": "1001"}, "no_change duplicate"),
]


@pytest.mark.slow
def test_send_waits_for_the_outcome_of_each_line_of_orders_and_claims(
    run: Run, topics: None, serve: Serve
) -> None:
    """Lines with one id have an outcome each; a tracking message has none."""
    _, log = serve("all")
    port = _port(log)
    _until(lambda: run("health", "--port", port).exit_code == 0, log)
    lines = [{"type": type_, "id": id_, "value": value} for type_, id_, value, _ in _MIXED_LINES]

    sent = run("send", "-", "--wait", "--json", input="\n".join(map(json.dumps, lines)))

    printed = [json.loads(line) for line in sent.stdout.splitlines()]
    outcomes = {each["line"]: each["outcome"] for each in printed if "outcome" in each}
    found = {
        line: " ".join(filter(None, (outcome["outcome"], outcome["reason"])))
        for line, outcome in outcomes.items()
    }
    assert found == {
        line: right for line, (*_, right) in enumerate(_MIXED_LINES, 1) if right != "none"
    }
    assert sent.exit_code == 1  # One command is rejected.
    assert outcomes[3]["claim_id"]
    (cut,) = outcomes[3]["warnings"]
    assert (cut["code"], cut["pointer"]) == ("text_cut", "/description")


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.names())
def test_serve_waits_until_its_schema_is_migrated(
    run: Run, topics: None, serve: Serve, empty_database_url: str, name: str
) -> None:
    """Alive, not ready, and it says why; then ready without a new start."""
    others = [each for each in registry.names() if each != name]
    asyncio.run(migrate(empty_database_url, others))
    process, log = serve(name, DATABASE_URL=empty_database_url)
    port, missing = _port(log), f"schema {name} is not set up: run `orderflow migrate`"

    _until(lambda: missing in run("health", "--port", port).output, log)
    assert httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == HTTPStatus.OK
    assert "waiting_for_migration" in {entry["event"] for entry in _entries(log)}
    asyncio.run(migrate(empty_database_url))

    _until(lambda: run("health", "--port", port).exit_code == 0, log)
    process.terminate()
    assert process.wait(DEADLINE_SECONDS) == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.slow
def test_serve_that_waits_for_its_schema_ends_on_sigterm(
    servers: None, serve: Serve, empty_database_url: str
) -> None:
    process, log = serve("all", DATABASE_URL=empty_database_url)
    _until(lambda: log.read_text().count("waiting_for_migration") >= len(registry.names()), log)

    process.terminate()

    assert process.wait(DEADLINE_SECONDS) == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("is_kafka_there", [True, False], ids=["kafka", "no kafka"])
def test_serve_ends_all_services_when_one_cannot_start(
    run: Run, topics: None, serve: Serve, database_url: str, is_kafka_there: bool
) -> None:
    """Without Kafka the others would wait for it as long as it takes."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        away = {} if is_kafka_there else {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
        process, log = serve("all", ORDERFLOW_GATEWAY_PORT=str(port), **away)

        assert process.wait(DEADLINE_SECONDS) == 1

    assert f"{port}" in log.read_text().splitlines()[-1]
    assert "Traceback" not in log.read_text()


def test_serve_refuses_a_misspelt_setting(serve: Serve) -> None:
    process, log = serve("orders", ORDERFLOW_BATCH_MAX_RECORD="7")

    assert process.wait(DEADLINE_SECONDS) == 1
    assert "did you mean ORDERFLOW_BATCH_MAX_RECORDS?" in log.read_text()
