"""The orders service's path without servers: records in, records out, nothing waited for.

The service's own pieces run; where Postgres stands there are tables in memory that take the same
statements, and where Kafka stands nothing but its acknowledgements.
"""

from __future__ import annotations

import asyncio
import math
import re
import zlib
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder

from bench.counting import Counter, Counts
from bench.meter import marked
from bench.traffic import Letter, Mix
from services.orders.handler import OrdersBatch
from services.orders.messages.decode import COMMANDS, TRACKING, weigh
from services.runtime.batch.batch import Batch, ItemCounts
from services.runtime.config.settings import Settings
from services.runtime.consumer.chunking import BatchLimits, by_partition, chunks
from services.runtime.kafka.clients import PRODUCER_BATCH_BYTES
from services.runtime.messages.records import Original, original_of
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox import outbox
from services.runtime.outbox.record_sender import send_rows
from services.runtime.outbox.rows import read_rows
from services.runtime.partitions.assignment import Assignment
from services.runtime.partitions.circuit_breaker import counts_by_partition, limits_of

NOW = datetime(2026, 3, 3, 7, 0, tzinfo=UTC)
PARTS = ("poll", "decode", "read", "decide", "write", "encode", "outbox", "fuse", "relay send")
PARTITIONS = 6
ITEMS_MAX = 100_000  # All in one batch, however many.

_ORDER_ID = re.compile(rb'"order_id":"([0-9a-f-]{36})"')

Row = dict[str, Any]


def count_parts(mix: Mix, *, orders_state: bool = False) -> dict[str, Counts]:
    """What each part does for all letters of the mix, one batch, in a process that is warm.

    With `orders_state` the state of each order is written as well.
    """
    path = _Path(orders_state=orders_state)
    with _one_check_of_relays():
        if mix.before:
            path.run(mix.before, Counter())
        rows = path.rows.copy()
        path.run(mix.letters, Counter())  # Caches fill.
        path.rows = rows
        counter = Counter()
        with counter.counting():
            path.run(mix.letters, counter)
    return {part: counter.parts[part] for part in PARTS}


@contextmanager
def _one_check_of_relays() -> Iterator[None]:
    """Have the outbox look for relays of the version before once, not once a second.

    A count takes more or less than a second, as the machine is busy or not.
    """
    seconds = outbox.CHECK_SECONDS
    outbox.CHECK_SECONDS = math.inf
    try:
        yield
    finally:
        outbox.CHECK_SECONDS = seconds


class _Path:
    """The service between its servers, and what it has stored so far."""

    def __init__(self, *, orders_state: bool = False) -> None:
        self.rows = Rows()
        self._metrics = Metrics()
        self._settings = Settings(
            database_url="postgresql://nobody@nowhere/nothing",
            http_port=0,
            orders_state=orders_state,
        )
        self._orders = OrdersBatch(self._settings, self._metrics)
        self._assignment = _burnt_in(self._settings, self._metrics)
        self._offset = 0

    def run(self, letters: Sequence[Letter], counter: Counter) -> None:
        """One batch from the poll to the acknowledgement, each part's end marked."""
        # Commands first: scans that come before their parcel wait, and how many do is chance.
        in_turn = sorted(letters, key=lambda letter: not letter.outcomes)
        records = [self._record(letter) for letter in in_turn]
        limits = BatchLimits(self._settings.batch_max_bytes, ITEMS_MAX)
        counter.begin()
        (chunk,) = chunks(records, weigh, limits)
        originals = [self._original(each) for part in by_partition(chunk).values() for each in part]
        counter.end("poll")
        with marked(self._metrics, counter):
            connection: Any = self.rows
            batch = Batch(tuple(originals), NOW)
            _finish(self._orders.apply(connection, batch))
        counter.begin()
        counts = counts_by_partition(batch.report, by_partition(chunk), "")
        states = self._assignment.states
        for partition, level in states.check_breakers(counts).items():
            states[partition].breaker.keep(level)
        counter.end("fuse")
        asyncio.run(self._publish(counter))

    async def _publish(self, counter: Counter) -> None:
        producer: Any = _Acknowledging()
        counter.begin()
        rows, unreadable = read_rows(self.rows.outbox)
        assert not unreadable
        await send_rows(producer, rows, self._settings.topic)
        counter.end("relay send")
        self.rows.outbox = []

    def _original(self, record: ConsumerRecord) -> Original:
        return original_of(record, record.topic)

    def _record(self, letter: Letter) -> ConsumerRecord:
        self._offset += 1
        return ConsumerRecord(
            topic=letter.topic,
            partition=zlib.crc32(letter.key) % PARTITIONS,
            offset=self._offset,
            timestamp=int(NOW.timestamp() * 1000),
            timestamp_type=0,
            key=letter.key,
            value=letter.value,
            checksum=None,
            serialized_key_size=len(letter.key),
            serialized_value_size=len(letter.value),
            headers=letter.headers,
        )


