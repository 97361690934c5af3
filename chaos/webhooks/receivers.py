"""Receivers of webhooks: one for each destination, which answers, refuses, hangs, dies or moves.

Each notes in the checker's ledger what it got and which requests it answered with 2xx.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from chaos.checker.webhooks import Hook, Request, WebhookLedger
from chaos.proxy import LOOPBACK
from chaos.webhooks.destinations import DYING, HANGING, MOVING, REFUSING
from chaos.webhooks.names import FORBIDDEN, HOST, Names, naming

KEY = base64.b64encode(b"a key of the campaign: 32 bytes.").decode()
"""Under which the services of the campaign encrypt secrets."""
REFUSED = 0.4
REFUSALS = ((400, None), (429, "1"), (500, None), (503, "2"))
"""Statuses, and what Retry-After says."""
HUNG = 0.3
BROKEN = 0.2
"""Shares of requests that a receiver refuses, keeps waiting, or breaks off, while it fails."""
DOWN_SECONDS, UP_SECONDS = 0.4, 0.6
CLOSING_SECONDS = 0.05
FIRST_SECONDS = 30.0
"""So long a failing receiver waits for its first request, which comes through all services."""


@dataclass(slots=True)
class Receiver:
    """One destination's receiver."""

    hook: Hook
    log: WebhookLedger
    rng: random.Random
    port: int = 0
    is_failing: bool = False
    answers: Counter[str] = field(default_factory=Counter)
    errors: list[Exception] = field(default_factory=list)
    """Of this program: no receiver of a shop has them."""
    _asked: asyncio.Event = field(default_factory=asyncio.Event)
    """A request came since the receiver began to fail."""
    _healed: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        """Where it is, for the command that makes the destination."""
        host = HOST if self.hook.name == MOVING else LOOPBACK
        return f"http://{host}:{self.port}/hook"

    async def start(self) -> None:
        """Listen; after the first time on the same port."""
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None), shutdown_timeout=CLOSING_SECONDS
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Break all connections and listen no more."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def fail(self, seconds: float) -> bool:
        """Fail in its manner from the first request on, for so long; False if none came."""
        self._healed.clear()
        self._asked.clear()
        self.is_failing = True
        try:
            async with asyncio.timeout(FIRST_SECONDS):
                await self._asked.wait()
            await (self._die(seconds) if self.hook.name == DYING else asyncio.sleep(seconds))
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self.is_failing = False
            self._healed.set()

    async def _die(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while loop.time() < ends:
            await asyncio.sleep(UP_SECONDS * self.rng.random())
            await self.stop()
            await asyncio.sleep(DOWN_SECONDS * self.rng.random())
            await self._start_again()

    async def _start_again(self) -> None:
        """Listen again, once no other connection of the machine has the port."""
        while True:
            try:
                await self.start()
                return
            except OSError:
                await self.stop()
                await asyncio.sleep(DOWN_SECONDS)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Take one request. An error of the checker ends the campaign, and is answered with 500."""
        self._asked.set()
        got = Request(request.headers, await request.read())
        try:
            self.log.arrived(self.hook, got)
            response = await self._answer(request)
            if 200 <= response.status < 300:
                self.log.answered(self.hook, got)
        except Exception as error:
            self.errors.append(error)
            raise
        self.answers[str(response.status)] += 1
        return response

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        manner = self.hook.name if self.is_failing else ""
        if manner == REFUSING and self.rng.random() < REFUSED:
            status, after = self.rng.choice(REFUSALS)
            return web.Response(status=status, headers={"Retry-After": after} if after else None)
        if manner == HANGING and self.rng.random() < HUNG:
            self.answers["hung"] += 1
            await self._healed.wait()
            return web.Response(status=self.rng.choice((200, 503)))
        if manner == DYING and self.rng.random() < BROKEN:
            self.answers["broken off"] += 1
            if request.transport:
                request.transport.abort()
            return web.Response(status=500)
        return web.Response(status=204)


@dataclass(slots=True)
class Receivers:
    """All receivers of a campaign, the name server, and what listens where nothing may connect."""

    by_hook: Mapping[Hook, Receiver]
    names: Names

    @property
    def environment(self) -> dict[str, str]:
        """Settings with which the services reach the receivers, and nothing else."""
        return {
            "ORDERFLOW_DELIVERIES_KEY": KEY,
            "ORDERFLOW_DELIVERIES_ALLOW_HTTP": "true",
            "ORDERFLOW_DELIVERIES_PORTS": ",".join(str(r.port) for r in self.by_hook.values()),
            "ORDERFLOW_DELIVERIES_NETWORKS": f"{LOOPBACK}/32",
            "ORDERFLOW_DELIVERIES_NAMESERVERS": self.names.address,
        }

    @property
    def answers(self) -> dict[str, dict[str, int]]:
        """What each receiver answered, by how often."""
        return {str(hook): dict(each.answers) for hook, each in self.by_hook.items()}

    async def fail(self, manner: str, seconds: float) -> bool:
        """Let all receivers of a manner fail for a while; False if none of them got a request."""
        self.names.is_moving = self.names.is_moving or manner == MOVING
        failing = [each for hook, each in self.by_hook.items() if hook.name == manner]
        try:
            return any(await asyncio.gather(*(each.fail(seconds) for each in failing)))
        finally:
            self.names.is_moving = self.names.is_moving and manner != MOVING

    def raise_errors(self) -> None:
        """Raise an error of this program that a receiver met.

        Raises:
            Exception: the first of them.
        """
        for each in self.by_hook.values():
            if each.errors:
                raise each.errors[0]


@asynccontextmanager
async def receiving(log: WebhookLedger, seed: int) -> AsyncIterator[Receivers]:
    """Run a receiver for each destination of the ledger."""
    by_hook = {
        hook: Receiver(hook, log, random.Random(f"receivers/{seed}/{hook}")) for hook in log.hooks
    }
    async with contextlib.AsyncExitStack() as exits:
        names = exits.enter_context(naming())
        for each in by_hook.values():
            await each.start()
            exits.push_async_callback(each.stop)
            if each.hook.name == MOVING:
                await exits.enter_async_context(await _forbidden(log, each.port))
        yield Receivers(by_hook, names)


async def _forbidden(log: WebhookLedger, port: int) -> asyncio.Server:
    """Listen where no request may go, and note each connection."""

    def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        log.connected_where_forbidden(HOST, f"{FORBIDDEN}:{port}")
        writer.close()

    return await asyncio.start_server(connected, FORBIDDEN, port)
