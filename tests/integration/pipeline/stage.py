"""The orders service on a real Postgres, emptied for each run of the machine, seen from outside."""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter

import asyncpg

from services.orders.handler import OrdersBatch
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.delivery import SQL, AtLeastOnce
from services.runtime.outbox.rows import read_rows
from services.runtime.parking.retry_loop import RetryLoop
from services.runtime.postgres.connections import create_pool
from services.runtime.waiting.expiry import ExpiryLoop
from tests.integration.outgoing import waiting_records
from tests.integration.pipeline.commands import HIDDEN_CAUSE
from tests.integration.pipeline.messages import START
from tests.integration.pipeline.process import GROUP, Died

TABLES = (
    "position",
    "outbox",
    "rejected",
    "waiting",
    "parked",
    "shop_order",
    "parcel",
    "placeholder",
)
EMPTY = "".join(f"DELETE FROM {table};" for table in TABLES)
AT = 'json_build_array(partition, "offset", index)'
FACTS = f"""
SELECT (SELECT json_agg(json_build_array(partition, next_offset)) FROM position) AS positions,
       (SELECT json_agg(json_build_array({AT}, kind) ORDER BY id, nth) FROM parked) AS parked,
       (SELECT json_agg(json_build_array(regexp_replace(waits_for, '.*/', ''), {AT}) ORDER BY id)
          FROM waiting) AS waiting,
       (SELECT json_agg(json_build_array({AT}, reason)) FROM rejected) AS rejected,
       (SELECT json_agg(json_build_array(
                   order_number, document->'placement'->'address'->>'city',
                   document->>'status' = 'cancelled', version, (
                       SELECT json_agg(json_build_array(
                                  each->>'number', each->'tracking'->>'last_occurred_at'))
                         FROM json_array_elements((document->'shipments')::json) AS each)))
          FROM shop_order WHERE document IS NOT NULL) AS orders,
       (SELECT json_agg(json_build_array(number, order_number))
          FROM parcel, json_array_elements((parcel.document->'owners')::json) AS owner
          JOIN shop_order ON order_id = (owner->>'order_id')::uuid) AS owners,
       (SELECT json_agg(json_build_array(number, json_array_length((document->'scans')::json)))
          FROM parcel WHERE (document->'scans') IS NOT NULL) AS scans
"""


class SteppedClock:
    """Business time that the machine moves."""

    minute = 0

    def now(self):
        return START + timedelta(minutes=self.minute)


class Kafka:
    """Takes what is published; dies after so many records."""

    def __init__(self):
        self.records = []
        self.dies_after = None

    async def partitions_for(self, topic):
        return {0}

    def create_batch(self):
        return Packet()

    async def send_batch(self, batch, topic, *, partition):
        for headers, value in batch.records:
            if self.dies_after == 0:
                raise Died("mid-produce")
            if self.dies_after is not None:
                self.dies_after -= 1
            self.records.append((topic, headers, value))
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


class Packet:
    """Records on their way, as many as there are."""

    def __init__(self):
        self.records = []

    def append(self, *, timestamp, key, value, headers):
        self.records.append((dict(headers), value))
        return self

    def close(self):
        pass


@dataclass
class Facts:
    """What there is: in tables, and published or about to be."""

    positions: dict
    parked: list
    waiting: list
    rejected: dict
    outcomes: dict
    refusals: dict
    events: dict
    orders: dict
    owners: list
    scans: dict


