"""Services killed in the middle of a batch, again and again: nothing lost, doubled or reordered."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import cycle

import asyncpg
import pytest

from demo.replicas import Replica
from demo.synthetic import synthetic_script
from deploy.stack import Addresses
from services import registry
from tests.processes import System, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SERVICES = registry.consumers()
KILLS = 9
STOPS = 3
LOOK_SECONDS = 3.0
OPEN_TRANSACTION = """
SELECT client_port FROM pg_stat_activity
 WHERE datname = current_database() AND xact_start IS NOT NULL AND client_port > 0
   AND pid <> pg_backend_pid() AND application_name LIKE $1
"""


@pytest.fixture
async def system(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    quick = {"KAFKA_SESSION_TIMEOUT_MS": "6000", "KAFKA_HEARTBEAT_INTERVAL_MS": "500"}
    small = {"ORDERFLOW_BATCH_MAX_RECORDS": "50"}
    folder = tmp_path_factory.mktemp("kills")
    async with running(stack, folder, environment={**quick, **small}) as system:
        yield system


@dataclass(slots=True)
class Killer:
    """Ends one replica of one service after the other, in mid-batch, and starts it again."""

    system: System
    services: Iterator[str]
    kills: int = 0
    stops: int = 0
    in_mid_batch: int = 0

    async def strike(self) -> None:
        """SIGKILL nine times, then SIGTERM three times, each service in turn; then rest."""
        if self.kills + self.stops >= KILLS + STOPS:
            return
        victim = await self._in_mid_batch(next(self.services))
        if self.kills < KILLS:
            self.kills += 1
            victim.kill()
        else:
            self.stops += 1
            await asyncio.to_thread(victim.stop)
        assert not victim.is_alive
        victim.start()

    async def _in_mid_batch(self, service: str) -> Replica:
        """The replica whose transaction is open; any one when none is found in time."""
        connection = await asyncpg.connect(self.system.installation.database_url)
        replicas = self.system.of(service)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                while True:
                    rows = await connection.fetch(OPEN_TRANSACTION, f"%{service}%")
                    ports = {row["client_port"] for row in rows}
                    for replica in replicas:
                        if ports & ports_of(replica):
                            self.in_mid_batch += 1
                            return replica
        except TimeoutError:
            return replicas[self.kills % len(replicas)]
        finally:
            await connection.close()


async def test_services_killed_in_mid_batch_lose_and_double_nothing(system: System) -> None:
    script = synthetic_script(23, scale=0.5)
    killer = Killer(system, cycle(SERVICES))
    system.player.between = killer.strike
    system.player.chunk = 1 + len(script.messages) // (KILLS + STOPS + 2)
    system.player.deadline_seconds = 120

    await system.player.play_at_once(script.shuffled(23))
    await system.judge(script)

    assert (killer.kills, killer.stops) == (KILLS, STOPS)
    assert killer.in_mid_batch >= KILLS // 3


@pytest.mark.long
async def test_replicas_killed_at_once_continue_at_their_positions(
    system: System,
) -> None:
    script = synthetic_script(29, scale=0.1)
    both = system.of("orders")

    async def strike() -> None:
        for replica in both:
            replica.kill()
        for replica in both:
            replica.start()

    system.player.between = strike
    await system.player.play_at_once(script.shuffled(29))

    await system.judge(script)


def ports_of(replica: Replica) -> set[int]:
    """Local ports of the replica's connections."""
    process = replica.identity.process() if replica.identity else None
    if process is None:
        return set()
    return {found.laddr.port for found in process.net_connections(kind="tcp") if found.laddr}
