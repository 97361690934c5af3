"""Every alert, seen firing and resolving on a real Prometheus that scrapes real services.

Each test breaks something, waits until its alerts fire, mends it (by the command of the runbook
where there is one) and waits until they are resolved. Durations in the rules are shortened by
alert_stage: `for:` 3,600 times, ranges 60 times, not below five seconds. Thresholds are not
changed. Rows are aged in SQL where a day would have to pass. FenceRefusals alone is seen on values
set in a registry, which a real /metrics serves: two consumers of one partition cannot be had for
long.
"""

from __future__ import annotations

import asyncio
import os

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from chaos.proxy import LOOPBACK
from tests.faults.outages import CLOSED_PORT
from tests.operations.alert_acts import add_key, post, repeated, sees
from tests.operations.alert_stage import SHOP, Stage

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]
HOUR_AGO = -3_600_000
CHUNK_BYTES = 4 * 1024 * 1024


# Replicas and servers.


@sees("OrderflowTargetDown", "OrderflowServiceGone")
async def test_process_that_ends_fires_and_starts_again(
    stage: Stage, names: tuple[str, ...]
) -> None:
    deliveries = stage.replicas["deliveries"]
    deliveries.kill()

    await stage.fires(*names)
    await asyncio.to_thread(deliveries.start)
    await stage.resolves(*names)


@sees("OrderflowReplicaNotReady")
async def test_replica_without_its_database_fires(stage: Stage, names: tuple[str, ...]) -> None:
    stage.claims_postgres.lead_to(LOOPBACK, CLOSED_PORT)
    stage.claims_postgres.reset()

    await stage.fires(*names)
    stage.claims_postgres.lead_to(LOOPBACK, stage.servers.stack.postgres.port)
    await stage.resolves(*names)


@sees("OrderflowNotReady", "OrderflowRequestsNotTaken")
async def test_kafka_that_ends_fires_until_it_is_back(stage: Stage, names: tuple[str, ...]) -> None:
    kafka = stage.servers.stack.kafka
    key = await add_key(stage)
    await asyncio.to_thread(kafka.kill)

    async with (
        httpx.AsyncClient(timeout=20) as client,
        repeated(lambda: post(stage, client, key)),
    ):
        await stage.fires(*names)
    await asyncio.to_thread(kafka.start)
    await stage.resolves(*names)


@sees("OrderflowTransientRetries")
async def test_connections_ended_by_postgres_fire(stage: Stage, names: tuple[str, ...]) -> None:
    async def end() -> None:
        await stage.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            "   AND application_name LIKE '%orders%'"
        )

    async with repeated(end):
        await stage.fires(*names)
    await stage.resolves(*names)


@sees("OrderflowFenceRefusals")
async def test_refusals_of_the_fence_fire(stage: Stage, names: tuple[str, ...]) -> None:
    async def refuse() -> None:
        stage.registry.fence_refusals_total.labels("claims").inc()

    stage.registry.begin_counters("claims")
    async with repeated(refuse):
        await stage.fires(*names)
    await stage.resolves(*names)


# Reading and items.


@sees(
    "OrderflowFuseFilling",
    "OrderflowItemsParked",
    "OrderflowPartitionStopped",
    "OrderflowItemsParkedLong",
)
async def test_poison_fires_until_the_partition_is_resumed_and_items_retried(
    stage: Stage, names: tuple[str, ...]
) -> None:
    poison = {"partition": 0, "email_id": "POISON@mail.example"}
    await stage.place(*(f"poison-{at}" for at in range(12)), **poison)
    await stage.fires("OrderflowFuseFilling", "OrderflowItemsParked")

    await stage.place(*(f"more-{at}" for at in range(12)), **poison)
    await stage.fires(*names)

    (stage.folder / "poison-mended").touch()
    await stage.operate("partitions resume orders.commands 0 --service orders --why mended")
    await stage.operate("parked retry --all --why mended")
    await stage.place(*(f"good-{at}" for at in range(20)), partition=0)
    await stage.resolves(*names)


@sees("OrderflowBadSource", "OrderflowItemsRejected")
async def test_sender_of_malformed_messages_fires_until_good_ones_come(
    stage: Stage, names: tuple[str, ...]
) -> None:
    async def send() -> None:
        await stage.send("orders.commands", "order.place", [b"{"] * 5, partition=1)

    async with repeated(send):
        await stage.fires(*names)
    await stage.place(*(f"after-{at}" for at in range(120)), partition=1)
    await stage.resolves(*names)


@sees("OrderflowEventsSlow", "OrderflowLagGrows")
async def test_partition_held_by_a_lock_fires(stage: Stage, names: tuple[str, ...]) -> None:
    slow, lag = names
    old = {"partition": 2, "timestamp_ms": stage.now_ms() + HOUR_AGO}
    await stage.place("old", **old)
    await stage.fires(slow)

    async with stage.connected() as connection, connection.transaction():
        await connection.execute("SELECT FROM orders.position WHERE partition = 2 FOR UPDATE")
        await stage.place("held", **old)
        await stage.fires(lag)
    await stage.resolves(*names)


