"""Helpers for tests of relays: rows to publish, relay processes, and a reader of the topic."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.runtime.messages.headers import headers_by_name
from services.runtime.outbox.outbox import Outbox, Outgoing
from services.runtime.postgres.connections import connect
from tests.integration.runtime.conftest import WRITTEN

PROJECT = Path(__file__).resolve().parents[4]
DEADLINE_SECONDS = 50
KEYS = 12
PADDING = "x" * 200


class Feed:
    """Writes numbered records of KEYS keys to the outbox, as batches do."""

    def __init__(self, settings) -> None:
        self._settings = settings
        self._outbox = Outbox(settings.outbox_shards)
        self.connection = None
        self.written = 0

    async def __aenter__(self):
        self.connection = await connect(self._settings, "orders")
        return self

    async def __aexit__(self, *_):
        self.connection.terminate()

    async def write(self, batches: int = 1, rounds: int = 1, padding: str = PADDING) -> None:
        """Write batches of `rounds` records for each key, one transaction a batch."""
        for _ in range(batches):
            records = []
            for _ in range(rounds):
                for key in range(KEYS):
                    value = json.dumps({"key": key, "n": self.written, "padding": padding})
                    name = str(key)
                    records.append(
                        Outgoing(
                            WRITTEN,
                            name.encode(),
                            value.encode(),
                            headers_by_name((("h", b"v"),)),
                            name,
                        )
                    )
                self.written += 1
            async with self.connection.transaction():
                await self._outbox.append(self.connection, records)

    async def rows(self) -> int:
        """Count the rows that wait."""
        return await self.connection.fetchval("SELECT count(*) FROM outbox")

    async def until_published(self, seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until no row waits."""
        async with asyncio.timeout(seconds):
            while await self.rows():
                await asyncio.sleep(0.02)

    async def until_rows(self, condition, seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until a condition on the waiting rows holds."""
        async with asyncio.timeout(seconds):
            while not condition(await self.connection.fetch("SELECT id, shard FROM outbox")):
                await asyncio.sleep(0.02)

    async def write_until(self, condition, seconds: float = DEADLINE_SECONDS) -> None:
        """Write until a condition holds."""
        async with asyncio.timeout(seconds):
            while not condition():
                await self.write()
                await asyncio.sleep(0.02)

    @property
    def expected(self) -> dict[int, list[int]]:
        """Every key's numbers, in order."""
        return {key: list(range(self.written)) for key in range(KEYS)}


class RelayProcess:
    """A relay in a separate process."""

    def __init__(
        self, settings, log: Path, *, point="", act="SIGKILL", after=1, is_deaf=False
    ) -> None:
        plan = {"point": point, "act": act, "after": after, "is_deaf": is_deaf} if point else {}
        given = settings.model_dump(mode="json", exclude_defaults=True)
        given["database_url"] = settings.database_url.get_secret_value()
        self._log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.integration.runtime.outbox.relay_process",
                    json.dumps(given),
                    json.dumps(plan),
                ],
                cwd=PROJECT,
                stdout=out,
                stderr=out,
                env={**os.environ, "PYTHONPATH": str(PROJECT)},
            )

    @property
    def log(self) -> str:
        """The output of the process so far."""
        return self._log.read_text()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def is_dead(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def is_stopped(self) -> bool:
        """Whether the process has stopped itself by SIGSTOP."""
        assert not self.is_dead(), self.log
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        return stat.rsplit(")", 1)[1].split()[0] == "T"

    def wake(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait(10)


class Seen:
    """The numbers read from the topic, by key."""

    def __init__(self, records) -> None:
        self.by_key: dict[int, list[int]] = defaultdict(list)
        for record in records:
            found = json.loads(record.value)
            self.by_key[found["key"]].append(found["n"])

    @property
    def firsts(self) -> dict[int, list[int]]:
        """Each key's numbers without repeats, in the order of their first occurrence."""
        return {key: list(dict.fromkeys(numbers)) for key, numbers in self.by_key.items()}

    @property
    def repeats(self) -> int:
        """How many records repeat an earlier number of their key."""
        return sum(len(numbers) - len(set(numbers)) for numbers in self.by_key.values())


async def read_topic(settings, name=WRITTEN, isolation="read_committed") -> Seen:
    """Read the topic to its present end, in the order of each partition."""
    servers = settings.kafka_bootstrap_servers
    plain = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        enable_auto_commit=False,
        isolation_level=isolation,
        auto_offset_reset="earliest",
    )
    places = [
        TopicPartition(settings.topic(name), number) for number in range(settings.kafka_partitions)
    ]
    await plain.start()
    await consumer.start()
    try:
        ends = await plain.end_offsets(places)
        consumer.assign(places)
        await consumer.seek_to_beginning()
        records = []
        async with asyncio.timeout(DEADLINE_SECONDS):
            for place in places:
                while await consumer.position(place) < ends[place]:
                    for found in (await consumer.getmany(timeout_ms=100)).values():
                        records += found
        return Seen(sorted(records, key=lambda record: (record.partition, record.offset)))
    finally:
        await plain.stop()
        await consumer.stop()


async def until(condition, seconds=DEADLINE_SECONDS) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def count_sessions(database_url: str, like: str) -> int:
    """Count the relays' database sessions."""
    owner = await asyncpg.connect(database_url)
    try:
        found: int = await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name LIKE $1 AND datname = current_database()",
            like,
        )
        return found
    finally:
        await owner.close()


async def end_sessions(database_url: str, like: str = "orderflow_orders.relay%") -> int:
    """End the relays' database sessions, as an operator or a failover does; returns how many."""
    owner = await asyncpg.connect(database_url)
    try:
        ended = await owner.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE $1 AND datname = current_database()",
            like,
        )
        return len(ended)
    finally:
        await owner.close()
