"""Services behind PgBouncer in transaction mode, where clients share two sessions of each role."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import cycle
from pathlib import Path

import asyncpg
import pytest

from demo.installation import Installation
from demo.replicas import Replica
from demo.synthetic import synthetic_script
from deploy.stack import Addresses
from deploy.stack.process import wait_until
from services import registry
from services.runtime.config.settings import Settings
from services.runtime.postgres.migrate import migrate
from services.runtime.postgres.sessions import role_of, session_parameters, startup_parameters
from tests.processes import System, running

from .pgbouncer_server import SERVER_SESSIONS, PgBouncer
from .pooled import PASSWORDS, USERS

SERVICES = registry.names()
KILLS = 8
TESTS_OF_SERVICES = (
    "tests/integration/analytics/test_service.py",
    "tests/integration/claims/test_rebuilding.py",
    "tests/integration/claims/test_service.py",
    "tests/integration/deliveries/test_deliveries.py",
    "tests/integration/gateway/test_activity.py",
    "tests/integration/gateway/test_requests.py",
    "tests/integration/pipeline/test_partition_state.py",
    "tests/integration/pipeline/test_pipeline.py",
    "tests/integration/pipeline/test_taking_over.py",
    "tests/integration/pipeline/test_trips.py",
    "tests/integration/runtime/test_service.py",
)
TESTS_SECONDS = 280
pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@pytest.fixture
def pooler(stack: Addresses, tmp_path: Path) -> Iterator[PgBouncer]:
    server = PgBouncer(tmp_path / "pgbouncer", stack.database_url, USERS)
    server.start()
    yield server
    server.stop()


async def _prepared(pooler: PgBouncer, installation: Installation) -> Mapping[str, str]:
    """Let the roles log in, with their parameters; returns the variables of the services."""
    url, settings = installation.database_url, Settings()
    parameters = {name: session_parameters(settings, name) for name in SERVICES}
    await migrate(url, passwords=PASSWORDS, parameters=parameters)
    return {
        f"{name.upper()}_DATABASE_POOLER_URL": pooler.url(role_of(name), installation.name)
        for name in SERVICES
    }


@pytest.fixture
async def system(
    stack: Addresses, pooler: PgBouncer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    async def environment(installation: Installation) -> Mapping[str, str]:
        quick = {"KAFKA_SESSION_TIMEOUT_MS": "6000", "ORDERFLOW_BATCH_MAX_RECORDS": "50"}
        return {**quick, **await _prepared(pooler, installation)}

    folder = tmp_path_factory.mktemp("pooled")
    async with running(stack, folder, environment=environment) as system:
        yield system


async def test_pgbouncer_services_and_pooler_killed_lose_double_and_reorder_nothing(
    system: System, pooler: PgBouncer
) -> None:
    script, victims, strikes = synthetic_script(23, scale=0.5), cycle(registry.consumers()), 0

    async def strike() -> None:
        nonlocal strikes
        strikes += 1
        if strikes > KILLS:
            return
        if strikes % 4 == 0:
            await asyncio.to_thread(pooler.kill)
            await asyncio.to_thread(pooler.start)
            return
        victim = system.of(next(victims))[strikes % 2]
        victim.kill()
        victim.start()

    system.player.between = strike
    system.player.chunk = 1 + len(script.messages) // (KILLS + 2)
    system.player.deadline_seconds = 120

    await system.player.play_at_once(script.shuffled(23))
    await system.judge(script)

    assert strikes >= KILLS
    sessions = await system.ask(
        "SELECT usename, count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND usename LIKE 'orderflow%' GROUP BY usename"
    )
    # Direct connections have the login of DATABASE_URL.
    found = {row["usename"]: row["count"] for row in sessions}
    assert found.keys() >= {role_of(name) for name in registry.consumers()}
    assert max(found.values()) <= SERVER_SESSIONS


async def test_pgbouncer_passes_the_tests_of_services(
    stack: Addresses, pooler: PgBouncer, database_url: str, tmp_path: Path, project_folder: Path
) -> None:
    """The tests run as they do elsewhere; each names itself when it used the pooler."""
    await migrate(database_url, passwords=PASSWORDS)
    used = tmp_path / "pooled"
    environment = {
        **os.environ,
        "DATABASE_URL": stack.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": stack.kafka_bootstrap_servers,
        "TEST_POOLER": f"127.0.0.1:{pooler.port}",
        "TEST_POOLED": str(used),
    }
    command = [
        *(sys.executable, "-m", "pytest", "-p", "tests.operations.pooled", *TESTS_OF_SERVICES),
        *("-q", "-x", "-m", "not long", "-n", "2", "--dist", "loadfile"),
    ]

    done = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=project_folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TESTS_SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4000:]
    names = used.read_text("utf-8").splitlines()
    assert {name.partition("::")[0] for name in names} == set(TESTS_OF_SERVICES)


def _replica(name: str, folder: Path, environment: Mapping[str, str]) -> Replica:
    return Replica(name, name, folder, environment)


@pytest.fixture
async def environment(stack: Addresses, database_url: str, topic_prefix: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP_SERVERS": stack.kafka_bootstrap_servers,
        "KAFKA_TOPIC_PREFIX": topic_prefix,
    }


def _ended(replica: Replica) -> str:
    """The log of a service that ended by itself."""
    replica.start()
    try:
        assert wait_until(lambda: not replica.is_alive, 30), replica.log_end()
        return replica.log.read_text()
    finally:
        replica.kill()


async def test_pgbouncer_with_a_role_that_has_no_parameters_ends_the_start_with_a_sentence(
    pooler: PgBouncer, database_url: str, environment: dict[str, str], tmp_path: Path
) -> None:
    await migrate(database_url, passwords=PASSWORDS)
    url = pooler.url("orderflow_orders", database_url.rpartition("/")[2])
    service = _replica("orders", tmp_path, {**environment, "ORDERS_DATABASE_POOLER_URL": url})

    written = await asyncio.to_thread(_ended, service)

    assert "sessions of orders need " in written
    assert "run `orderflow migrate` with this variable" in written
    assert "the-secret-of" not in written


async def test_pgbouncer_in_the_servers_place_is_refused_with_a_sentence(
    pooler: PgBouncer, database_url: str, environment: dict[str, str], tmp_path: Path
) -> None:
    await migrate(database_url, passwords=PASSWORDS)
    url = pooler.url("orderflow_orders", database_url.rpartition("/")[2])
    service = _replica("orders", tmp_path, {**environment, "ORDERS_DATABASE_URL": url})
    service.start()
    try:
        said = "ORDERS_DATABASE_URL leads to a connection pooler"
        assert await asyncio.to_thread(wait_until, lambda: said in service.health(), 30)
    finally:
        service.kill()


async def test_pgbouncer_that_ignores_parameters_in_the_servers_place_ends_the_start(
    stack: Addresses, database_url: str, environment: dict[str, str], tmp_path: Path
) -> None:
    asked = startup_parameters(Settings(), "orders").keys() - {"application_name"}
    ignored = ",".join(asked)
    await migrate(database_url, passwords=PASSWORDS)
    server = PgBouncer(tmp_path / "ignoring", stack.database_url, USERS, "session", ignored)
    server.start()
    url = server.url("orderflow_orders", database_url.rpartition("/")[2])
    service = _replica("orders", tmp_path, {**environment, "ORDERS_DATABASE_URL": url})
    try:
        written = await asyncio.to_thread(_ended, service)
    finally:
        server.stop()

    assert "ORDERS_DATABASE_URL leads to a connection pooler that ignores them" in written


async def test_pgbouncer_parameters_of_a_role_are_those_of_one_database(
    pooler: PgBouncer, database_url: str, empty_database_url: str
) -> None:
    parameters = {"orders": session_parameters(Settings(), "orders")}
    await migrate(database_url, ["orders"], PASSWORDS, parameters=parameters)

    found = []
    for url in (database_url, empty_database_url):
        address = pooler.url("orderflow_orders", url.rpartition("/")[2])
        connection = await asyncpg.connect(address, statement_cache_size=0)
        found.append(await connection.fetchval("SELECT current_setting('search_path')"))
        await connection.close()

    assert found == ["orders", '"$user", public']
