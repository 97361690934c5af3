"""What is measured: which destinations there are, and what they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.deliveries.ground import Webhook

SHOPS = 100
HEALTHY_PORTS = 100
SILENT_PORTS = 20
NEW_BLACK_HOLES = 500
OURS, ONE, GATHER = "service", "loop, one by one", "loop, gather"

Ports = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Throughput:
    """All events lie on the topic before the contender starts; every destination is healthy."""

    contender: str
    destinations: int
    deliveries: int

    @property
    def shops(self) -> list[str]:
        """Shops in turn; 10,000 destinations are 100 of each of 100 shops."""
        return [f"shop-{n}" for n in range(min(self.destinations, SHOPS))]

    @property
    def events(self) -> int:
        """How many events make the deliveries."""
        return self.deliveries * len(self.shops) // self.destinations

    def webhooks(self, ports: Ports) -> list[Webhook]:
        """Its destinations."""
        return healthy(self.shops, self.destinations, ports)


@dataclass(frozen=True, slots=True)
class Latency:
    """Events at a fixed rate for one shop with healthy destinations, and others beside them.

    `bad` is what the others do (a kind of port), `bad_count` how many there are. They are of the
    same shop, so that each event goes to them too; or of shops of their own, with one event each
    (`is_apart`); or they have a backlog and open circuits (`has_backlog`).
    """

    name: str
    contender: str = OURS
    healthy: int = 1
    bad: str | None = None
    bad_count: int = 0
    is_apart: bool = False
    has_backlog: bool = False
    idle: int = 0
    """Healthy destinations of other shops, which have no events meanwhile."""
    per_second: float = 50.0
    seconds: float = 10.0
    baseline: str = "alone"
    """Name of the case with whose p99 this one is compared."""

    def webhooks(self, ports: Ports) -> list[Webhook]:
        """Its healthy destinations."""
        return healthy([SHOP], self.healthy, ports)

    def bad_webhooks(self, ports: Ports) -> list[Webhook]:
        """The others."""
        found = ports[self.bad] if self.bad else ()
        each_shop = self.idle // (SHOPS - 1)
        all_shops = healthy([f"shop-{n}" for n in range(SHOPS)], each_shop * SHOPS, ports)
        return all_shops[each_shop:] + [
            Webhook(
                self.bad_shop(n), f"bad-{n}", f"http://127.0.0.1:{found[n % len(found)]}/bad-{n}"
            )
            for n in range(self.bad_count)
        ]

    def bad_shop(self, number: int) -> str:
        """The shop of one of the others."""
        if self.has_backlog:
            return "shop-with-backlog"
        return f"bad-shop-{number}" if self.is_apart else SHOP


SHOP = "shop-0"


def healthy(shops: Sequence[str], count: int, ports: Ports) -> list[Webhook]:
    """So many healthy destinations, spread over the shops and over the ports."""
    each_shop, found = count // len(shops), ports["healthy"]
    return [
        Webhook(shop, f"d-{n}", f"http://127.0.0.1:{found[(s + n) % len(found)]}/{s}-{n}")
        for s, shop in enumerate(shops)
        for n in range(each_shop)
    ]


THROUGHPUT = tuple(
    Throughput(contender, destinations, ours if contender == OURS else loops)
    for destinations, ours, loops in (
        (1, 4_000, 2_000),
        (100, 6_000, 2_000),
        (10_000, 10_000, 3_000),
    )
    for contender in (OURS, ONE, GATHER)
)
LONG_SECONDS = 25.0
"""Longer than a request may take: circuits open within it."""
LATENCY = (
    Latency("alone"),
    Latency("black hole", bad="silent", bad_count=1, seconds=LONG_SECONDS),
    Latency("slow loris", bad="slow", bad_count=1, seconds=LONG_SECONDS),
    Latency("refused", bad="refused", bad_count=1),
    Latency("endless answer", bad="endless", bad_count=1),
    Latency("500 new black holes", bad="silent", bad_count=NEW_BLACK_HOLES, is_apart=True),
    Latency("1,000 failing", bad="refused", bad_count=1_000, has_backlog=True),
    Latency("10,000 failing", bad="refused", bad_count=10_000, has_backlog=True),
    Latency("100 healthy", healthy=100, per_second=2.0, baseline="100 healthy"),
    Latency(
        "100 of 10,000 healthy",
        healthy=100,
        idle=9_900,
        per_second=2.0,
        baseline="100 healthy",
    ),
    Latency(
        "20 black holes beside 80",
        healthy=80,
        bad="silent",
        bad_count=20,
        per_second=2.0,
        seconds=LONG_SECONDS,
        baseline="100 healthy",
    ),
    Latency("loop alone", contender=GATHER, baseline="loop alone"),
    Latency("loop, black hole", contender=GATHER, bad="silent", bad_count=1, baseline="loop alone"),
)
