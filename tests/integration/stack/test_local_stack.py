"""The embedded servers: they start, survive being killed, and leave nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.stack import (
    Addresses,
    AlreadyRunning,
    LocalStack,
    PortTaken,
    down,
    status,
    up,
)

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(180)]
TOPIC = "kept"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a folder with spaces"


@pytest.fixture
def local(folder: Path) -> Iterator[LocalStack]:
    with LocalStack(folder) as stack:
        yield stack


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """One for the tests that only look at it."""
    with LocalStack(tmp_path_factory.mktemp("running")) as stack:
        stack.start()
        yield stack


@pytest.mark.long
async def test_what_was_acknowledged_is_there_after_both_servers_are_killed(
    local: LocalStack,
) -> None:
    before = local.start()
    await _publish(before, b"first")
    await _store(before, "first")
    first_kafka, first_postgres = local.kafka.pid, local.postgres.pid

    local.kafka.kill()
    local.postgres.kill()

    assert (local.kafka.is_up(), local.postgres.is_up()) == (False, False)
    assert (local.kafka.pid, local.postgres.pid) == (None, None)
    local.kafka.start()
    local.postgres.start()
    assert local.addresses == before, "clients would look for them in vain"
    assert local.kafka.pid != first_kafka
    assert local.postgres.pid != first_postgres
    assert await _published(before) == [b"first"]
    assert await _stored(before) == ["first"]


@pytest.mark.long
async def test_a_second_start_finds_the_data_of_the_first_and_takes_seconds(folder: Path) -> None:
    with LocalStack(folder) as stack:
        addresses = stack.start()
        await _publish(addresses, b"first")
        await _store(addresses, "first")
    started = time.monotonic()

    with LocalStack(folder) as stack:
        addresses = stack.start()

        assert time.monotonic() - started < 30
        assert await _published(addresses) == [b"first"]
        assert await _stored(addresses) == ["first"]


async def test_servers_listen_on_the_loopback_address_only(running: LocalStack) -> None:
    for pid in (running.kafka.pid, running.postgres.pid):
        assert pid is not None
        listening = [
            connection.laddr.ip
            for connection in psutil.Process(pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_kafka_unpacks_its_native_libraries_inside_the_folder(running: LocalStack) -> None:
    command = psutil.Process(running.kafka.pid).cmdline()

    temporary = [one.partition("=")[2] for one in command if one.startswith("-Djava.io.tmpdir=")]

    assert [Path(one).is_dir() for one in temporary] == [True]
    assert Path(temporary[0]).is_relative_to(running.folder.resolve())


async def test_postgres_writes_through_and_takes_many_connections(running: LocalStack) -> None:
    addresses = running.addresses

    connection = await asyncpg.connect(addresses.database_url)
    try:
        settings = {
            name: await connection.fetchval(f"SHOW {name}")
            for name in ("fsync", "synchronous_commit", "full_page_writes", "max_connections")
        }
    finally:
        await connection.close()

    assert settings == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "max_connections": "200",
    }


async def test_kafka_does_not_create_an_unknown_topic(running: LocalStack) -> None:
    addresses = running.addresses
    admin = AIOKafkaAdminClient(bootstrap_servers=addresses.kafka_bootstrap_servers)
    await admin.start()
    try:
        described = await admin.describe_topics(["mistyped"])
        assert described[0]["error_code"] == 3, "unknown topic"
        assert "mistyped" not in await admin.list_topics()
    finally:
        await admin.close()


def test_a_taken_port_is_named_with_its_owner_and_the_way_out(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with LocalStack(folder, kafka_port=port) as stack, pytest.raises(PortTaken) as caught:
            stack.start()

        assert f"port {port}" in str(caught.value)
        assert f"pid {os.getpid()}" in str(caught.value)
        assert "ORDERFLOW_STACK_KAFKA_PORT" in str(caught.value)
        assert stack.postgres.pid is None, "what had been started is stopped again"


def test_one_folder_has_one_stack(running: LocalStack) -> None:
    with pytest.raises(AlreadyRunning, match="make down"):
        LocalStack(running.folder).start()

    assert running.kafka.is_up()


_STARTER = """
import signal, sys
from pathlib import Path
from deploy.stack import LocalStack
# A run in the background ignores Ctrl-C, and its children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
with LocalStack(Path(sys.argv[1])) as stack:
    stack.start()
    print(stack.kafka.pid, stack.postgres.pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux signals children of a killed parent"
)
@pytest.mark.parametrize(
    "ending", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.long)]
)
def test_no_server_outlives_the_process_that_started_it(
    folder: Path, project_folder: Path, ending: signal.Signals
) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", _STARTER, str(folder)],
        cwd=project_folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert starter.stdin is not None
    assert starter.stdout is not None
    with starter.stdin, starter.stdout:
        pids = [int(word) for word in starter.stdout.readline().split()]
        assert len(pids) == 2

        starter.send_signal(ending)
        starter.wait(timeout=60)

    _wait_until(lambda: not any(_lives(pid) for pid in pids), seconds=60)


async def test_a_stack_that_is_left_running_is_found_again_and_stopped(folder: Path) -> None:
    addresses = up(folder)
    try:
        await _publish(addresses, b"first")
        state = status(folder)
        assert state is not None
        assert state.is_up
        pids = {one.name: one.pid for one in state.processes}
        assert set(pids) == {"postgres", "kafka"}
        assert up(folder) == addresses, "a second `up` leaves it as it is"
    finally:
        stopped = down(folder)

    assert stopped == ["kafka", "postgres"]
    assert not any(_lives(pid) for pid in pids.values())
    assert down(folder) == []
    assert up(folder) == addresses
    try:
        assert await _published(addresses) == [b"first"]
    finally:
        down(folder)


@pytest.mark.long
async def test_up_mends_a_stack_of_which_a_part_died(folder: Path) -> None:
    addresses = up(folder)
    try:
        state = status(folder)
        assert state is not None
        kafka = next(one for one in state.processes if one.name == "kafka")
        psutil.Process(kafka.pid).kill()
        _wait_until(lambda: _alive(folder) == ["postgres"], seconds=10)

        assert up(folder) == addresses

        state = status(folder)
        assert state is not None
        assert state.is_up
    finally:
        down(folder)


async def _publish(addresses: Addresses, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=addresses.kafka_bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(
        bootstrap_servers=addresses.kafka_bootstrap_servers, enable_idempotence=True
    )
    await producer.start()
    try:
        await producer.send_and_wait(TOPIC, value)
    finally:
        await producer.stop()


async def _published(addresses: Addresses) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(bootstrap_servers=addresses.kafka_bootstrap_servers)
    await consumer.start()
    try:
        partition = TopicPartition(TOPIC, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        found = await consumer.getmany(timeout_ms=20_000)
        return [record.value for record in found.get(partition, [])]
    finally:
        await consumer.stop()


async def _store(addresses: Addresses, value: str) -> None:
    connection = await asyncpg.connect(addresses.database_url)
    try:
        await connection.execute("CREATE TABLE kept (value text)")
        await connection.execute("INSERT INTO kept VALUES ($1)", value)
    finally:
        await connection.close()


async def _stored(addresses: Addresses) -> list[str]:
    connection = await asyncpg.connect(addresses.database_url)
    try:
        return [row["value"] for row in await connection.fetch("SELECT value FROM kept")]
    finally:
        await connection.close()


def _alive(folder: Path) -> list[str]:
    state = status(folder)
    return [one.name for one in state.processes if one.alive] if state else []


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
