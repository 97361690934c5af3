"""A bug stops its partition, loudly; the others go on, and a corrected service takes up again."""

import sys
from collections.abc import AsyncIterator

import pytest

from demo.letters import command
from demo.player import Pending
from demo.replicas import Replica
from demo.script import Message
from deploy.stack import Addresses
from tests.processes import NOON, System, running

ORDERS = 30


def place(number: str, email: str = "a@mail.example") -> Message:
    placement = {"order_number": number, "address": {"zip_code": "1"}, "email_id": email}
    body = {"order": placement}
    return command(f"shop/{number}", "order.place", body, NOON, id_=f"place-{number}")


@pytest.fixture
async def system(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    folder = tmp_path_factory.mktemp("bug")
    quick = {"ORDERFLOW_METRICS_INTERVAL_SECONDS": "0.2"}
    async with running(
        stack, folder, copies=1, environment=quick, only=["orders", "claims"]
    ) as system:
        (healthy,) = system.of("orders")
        healthy.stop()
        poisoned = _poisoned(healthy)
        system.replicas.append(poisoned)
        poisoned.start()
        poisoned.wait_ready()
        yield system
        poisoned.kill()


async def test_a_bug_stops_its_partition_loudly_and_no_other(system: System) -> None:
    healthy, poisoned = system.of("orders")
    (poison,) = await system.player.publish([place("P", "POISON@mail.example")])
    stopped = poison.places[0][1]
    sent = await system.player.publish([place(f"{at}") for at in range(ORDERS)])
    behind = [each for each in sent if each.places[0][1] == stopped]
    elsewhere = [each for each in sent if each.places[0][1] != stopped]
    assert behind, "no order fell into the stopped partition: send more"

    await system.answered(elsewhere)
    await system.watcher.until(
        lambda: not poisoned.is_ready(), lambda: "the poisoned replica is still ready", 20
    )

    assert f"{system.installation.prefix}orders.commands[{stopped}]" in poisoned.health()
    assert "a decision that fails" in poisoned.health()
    assert poisoned.is_live()
    assert _stopped_partitions(poisoned) == [stopped]
    assert not any(each.is_answered(system.watcher) for each in [poison, *behind])

    poisoned.stop()
    healthy.start()
    await _all_answered(system, [poison, *sent])


async def _all_answered(system: System, pending: list[Pending]) -> None:
    await system.answered(pending)
    assert {system.outcome(each) for each in pending} == {("applied", None)}
    await system.audit()


def _stopped_partitions(replica: Replica) -> list[int]:
    return [
        int(line.split('partition="')[1].split('"')[0])
        for line in replica.metrics().splitlines()
        if line.startswith("orderflow_partition_stopped{") and line.endswith(" 1.0")
    ]


def _poisoned(healthy: Replica) -> Replica:
    return Replica(
        service="orders",
        name="orders-poisoned",
        folder=healthy.folder,
        environment=healthy.environment,
        command=[sys.executable, "-m", "tests.poisoned"],
    )
