"""`orderflow rebuild` and `recall`: what they refuse, and that a refusal empties nothing."""

import asyncio
import json

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from schemas.topics import CLAIMS_COMMANDS, CLAIMS_EVENTS, CLAIMS_OUTCOMES, ORDERS_EVENTS
from services.runtime.outbox.leases import lock_class

from .conftest import Run

WHY = ["--why", "tables were lost"]
ORDER = "11111111-1111-1111-1111-111111111111"
OTHER = "22222222-2222-2222-2222-222222222222"
RECALLED = "recall: orders=1 events=1 shops=0 campaign_events=0"


@pytest.fixture
def database(database_url: str, run: Run, topics: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """Claims with one order copied."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    _execute(
        database_url,
        "INSERT INTO claims.order_copy (order_id, shop, order_version, context)"
        f" VALUES ('{ORDER}', 'demo-shop', 3, '{{}}')",
    )
    return database_url


@pytest.mark.parametrize(
    "wrong",
    [["rebuild", "orders", *WHY], ["rebuild", "claims"], ["recall"]],
    ids=" ".join,
)
def test_rebuild_refuses_invalid_arguments(run: Run, database: str, wrong: list[str]) -> None:
    assert run(*wrong).exit_code == 2
    assert _count(database, "claims.order_copy") == 1


def test_rebuild_empties_tables_once_orders_has_read_all_events_of_claims(
    run: Run, database: str
) -> None:
    done = run("rebuild", "claims", *WHY, "--by", "ada")

    assert done.exit_code == 0, done.output
    printed = "rebuild: service=claims claim=0 order_copy=1 anchor=0 recalled_items=0\n"
    assert done.stdout.startswith(printed)
    assert _count(database, "claims.order_copy") == 0
    assert _count(database, "claims.rebuild") == 1
    acts = run("acts", "--service", "claims", "--json").stdout
    assert '"service.rebuild"' in acts
    assert "ada" in acts


def test_rebuild_keeps_the_items_that_the_topics_of_claims_name(
    run: Run, database: str, kafka_bootstrap_servers: str, topic_prefix: str
) -> None:
    outcome = {
        "command_id": "c-1",
        "command_source": "/shops/a",
        "index": 0,
        "outcome": "no_change",
        "topic": CLAIMS_COMMANDS,
        "partition": 0,
        "offset": 1,
        "order_id": ORDER,
        "claim_id": OTHER,
    }
    events = [
        {"order_id": ORDER, "event_data": {"applied_commands": named}}
        for named in (["0000000000000001", "ffffffffffffffff"], ["ffffffffffffffff"])
    ]
    outcomes = [outcome, outcome, outcome | {"command_id": "c-2", "outcome": "rejected"}, {}]
    for topic, bodies in ((CLAIMS_EVENTS, events), (CLAIMS_OUTCOMES, outcomes)):
        for body in bodies:
            asyncio.run(_publish(kafka_bootstrap_servers, topic_prefix + topic, body))
    _execute(  # As orders has them once it has read the events.
        database,
        "INSERT INTO orders.position (consumer_group, topic, partition, next_offset)"
        f" SELECT '{topic_prefix}orderflow.orders', '{topic_prefix}{CLAIMS_EVENTS}', partition, 2"
        " FROM generate_series(0, 2) AS partition",
    )

    printed = "rebuild: service=claims claim=0 order_copy=1 anchor=0 recalled_items=3 unreadable=1"
    assert run("rebuild", "claims", "--dry-run").stdout == f"{printed} dry_run=yes\n"
    assert _count(database, "claims.older_item") == 0
    assert run("rebuild", "claims", *WHY).stdout.startswith(f"{printed}\n")
    for digest in (1, -1):
        one = f"claims.older_item WHERE owner = '{ORDER}' AND digest = {digest}"
        assert _count(database, one) == 1
    assert _count(database, "claims.older_item") == 3
    again = printed.replace("order_copy=1", "order_copy=0").replace("_items=3", "_items=0")
    assert run("rebuild", "claims", *WHY).stdout.startswith(f"{again}\n")


def test_rebuild_keeps_tables_while_an_event_of_claims_is_unread(
    run: Run, database: str, kafka_bootstrap_servers: str, topic_prefix: str
) -> None:
    asyncio.run(_publish(kafka_bootstrap_servers, topic_prefix + CLAIMS_EVENTS, {}))

    refused = run("rebuild", "claims", *WHY, "--wait", "1")

    assert refused.exit_code == 1
    assert "orders has not read 1 records of claims.events" in refused.output
    assert _count(database, "claims.order_copy") == 1


def test_rebuild_keeps_tables_while_an_event_of_claims_is_parked(run: Run, database: str) -> None:
    _execute(
        database,
        'INSERT INTO orders.parked (index, topic, partition, "offset", headers, record_timestamp,'
        " kind, error, traceback, parked_at, attempts, last_tried_at)"
        f" VALUES (0, '{CLAIMS_EVENTS}', 0, 0, '', now(), 'decision', '', '', now(), 1, now())",
    )

    refused = run("rebuild", "claims", *WHY)

    assert refused.exit_code == 1
    assert "1 records of claims.events are parked with orders" in refused.output
    assert _count(database, "claims.order_copy") == 1


@pytest.mark.parametrize(
    ("command", "service"), [(["rebuild", "analytics"], "analytics"), (["recall"], "orders")]
)
def test_rebuild_refuses_while_the_service_runs(
    run: Run, database: str, command: list[str], service: str
) -> None:
    async def beside_a_relay() -> str:
        relay = await asyncpg.connect(database)
        try:
            member = lock_class(f"{service}/member")
            await relay.execute("SELECT pg_advisory_lock($1, 7)", member)
            return (await asyncio.to_thread(run, *command, *WHY)).output
        finally:
            await relay.close()

    assert f"{service} runs (1 of it): stop every replica" in asyncio.run(beside_a_relay())


def test_recall_records_events_of_orders_that_are_not_stored(
    run: Run, database: str, kafka_bootstrap_servers: str, topic_prefix: str
) -> None:
    assert run("recall", *WHY).stdout == "recall: orders=0 events=0 shops=0 campaign_events=0\n"
    event = {
        "order_id": ORDER,
        "event_id": ORDER,
        "shop_slug": "demo-shop",
        "sequence": 2,
        "order_version": 5,
        "event_group": "shipment_pre_transit",
        "event_data": {"notify": True},
        "context": {"order": {"order_number": "1001"}},
    }
    asyncio.run(_publish(kafka_bootstrap_servers, topic_prefix + ORDERS_EVENTS, event))

    assert run("recall", "--dry-run").stdout == f"{RECALLED} dry_run=yes\n"
    assert _count(database, "orders.shop_order") == 0
    for _ in range(2):
        assert run("recall", *WHY).stdout == f"{RECALLED}\n"
    noted = "orders.shop_order WHERE order_number = '1001' AND told @> '{\"version\": 5}'"
    assert _count(database, noted) == 1
    # Later only a part of it is read again: what was noted before stays.
    scanned = {"notify": True, "tracking_number": "n-1", "shipment_id": OTHER, "leg": 2}
    parcel = {"shipment_id": OTHER, "attempts": 3}
    later = event | {"event_id": OTHER, "sequence": 3, "order_version": 7, "event_data": scanned}
    later |= {"context": {"order": {"order_number": "1001"}, "shipments": [parcel]}}
    asyncio.run(_publish(kafka_bootstrap_servers, topic_prefix + ORDERS_EVENTS, later))
    _execute(database, "UPDATE orders.shop_order SET version = 6")
    assert run("recall", *WHY).stdout == f"{RECALLED}\n"
    both = 'orders.shop_order WHERE told @> \'{"version": 7, "order_sequence": 3}\''
    assert _count(database, f"{both} AND jsonb_array_length(told -> 'events') = 2") == 1
    of_order = """told -> 'notices' @> '[{"group": "shipment_pre_transit", "number": null}]'"""
    of_number = """told -> 'notices' @> '[{"number": "N1", "leg": 2, "attempts": 3}]'"""
    assert _count(database, f"{both} AND {of_order} AND {of_number}") == 1
    assert _count(database, f"{both} AND jsonb_array_length(told -> 'notices') = 2") == 1


async def _publish(servers: str, topic: str, body: object) -> None:
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        await producer.send_and_wait(topic, json.dumps(body).encode(), ORDER.encode())


def _execute(database_url: str, statement: str) -> None:
    async def ask() -> None:
        connection = await asyncpg.connect(database_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(ask())


def _count(database_url: str, table: str) -> int:
    async def ask() -> int:
        connection = await asyncpg.connect(database_url)
        try:
            found: int = await connection.fetchval(f"SELECT count(*) FROM {table}")
            return found
        finally:
            await connection.close()

    return asyncio.run(ask())
