"""A record that kills its process three times is parked unread; what stood beside it is not."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from demo.messages import command
from demo.player import Pending
from demo.replicas import Replica
from demo.script import ScriptMessage
from deploy.stack import Addresses
from tests.faults.deadly import DEADLY
from tests.processes import NOON, System, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

ORDERS = 20
ONE_PARTITION = b"shop/one"
IDLE_KILLS = 4
DEADLINE_SECONDS = 90


def place(number: str, email: str = "a@mail.example") -> ScriptMessage:
    placement = {"order_number": number, "address": {"zip_code": "1"}, "email_id": email}
    return command(
        f"shop/{number}", "order.place", {"order": placement}, NOON, id_=f"place-{number}"
    )


def cancel(number: str) -> ScriptMessage:
    body = {"id": number, "id_type": "order_number", "reason": "changed my mind"}
    return command(f"shop/{number}", "order.cancel", body, NOON, id_=f"cancel-{number}")


@pytest.fixture
def batch_records() -> int:
    """Most records in a batch. Wide: what is parked is about one record, not a flood of them."""
    return 100


@pytest.fixture
async def system(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory, batch_records: int
) -> AsyncIterator[System]:
    """One orders service that some items kill; as a static member it is back at once."""
    folder = tmp_path_factory.mktemp("deadly")
    quick = {
        "KAFKA_GROUP_INSTANCE_ID": "the-only-one",
        "ORDERFLOW_METRICS_INTERVAL_SECONDS": "0.2",
        "ORDERFLOW_BATCH_MAX_RECORDS": f"{batch_records}",
    }
    async with running(stack, folder, copies=1, environment=quick, only=["orders"]) as system:
        (replica,) = system.of("orders")
        replica.stop()
        replica.command = [sys.executable, "-m", "tests.faults.deadly"]
        replica.start()
        replica.wait_ready()
        yield system
        replica.kill()


async def test_deadly_record_kills_three_times_and_other_records_continue(system: System) -> None:
    (replica,) = system.of("orders")
    messages = [place("D", f"{DEADLY}@mail.example"), cancel("D")]
    messages += [place(f"{at}") for at in range(ORDERS)]
    deadly, behind, *others = await system.player.publish(messages)

    deaths = await _restart_until_answered(system, replica, others)

    assert deaths == 3, replica.log_end()
    assert {system.outcome(each) for each in others} == {("applied", None)}
    parked = await system.ask(
        'SELECT topic, partition, "offset", index, kind, value FROM orders.parked ORDER BY id'
    )
    assert [(row["kind"], row["index"]) for row in parked] == [("crash", -1), ("behind", 0)]
    assert DEADLY.encode() in parked[0]["value"]
    assert not deadly.is_answered(system.watcher)
    assert not behind.is_answered(system.watcher)
    assert replica.is_alive


@pytest.mark.parametrize("batch_records", [1, 2, 5])
async def test_deadly_record_is_found_with_few_records_in_a_batch(system: System) -> None:
    """Kafka's committed offset is behind the position, so the first polls have stale records."""
    (replica,) = system.of("orders")
    before = [replace(place(f"{at}"), key=ONE_PARTITION) for at in range(ORDERS)]
    await system.answered(await system.player.publish(before))
    deadly = replace(place("D", f"{DEADLY}@mail.example"), key=ONE_PARTITION)
    after = [replace(place(f"after-{at}"), key=ONE_PARTITION) for at in range(ORDERS)]
    _, *others = await system.player.publish([deadly, *after])

    deaths = await _restart_until_answered(system, replica, others)

    assert deaths == 3, replica.log_end()
    assert {system.outcome(each) for each in others} == {("applied", None)}
    parked = await system.ask("SELECT kind, index FROM orders.parked")
    assert [tuple(row) for row in parked] == [("crash", -1)]


async def test_deadly_record_is_not_counted_when_an_idle_owner_dies(system: System) -> None:
    (replica,) = system.of("orders")
    (first,) = await system.player.publish([place("first")])
    await system.answered([first])

    for _ in range(IDLE_KILLS):
        replica.kill()
        replica.start()
        await asyncio.to_thread(replica.wait_ready)
    sent = await system.player.publish([place(f"{at}") for at in range(ORDERS)])
    await system.answered(sent)

    assert {system.outcome(each) for each in sent} == {("applied", None)}
    assert await system.ask("SELECT FROM orders.parked") == []
    assert await system.ask("SELECT FROM orders.position WHERE tries > 0") == []


async def _restart_until_answered(system: System, replica: Replica, sent: list[Pending]) -> int:
    """Start it again whenever it is dead, as an orchestrator does; how often it died."""
    deaths = 0
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not all(each.is_answered(system.watcher) for each in sent):
            if not replica.is_alive:
                deaths += 1
                replica.start()
            await asyncio.sleep(0.05)
    return deaths
