"""Health and metrics over HTTP, on a real port of this machine."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from services.runtime.observability.health import (
    Check,
    CheckResult,
    health_app,
    measure_readiness,
    serve_http,
)
from services.runtime.observability.listener import HttpError
from services.runtime.observability.metrics import Metrics


def _says(ok: bool, detail: str) -> Check:
    async def check() -> CheckResult:
        return ok, detail

    return check


async def _raises() -> CheckResult:
    raise ConnectionError("refused")


async def _asked(
    ask: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]], **checks: Check
) -> httpx.Response:
    app = health_app(Metrics().registry, checks, check_timeout_seconds=0.5)
    server = await serve_http(app, "127.0.0.1", 0)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
            return await ask(client)
    finally:
        await server.stop()


async def test_readiness_is_200_when_every_check_passes() -> None:
    answer = await _asked(lambda http: http.get("/health/ready"), database=_says(True, "answers"))

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "checks": {"database": {"ok": True, "detail": "answers"}},
    }


async def test_readiness_says_which_check_fails_and_why() -> None:
    answer = await _asked(
        lambda http: http.get("/health/ready"), database=_raises, relay=_says(True, "publishes")
    )

    assert answer.status_code == 503
    assert answer.json()["checks"] == {
        "database": {"ok": False, "detail": "ConnectionError: refused"},
        "relay": {"ok": True, "detail": "publishes"},
    }


async def test_readiness_check_that_hangs_fails() -> None:
    never = asyncio.Event()

    async def hangs() -> CheckResult:
        await never.wait()
        return True, ""

    answer = await _asked(lambda http: http.get("/health/ready"), database=hangs)

    assert answer.json()["checks"]["database"]["detail"] == "no answer within 0.5 seconds"


async def test_readiness_is_a_metric_of_each_check() -> None:
    metrics = Metrics()
    checks = {"orders.database": _raises, "orders.relay": _says(True, "publishes")}

    await measure_readiness(metrics.ready, checks)

    assert _ready(metrics, "database") == 0
    assert _ready(metrics, "relay") == 1


async def test_readiness_metric_follows_the_check() -> None:
    metrics = Metrics()

    await measure_readiness(metrics.ready, {"orders.database": _raises})
    await measure_readiness(metrics.ready, {"orders.database": _says(True, "answers")})

    assert _ready(metrics, "database") == 1


def _ready(metrics: Metrics, check: str) -> float | None:
    labels = {"service": "orders", "check": check}
    return metrics.registry.get_sample_value("orderflow_ready", labels)


async def test_liveness_does_not_depend_on_the_database() -> None:
    answer = await _asked(lambda http: http.get("/health/live"), database=_raises)

    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_metrics_are_served_as_text() -> None:
    answer = await _asked(lambda http: http.get("/metrics"))

    assert answer.headers["content-type"].startswith("text/plain")
    assert (
        "# HELP orderflow_outbox_rows Rows committed and not yet published; counted up"
        in answer.text
    )


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "text/plain; version=0.0.4"),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3",
            "application/openmetrics-text; version=1.0.0",
        ),
    ],
)
async def test_metrics_are_served_in_the_form_that_is_asked_for(
    accept: str, content_type: str
) -> None:
    answer = await _asked(lambda http: http.get("/metrics", headers={"accept": accept}))

    assert answer.headers["content-type"].startswith(content_type)


async def test_taken_http_port_is_an_error_that_says_what_to_do() -> None:
    app = health_app(Metrics().registry, {})
    server = await serve_http(app, "127.0.0.1", 0)
    try:
        with pytest.raises(HttpError, match="set HTTP_PORT"):
            await serve_http(app, "127.0.0.1", server.port)
    finally:
        await server.stop()