class Stage:
    """Postgres, and what of the service all its processes share; one event loop for them."""

    def __init__(self, database_url):
        self.runner = asyncio.Runner()
        self.settings = Settings(
            database_url=database_url,
            http_port=0,
            parking_first_delay_seconds=1e-6,
            parking_longest_delay_seconds=1e-6,
        )
        self.metrics = Metrics()
        self.clock = SteppedClock()
        self.kafka = Kafka()
        self.is_mended = False
        self.orders = OrdersBatch(self.settings, self.metrics)
        self.pool, self._outside = self.run(self._connect(database_url))
        shared = {
            "service": "orders",
            "pool": self.pool,
            "clock": self.clock,
            "interval_seconds": 1,
            "committed": lambda: None,
        }
        self.drains = RetryLoop(apply=self.orders.apply, **shared)
        self.sweeps = ExpiryLoop(sweep=self.orders.sweep, **shared)

    async def _connect(self, database_url):
        # Processes die here, Postgres does not: nothing depends on what is on its disk.
        outside = await asyncpg.connect(database_url)
        name = await outside.fetchval("SELECT current_database()")
        await outside.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        await outside.execute("SET search_path = orders; SET synchronous_commit = off")
        return await create_pool(self.settings, "orders"), outside

    def run(self, work):
        """Do asynchronous work in the stage's loop."""
        return self.runner.run(work)

    def empty(self):
        """As if nothing had ever happened; cheaper than another database."""
        self.kafka = Kafka()
        self.clock.minute = 0
        self.is_mended = False
        self.run(self._outside.execute(EMPTY))

    def close(self):
        self.run(self._outside.close())
        self.pool.terminate()
        self.runner.close()

    # What the service does beside consuming.

    async def act(self, what, selection, **more):
        """An operator's act, in a transaction of its own."""
        async with self.pool.acquire() as connection, connection.transaction():
            await what(connection, self.orders.apply, selection, now=self.clock.now(), **more)

    async def publish(self, rows, dies_after=None, *, deletes=True):
        """The relay's round, in which it may die; returns how many rows it had."""
        self.kafka.dies_after = dies_after
        async with self.pool.acquire() as connection:
            shards = list(range(self.settings.outbox_shards))
            found, _ = read_rows(
                await connection.fetch(SQL["read_outbox"], shards, rows, 1_000_000)
            )
            publishing = AtLeastOnce(self.kafka, connection, lambda topic: topic)
            if deletes:
                await publishing.publish(found)
            else:
                await publishing._send(found, one_by_one=False)
        return len(found)

    # What there is, read by nothing of the service's.

    async def places(self):
        """The queue's places, in order."""
        rows = await self._outside.fetch("SELECT id, nth FROM parked ORDER BY id, nth")
        return [tuple(row) for row in rows]

    async def unread(self):
        """Where the records lie that are parked unread."""
        rows = await self._outside.fetch('SELECT partition, "offset" FROM parked WHERE index = -1')
        return {tuple(row) for row in rows}

    async def positions(self):
        """By partition."""
        rows = await self._outside.fetch(
            "SELECT partition, next_offset FROM position WHERE consumer_group = $1", GROUP
        )
        return dict(tuple(row) for row in rows)

    async def facts(self):
        """All of it."""
        found = await self._outside.fetchrow(FACTS)
        tables = {name: json.loads(rows) if rows else [] for name, rows in found.items()}
        published = self._published(await waiting_records(self._outside))
        return Facts(
            positions=dict(tables["positions"]),
            parked=[(tuple(at), kind) for at, kind in tables["parked"]],
            # Of one key the oldest first; which key's is older is not promised.
            waiting=sorted(((key, tuple(at)) for key, at in tables["waiting"]), key=itemgetter(0)),
            rejected={tuple(at): reason for at, reason in tables["rejected"]},
            orders={number: _order(*order) for number, *order in tables["orders"]},
            owners=sorted(map(tuple, tables["owners"])),
            scans=dict(tables["scans"]),
            outcomes={
                _at(body): (body["outcome"], body["reason"]) for body in published["outcomes"]
            },
            refusals={_at(body): body["reason"] for body in published["rejected"]},
            events=_by_order(published["events"]),
        )

    def _published(self, waiting):
        """Bodies of first occurrences by the end of their topic's name: published ones, then those
        not yet published; a repeat has to be the same to the byte.
        """
        first = {}
        for topic, headers, value in [*self.kafka.records, *waiting]:
            known = first.setdefault(headers["ce_id"], (topic, headers, value))
            assert known == (topic, headers, value), f"{headers['ce_id']} has two meanings"
        published = {"outcomes": [], "rejected": [], "events": [], "state": []}
        for topic, headers, value in first.values():
            cause = headers["ce_causationid"].decode()
            published[topic.rsplit(".")[-1]].append(json.loads(value) | {"cause": cause})
        assert _versions(published["state"]) == _versions(published["events"])
        return published


def _versions(bodies):
    """The highest version of each order."""
    found = {}
    for body in bodies:
        found[body["order_id"]] = max(body["order_version"], found.get(body["order_id"], 0))
    return found


def _at(body):
    return body["partition"], body["offset"], body["index"]


def _order(city, is_cancelled, version, parcels):
    """Of each parcel the number, and the minute of its last scan."""
    return city, is_cancelled, version, [(number, _minute(at)) for number, at in parcels]


def _minute(at):
    return at and (datetime.fromisoformat(at) - START) // timedelta(minutes=1)


def _by_order(events):
    """Numbers, name and cause of every order's events, in the order in which they were decided.

    On each topic they are published in that order.
    """
    found = {}
    for body in events:
        number = body["context"]["order"]["order_number"]
        is_hidden = body["cause"].startswith(HIDDEN_CAUSE)
        cause = HIDDEN_CAUSE if is_hidden else body["cause"]
        event = body["sequence"], body["order_version"], body["event_name"], cause
        found.setdefault(number, []).append(event)
    for number, published in found.items():
        for is_of_order in (True, False):
            of_topic = [each for each in published if each[2].startswith("ORDER_") is is_of_order]
            assert of_topic == sorted(of_topic), f"events of {number} are out of order: {published}"
        published.sort(key=itemgetter(1))
    return found