def _burnt_in(settings: Settings, metrics: Metrics) -> Assignment:
    """Circuit breakers whose windows are full of batches of one item, as after hours of little
    load.
    """
    pool: Any = None
    assignment = Assignment(
        service="orders",
        group="orders",
        pool=pool,
        metrics=metrics,
        breaker_limits=limits_of(settings),
        guarded_records=0,
    )
    partitions = {
        TopicPartition(topic, n) for topic in (COMMANDS, TRACKING) for n in range(PARTITIONS)
    }
    assignment.states.assign(partitions)
    one = {partition: ItemCounts(1, 0, {}) for partition in partitions}
    for _ in range(settings.fuse_window_items):
        for partition, level in assignment.states.check_breakers(one).items():
            assignment.states[partition].breaker.keep(level)
    return assignment


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Run what has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for a server, and there is none")


@dataclass(slots=True)
class Campaigns:
    """The tables of campaigns; nothing is reviewed."""

    books: dict[str, Row] = field(default_factory=dict)
    entries: dict[tuple[str, str, str], Row] = field(default_factory=dict)

    def find(
        self,
        shops: Sequence[str],
        _changing: Sequence[bool],
        known: Sequence[int | None],
        code_shops: Sequence[str],
        codes: Sequence[str],
        *names: Sequence[str],
    ) -> Row:
        """What `lock_books` finds."""
        found = [
            book | {"document": None if book["digest"] == digest else book["document"]}
            for shop, digest in zip(shops, known, strict=True)
            if (book := self.books.get(shop))
        ]
        if not found:
            return {"books": None, "entries": None}
        entries = self.find_discounts(code_shops, codes)
        entries += _found(self.entries, list(zip(*names, strict=True)))
        return {"books": found, "entries": [each["document"] for each in entries]}

    def find_discounts(self, shops: Sequence[str], codes: Sequence[str]) -> list[Row]:
        """Discounts by code."""
        wanted = set(zip(shops, codes, strict=True))
        return [each for each in self.entries.values() if (each["shop"], each["code"]) in wanted]

    def save(self, name: str, args: Sequence[Any]) -> None:
        """Do what a writing statement does."""
        if name == "save_books":
            for row in zip(*args, strict=True):
                book = dict(zip(("shop", "digest", "document", "sequence"), row, strict=True))
                self.books[book["shop"]] = book
        elif name == "save_entries":
            for shop, kind, id_, code, document, _ in zip(*args, strict=True):
                self.entries[shop, kind, id_] = {"shop": shop, "code": code, "document": document}


