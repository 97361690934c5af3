"""A shop's own webhook receiver: an HTTP server that checks signatures and notes what came.

It knows the public contract alone (docs/contract/webhooks.md), as a shop's server does.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

HOST, PATH = "127.0.0.1", "/orderflow"
TIME_DIFFERENCE_SECONDS = 300
BODY_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came. `is_signed`: both signatures were right, and of this time."""

    event_id: str
    body: bytes
    is_signed: bool


@dataclass(slots=True)
class Receiver:
    """Answers 204 to requests that are signed, 401 to others, and keeps all of them."""

    secret: str = ""
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    """Of the events that came with a right signature."""
    wrongly_signed: int = 0
    in_order: int = 0
    """Events that came for the first time, after none of the same order and topic that is later."""
    _latest: dict[tuple[str, str], int] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}{PATH}"

    @property
    def repeated(self) -> int:
        """How many requests brought an event again."""
        return len(self.requests) - self.wrongly_signed - len(self.ids)

    async def handle(self, request: web.Request) -> web.Response:
        """Take one request."""
        body = await request.read()
        is_signed = verify(request.headers, body, self.secret, time.time())
        event_id = request.headers.get("webhook-id", "")
        self.requests.append(Request(event_id, body, is_signed))
        if not is_signed:
            self.wrongly_signed += 1
        elif event_id not in self.ids:
            self.ids.add(event_id)
            self._follow(json.loads(body))
        self._changed.set()
        return web.Response(status=204 if is_signed else 401)

    def _follow(self, event: Mapping[str, Any]) -> None:
        group, sequence = (event["source"], event["order_id"]), event["sequence"]
        self.in_order += sequence > self._latest.get(group, 0)
        self._latest[group] = max(sequence, self._latest.get(group, 0))

    async def until(self, wanted: set[str], deadline_seconds: float) -> bool:
        """Wait until events with these ids have come; returns whether they have, in time."""
        try:
            async with asyncio.timeout(deadline_seconds):
                while not wanted <= self.ids:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine; gone afterwards."""
    receiver = Receiver()
    app = web.Application(client_max_size=BODY_MAX_BYTES)
    app.router.add_post(PATH, receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        receiver.port = runner.addresses[0][1]
        yield receiver
    finally:
        await runner.cleanup()


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    """Whether a request is signed as Standard Webhooks and as Karla say, within five minutes."""
    at, id_ = headers.get("webhook-timestamp", ""), headers.get("webhook-id", "")
    if not secret or not at.isdecimal() or abs(now - int(at)) > TIME_DIFFERENCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    standard = base64.b64encode(_sign(key, f"{id_}.{at}.".encode() + body)).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return _is_among(f"v1,{standard}", given) and _is_karlas(headers, body, secret, at)


def _is_karlas(headers: Mapping[str, str], body: bytes, secret: str, at: str) -> bool:
    parts = headers.get("Karla-Signature", "").split(",")
    signed = _sign(secret.encode(), at.encode() + b"." + body).hex()
    return f"t={at}" in parts and _is_among(f"v1={signed}", parts)


def _sign(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).digest()


def _is_among(wanted: str, given: list[str]) -> bool:
    return any(hmac.compare_digest(wanted.encode(), each.encode()) for each in given)
