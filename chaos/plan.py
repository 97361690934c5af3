"""Which faults strike in which round: a pure function of the seed and the round's number."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chaos import points
from chaos.webhooks.destinations import DYING, HANGING, MOVING, REFUSING

STRIKES_SECONDS = 4.0
"""Faults begin within the first seconds of a round, while its messages are published."""
SERVICES = ("orders", "orders", "orders", "claims", "analytics")
COPIES = 2
KILLS_A_ROUND = (3, 4)
KILLS_OF_DELIVERIES = (1, 2, 2)
DEAD_SECONDS = 1.5
"""So long a process is dead of which another one takes the leases."""
RECEIVERS_FAIL = 0.7
"""How likely it is that receivers of one manner fail in a round."""
TABLES = ("destination", "delivery", "backlog", "message_group", "destination_health")
"""Tables of deliveries that are locked."""

KILL_AT = "kill -9 at"
KILL = "kill -9"
TERMINATE = "SIGTERM"
FREEZE = "SIGSTOP, SIGCONT"
FREEZE_AT = "SIGSTOP, SIGCONT at"
REPLACE_AT = "SIGSTOP, SIGCONT once replaced, at"
GAP = "gap in a poll"
KILL_KAFKA = "kill -9 Kafka"
KILL_POSTGRES = "kill -9 Postgres"
CUT = "terminated backends"
LOCK_TABLE = "table locked"
LOCK_ROWS = "rows locked"
STORM = "join and leave storm"
DELAY = "delay"
SILENCE = "half-open"
RESET = "reset"
RECEIVERS = "receivers fail"
MANNERS = (REFUSING, HANGING, DYING, MOVING)
"""How receivers of webhooks fail; each is the target of such a fault."""

DELIVERIES = "deliveries"
GATEWAY = "gateway-1"
KAFKA = "kafka"
POSTGRES = "postgres"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, `at_seconds` after the round began, for `seconds`."""

    kind: str
    target: str
    """A replica, a service, a server, a table, or a manner of receivers."""
    at_seconds: float
    seconds: float = 0.0
    point: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.point, self.target) if part)


def draw(
    seed: int, number: int, publishing: Sequence[str] = points.PUBLISHING
) -> tuple[Fault, ...]:
    """The faults of round `number` (from 1), in the order of time.

    `publishing` are the points that the way of publication has.
    """
    rng = random.Random(f"faults/{seed}/{number}")
    faults = [*_kills(rng, publishing), *_unrest(rng), *_servers(rng), *_network(rng)]
    faults += _gateway(random.Random(f"gateway/{seed}/{number}"))
    faults += _deliveries(random.Random(f"deliveries/{seed}/{number}"))
    return tuple(sorted(faults, key=lambda fault: fault.at_seconds))


def _kills(rng: random.Random, publishing: Sequence[str]) -> Iterator[Fault]:
    """Replicas killed, mostly at a named point. Analytics publishes next to nothing."""
    for _ in range(rng.choice(KILLS_A_ROUND)):
        service = rng.choice(SERVICES)
        target = _replica(rng, service)
        if rng.random() < 0.2:
            yield Fault(KILL, target, _moment(rng))
        else:
            reached = () if service == "analytics" else publishing
            point = rng.choice((*points.CONSUMING, *reached))
            yield Fault(KILL_AT, target, _moment(rng), point=point)


def _gateway(rng: random.Random) -> Iterator[Fault]:
    """The gateway killed while requests come, mostly at a point, or stopped in good order."""
    for _ in range(rng.randint(1, 2)):
        kind = rng.choice((KILL, KILL_AT, KILL_AT, TERMINATE))
        point = rng.choice(points.ACCEPTING) if kind == KILL_AT else ""
        yield Fault(kind, GATEWAY, _moment(rng), point=point)


