"""Servers away, replaced, full or locked, replicas that come and go: nothing lost, none restarted.

Each case plays a shop, lets the outage strike while its messages come, and then counts all shops so
far from outside. The replicas are the same processes from the first case to the last, alive all the
time; they turn red with a sentence that says why, and green by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from chaos.injection import CUT
from chaos.proxy import LOOPBACK
from demo.replicas import SERVICES, Replica
from deploy.stack import Addresses
from tests.faults.outages import CLOSED_PORT, ENVIRONMENT, Scene, Servers, served
from tests.faults.small_disk import SmallDisk
from tests.faults.standby import follow
from tests.faults.strangers import come_and_go, rebalances
from tests.processes import running

pytestmark = [
    pytest.mark.stack,
    pytest.mark.long,
    pytest.mark.timeout(400),
    pytest.mark.asyncio(loop_scope="module"),
]

CUTS = 5
STORM = 5


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    async with served(tmp_path_factory.mktemp("servers")) as servers:
        yield servers


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def scene(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("outages")
    async with running(servers.addresses, folder, environment=servers.environment) as system:
        yield Scene(system)


@pytest.mark.parametrize("name", ["postgres", "kafka"])
@pytest.mark.parametrize("way", ["refuses", "is silent"])
async def test_server_outage_is_survived(
    scene: Scene, servers: Servers, name: str, way: str
) -> None:
    proxy = servers.postgres if name == "postgres" else servers.kafka

    async def outage() -> None:
        if way == "refuses":
            proxy.lead_to(LOOPBACK, CLOSED_PORT)
            proxy.reset()
        else:
            proxy.fall_silent()
        scene.struck.set()
        await scene.until_red("database" if name == "postgres" else "kafka")
        servers.lead()
        proxy.reset()  # What was half-open is not spoken to again.
        proxy.speak()

    await scene.endure(outage)


async def test_pool_whose_connections_are_dropped_repeatedly_recovers(scene: Scene) -> None:
    async def outage() -> None:
        scene.struck.set()
        for _ in range(CUTS):
            (cut,) = await scene.system.ask(CUT, "orderflow%")
            assert cut["count"] > 0
            await scene.until_green()

    await scene.endure(outage)


@pytest.mark.parametrize("table", ["position", "shop_order"])
async def test_rows_locked_longer_than_the_lock_timeout_are_retried(
    scene: Scene, table: str
) -> None:
    async def outage() -> None:
        await scene.until_read("orders")  # So that the rows are of orders that more is to come for.
        holder = await asyncpg.connect(scene.system.installation.database_url)
        async with holder.transaction():
            await holder.execute(f"SELECT FROM orders.{table} FOR UPDATE")
            scene.struck.set()
            await scene.until_red("batches", "lock timeout", services=["orders"])
        await holder.close()

    await scene.endure(outage)


async def test_rolling_restart_stalls_no_longer_than_its_rebalance(scene: Scene) -> None:
    codes = []

    async def outage() -> None:
        scene.struck.set()
        for replica in scene.system.replicas:
            codes.append(await asyncio.to_thread(end, replica))
            await scene.goes_on(replica.service)
            await asyncio.to_thread(replica.start)
            await asyncio.to_thread(replica.wait_ready)

    await scene.endure(outage, survivors=[])

    assert codes == [0] * len(scene.system.replicas)


async def test_rebalances_in_quick_succession_are_survived(scene: Scene) -> None:
    async def outage() -> None:
        scene.struck.set()
        await asyncio.gather(*(come_and_go(scene.system, service, STORM) for service in SERVICES))

    before = [rebalances(replica) for replica in scene.system.replicas]
    await scene.endure(outage)

    for replica, count in zip(scene.system.replicas, before, strict=True):
        assert rebalances(replica) >= count + STORM, replica.name


async def test_failover_through_a_read_only_standby_is_survived(
    scene: Scene, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With synchronous replication: whatever was committed is on the standby."""
    primary = servers.stack.postgres
    standby = await follow(primary, tmp_path_factory.mktemp("standby"))

    async def outage() -> None:
        scene.struck.set()
        await scene.until_more_events()
        primary.kill()
        servers.stack.postgres = standby
        servers.lead()
        servers.postgres.reset()
        await scene.until_red("database", "only reads")
        await scene.system.ask("SELECT pg_promote()")

    await scene.endure(outage)


async def test_full_disk_is_survived(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No room for a table, then none for the log, of which the server dies; then there is room."""
    folder = tmp_path_factory.mktemp("full-disk")
    with SmallDisk(folder / "disk") as disk:
        addresses = Addresses(
            servers.stack.addresses.kafka_bootstrap_servers, await asyncio.to_thread(disk.serve)
        )
        async with running(addresses, folder, copies=1, environment=ENVIRONMENT) as system:
            scene = Scene(system)

            async def outage() -> None:
                await asyncio.to_thread(disk.fill)
                scene.struck.set()
                await scene.until_red("batches", "DiskFull", services=["orders"])
                await until_no_log_can_be_written(addresses.database_url)
                await scene.until_red("database")
                await asyncio.to_thread(disk.make_room)
                await asyncio.to_thread(disk.serve)

            await scene.endure(outage)


async def until_no_log_can_be_written(database_url: str) -> None:
    """Ask for new files of the log until there is no room for one."""
    there = await asyncpg.connect(database_url)
    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        while True:
            await there.execute("SELECT pg_logical_emit_message(true, 'full', 'disk')")
            await there.execute("SELECT pg_switch_wal()")


def end(replica: Replica) -> int:
    """SIGTERM; returns the exit code."""
    assert replica.identity
    process = replica.identity.process()
    assert process
    process.terminate()
    ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert ended
    replica.stop()  # It has ended: its remains are taken away.
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
