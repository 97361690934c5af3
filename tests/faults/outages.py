"""For tests of outages: servers behind proxies, and shops that play while something is away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from chaos.proxy import LOOPBACK, Proxy, proxied
from chaos.stage import PROXIED, QUICK
from demo.expectation import Expectation
from demo.replicas import SERVICES, Replica
from demo.sample_data import PLACES
from demo.script import Script
from demo.stories import plain
from demo.story import Story
from demo.synthetic import OPENS_AT, synthetic_script
from deploy.stack import Addresses, LocalStack
from deploy.stack.listeners import Entrances, Listener
from tests.processes import System

SCALE = 0.05
ORDERS_TO_GO_ON = 12
TURN_SECONDS = 120.0
POLL_SECONDS = 0.1
CLOSED_PORT = 1
"""A port of the loopback address that no server of ours is on."""
# Nothing may be parked by an outage, and nothing stopped: the fuse is as it is by default.
ENVIRONMENT = {name: value for name, value in QUICK.items() if "FUSE" not in name}

Outage = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Servers:
    """Kafka and Postgres of a module's own, each behind a proxy for the services alone."""

    stack: LocalStack
    kafka: Proxy
    postgres: Proxy

    def lead(self) -> None:
        """Lead to where the servers are."""
        self.kafka.lead_to(LOOPBACK, int(self.stack.kafka.address(PROXIED).rpartition(":")[2]))
        self.postgres.lead_to(LOOPBACK, self.stack.postgres.port)

    @property
    def addresses(self) -> Addresses:
        """Players and auditors are spared what happens to Kafka, but go where Postgres goes."""
        direct = self.stack.addresses
        through = urlsplit(direct.database_url)._replace(
            netloc=f"postgres@{LOOPBACK}:{self.postgres.port}"
        )
        return Addresses(direct.kafka_bootstrap_servers, through.geturl())

    @property
    def environment(self) -> dict[str, str]:
        """What services run with that go through the proxies."""
        return {**ENVIRONMENT, "KAFKA_BOOTSTRAP_SERVERS": f"{LOOPBACK}:{self.kafka.port}"}


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Servers]:
    """Both servers, gone afterwards."""
    async with proxied() as kafka, proxied() as postgres:
        entrance = Listener(PROXIED, "PLAINTEXT", advertised_port=kafka.port)
        with LocalStack(folder, entrances=Entrances((entrance,))) as stack:
            await asyncio.to_thread(stack.start)
            servers = Servers(stack, kafka, postgres)
            servers.lead()
            yield servers


