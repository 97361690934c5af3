"""Servers for the tests: one stack per run, a fresh database and topic prefix per test."""

import asyncio
import itertools
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from hypothesis import settings

from deploy.stack import Addresses, Terminal, stack_for
from services import registry
from services.runtime.postgres.migrate import migrate

pytest_plugins = ["tests.worker_deaths"]
SERVICES = registry.names()
settings.register_profile("orderflow", deadline=None)  # Seconds are never asserted.
settings.load_profile("orderflow")
MEMORY, SERVERS_PREFIX = Path("/dev/shm"), "orderflow-tests-"
ROOM_BYTES = 4 << 30
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def stack(servers_folder: Path) -> Iterator[Addresses]:
    """Apache Kafka and PostgreSQL for the whole run; a test that stops servers starts its own."""
    with stack_for(servers_folder) as servers:
        yield servers.start(Terminal())


@pytest.fixture(scope="session")
def servers_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory where there is room, else on disk.

    Each test has a database of its own, of some 800 files that Postgres syncs. A killed process
    loses nothing in memory either.
    """
    for left in MEMORY.glob(f"{SERVERS_PREFIX}*"):
        if not psutil.pid_exists(int(left.name.removeprefix(SERVERS_PREFIX).partition("-")[0])):
            shutil.rmtree(left, ignore_errors=True)  # A run that was killed could not remove it.
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM_BYTES:
        yield tmp_path_factory.mktemp("stack")
        return
    with TemporaryDirectory(prefix=f"{SERVERS_PREFIX}{os.getpid()}-", dir=MEMORY) as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postgres may run as another user.
        yield folder


@pytest.fixture(scope="session")
def kafka_bootstrap_servers(stack: Addresses) -> str:
    """The run's Kafka."""
    return stack.kafka_bootstrap_servers


@pytest.fixture(scope="session")
def session_name() -> str:
    """A name no other run uses: servers named in the environment may be shared and outlive us."""
    return f"test_{os.getpid()}_{uuid.uuid4().hex[:6]}"


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest, session_name: str) -> Iterator[str]:
    """A prefix for this test's topics and consumer groups (KAFKA_TOPIC_PREFIX).

    The topics are deleted at its end: a broker that has as many files open as its process may have
    ends, and each partition has several.
    """
    prefix = f"{session_name}.{next(_numbers)}."
    servers = request.getfixturevalue("stack") if "stack" in request.fixturenames else None
    yield prefix
    if servers is not None:
        with ThreadPoolExecutor(1) as thread:  # The event loop of this thread is the test's.
            deleted = _delete_topics(servers.kafka_bootstrap_servers, prefix)
            thread.submit(asyncio.run, deleted).result()


@pytest.fixture(scope="session")
def template_database(stack: Addresses, session_name: str) -> Iterator[str]:
    """The name of a migrated database that the tests' databases are copied from."""
    name = f"{session_name}_template"
    asyncio.run(_create_template(stack.database_url, name))
    yield name
    asyncio.run(_execute(stack.database_url, f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture
async def database_url(
    stack: Addresses, template_database: str, session_name: str
) -> AsyncIterator[str]:
    """A database of this test's own, with every migration applied."""
    name = f"{session_name}_{next(_numbers)}"
    copy = f'CREATE DATABASE "{name}" TEMPLATE "{template_database}" STRATEGY FILE_COPY'
    await _execute(stack.database_url, copy)
    yield _url_of(stack.database_url, name)
    await _execute(stack.database_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def empty_database_url(stack: Addresses, session_name: str) -> AsyncIterator[str]:
    """A database of this test's own with nothing in it."""
    name = f"{session_name}_{next(_numbers)}"
    await _execute(stack.database_url, f'CREATE DATABASE "{name}"')
    yield _url_of(stack.database_url, name)
    await _execute(stack.database_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def project_folder() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parents[1]


async def _delete_topics(bootstrap_servers: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(prefix)]
        if names:
            await admin.delete_topics(names)
    finally:
        await admin.close()


async def _create_template(server_url: str, name: str) -> None:
    await _execute(server_url, f'CREATE DATABASE "{name}"')
    await migrate(_url_of(server_url, name), services=SERVICES)


async def _execute(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _url_of(server_url: str, database: str) -> str:
    return urlsplit(server_url)._replace(path=f"/{database}").geturl()
