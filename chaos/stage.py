"""Everything a campaign runs on: two servers of its own, a proxy before each, and the replicas.

Servers, proxies and the nursery are the *ground*, on which one installation after the other can be
staged.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from chaos.fleet import Nursery, Ward, wards
from chaos.gateway import secrets_in
from chaos.plan import KAFKA, POSTGRES
from chaos.proxy import LOOPBACK, Proxy, proxied
from chaos.traffic import BEGINS_AT, ROUND_LASTS
from chaos.webhooks.receivers import Receivers
from demo.installation import Installation, installation_of
from demo.replicas import start_all
from deploy.stack import Addresses, LocalStack
from deploy.stack.listeners import Entrances, Listener
from deploy.stack.machine import free_port
from services.runtime.clock import set_clock
from services.runtime.config.settings import Settings

PROXIED = "PROXIED"
SHARDS = "ORDERFLOW_OUTBOX_SHARDS"
QUICK = {
    SHARDS: "8",
    "KAFKA_SESSION_TIMEOUT_MS": "3000",
    "KAFKA_HEARTBEAT_INTERVAL_MS": "300",
    "KAFKA_REBALANCE_TIMEOUT_MS": "5000",
    "KAFKA_REQUEST_TIMEOUT_MS": "6000",
    "ORDERFLOW_BATCH_MAX_RECORDS": "40",
    "ORDERFLOW_METRICS_INTERVAL_SECONDS": "1",
    "ORDERFLOW_DRAIN_TIMEOUT_SECONDS": "5",
    "DATABASE_LOCK_TIMEOUT_SECONDS": "2",
    "DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_SECONDS": "4",
    "DATABASE_STATEMENT_TIMEOUT_SECONDS": "8",
    "DATABASE_CONNECT_TIMEOUT_SECONDS": "3",
    "ORDERFLOW_PARKING_FIRST_DELAY_SECONDS": "1",
    "ORDERFLOW_PARKING_LONGEST_DELAY_SECONDS": "3",
    "ORDERFLOW_PARKING_INTERVAL_SECONDS": "0.5",
    # There is more poison in the campaign than any fuse should let pass; it has tests of its own.
    "ORDERFLOW_FUSE_PARKED_SHARE": "0",
    "ORDERFLOW_FUSE_PARKED_IN_A_ROW": "0",
    "ORDERFLOW_GATEWAY_PUBLISH_SECONDS": "3",
    "ORDERFLOW_GATEWAY_REQUESTS_PER_SECOND": "100000",
}
"""Time-outs that fit rounds of ten seconds; small batches, so that there are many to die in."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Servers that run, and where replicas come from."""

    stack: LocalStack
    addresses: Addresses
    proxies: Mapping[str, Proxy]
    nursery: Nursery

    def lead_proxies(self) -> None:
        """Lead to where the servers are; one that was started again may be elsewhere."""
        host, _, port = self.stack.kafka.address(PROXIED).partition(":")
        self.proxies[KAFKA].lead_to(host, int(port))
        self.proxies[POSTGRES].lead_to(LOOPBACK, self.stack.postgres.port)


@dataclass(slots=True)
class Stage:
    """One installation that runs, and what can be done to it."""

    ground: Ground
    installation: Installation
    wards: dict[str, Ward]
    outbox_shards: int
    gateway_port: int
    receivers: Receivers
    """Of webhooks."""

    @property
    def settings(self) -> Settings:
        """Settings of its operators, who reach the servers without a proxy."""
        return Settings(
            database_url=self.installation.database_url,
            kafka_bootstrap_servers=self.installation.addresses.kafka_bootstrap_servers,
            kafka_topic_prefix=self.installation.prefix,
            clock_file=self.installation.clock_file,
            outbox_shards=self.outbox_shards,
        )

    @property
    def control(self) -> Path:
        """The folder of control files, which every replica looks into."""
        return next(iter(self.wards.values())).control

    def set_clock(self, number: int, *, after: float = 0) -> None:
        """Business time of a round."""
        at = BEGINS_AT + number * ROUND_LASTS + timedelta(hours=after)
        set_clock(self.installation.clock_file, at)


@asynccontextmanager
async def grounded(folder: Path) -> AsyncIterator[Ground]:
    """Start servers, proxies and the nursery; all are gone afterwards, but for logs."""
    async with contextlib.AsyncExitStack() as exits:
        proxies = {name: await exits.enter_async_context(proxied()) for name in (KAFKA, POSTGRES)}
        stack = LocalStack(folder / "servers", entrances=_entrance_by(proxies[KAFKA]))
        exits.push_async_callback(asyncio.to_thread, stack.stop)
        addresses = await asyncio.to_thread(stack.start)
        nursery = exits.enter_context(Nursery(folder / "nursery.log"))
        ground = Ground(stack, addresses, proxies, nursery)
        ground.lead_proxies()
        yield ground


@asynccontextmanager
async def staged(
    ground: Ground,
    folder: Path,
    environment: Mapping[str, str],
    receivers: Receivers,
    plants: Sequence[str] = (),
) -> AsyncIterator[Stage]:
    """Start the replicas of an installation of their own; dead afterwards, their logs are kept."""
    installation = installation_of(ground.addresses, folder / "installation")
    await installation.create()
    set_clock(installation.clock_file, BEGINS_AT)
    seen_by_replicas = {
        **installation.environment,
        "KAFKA_BOOTSTRAP_SERVERS": f"{LOOPBACK}:{ground.proxies[KAFKA].port}",
        "DATABASE_URL": _through(installation.database_url, ground.proxies[POSTGRES].port),
        **QUICK,
        **receivers.environment,
        **environment,
        "ORDERFLOW_GATEWAY_PORT": str(free_port()),
        "ORDERFLOW_GATEWAY_SIGNATURE_KEYS_DIR": str(secrets_in(folder)),
    }
    replicas = wards(ground.nursery, folder / "logs", seen_by_replicas, plants)
    stage = Stage(
        ground,
        installation,
        replicas,
        int(seen_by_replicas[SHARDS]),
        int(seen_by_replicas["ORDERFLOW_GATEWAY_PORT"]),
        receivers,
    )
    try:
        await asyncio.to_thread(start_all, list(stage.wards.values()))
        yield stage
    finally:
        for ward in stage.wards.values():
            await asyncio.to_thread(ward.kill)


def _entrance_by(proxy: Proxy) -> Entrances:
    """A listener that advertises the address of the proxy."""
    return Entrances((Listener(PROXIED, "PLAINTEXT", advertised_port=proxy.port),))


def _through(url: str, port: int) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}@{LOOPBACK}:{port}").geturl()