@sees("OrderflowItemsWarned", "OrderflowItemsWaiting", "OrderflowCodesUnmapped")
async def test_doubtful_and_early_messages_fire(stage: Stage, names: tuple[str, ...]) -> None:
    early = [f"early-{at}" for at in range(120)]
    for number in early:
        body = {"shop_slug": SHOP, "id": number}
        await stage.send("orders.commands", "order.cancel", [body], key=f"{SHOP}/{number}")
    parcel = {"tracking_number": "1Z1", "carrier_reference": "ups"}
    order = {"order_number": "scanned", "address": {"zip_code": "1"}}
    await stage.send(
        "orders.commands",
        "order.upsert",
        [{"shop_slug": SHOP, "id": "scanned", "order": order, "trackings": [parcel]}],
        key=f"{SHOP}/scanned",
    )

    async def send() -> None:
        at = len(sent)
        sent.append(at)
        await stage.place(f"doubtful-{at}", total_order_price="NaN")
        scan = {"code": "QQ9", "occurred_at": f"2026-03-01T10:{at % 60:02}:{at // 60:02}Z"}
        body = {**parcel, "scans": [scan]}
        await stage.send(
            "carrier.tracking", "tracking.reported", [body], key="ups/1Z1", source="carriers/ups"
        )

    sent: list[int] = []
    async with repeated(send):
        await stage.fires(*names)
    await stage.place(*early)
    await stage.resolves(*names)


@sees("OrderflowOrdersNotReviewed")
async def test_review_that_fails_fires_until_it_is_mended(
    stage: Stage, names: tuple[str, ...]
) -> None:
    campaign = {
        "shop_slug": "reviewed",
        "campaign_id": "spring",
        "name": "spring",
        "enabled": True,
        "promotion_type": "basic",
        "effective_at": "2026-02-01T00:00:00Z",
    }
    order = {"order_number": "1", "address": {"zip_code": "1"}}
    placed = {"shop_slug": "reviewed", "order": order}
    await stage.send("orders.commands", "order.place", [placed], key="reviewed/1")
    await stage.until_row("SELECT FROM orders.stored_order WHERE shop = 'reviewed'")
    await stage.send("orders.commands", "campaign.upsert", [campaign], key="reviewed")

    await stage.fires(*names)
    (stage.folder / "reviews-mended").touch()
    await stage.resolves(*names)


@sees("OrderflowReviewsSlow")
async def test_review_that_waits_for_a_lock_fires(stage: Stage, names: tuple[str, ...]) -> None:
    async with stage.connected() as connection:
        found = None
        while found is None:  # A review that ended before it was locked is asked for again.
            await connection.execute(
                "INSERT INTO orders.campaign_review (shop, only_contacts, causation_id, asked_at)"
                " VALUES ('slow', false, 'a test', now() - interval '2 hours')"
            )
            held = connection.transaction()
            await held.start()
            found = await connection.fetchval(
                "SELECT id FROM orders.campaign_review WHERE shop = 'slow' FOR UPDATE"
            )
            if found is None:
                await held.rollback()
        await stage.fires(*names)
        await held.rollback()
    await stage.resolves(*names)


# Publishing.


@sees("OrderflowShardRefused", "OrderflowEventsNotPublished")
async def test_record_that_kafka_refuses_fires_until_the_topic_takes_it(
    stage: Stage, names: tuple[str, ...]
) -> None:
    await _limit(stage, "orders.events", 100)
    await stage.place("refused")

    await stage.fires(*names)
    await stage.operate("topics apply")
    await stage.resolves(*names, seconds=120)


@sees("OrderflowOutboxGrows")
async def test_outbox_that_grows_fires(stage: Stage, names: tuple[str, ...]) -> None:
    async with stage.connected() as connection:
        held = connection.transaction()
        await held.start()
        for _ in range(20):
            await connection.execute(
                "INSERT INTO orders.outbox (shard, packed, records, unpacked_bytes)"
                " VALUES (0, $1, 1, 1)",
                os.urandom(CHUNK_BYTES),
            )
        await stage.fires(*names)
        await held.rollback()
    await stage.resolves(*names)


async def _limit(stage: Stage, topic: str, size: int) -> None:
    """Change the largest message of a topic, as an operator does by mistake."""
    admin = AIOKafkaAdminClient(**stage.installation.options)
    await admin.start()
    try:
        name = stage.installation.prefix + topic
        configs = {"max.message.bytes": str(size)}
        resource = ConfigResource(ConfigResourceType.TOPIC, name, configs=configs)
        await admin.alter_configs([resource])
    finally:
        await admin.close()
