"""Collect the outcomes of commands from the topics of outcomes."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

from orderflow.console.topic_reader import assign_all
from schemas.topics import (
    CLAIMS_COMMANDS,
    CLAIMS_OUTCOMES,
    DELIVERIES_COMMANDS,
    DELIVERIES_OUTCOMES,
    ORDERS_COMMANDS,
    ORDERS_OUTCOMES,
)
from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import client_options

OUTCOMES_OF: Mapping[str, str] = {
    ORDERS_COMMANDS: ORDERS_OUTCOMES,
    CLAIMS_COMMANDS: CLAIMS_OUTCOMES,
    DELIVERIES_COMMANDS: DELIVERIES_OUTCOMES,
}
"""The topics whose items end in outcomes, and where."""


Place = tuple[str, int, int]
"""Topic as in the catalogue, partition and offset of a message."""


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome of one item; `line` is that of its message."""

    line: int
    record: Mapping[str, Any]


class Outcomes:
    """Waits for one outcome of each item of the messages that are expected.

    Messages are known by their place, not by their id: of two with the same id each has an outcome.
    """

    def __init__(self, settings: Settings, topics: Collection[str]) -> None:
        """`topics` are those of the messages; those without outcomes are left out."""
        self._settings = settings
        answered = {OUTCOMES_OF[topic] for topic in topics if topic in OUTCOMES_OF}
        self._topics = [settings.topic(topic) for topic in sorted(answered)]
        self._consumer: AIOKafkaConsumer | None = None
        self._open: dict[tuple[Place, int], int] = {}

    def expect(self, place: Place, items: int, line: int) -> None:
        """Wait for the outcomes of a message that was sent, if there are any for its topic."""
        if place[0] in OUTCOMES_OF:
            self._open |= {(place, index): line for index in range(items)}

    @property
    def missing(self) -> list[int]:
        """Lines of messages that have items without an outcome so far."""
        return sorted(set(self._open.values()))

    async def start(self) -> None:
        """Stand at the ends of the topics; to be called before the messages are sent."""
        if not self._topics:
            return
        self._consumer = AIOKafkaConsumer(**client_options(self._settings))
        await self._consumer.start()
        await assign_all(self._consumer, *self._topics, from_beginning=False)

    async def stop(self) -> None:
        """Leave."""
        if self._consumer:
            await self._consumer.stop()

    async def collect(self, wait_seconds: float) -> AsyncIterator[Found]:
        """Outcomes as they appear, until each item has one or the time is over."""
        if self._consumer is None:  # Nothing that was sent has an outcome.
            return
        deadline = asyncio.get_running_loop().time() + wait_seconds
        while self._open and (left := deadline - asyncio.get_running_loop().time()) > 0:
            batches = await self._consumer.getmany(timeout_ms=int(min(left, 1.0) * 1000) + 1)
            for record in (record for batch in batches.values() for record in batch):
                body = orjson.loads(record.value)
                place = (body.get("topic"), body.get("partition"), body.get("offset"))
                line = self._open.pop((place, body.get("index")), None)
                if line is not None:
                    yield Found(line, body)
