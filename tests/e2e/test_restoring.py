"""Postgres is put back to an earlier time and Kafka is not: the page on restoring, step by step."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from demo.audit import judge
from demo.comparison import differences
from demo.messages import command
from demo.replicas import start_all, stop_all
from demo.run import differing_totals, report
from demo.script import Script, ScriptMessage
from deploy.stack import Addresses
from schemas.topics import EVENT_TOPICS
from tests.e2e.aftermath import (
    WHY,
    Journal,
    Subscriber,
    facts_alone,
    halves,
    on_server,
    orderflow,
    read_journal,
    until_no_lag,
    without_claimed,
)
from tests.processes import ANSWER_SECONDS, NOON, System, running

pytestmark = [pytest.mark.long, pytest.mark.timeout(880)]

ORDERS = 12
AT_ONCE = 6
# Documented: versions are skipped, and an outcome may be published again with its new result.
ALLOWED = ("has no event of version", "was answered (")


@pytest.fixture
def seed() -> int:
    return 3


async def test_database_restored_to_an_earlier_time_reaches_the_right_answer(
    system: System, script: Script
) -> None:
    first, rest = halves(script)
    await system.player.play(first)
    await asyncio.to_thread(stop_all, system.replicas)
    await on_server(system, 'CREATE DATABASE "{name}_backup" TEMPLATE "{name}"')
    await asyncio.to_thread(start_all, system.replicas)
    await system.player.play(rest)
    await asyncio.to_thread(stop_all, system.replicas)
    journal_before = await read_journal(system)

    await on_server(system, 'DROP DATABASE "{name}" WITH (FORCE)')
    await on_server(system, 'ALTER DATABASE "{name}_backup" RENAME TO "{name}"')
    recalled = await orderflow(system, "recall", *WHY)
    assert " orders=0 " not in recalled, "nothing was lost: that proves nothing"
    await asyncio.to_thread(start_all, system.of("orders"))
    await until_no_lag(system, "orders")
    await orderflow(system, "rebuild", "claims", *WHY)
    await asyncio.to_thread(start_all, [*system.of("claims"), *system.of("analytics")])
    await orderflow(system, "republish", "--all", *WHY)
    await until_no_lag(system, "orders", "claims", "analytics")

    journal = await read_journal(system)
    found = judge(facts_alone(journal))
    unexpected = [text for text in found.problems if not any(each in text for each in ALLOWED)]
    assert not unexpected, "\n".join(unexpected[:20])
    wrong = differences(script.expectation, judge(journal))
    wrong += differing_totals(script.expectation.totals, await report(system.installation))
    assert not wrong, "\n".join(wrong[:20])
    await judge_subscriber(system, journal_before, journal)


async def test_kafka_that_lost_all_topics_is_continued_with(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("lost")
    async with running(stack, folder, copies=1, only=["orders"]) as system:
        await system.send(*(place(f"{number}") for number in range(ORDERS)))
        await asyncio.to_thread(stop_all, system.replicas)

        await lose_topics(system)
        await orderflow(system, "topics", "create")
        (replica,) = system.replicas
        replica.start()
        stopped = await until_stopped(system)
        for start in range(0, len(stopped), AT_ONCE):
            await asyncio.gather(*(move(system, *at) for at in stopped[start : start + AT_ONCE]))
        await asyncio.to_thread(replica.wait_ready)
        await orderflow(system, "republish", "--all", *WHY)
        await system.player.publish([place("new")])
        await until_no_lag(system, "orders")
        await asyncio.to_thread(stop_all, system.replicas)

        outside = Subscriber()
        outside.follow(await read_journal(system))
        assert len(outside.orders) == ORDERS + 1
        assert len(outside.done) == 1


async def lose_topics(system: System) -> None:
    """As a Kafka without its disks: every topic is gone."""
    admin = AIOKafkaAdminClient(**system.installation.options)
    await admin.start()
    try:
        prefix = system.installation.prefix
        names = [name for name in await admin.list_topics() if name.startswith(prefix)]
        await admin.delete_topics(names)
        while any(name.startswith(prefix) for name in await admin.list_topics()):
            pass
    finally:
        await admin.close()


async def move(system: System, topic: str, partition: int) -> None:
    """Go on at the first record that there is."""
    where = (topic, str(partition), "--service", "orders", "--to", "earliest")
    assert "skipped=0" in await orderflow(system, "partitions", "move", *where, *WHY)


async def until_stopped(system: System) -> list[tuple[str, int]]:
    """The partitions that orders refuses to read: all of them, for they are other topics now."""
    (every,) = await system.ask("SELECT count(*) AS partitions FROM orders.position")
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            rows = await system.ask(
                "SELECT topic, partition FROM orders.position WHERE stopped_kind = 'position'"
            )
            if len(rows) == every["partitions"]:
                return [(row["topic"], row["partition"]) for row in rows]
            await asyncio.sleep(0.1)


def place(number: str) -> ScriptMessage:
    order = {"order_number": number, "address": {"zip_code": "1"}}
    return command(f"shop/{number}", "order.place", {"order": order}, NOON, id_=f"place-{number}")


async def judge_subscriber(system: System, journal_before: Journal, journal: Journal) -> None:
    """It acted once on every fact, and has each order as the database has it."""
    outside = Subscriber()
    outside.follow(journal)
    facts = {entry.id for topic in EVENT_TOPICS for entry in facts_alone(journal)[topic]}
    assert len(outside.done) == len(set(outside.done))
    assert set(outside.done) == facts
    before = {entry.id for topic in EVENT_TOPICS for entry in journal_before[topic]}
    assert before <= facts
    rows = await system.ask(
        "SELECT order_id, version FROM orders.shop_order WHERE document IS NOT NULL"
    )
    versions = {str(row["order_id"]): row["version"] for row in rows}
    kept = {order: version for order, (version, _) in outside.orders.items()}
    assert kept.keys() == versions.keys()
    last = {entry.key: entry.body for entry in journal["orders.events"] if entry.id not in facts}
    for order, (version, snapshot) in outside.orders.items():
        assert version == last[order]["order_version"], order
        assert version >= versions[order], order
        newest = last[order]["context"]["order"]
        assert without_claimed(snapshot) == without_claimed(newest), order