@dataclass(slots=True)
class Rows:
    """The tables that a batch of orders reads and writes, without what waits or is parked."""

    orders: dict[str, Row] = field(default_factory=dict)
    parcels: dict[str, Row] = field(default_factory=dict)
    references: dict[tuple[str, str, str], Row] = field(default_factory=dict)
    outbox: list[Row] = field(default_factory=list)
    campaigns: Campaigns = field(default_factory=Campaigns)

    def copy(self) -> Rows:
        """The same rows, to be written to apart."""
        campaigns = Campaigns(dict(self.campaigns.books), dict(self.campaigns.entries))
        own = dict(self.orders), dict(self.parcels), dict(self.references)
        return Rows(*own, [], campaigns)

    async def fetch(self, statement: str, *args: Any) -> list[Row]:
        """What a reading statement finds."""
        if _name(statement) == "lock_books":
            return [self.campaigns.find(*args)]
        if _name(statement) == "read_discounts":
            return self.campaigns.find_discounts(*args)
        if _name(statement) == "read_published":
            return []
        assert _name(statement) == "lock_batch", f"{_name(statement)}: say what it finds"
        shops, kinds, values, numbers, ids, _awaited, _is_final = args
        tracked = _found(self.parcels, sorted(numbers))
        named = _found(self.references, sorted(zip(shops, kinds, values, strict=True)))
        found = {row["order_id"] for row in named} | set(ids)
        found |= {id_ for row in tracked for id_ in _owners(row)}
        stored = _found(self.orders, sorted(found))
        nothing = {"waits": None, "is_contended": False, "is_any_parked": False}
        return [nothing | {"tracked": tracked, "named": named, "stored": stored}]

    async def execute(self, statement: str, *args: Any) -> None:
        """Do what a writing statement does."""
        match _name(statement):
            case "save_rows":
                self._save_rows(args)
            case "append_rows":
                self._append_rows(args)
            case "save_books" | "save_entries" | "add_reviews" | "save_order_times" as name:
                self.campaigns.save(name, args)
            case name:
                raise AssertionError(f"{name}: say what it writes")

    def _save_rows(self, args: Sequence[Any]) -> None:
        for _, number, document, _owners in zip(*args[:4], strict=True):
            self.parcels[number] = {"number": number, "document": document}
        for _, id_, _, _, _, document, applied in zip(*args[4:11], strict=True):
            row = {"order_id": id_, "document": document, "applied": applied, "told": None}
            self.orders[id_] = row
        for _, shop, kind, value, id_ in zip(*args[11:], strict=True):
            row = {"shop": shop, "kind": kind, "value": value, "order_id": id_}
            row["others"] = None
            self.references[shop, kind, value] = row

    def _append_rows(self, args: Sequence[Any]) -> None:
        nothing = dict.fromkeys(("slot", "created_at", "is_last"))
        for shard, packed, records, unpacked_bytes in zip(*args[:4], strict=True):
            row = {"id": len(self.outbox), "shard": shard, "caused_at": args[4], "packed": packed}
            row |= {"records": records, "unpacked_bytes": unpacked_bytes}
            self.outbox.append(nothing | row)

    async def fetchval(self, statement: str, *args: Any) -> Any:
        """What the outbox asks before it packs: which service it is of, and who else relays."""
        match _name(statement):
            case "find_service":
                return "orders"
            case "count_old_relays":
                return 0
            case name:
                raise AssertionError(f"{name}: say what it finds")


def _found(table: dict[Any, Row], keys: Sequence[Any]) -> list[Row]:
    return [table[key] for key in keys if key in table]


def _owners(parcel: Row) -> list[str]:
    """Found without a codec: theirs are counted."""
    return [id_.decode() for id_ in _ORDER_ID.findall(parcel["document"])]


def _name(statement: str) -> str:
    """`load` leaves each statement's name on its first line."""
    return statement.partition("\n")[0].removeprefix("-- ")


class _Acknowledging:
    """Takes everything at once."""

    async def partitions_for(self, _topic: str) -> set[int]:
        """As many as everywhere here."""
        return set(range(PARTITIONS))

    def create_batch(self) -> BatchBuilder:
        """As a producer that is not transactional makes it."""
        return BatchBuilder(PRODUCER_BATCH_BYTES, 0, is_transactional=False)

    async def send_batch(
        self, _batch: object, _topic: str, *, partition: int
    ) -> asyncio.Future[object]:
        """A future that has ended."""
        assert partition in range(PARTITIONS)
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done
