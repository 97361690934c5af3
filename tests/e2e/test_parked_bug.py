"""A bug parks what it meets and nothing else; mended, the queue drains by itself and in order."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.messages import command
from demo.replicas import Replica
from demo.script import ScriptMessage
from deploy.stack import Addresses
from tests.processes import ANSWER_SECONDS, NOON, System, running

pytestmark = pytest.mark.timeout(300)

ORDERS = 30
QUICK = {
    "ORDERFLOW_METRICS_INTERVAL_SECONDS": "0.2",
    "ORDERFLOW_PARKING_INTERVAL_SECONDS": "0.2",
    "ORDERFLOW_PARKING_FIRST_DELAY_SECONDS": "0.2",
    "ORDERFLOW_PARKING_LONGEST_DELAY_SECONDS": "0.5",
    # One of the few orders of this test is more than one in a hundred.
    "ORDERFLOW_FUSE_PARKED_SHARE": "0",
}


def place(number: str, email: str = "a@mail.example") -> ScriptMessage:
    placement = {"order_number": number, "address": {"zip_code": "1"}, "email_id": email}
    body = {"order": placement}
    return command(f"shop/{number}", "order.place", body, NOON, id_=f"place-{number}")


def cancel(number: str, reason: str = "late") -> ScriptMessage:
    body = {"id": number, "reason": reason}
    return command(f"shop/{number}", "order.cancel", body, NOON, id_=f"cancel-{number}-{reason}")


@pytest.fixture
def mended(tmp_path: Path) -> Path:
    """The bug is mended while this file is there."""
    return tmp_path / "mended"


@pytest.fixture
async def system(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory, mended: Path
) -> AsyncIterator[System]:
    folder = tmp_path_factory.mktemp("bug")
    async with running(
        stack, folder, copies=1, environment=QUICK, only=["orders", "claims"]
    ) as system:
        (healthy,) = system.of("orders")
        healthy.stop()
        poisoned = _poisoned(healthy, mended)
        system.replicas.append(poisoned)
        poisoned.start()
        poisoned.wait_ready()
        yield system
        poisoned.kill()


async def test_bug_parks_items_of_its_order_and_stops_no_other(
    system: System, mended: Path
) -> None:
    _, poisoned = system.of("orders")
    held = await system.player.publish([place("P", "POISON@mail.example"), cancel("P")])
    sent = await system.player.publish([place(f"{at}") for at in range(ORDERS)])

    # Every other order goes on, also those of the same partition.
    await system.answered(sent)
    await _until_parked(system, 2)

    assert {system.outcome(each) for each in sent} == {("applied", None)}
    assert held[0].places[0][1] in {each.places[0][1] for each in sent}, "send more orders"
    assert not any(each.is_answered(system.watcher) for each in held)
    assert poisoned.is_ready()
    assert poisoned.is_live()

    mend(mended)
    await system.answered(held)

    assert [system.outcome(each) for each in held] == [("applied", None)] * 2
    await _until_parked(system, 0)
    await system.audit()


@pytest.mark.long
async def test_skip_by_an_operator_is_published_by_the_running_service(
    system: System,
) -> None:
    _, poisoned = system.of("orders")
    await system.send(place("S"))
    held = await system.player.publish([cancel("S", "POISON"), cancel("S")])
    await _until_parked(system, 2)
    topic, partition, offset, index = held[0].places[0]
    at = f"{topic}/{partition}/{offset}#{index}"

    tried = await _operate(poisoned, "skip", at, "--dry-run")
    done = await _operate(poisoned, "skip", at, "--why", "ticket 7", "--by", "ana")
    await system.answered(held)

    assert "parked: would_skip=2 applied=1 no_change=0 rejected=1 " in tried
    assert "parked: skip=2 applied=1 no_change=0 rejected=1 " in done
    assert [system.outcome(each) for each in held] == [
        ("rejected", "skipped_by_operator"),
        ("applied", None),
    ]
    await system.audit()


def mend(mended: Path) -> None:
    mended.touch()


async def _until_parked(system: System, count: int) -> None:
    _, poisoned = system.of("orders")
    await system.watcher.until(
        lambda: _parked(poisoned) == count,
        lambda: f"{_parked(poisoned)} items are parked",
        ANSWER_SECONDS,
    )


def _parked(replica: Replica) -> float | None:
    """Number of parked items in the replica's metrics; None where the metrics have no such line."""
    lines = replica.metrics().splitlines()
    found = [line for line in lines if line.startswith("orderflow_parked_items{")]
    assert len(found) <= 1, found
    return float(found[0].split()[-1]) if found else None


async def _operate(replica: Replica, *arguments: str) -> str:
    """Run `orderflow parked` with the replica's settings, in a release without the bug."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "orderflow", "parked", *arguments),
        env={**os.environ, **replica.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    found, failed = await process.communicate()
    assert process.returncode == 0, failed.decode()
    return found.decode()


def _poisoned(healthy: Replica, mended: Path) -> Replica:
    return Replica(
        service="orders",
        name="orders-poisoned",
        folder=healthy.folder,
        environment=healthy.environment | {"POISON_MENDED_FILE": str(mended)},
        command=[sys.executable, "-m", "tests.e2e.poisoned"],
    )
