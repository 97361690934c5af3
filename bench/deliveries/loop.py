"""A plain loop over httpx: reads events, signs them, and posts each to the webhooks of its shop.

It stores nothing: an event whose request failed is lost, and what was read and not posted when the
process ends is lost too. `one` posts one request after the other, as loops in textbooks do;
`gather` posts the requests of a poll beside each other, AT_ONCE of them: their order is lost.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import uvloop
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from services.deliveries.messages.signing import signature_headers

TIMEOUT = httpx.Timeout(15.0, connect=10.0, pool=None)
"""As the service's."""
AT_ONCE = 20
"""As many requests as httpx keeps connections: with more it is slower, as its pool looks at every
connection for every request."""
POLL_MS = 100
POLL_RECORDS = 500
log = logging.getLogger(__name__)

Webhooks = dict[str, list[tuple[str, str]]]
"""By shop: URLs and secrets."""


class Loop:
    """Posts events with one client."""

    def __init__(self, client: httpx.AsyncClient, webhooks: Webhooks) -> None:
        self._client = client
        self._webhooks = webhooks
        self._free = asyncio.Semaphore(AT_ONCE)

    async def post(self, url: str, secret: str, event_id: str, body: bytes) -> None:
        """Post an event; a failure is logged."""
        headers = {
            "Content-Type": "application/json",
            **signature_headers([secret], event_id, int(time.time()), body),
        }
        try:
            async with self._free:
                await self._client.post(url, content=body, headers=headers)
        except httpx.HTTPError as error:
            log.warning("%s failed: %r", url, error)

    async def one_by_one(self, records: Sequence[ConsumerRecord]) -> None:
        """One request after the other."""
        for record in records:
            event = json.loads(record.value)
            for url, secret in self._webhooks.get(event["shop_slug"], ()):
                await self.post(url, secret, event["event_id"], record.value)

    async def together(self, records: Sequence[ConsumerRecord]) -> None:
        """The requests of these records beside each other."""
        posts = []
        for record in records:
            event = json.loads(record.value)
            posts += [
                self.post(url, secret, event["event_id"], record.value)
                for url, secret in self._webhooks.get(event["shop_slug"], ())
            ]
        await asyncio.gather(*posts)


async def run(variant: str, webhooks: Webhooks, topic: str) -> None:
    """Read and post until the process is ended."""
    consumer = AIOKafkaConsumer(
        os.environ["KAFKA_TOPIC_PREFIX"] + topic,
        bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        group_id=f"{os.environ['KAFKA_TOPIC_PREFIX']}loop",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client:
        loop = Loop(client, webhooks)
        post = loop.one_by_one if variant == "one" else loop.together
        while True:
            polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
            await post([record for records in polled.values() for record in records])


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), sys.argv[3]))
