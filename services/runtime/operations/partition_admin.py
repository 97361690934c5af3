"""Operators' view of the partitions of a consumer group: list positions, resume, move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import asyncpg
from aiokafka import TopicPartition
from asyncpg import Connection

from services.runtime.operations import audit
from services.runtime.operations.audit import Act, Signature
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "partition_admin.sql")


class PartitionRefused(Exception):
    """The act does not fit the state of the partition; the text says which act does."""


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """The stored position of one partition; `stopped_*` are None while the partition is read."""

    partition: TopicPartition
    next_offset: int
    updated_at: datetime
    stopped_kind: str | None
    stopped_detail: str | None
    stopped_at: datetime | None
    tries: int


@dataclass(frozen=True, slots=True)
class LogRange:
    """First offset of a partition in Kafka, and its end: the offset of the next record."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Move:
    """A change of a position: `was` and `to`, and how many records each consequence concerns."""

    was: int
    to: int
    gone: int
    """Records that the topic no longer has."""
    skipped: int
    """Records that the topic has and that will not be read."""
    again: int
    """Records that will be read a second time."""


class PartitionAdmin:
    """Acts on the partitions of one consumer group, each in the caller's transaction."""

    def __init__(self, connection: Connection, group: str, topic_prefix: str) -> None:
        self._connection = connection
        self._group = group
        self._topic_prefix = topic_prefix

    async def standing(self) -> list[PartitionStatus]:
        """Every partition that the group has a stored position for."""
        return [
            PartitionStatus(
                TopicPartition(row["topic"], row["partition"]),
                row["next_offset"],
                row["updated_at"],
                row["stopped_kind"],
                row["stopped_detail"],
                row["stopped_at"],
                row["tries"],
            )
            for row in await self._connection.fetch(SQL["list_partitions"], self._group)
        ]

    async def resume(self, partition: TopicPartition, signature: Signature, allow: int = 0) -> str:
        """Resume a stopped partition; returns why it was stopped.

        The fuse does not count the next `allow` failing items.

        Raises:
            PartitionRefused: the partition is not stopped, or the group has never read it.
        """
        row = await self._lock(partition)
        if row["stopped_kind"] is None:
            raise PartitionRefused(
                f"{_name(partition)} is not stopped; `orderflow partitions list` shows what is"
            )
        await self._connection.execute(SQL["resume_partition"], self._group, *partition, allow)
        detail = {"kind": row["stopped_kind"], "why": row["stopped_detail"], "allowed": allow}
        await self._write("partitions.resume", partition, row["next_offset"], signature, detail)
        return str(row["stopped_detail"])

    async def move(
        self,
        partition: TopicPartition,
        to: int | Literal["earliest", "latest"],
        log: LogRange,
        signature: Signature,
        *,
        is_forced: bool = False,
    ) -> Move:
        """Set the stored position to another offset; a stopped partition is resumed as well.

        Raises:
            PartitionRefused: the partition is read without trouble and `is_forced` is False, or
                the topic has no such offset.
        """
        row = await self._lock(partition)
        was, kind = row["next_offset"], row["stopped_kind"]
        if kind is None and log.first <= was <= log.end and not is_forced:
            raise PartitionRefused(
                f"{_name(partition)} is read without trouble at {was} ({log.first}..{log.end}); "
                "--force moves it all the same"
            )
        target = _target(partition, to, log)
        moved = measure_move(was, target, log, is_lost=kind == "position")
        await self._connection.execute(SQL["move_partition"], self._group, *partition, target)
        detail = {**asdict(moved), "kind": kind, "why": row["stopped_detail"], "forced": is_forced}
        await self._write("partitions.move", partition, was, signature, detail)
        return moved

    async def _lock(self, partition: TopicPartition) -> asyncpg.Record:
        row = await self._connection.fetchrow(SQL["lock_partition"], self._group, *partition)
        if row is None:
            raise PartitionRefused(
                f"{_name(partition)} has never been read by {self._group}; "
                "`orderflow partitions list` shows what has"
            )
        return row

    async def _write(
        self,
        act: str,
        partition: TopicPartition,
        offset: int,
        signature: Signature,
        detail: Mapping[str, object],
    ) -> None:
        topic = partition.topic.removeprefix(self._topic_prefix)
        done = Act(
            act,
            signature.actor,
            signature.reason,
            topic,
            partition.partition,
            offset,
            detail=detail,
        )
        await audit.write(self._connection, [done])


def measure_move(was: int, to: int, log: LogRange, *, is_lost: bool) -> Move:
    """How many records a move concerns.

    With `is_lost` the old position belongs to a log that is gone, so the records counted are those
    of the present log from its first offset on.
    """
    is_inside = log.first <= was <= log.end and not is_lost
    begin = was if is_inside else log.first
    return Move(
        was,
        to,
        gone=max(0, log.first - was),
        skipped=max(0, to - begin),
        again=max(0, begin - to),
    )


def _target(
    partition: TopicPartition, to: int | Literal["earliest", "latest"], log: LogRange
) -> int:
    if to == "earliest":
        return log.first
    if to == "latest":
        return log.end
    if not log.first <= to <= log.end:
        raise PartitionRefused(
            f"{_name(partition)} has offsets {log.first}..{log.end}: {to} is none of them"
        )
    return to


def _name(partition: TopicPartition) -> str:
    return f"{partition.topic}[{partition.partition}]"
