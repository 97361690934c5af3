"""`orderflow settings` and `orderflow health`."""

import asyncio
import json
import threading
from collections.abc import Iterator

import pytest

from services.runtime.observability.health import (
    CheckResult,
    HttpServer,
    health_app,
    serve_http,
)
from services.runtime.observability.metrics import Metrics

from .conftest import Run


@pytest.fixture
def answers() -> dict[str, CheckResult]:
    """What the service below says of itself."""
    return {"orders.database": (True, "answers")}


@pytest.fixture
def port(answers: dict[str, CheckResult]) -> Iterator[int]:
    """A process that answers for its health, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def check() -> CheckResult:
        return answers["orders.database"]

    async def begin() -> HttpServer:
        app = health_app(Metrics().registry, {"orders.database": check})
        return await serve_http(app, "127.0.0.1", 0)

    server = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    yield server.port
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_health_of_a_ready_service_is_status_0(run: Run, port: int) -> None:
    result = run("health", "--port", str(port))

    assert (result.exit_code, result.stdout) == (0, "ok   orders.database: answers\n")


def test_health_of_an_unready_service_is_status_1_with_the_reason(
    run: Run, port: int, answers: dict[str, CheckResult]
) -> None:
    answers["orders.database"] = (False, "refused")

    plain, as_json = (
        run("health", "--port", str(port)),
        run("health", "--port", str(port), "--json"),
    )

    assert (plain.exit_code, plain.stdout) == (1, "FAIL orders.database: refused\n")
    assert json.loads(as_json.stdout)["status"] == "failing"
    assert run("health", "--port", str(port), "--live").exit_code == 0


def test_health_without_a_service_is_an_error_message(run: Run) -> None:
    result = run("health", "--port", "1")

    assert result.exit_code == 1
    assert "nothing healthy answers on 127.0.0.1:1" in result.stderr


def test_settings_are_shown_without_their_secrets(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://orders:hunter2@db:5432/orderflow")
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "orders")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "hunter2")

    shown = json.loads(run("settings", "--json").stdout)
    table = run("settings").stdout

    assert shown["DATABASE_URL"] == {
        "value": "postgresql://orders:********@db:5432/orderflow",
        "from": "environment",
    }
    assert shown["KAFKA_SASL_PASSWORD"]["value"] == "********"
    assert shown["HTTP_PORT"] == {"value": "8080", "from": "default"}
    assert "hunter2" not in table


def test_setting_that_is_wrong_is_an_error_message(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PORT", "many")

    result = run("settings")

    assert result.exit_code == 1
    assert "HTTP_PORT: " in result.stderr
    assert "Traceback" not in result.output
