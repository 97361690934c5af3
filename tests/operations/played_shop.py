"""A shop that is played through all services, while a real Prometheus scrapes them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from demo.campaigns.shop import campaign_play
from demo.installation import Installation
from demo.receiver import receiving
from demo.replicas import Replica
from demo.run import report
from demo.script import Script
from demo.synthetic import SHOP, synthetic_script
from demo.webhooks import webhook_of
from deploy.stack import Addresses
from deploy.stack.machine import free_port
from services.analytics.operations.report import Figures
from services.gateway.access.keys import SHOP as SHOP_KEY
from services.gateway.operations import keys
from services.gateway.operations.keys import Owner
from services.runtime.operations.audit import Signature
from tests.operations.prometheus_server import PrometheusServer, Target
from tests.processes import System, running

INTERVAL_SECONDS = 0.5
RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "orderflow.rules.yaml"


@dataclass(frozen=True, slots=True)
class PlayedShop:
    """The Prometheus, which goes on scraping, and what the report says of the shop."""

    prometheus: PrometheusServer
    figures: Figures
    started_at: float
    """Unix seconds."""


@asynccontextmanager
async def played_shop(
    addresses: Addresses, folder: Path, *, scale: float = 0.05, seed: int = 7
) -> AsyncIterator[PlayedShop]:
    """The demo's shop with a webhook, shops with campaigns, and requests to the gateway, played.

    Two replicas of each service but the gateway run on, and the Prometheus too.
    """
    script = synthetic_script(seed, scale=scale)
    async with receiving() as receiver:
        webhook = webhook_of(script, receiver)
        seconds = {"ORDERFLOW_METRICS_INTERVAL_SECONDS": str(INTERVAL_SECONDS)}
        environment = {**webhook.environment, **seconds}
        campaigns = campaign_play(seed, orders=max(20, round(200 * scale))).script
        begins = min(campaigns.messages[0].at, script.messages[0].at)
        async with (
            running(addresses, folder, environment=environment, at=begins) as system,
            gateway_of(system.installation, folder, seconds) as (gateway, url),
        ):
            targets = [target_of(replica) for replica in [*system.replicas, gateway]]
            with PrometheusServer(
                folder / "prometheus",
                targets,
                rule_files=[RULES],
                interval_seconds=INTERVAL_SECONDS,
            ) as prometheus:
                await prometheus.until_scraped()
                started_at = time.time()
                await webhook.subscribe(system.installation, system.watcher)
                await _play(system, [campaigns, script], url)
                await webhook.finish(system.watcher)
                figures = await report(system.installation)
                yield PlayedShop(prometheus, figures, started_at)


async def _play(system: System, scripts: Sequence[Script], gateway_url: str) -> None:
    requests = asyncio.create_task(_send_requests(system.installation, gateway_url))
    for script in scripts:
        await system.player.play(script)
    await requests


async def _send_requests(installation: Installation, url: str) -> None:
    """Commands that are taken, one that breaks the contract, and one with a wrong key."""
    by = Signature("a test", "to send over HTTP")
    async with keys.opened_by_owner(installation.settings) as connection:
        owner = Owner(SHOP_KEY, SHOP, f"/shops/{SHOP}")
        key = await keys.add(connection, owner, by, per_second=None, expires_at=None)
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:

        async def send(number: int, text: str = key.text, **changes: object) -> int:
            headers = {"authorization": f"Bearer {text}", "ce-type": "order.place"}
            headers["ce-id"] = f"over-http-{number}"
            body = {"shop_slug": SHOP, "order": {"order_number": f"H-{number}", **changes}}
            path = f"/shops/{SHOP}/commands"
            return (await client.post(path, headers=headers, json=body)).status_code

        taken = [await send(number, address={"zip_code": "10115"}) for number in range(20)]
        refused = [await send(20, text=f"{key.text}x"), await send(21, address=7)]
    assert (taken, refused) == ([202] * 20, [401, 422])


@asynccontextmanager
async def gateway_of(
    installation: Installation, folder: Path, settings: Mapping[str, str]
) -> AsyncIterator[tuple[Replica, str]]:
    """A gateway of an installation, and the address of its requests; stopped afterwards."""
    port = free_port()
    environment = {
        **installation.environment,
        **settings,
        "ORDERFLOW_GATEWAY_PORT": str(port),
    }
    gateway = Replica("gateway", "gateway-1", folder / "logs", environment)
    try:
        gateway.start()
        await asyncio.to_thread(gateway.wait_ready)
        yield gateway, f"http://127.0.0.1:{port}"
    finally:
        await asyncio.to_thread(gateway.stop)


def target_of(replica: Replica) -> Target:
    """The `/metrics` of a replica that is ready, in a job as the chart names it."""
    port = next(
        json.loads(line)["port"]
        for line in replica.log.read_text("utf-8").splitlines()
        if "http_listening" in line
    )
    return Target(f"127.0.0.1:{port}", job=f"orderflow-{replica.service}")
