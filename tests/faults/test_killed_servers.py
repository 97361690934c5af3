"""Kafka killed, Postgres killed, connections cut: waited for, in order, for as long as it takes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from demo.replicas import Replica
from demo.synthetic import synthetic_script
from deploy.stack import LocalStack
from tests.processes import System, running

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

HEALTH_SECONDS = 60


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack of this module's own, to be killed."""
    with LocalStack(tmp_path_factory.mktemp("own-stack")) as stack:
        stack.start()
        yield stack


@pytest.fixture
async def system(servers: LocalStack, tmp_path: Path) -> AsyncIterator[System]:
    async with running(servers.addresses, tmp_path) as system:
        yield system


async def play(system: System, seed: int, strike: Callable[[], Awaitable[None]]) -> None:
    """A small shop, shuffled, with a fault after each third of it; all must come out right."""
    script = synthetic_script(seed, scale=0.1)
    system.player.between = strike
    system.player.chunk = 1 + len(script.messages) // 3
    system.player.deadline_seconds = 120

    await system.player.play_at_once(script.shuffled(seed))

    await system.judge(script)


@pytest.mark.long
async def test_connections_cut_by_postgres_are_opened_again(system: System) -> None:
    async def strike() -> None:
        assert len(await system.ask(CUT)) > 0

    await play(system, 31, strike)


async def test_readiness_and_not_liveness_fails_while_postgres_is_killed(
    system: System, servers: LocalStack
) -> None:
    async def strike() -> None:
        servers.postgres.kill()
        await _until(system, is_ready=False)
        assert all(replica.is_live() for replica in system.replicas)
        await asyncio.to_thread(servers.postgres.start)
        await _until(system, is_ready=True)

    await play(system, 37, strike)


async def test_services_wait_for_a_killed_broker(system: System, servers: LocalStack) -> None:
    kills: list[int | None] = []

    async def strike() -> None:
        if not kills:
            kills.append(servers.kafka.pid)
            servers.kafka.kill()
            await asyncio.to_thread(servers.kafka.start)

    await play(system, 41, strike)
    assert kills


async def _until(system: System, *, is_ready: bool) -> None:
    """Wait for every replica to say so."""
    others = system.replicas
    try:
        async with asyncio.timeout(HEALTH_SECONDS):
            while others:
                others = await asyncio.to_thread(_unlike, others, is_ready=is_ready)
    except TimeoutError:
        healths = [f"{replica.name}: {replica.health()}" for replica in others]
        raise AssertionError(f"is_ready should be {is_ready}\n" + "\n".join(healths)) from None


def _unlike(replicas: list[Replica], *, is_ready: bool) -> list[Replica]:
    return [replica for replica in replicas if replica.is_ready() is not is_ready]
