"""What is measured against each other: programs that answer the same commands."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from demo.replicas import Replica

POSITIONS_OF_OURS = """
SELECT coalesce(sum(next_offset), 0)::bigint AS applied,
       EXISTS (SELECT FROM orders.outbox) AS has_rows
  FROM orders.position
"""
POSITIONS_OF_CEILING = """
SELECT coalesce(sum(next_offset), 0)::bigint AS applied,
       EXISTS (SELECT FROM outbox) AS has_rows
  FROM position
"""
POSITIONS_OF_STRENGTHENED = POSITIONS_OF_CEILING.replace("outbox", "packed")


@dataclass(frozen=True, slots=True)
class Contender:
    """A program, and how it is known to be done.

    `positions` is a statement that returns how many messages are applied, and whether something has
    yet to be published; None where only its answers on Kafka show it.
    """

    name: str
    meaning: str
    arguments: tuple[str, ...]
    group: str
    """Its consumer group, without the prefix of an installation."""
    positions: str | None
    plays_tape: bool = False
    """Whether it needs what ours did with the same messages (`BENCH_TAPE`)."""
    environment: Mapping[str, str] = field(default_factory=dict)
    processes: int = 1
    """Members of its consumer group that one command starts."""

    def replicas(self, count: int, folder: Path, environment: Mapping[str, str]) -> list[Replica]:
        """Processes of it, not started."""
        folder.mkdir(parents=True, exist_ok=True)
        return [
            Replica(
                self.name,
                f"{self.name}-{number}",
                folder,
                {**environment, **self.environment},
                [sys.executable, "-m", *self.arguments],
            )
            for number in range(1, count + 1)
        ]


OURS = Contender(
    "ours",
    "the orders service as shipped, without orders.state, which no other contender writes",
    ("orderflow", "serve", "orders"),
    "orderflow.orders",
    POSITIONS_OF_OURS,
    environment={"ORDERFLOW_ORDERS_STATE": "false"},
)
OURS_WITH_STATE = replace(
    OURS,
    name="ours-with-state",
    meaning="the orders service as shipped, with orders.state",
    environment={"ORDERFLOW_ORDERS_STATE": "true"},
)
CEILING = Contender(
    "ceiling",
    "the same bytes and rows, batched, with no decisions",
    ("bench.contenders.ceiling",),
    "ceiling",
    POSITIONS_OF_CEILING,
    plays_tape=True,
)
STRENGTHENED = Contender(
    "ceiling-strengthened",
    "the ceiling with packets, no commit to Kafka a batch, and a packed outbox",
    ("bench.contenders.ceiling_strengthened",),
    "ceiling",
    POSITIONS_OF_STRENGTHENED,
    plays_tape=True,
)
CEILINGS = (CEILING, STRENGTHENED)
TEXTBOOK = Contender(
    "textbook",
    "one message, one transaction, one commit, polled outbox",
    ("bench.contenders.textbook",),
    "textbook",
    None,
)
FASTSTREAM_OUTBOX = Contender(
    "faststream-outbox",
    "the package of that name in the same role",
    ("bench.contenders.faststream_outbox",),
    "faststream-outbox",
    None,
)
