"""Transports: how a delivery leaves, by the kind of its destination."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from schemas.topics import feed_topic
from services.deliveries.domain.destination import Kind
from services.deliveries.network.client import Response, WebhookClient
from services.deliveries.network.feed import FeedClient, FeedRecord
from services.deliveries.sending.request import REPLAY_HEADER, Request, Requests, kept
from services.deliveries.sending.rows import StoredBody, StoredTarget
from services.deliveries.sending.window import Row
from services.runtime.config.settings import Settings
from services.runtime.messages.headers import read_headers

LARGE_BYTES = 65_536
"""From this size on, a body is compressed beside the event loop."""


class Transport(Protocol):
    """Sends deliveries of one kind of destination. Opened in a running loop, and closed there."""

    async def send(
        self, row: Row, target: StoredTarget, body: StoredBody | None, at: datetime
    ) -> Response:
        """Send a delivery once; a failure is an Answer.

        Raises:
            Unsendable: it cannot be sent at all.
        """

    async def close(self) -> None:
        """Close all connections."""


Transports = Mapping[Kind, Transport]


class WebhookTransport:
    """Posts signed requests."""

    def __init__(self, requests: Requests, client: WebhookClient) -> None:
        self._requests = requests
        self._client = client

    async def send(
        self, row: Row, target: StoredTarget, body: StoredBody | None, at: datetime
    ) -> Response:
        """Post the request of a delivery; raises as `Requests.make`."""
        request = await self._made(row, target, body, at)
        return await self._client.post(request.url, request.headers, request.body)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _made(
        self, row: Row, target: StoredTarget, body: StoredBody | None, at: datetime
    ) -> Request:
        """Make a request; gzip of a large body takes milliseconds, so it runs in a thread."""
        if target.target.gzip and row.body_bytes >= LARGE_BYTES:
            return await asyncio.to_thread(self._requests.make, row, target, body, at)
        return self._requests.make(row, target, body, at)


class FeedTransport:
    """Writes the records of events, as they were, to the topic of their shop."""

    def __init__(self, settings: Settings, client: FeedClient) -> None:
        self._settings = settings
        self._client = client

    async def send(
        self,
        row: Row,
        target: StoredTarget,
        body: StoredBody | None,
        at: datetime,  # noqa: ARG002 - a record is the same at any time
    ) -> Response:
        """Write the record of a delivery; raises Unsendable without its body."""
        event = kept(body, target)
        return await self._client.write(
            FeedRecord(
                shop=target.shop,
                topic=self._settings.topic(feed_topic(target.shop).name),
                key=row.order_id.encode(),
                value=event.value,
                headers=[*read_headers(event.headers), *_marks(row)],
            )
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()


def _marks(row: Row) -> list[tuple[str, bytes]]:
    """The header that says which replay wrote a record again."""
    return [(REPLAY_HEADER, row.replay.encode())] if row.replay else []
