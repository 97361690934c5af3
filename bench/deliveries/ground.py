"""Where a lap runs: a database and topics of its own, destinations, and what waits for them."""

from __future__ import annotations

import base64
import json
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from pydantic import SecretStr

from bench.deliveries.events import TOPIC, event, id_of
from bench.traffic import Letter
from demo.installation import Installation
from demo.replicas import Replica
from services.deliveries import store
from services.deliveries.domain.destination import Destination, Kind, Secret, State, Target
from services.deliveries.names import SERVICE, SHARDS
from services.deliveries.secret_box import SecretBox, read_box
from services.runtime.outbox.outbox import shard_of
from services.runtime.postgres.connections import Connection, connect

KEY = base64.b64encode(bytes(range(32))).decode()
CHUNK = 2_000
ADD_BODY = """
INSERT INTO event_body (event_id, shop, order_id, topic, type, sequence, headers, value,
                        recorded_at)
VALUES ($1, $2, $3, $4, 'shipment.scanned', $5, '\\x02', $6, $7)  -- No headers.
"""
ADD_BACKLOG = """
INSERT INTO backlog (id, shard, destination, order_id, event_id, body_day, body_bytes, created_at)
VALUES (nextval('delivery_id'), $1, $2, $3, $4, $5, $6, $7)
"""
PROBED_WITHIN_SECONDS = 60.0
"""Probes of the destinations with a backlog are spread over so long."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A destination to make."""

    shop: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Ground:
    """An installation with destinations."""

    installation: Installation

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection as the service has."""
        connection = await connect(self.installation.settings, SERVICE, "bench")
        try:
            yield connection
        finally:
            await connection.close()

    async def add(self, webhooks: Sequence[Webhook]) -> list[Destination]:
        """Store destinations, as a batch of commands would."""
        now, box, saved = datetime.now(UTC), _box(), []
        made = [
            Destination(
                shop=each.shop,
                name=each.name,
                target=Target(kind=Kind.WEBHOOK, url=each.url),
                state=State.ACTIVE,
                secret=Secret(box.new_secret(each.shop, each.name)),
            )
            for each in webhooks
        ]
        async with self.connection() as connection:
            for start in range(0, len(made), CHUNK):
                chunk = made[start : start + CHUNK]
                saved += await store.save_destinations(connection, chunk, now)
        return saved

    async def add_backlog(
        self, destinations: Sequence[Destination], letters: Sequence[Letter]
    ) -> None:
        """Let events wait for destinations of one shop that failed for an hour: open circuits."""
        now, rng = datetime.now(UTC), random.Random(7)
        async with self.connection() as connection:
            day = await connection.fetchval("SELECT day_number()")
            for each in letters:
                head = json.loads(each.value)
                await connection.execute(
                    ADD_BODY,
                    *(id_of(each), head["shop_slug"], head["order_id"], TOPIC, head["sequence"]),
                    *(each.value, now),
                )
            events = [
                (json.loads(each.value)["order_id"], id_of(each), len(each.value))
                for each in letters
            ]
            shards = [(each.id, shard_of(str(each.id), SHARDS)) for each in destinations]
            await connection.executemany(
                ADD_BACKLOG,
                [
                    (shard, id_, *row[:2], day, row[2], now)
                    for id_, shard in shards
                    for row in events
                ],
            )
            await connection.executemany(
                "INSERT INTO message_group (destination, order_id, shard, attempts, due_at)"
                " VALUES ($1, $2, $3, 4, $4)",
                [(id_, row[0], shard, now) for id_, shard in shards for row in events],
            )
            await connection.executemany(
                "INSERT INTO destination_health (destination, shard, failures, failing_since,"
                " open_until, probes) VALUES ($1, $2, 12, $3, $4, 6)",
                [
                    (
                        id_,
                        shard,
                        now - timedelta(hours=1),
                        now + timedelta(seconds=rng.uniform(0, PROBED_WITHIN_SECONDS)),
                    )
                    for id_, shard in shards
                ],
            )
        owner = await asyncpg.connect(self.installation.database_url)
        await owner.execute("ANALYZE")  # As autovacuum does within a minute.
        await owner.close()

    def service(self, ports: Sequence[int]) -> Replica:
        """The service as a process, not started; `ports` are those of receivers."""
        environment = {
            **_reach(self.installation),
            "DATABASE_URL": self.installation.database_url,
            "ORDERFLOW_DELIVERIES_KEY": KEY,
            "ORDERFLOW_DELIVERIES_ALLOW_HTTP": "true",
            "ORDERFLOW_DELIVERIES_NETWORKS": "127.0.0.0/8",
            "ORDERFLOW_DELIVERIES_PORTS": ",".join(map(str, ports)),
        }
        return Replica(SERVICE, SERVICE, self.installation.folder, environment)

    def loop(self, variant: str, webhooks: Sequence[Webhook]) -> Replica:
        """The loop over httpx as a process, not started."""
        file = self.installation.folder / "webhooks.json"
        by_shop: dict[str, list[tuple[str, str]]] = {}
        for each in webhooks:
            secret = "whsec_" + base64.b64encode(each.name.encode()).decode()
            by_shop.setdefault(each.shop, []).append((each.url, secret))
        file.write_text(json.dumps(by_shop))
        command = (sys.executable, "-m", "bench.deliveries.loop", variant, str(file), TOPIC)
        folder: Path = self.installation.folder
        return Replica(
            f"loop-{variant}", f"loop-{variant}", folder, _reach(self.installation), command
        )


def events_of(shops: Sequence[str], count: int, run: str) -> list[Letter]:
    """So many events, of the shops in turn."""
    return [event(shops[n % len(shops)], n // len(shops), run) for n in range(count)]


def _reach(installation: Installation) -> dict[str, str]:
    environment = installation.environment
    return {name: environment[name] for name in ("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_TOPIC_PREFIX")}


def _box() -> SecretBox:
    box = read_box(SecretStr(KEY))
    if box is None:
        raise RuntimeError("the key of the benchmark cannot be read")
    return box
