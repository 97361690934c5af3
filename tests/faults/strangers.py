"""Members of a service's consumer group that do nothing but come and go: rebalances, cheaply."""

from __future__ import annotations

import re

from aiokafka import AIOKafkaConsumer

from demo.groups import READS
from demo.replicas import Replica
from tests.processes import System

REBALANCES = re.compile(r"^orderflow_rebalances_total\{.*\} (\S+)$", re.MULTILINE)


async def come_and_go(system: System, service: str, times: int) -> None:
    """Join the group, get partitions, apply none of their records, and leave; so many times."""
    installation = system.installation
    for _ in range(times):
        stranger = AIOKafkaConsumer(
            *(installation.prefix + topic for topic in READS[service]),
            **installation.options,
            group_id=f"{installation.prefix}orderflow.{service}",
            enable_auto_commit=False,
            session_timeout_ms=3000,
            heartbeat_interval_ms=300,
        )
        try:
            await stranger.start()
        finally:
            await stranger.stop()


def rebalances(replica: Replica) -> float:
    """How often partitions were given to the replica or taken from it."""
    return sum(map(float, REBALANCES.findall(replica.metrics())))
