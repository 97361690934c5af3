"""Collect the outcomes of commands from `orders.outcomes` and `claims.outcomes`."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

from orderflow.console.topic_reader import assign_all
from schemas.topics import CLAIMS_COMMANDS, CLAIMS_OUTCOMES, ORDERS_COMMANDS, ORDERS_OUTCOMES
from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import client_options

OUTCOMES_OF: Mapping[str, str] = {
    ORDERS_COMMANDS: ORDERS_OUTCOMES,
    CLAIMS_COMMANDS: CLAIMS_OUTCOMES,
}
"""The topics whose items end in outcomes, and where."""


class Outcomes:
    """Waits for one outcome per item of the commands given as {command id: items}."""

    def __init__(
        self, settings: Settings, items: Mapping[str, int], topics: Collection[str]
    ) -> None:
        """`topics` are those of the commands."""
        self._settings = settings
        self._topics = [settings.topic(OUTCOMES_OF[topic]) for topic in sorted(set(topics))]
        self._consumer: AIOKafkaConsumer | None = None
        self._open = {(identifier, i) for identifier, n in items.items() for i in range(n)}

    @property
    def missing(self) -> set[str]:
        """Ids of commands that have items without an outcome so far."""
        return {identifier for identifier, _ in self._open}

    async def start(self) -> None:
        """Stand at the ends of the topics; to be called before the commands are sent."""
        if not self._topics:
            return
        self._consumer = AIOKafkaConsumer(**client_options(self._settings))
        await self._consumer.start()
        await assign_all(self._consumer, *self._topics, from_beginning=False)

    async def stop(self) -> None:
        """Leave."""
        if self._consumer:
            await self._consumer.stop()

    async def collect(self, wait_seconds: float) -> AsyncIterator[dict[str, Any]]:
        """Outcome records as they appear, until each item has one or the time is over."""
        if self._consumer is None:  # Nothing that was sent has an outcome.
            return
        deadline = asyncio.get_running_loop().time() + wait_seconds
        while self._open and (left := deadline - asyncio.get_running_loop().time()) > 0:
            batches = await self._consumer.getmany(timeout_ms=int(min(left, 1.0) * 1000) + 1)
            for record in (record for batch in batches.values() for record in batch):
                body = orjson.loads(record.value)
                item = (body.get("command_id"), body.get("index"))
                if item in self._open:
                    self._open.remove(item)
                    yield body