@dataclass(slots=True)
class Scene:
    """A system that must come through outages as the processes it was when it began."""

    system: System
    scripts: list[Script] = field(default_factory=list)
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by an outage that has begun: then the rest of the shop's messages come."""

    async def endure(self, outage: Outage, survivors: Sequence[Replica] | None = None) -> None:
        """A shop plays, with the outage after a third of its messages; then all must be right.

        `survivors` (all, unless named) must be the processes they were, and alive all the time.
        """
        steady = self.system.replicas if survivors is None else survivors
        number = len(self.scripts) + 1
        script = synthetic_script(number, scale=SCALE, shop=f"shop-{number}")
        self.scripts.append(script)
        before = [replica.identity for replica in steady]
        async with _watched(steady):
            await self._play(script.shuffled(number), outage)
            await self.until_green()
        await self._judge()
        assert [replica.identity for replica in steady] == before
        assert all(replica.is_alive for replica in steady)

    async def _play(self, script: Script, outage: Outage) -> None:
        begun = asyncio.Event()
        self.struck.clear()

        async def between() -> None:
            begun.set()
            await self.struck.wait()

        async def strike() -> None:
            await begun.wait()
            try:
                await outage()
            finally:
                self.struck.set()

        player = self.system.player
        player.chunk = 1 + len(script.messages) // 3
        player.between = between
        player.deadline_seconds = TURN_SECONDS
        async with asyncio.TaskGroup() as both:
            both.create_task(player.play_at_once(script))
            both.create_task(strike())

    async def _judge(self) -> None:
        """Everything of every shop so far, from outside; and nothing was set aside or is left."""
        answers = [script.expectation for script in self.scripts]
        whole = Expectation(
            orders={key: order for answer in answers for key, order in answer.orders.items()},
            claims=tuple(claim for answer in answers for claim in answer.claims),
            refusals=tuple(refusal for answer in answers for refusal in answer.refusals),
        )
        await self.system.judge(Script("every shop so far", (), whole))
        assert await self._rows("parked") == 0
        async with asyncio.timeout(TURN_SECONDS):
            while await self._rows("outbox"):
                await asyncio.sleep(POLL_SECONDS)

    async def _rows(self, table: str) -> int:
        counts = [f"(SELECT count(*) FROM {service}.{table})" for service in SERVICES]
        (found,) = await self.system.ask(f"SELECT {' + '.join(counts)} AS rows")
        return int(found["rows"])

    async def until_red(
        self, check: str, saying: str = "", services: Sequence[str] = SERVICES
    ) -> None:
        """Wait until every replica's check says so; with `services`, one replica of each."""
        wanted = [self.system.of(service) for service in services]
        groups = wanted if services != SERVICES else [[each] for each in self.system.replicas]
        ailments: dict[str, str] = {}

        def is_reported(replica: Replica) -> bool:
            ailments[replica.name] = found = _ailment(replica, check)
            return bool(found) and saying in found

        await _until(lambda: all(any(map(is_reported, group)) for group in groups), ailments)

    async def goes_on(self, service: str) -> None:
        """A few orders come, and the service gets through all that they cause."""
        shop = f"shop-{len(self.scripts) + 1}"
        stories = [
            Story(shop, f"{at}", OPENS_AT, PLACES[0], random.Random(f"{shop}/{at}"))
            for at in range(ORDERS_TO_GO_ON)
        ]
        for story in stories:
            plain(story)
        messages = tuple(message for story in stories for message in story.messages)
        orders = {story.key: story.answer() for story in stories}
        self.scripts.append(Script(shop, messages, Expectation(orders)))
        await self.system.send(*messages)
        await self.until_read(service)

    async def until_read(self, service: str) -> None:
        """Wait until a service has read all that there is for it."""
        await self.system.groups.until_read(service, TURN_SECONDS)

    async def until_more_events(self) -> None:
        """Wait until the services have published something new."""
        counts = self.system.watcher.counts
        seen = counts["orders.events"]
        await self.system.watcher.until(
            lambda: counts["orders.events"] > seen, lambda: "nothing new is published", TURN_SECONDS
        )

    async def until_green(self) -> None:
        """Wait until every replica is ready."""
        ailments: dict[str, str] = {}

        def is_well(replica: Replica) -> bool:
            ailments[replica.name] = replica.health()
            return replica.is_ready()

        await _until(lambda: all(map(is_well, self.system.replicas)), ailments)


def _ailment(replica: Replica, check: str) -> str:
    """What a failing check of a replica says; empty when it does not fail."""
    with contextlib.suppress(ValueError):  # It did not answer in time.
        found = json.loads(replica.health())["checks"][f"{replica.service}.{check}"]
        return "" if found["ok"] else found["detail"]
    return ""


async def _until(is_so: Callable[[], bool], ailments: dict[str, str]) -> None:
    try:
        async with asyncio.timeout(TURN_SECONDS):
            while not await asyncio.to_thread(is_so):
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(
            "\n".join(f"{name}: {text}" for name, text in ailments.items())
        ) from None


@asynccontextmanager
async def _watched(replicas: Sequence[Replica]) -> AsyncIterator[None]:
    """Liveness is asked all the while; red twice in a row, an orchestrator would restart it."""
    red: list[str] = []

    async def ask_for_ever() -> None:
        while True:
            for replica in replicas:
                red.extend(await asyncio.to_thread(_red_twice, replica))
            await asyncio.sleep(POLL_SECONDS)

    asking = asyncio.create_task(ask_for_ever())
    try:
        yield
    finally:
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
    assert not red


def _red_twice(replica: Replica) -> list[str]:
    return [] if replica.is_live() or replica.is_live() else [replica.name]
