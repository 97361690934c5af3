"""Alerts of the gateway and of webhooks, seen firing and resolving as in test_alerts_fire.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest
import pytest_asyncio
from aiohttp import web

from chaos.proxy import LOOPBACK
from services.deliveries.names import SHARDS
from services.deliveries.sending.sender import LEASES
from services.runtime.outbox.leases import ShardLeases
from services.runtime.postgres.connections import connect
from tests.integration.deliveries.conftest import Receiver
from tests.operations.alert_acts import add_key, post, repeated, sees
from tests.operations.alert_stage import SHOP, Stage

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]


@sees("OrderflowRequestsRefused", "OrderflowSendersSlowed")
async def test_wrong_key_and_too_many_requests_fire(stage: Stage, names: tuple[str, ...]) -> None:
    key = await add_key(stage, "--rate 0.5")
    async with httpx.AsyncClient(timeout=20) as client:

        async def send() -> None:
            await post(stage, client, "ofk_wrong")
            await post(stage, client, key)

        async with repeated(send):
            await stage.fires(*names)
    await stage.resolves(*names)


# Webhooks.


@asynccontextmanager
async def listening_on(port: int, receiver: Receiver) -> AsyncIterator[Receiver]:
    """Run a receiver on a port."""
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port, reuse_address=True).start()
    receiver.port = port
    try:
        yield receiver
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="module")
async def receiver(stage: Stage, request: pytest.FixtureRequest) -> AsyncIterator[Receiver]:
    """A webhook of the shop, named for the test, which answers 204; removed afterwards."""
    async with listening_on(stage.receiver_port, Receiver()) as receiver:
        named = {"shop_slug": SHOP, "destination_id": request.node.originalname.replace("_", "-")}
        await stage.send(
            "deliveries.commands", "destination.upsert", [{**named, "url": receiver.url}]
        )
        await stage.until_row(
            "SELECT FROM deliveries.destination WHERE name = $1", named["destination_id"]
        )
        yield receiver
        await stage.send("deliveries.commands", "destination.remove", [named])


async def resume(stage: Stage, name: str) -> None:
    """Send what was kept for a destination, as the runbook says."""
    await stage.operate(f"destinations resume {SHOP} {name} --why mended")


@sees("OrderflowWebhooksFailing", "OrderflowDeliveriesOld")
async def test_failing_webhook_fires(
    stage: Stage, receiver: Receiver, names: tuple[str, ...]
) -> None:
    receiver.answer = lambda _request: 500
    await stage.place(*(f"failing-{at}" for at in range(40)))
    await stage.fires("OrderflowWebhooksFailing")
    await stage.until_row("SELECT FROM deliveries.backlog")
    await stage.ask("UPDATE deliveries.backlog SET created_at = now() - interval '2 days'")
    await stage.fires("OrderflowDeliveriesOld")

    receiver.answer = lambda _request: 204
    await resume(stage, "test-failing-webhook-fires")
    await stage.resolves(*names)


@sees("OrderflowDestinationDisabled")
async def test_destination_without_success_fires(
    stage: Stage, receiver: Receiver, names: tuple[str, ...]
) -> None:
    receiver.answer = lambda _request: 500
    await stage.place(*(f"disabled-{at}" for at in range(10)))
    await stage.until_row(
        "SELECT FROM deliveries.destination_health WHERE failing_since IS NOT NULL"
    )
    deliveries = stage.replicas["deliveries"]
    await asyncio.to_thread(deliveries.stop)
    await stage.ask("UPDATE deliveries.destination SET updated_at = now() - interval '5 days'")
    await stage.ask(
        "UPDATE deliveries.destination_health SET failing_since = now() - interval '4 days'"
    )
    await asyncio.to_thread(deliveries.start)
    await stage.fires(*names)

    receiver.answer = lambda _request: 204
    await resume(stage, "test-destination-without-success-fires")
    await stage.resolves(*names)


@sees("OrderflowDeliveriesHeld")
async def test_order_whose_event_was_tried_in_vain_fires(
    stage: Stage, receiver: Receiver, names: tuple[str, ...]
) -> None:
    receiver.answer = lambda _request: 404
    await stage.place("held-by-receiver")
    await stage.until_row("SELECT FROM deliveries.message_group WHERE attempts = 1")
    await stage.ask("UPDATE deliveries.message_group SET attempts = 10, due_at = now()")
    await stage.fires(*names)

    receiver.answer = lambda _request: 204
    await resume(stage, "test-order-whose-event-was-tried-in-vain-fires")
    await stage.resolves(*names)


@sees("OrderflowWebhooksNotSent")
async def test_process_that_holds_shards_and_sends_nothing_fires(
    stage: Stage, names: tuple[str, ...]
) -> None:
    connection: asyncpg.Connection = await connect(stage.settings, "deliveries", "sender")
    leases = ShardLeases(connection, LEASES, SHARDS)
    await leases.join()
    try:
        async with repeated(leases.take_free):
            await stage.fires(*names)
    finally:
        connection.terminate()
    await stage.resolves(*names)
