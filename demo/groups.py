"""How far the services have read, by their consumer groups."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from demo.journal import make_reader, partitions_of
from demo.watcher import Unanswered
from schemas.topics import CATALOGUE
from services import registry

READS: Mapping[str, tuple[str, ...]] = {
    service: tuple(topic.name for topic in CATALOGUE if service in topic.readers)
    for service in registry.consumers()
}
"""Topics that each service reads."""
PAUSE_SECONDS = 0.1
QUIET_ROUNDS = 3


@dataclass(slots=True)
class Groups:
    """Offsets of the services' groups. Use as a context."""

    options: Mapping[str, Any]
    prefix: str
    _partitions: dict[str, list[TopicPartition]] = field(default_factory=dict)
    _admin: AIOKafkaAdminClient | None = None
    _reader: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Self:
        self._admin = AIOKafkaAdminClient(**self.options)
        self._reader = make_reader(self.options)
        await self._admin.start()
        await self._reader.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._admin:
            await self._admin.close()
        if self._reader:
            await self._reader.stop()

    async def lag(self, service: str) -> int:
        """Messages the service has not yet read and committed."""
        assert self._admin, "use Groups as a context"
        ends = await self._ends(service)
        group = f"{self.prefix}orderflow.{service}"
        committed = await self._admin.list_consumer_group_offsets(group)
        done = {at: max(0, known.offset) for at, known in committed.items()}
        return sum(end - done.get(at, 0) for at, end in ends.items())

    async def until_read(self, service: str, deadline_seconds: float) -> None:
        """Wait until the service has read everything there is for it."""
        await self._until_quiet((service,), 1, deadline_seconds)

    async def until_all_read(
        self, deadline_seconds: float, services: tuple[str, ...] = tuple(READS)
    ) -> None:
        """Wait until all have read everything, the events they cause in each other included."""
        await self._until_quiet(services, QUIET_ROUNDS, deadline_seconds)

    async def _until_quiet(
        self, services: tuple[str, ...], rounds: int, deadline_seconds: float
    ) -> None:
        quiet = 0
        before: object = None
        deadline = time.monotonic() + deadline_seconds
        while quiet < rounds:
            lags, ends = await self._state(services)
            is_quiet = not any(lags.values()) and (before in (None, ends))
            quiet = quiet + 1 if is_quiet else 0
            before = ends
            if time.monotonic() > deadline:
                raise Unanswered(f"after {deadline_seconds:.0f} s messages are unread: {lags}")
            if quiet < rounds:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _state(self, services: tuple[str, ...]) -> tuple[dict[str, int], object]:
        """Lags and ends of the topics; a broker that does not answer counts as unread."""
        try:
            lags = {service: await self.lag(service) for service in services}
            return lags, [await self._ends(service) for service in services]
        except (KafkaError, OSError):
            return {"broker": 1}, None

    async def _ends(self, service: str) -> dict[TopicPartition, int]:
        assert self._reader
        if service not in self._partitions:
            topics = [self.prefix + name for name in READS[service]]
            self._partitions[service] = await partitions_of(self.options, topics)
        partitions = self._partitions[service]
        ends: dict[TopicPartition, int] = await self._reader.end_offsets(partitions)
        return ends
