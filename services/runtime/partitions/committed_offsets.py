"""Kafka's committed offsets follow the stored positions: only lag monitors read them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from services.runtime.partitions.partition_state import PartitionState

COMMIT_SECONDS = 1.0
COMMIT_TIMEOUT_SECONDS = 5.0  # The client itself would try for as long as the broker is away.


class Committer(Protocol):
    """The part of AIOKafkaConsumer used here."""

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Store offsets for the group."""


async def commit_positions(consumer: Committer, states: Collection[PartitionState]) -> None:
    """Commit the positions that differ from what was committed last.

    No batch waits for a commit. One that fails is repeated with the next call.
    """
    changed = {
        state.partition: state.next_offset
        for state in states
        if state.next_offset is not None and state.next_offset != state.committed_offset
    }
    if not changed:
        return
    try:
        await asyncio.wait_for(consumer.commit(changed), COMMIT_TIMEOUT_SECONDS)
    except (KafkaError, IllegalStateError, TimeoutError):
        return
    for state in states:
        if state.partition in changed:
            state.committed_offset = changed[state.partition]