def _deliveries(rng: random.Random) -> Iterator[Fault]:
    """Replicas of deliveries killed or disturbed, while receivers of webhooks fail."""
    for manner in MANNERS:
        if rng.random() < RECEIVERS_FAIL:
            yield Fault(RECEIVERS, manner, rng.uniform(0.0, 1.5), seconds=rng.uniform(4.0, 8.0))
    for _ in range(rng.choice(KILLS_OF_DELIVERIES)):
        target, other = rng.sample([f"{DELIVERIES}-{n}" for n in range(1, COPIES + 1)], 2)
        point = rng.choice((*points.SENDING, *points.SENDING, *points.CONSUMING, None))
        if point == points.LEASE_GIVEN_UP:
            yield from dies_while_giving_up(target, other, _moment(rng))
        elif point:
            yield Fault(KILL_AT, target, _moment(rng), point=point)
        else:
            yield Fault(KILL, target, _moment(rng))
    kind = rng.choice((TERMINATE, FREEZE, STORM, CUT, LOCK_TABLE, LOCK_ROWS, None))
    if kind in {TERMINATE, FREEZE}:
        yield Fault(kind, _replica(rng, DELIVERIES), _moment(rng), seconds=rng.uniform(3.5, 5.0))
    elif kind:
        target = (
            f"{DELIVERIES}.{rng.choice(TABLES)}" if kind in {LOCK_TABLE, LOCK_ROWS} else DELIVERIES
        )
        yield Fault(kind, target, _moment(rng), seconds=rng.uniform(1.0, 3.0))


def dies_while_giving_up(target: str, other: str, at: float) -> Iterator[Fault]:
    """A replica takes the shards of a dead one, and dies when it gives them back."""
    yield Fault(KILL, other, at, seconds=DEAD_SECONDS)
    point = points.LEASE_GIVEN_UP
    yield Fault(KILL_AT, target, at + DEAD_SECONDS, point=point)


def _unrest(rng: random.Random) -> Iterator[Fault]:
    """Replicas that come and go, or sleep for longer than their session."""
    kind = rng.choice((TERMINATE, FREEZE, STORM, None))
    service = rng.choice(SERVICES)
    if kind == STORM:
        yield Fault(STORM, service, _moment(rng), seconds=2.0)
    elif kind:
        yield Fault(kind, _replica(rng, service), _moment(rng), seconds=rng.uniform(3.5, 5.0))


def _servers(rng: random.Random) -> Iterator[Fault]:
    drawn = rng.random()
    if drawn < 0.06:
        yield Fault(KILL_KAFKA, KAFKA, _moment(rng))
    elif drawn < 0.18:
        yield Fault(KILL_POSTGRES, POSTGRES, _moment(rng))
    elif drawn < 0.38:
        yield Fault(CUT, rng.choice(SERVICES), _moment(rng))
    elif drawn < 0.50:
        table = rng.choice(("position", "outbox", "waiting", "rejected"))
        target = f"{rng.choice(SERVICES)}.{table}"
        yield Fault(LOCK_TABLE, target, _moment(rng), seconds=rng.uniform(1.0, 3.0))
    elif drawn < 0.60:
        table = rng.choice(("orders.shop_order", "orders.parcel", "claims.order_copy"))
        yield Fault(LOCK_ROWS, table, _moment(rng), seconds=rng.uniform(1.0, 3.0))


def _network(rng: random.Random) -> Iterator[Fault]:
    kind = rng.choice((DELAY, SILENCE, RESET, None, None))
    if kind:
        server = rng.choice((KAFKA, POSTGRES))
        yield Fault(kind, server, _moment(rng), seconds=rng.uniform(1.0, 3.0))


def _replica(rng: random.Random, service: str) -> str:
    return f"{service}-{rng.randint(1, COPIES)}"


def _moment(rng: random.Random) -> float:
    return rng.uniform(0.2, STRIKES_SECONDS)


def kills_in(faults: Sequence[Fault]) -> int:
    """How many processes the faults kill with SIGKILL."""
    return sum(fault.kind in (KILL, KILL_AT, KILL_KAFKA, KILL_POSTGRES) for fault in faults)
