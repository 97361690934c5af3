"""Watch every outgoing topic while it is written, for the screen and for who waits on answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer

from demo.facts import Fact, instant, plain_number
from demo.journal import Entry, entry_of, make_reader, partitions_of
from demo.webhook_audit import is_wanted
from schemas.topics import (
    CARRIER_TRACKING,
    CATALOGUE,
    CLAIMS_EVENTS,
    EVENT_TOPICS,
    ORDERS_STATE,
)

OUTGOING = tuple(
    topic.name for topic in CATALOGUE if not topic.incoming and topic.name != ORDERS_STATE
)
"""The topics that the services write facts to; `orders.state` repeats what events say."""
LATEST_EVENTS = 12

Place = tuple[str, int, int, int]
"""Topic, partition, offset and index: one item of one message."""


class Unanswered(Exception):
    """Something did not happen in time; the text says what was missing."""


class Watcher:
    """What the outside has seen so far. Start it before the first message is sent."""

    def __init__(self, options: Mapping[str, Any], prefix: str) -> None:
        self._options = options
        self._prefix = prefix
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self.counts: Counter[str] = Counter()
        self.outcomes: dict[Place, Mapping[str, Any]] = {}
        self.refused: dict[Place, Mapping[str, Any]] = {}
        self.facts: set[Fact] = set()
        self.causes: dict[str, str | None] = {}
        self.statuses: dict[str, str] = {}
        self.phases: dict[str, str] = {}
        self.holders: dict[str, set[str]] = defaultdict(set)
        self.released: Counter[str] = Counter()
        self.latest: deque[tuple[str, str, str]] = deque(maxlen=LATEST_EVENTS)
        self._published: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        """Ids of events by shop, type and ref."""
        self._versions: dict[str, set[int]] = defaultdict(set)
        self._needed: dict[str, int] = {}
        self._shown: dict[str, int] = {}

    async def start(self) -> None:
        """Begin to read, from the beginning of every outgoing topic."""
        self._consumer = make_reader(self._options)
        await self._consumer.start()
        topics = [self._prefix + name for name in OUTGOING]
        partitions = await partitions_of(self._options, topics)
        self._consumer.assign(partitions)
        await self._consumer.seek_to_beginning(*partitions)
        self._task = asyncio.create_task(self._follow(self._consumer), name="watcher")

    async def stop(self) -> None:
        """Stop reading."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._consumer:
            await self._consumer.stop()

    async def until(
        self, is_so: Callable[[], bool], missing: Callable[[], str], deadline_seconds: float
    ) -> None:
        """Wait for records until `is_so`.

        Raises:
            Unanswered: it was not so in time; `missing` says what was not.
        """
        try:
            async with asyncio.timeout(deadline_seconds), self._changed:
                while not is_so():
                    self._fail_if_dead()
                    await self._changed.wait()
        except TimeoutError:
            raise Unanswered(f"after {deadline_seconds:.0f} s: {missing()}") from None

    def is_answered(self, place: Place) -> bool:
        """Whether an item has its outcome, and all that goes with it has been published."""
        if place not in self.outcomes:
            return place in self.refused and place[0] == CARRIER_TRACKING
        outcome = self.outcomes[place]
        if outcome["outcome"] == "rejected":
            return place in self.refused
        return self._has_version(outcome.get("order_id"))

    def sent_to(self, shop: str, filters: Sequence[str]) -> set[str]:
        """Ids of the events so far that a destination of a shop must get."""
        found: set[str] = set()
        for (whose, type_, ref), ids in self._published.items():
            if whose == shop and is_wanted(type_, ref, filters):
                found |= ids
        return found

    def _fail_if_dead(self) -> None:
        if self._task and self._task.done():
            self._task.result()
            raise Unanswered("the watcher has stopped reading")

    def _has_version(self, order: str | None) -> bool:
        if order is None:
            return True
        needed = self._needed.get(order, 0)
        return len(self._versions[order]) >= needed

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            polled = await consumer.getmany(timeout_ms=500, max_records=2000)
            for records in polled.values():
                for record in records:
                    self._take(entry_of(record, self._prefix))
            async with self._changed:
                self._changed.notify_all()

    def _take(self, entry: Entry) -> None:
        self.counts[entry.topic] += 1
        if entry.topic.endswith(".outcomes"):
            self._take_outcome(entry.body)
        elif entry.topic.endswith(".rejected"):
            body = entry.body
            self.refused[_place(body)] = body
        elif entry.topic in EVENT_TOPICS:
            self._take_event(entry, entry.body)

    def _take_outcome(self, body: dict[str, Any]) -> None:
        order, version = body.get("order_id"), body.get("order_version")
        if order and version:
            self._needed[order] = max(version, self._needed.get(order, 0))
        self.outcomes[_place(body)] = body

    def _take_event(self, entry: Entry, body: dict[str, Any]) -> None:
        order, data = body["order_id"], body["event_data"]
        named = (body["shop_slug"], entry.headers.get("ce_type", ""), body["ref"])
        self._published[named].add(entry.id)
        self.causes[entry.headers.get("ce_causationid", "")] = data.get("claim_id")
        if entry.topic != CLAIMS_EVENTS:
            self._versions[order].add(body["order_version"])
            self._show(order, body)
        if data.get("tracking_number"):
            self.holders[plain_number(data["tracking_number"])].add(order)
        if entry.headers.get("ce_type") == "shipment.released":
            self.released[data.get("released_by") or "move"] += 1
        if data.get("tracking_number") and data.get("occurred_at"):
            number = plain_number(data["tracking_number"])
            self.facts.add((number, data["event_name"], instant(data["occurred_at"])))
        shown = (body["context"].get("order") or {}).get("order_number", order[:8])
        self.latest.append((shown, body["ref"], body["triggered_at"]))

    def _show(self, order: str, body: dict[str, Any]) -> None:
        if body["order_version"] < self._shown.get(order, 0):
            return
        self._shown[order] = body["order_version"]
        state = body["context"].get("order") or {}
        self.statuses[order] = state.get("status", "?")
        for parcel in state.get("trackings", []):
            self.phases[parcel["shipment_id"]] = parcel["phase"]


def _place(body: Mapping[str, Any]) -> Place:
    return body["topic"], body["partition"], body["offset"], body["index"]
