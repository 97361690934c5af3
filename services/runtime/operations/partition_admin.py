"""What operators see of partitions, and do to them: where they stand, resuming, stepping over."""

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
from services.runtime.operations.audit import Act
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "partition_admin.sql")


class PartitionRefused(Exception):
    """An act that makes no sense for the partition as it is; the text says what does."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One partition of a group; `stopped_…` are None while it is read."""

    partition: TopicPartition
    next_offset: int
    updated_at: datetime
    stopped_kind: str | None
    stopped_detail: str | None
    stopped_at: datetime | None
    tries: int


@dataclass(frozen=True, slots=True)
class By:
    """Who acts, and why: it is written down."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Log:
    """The offsets a partition's log has: `end` is the next record's."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Move:
    """From where to where; what is not applied by it, and what is read a second time."""

    was: int
    to: int
    gone: int  # The topic no longer has them.
    skipped: int  # It has them, and they will not be read.
    again: int


class PartitionActs:
    """What can be done to the partitions of one group, each act in the caller's transaction."""

    def __init__(self, connection: Connection, group: str, topic_prefix: str) -> None:
        self._connection = connection
        self._group = group
        self._topic_prefix = topic_prefix

    async def standing(self) -> list[Standing]:
        """Every partition the group has ever read."""
        return [
            Standing(
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

    async def resume(self, partition: TopicPartition, by: By, allow: int = 0) -> str:
        """End a stop; `allow` failing items pass the fuse uncounted. Returns why it was stopped.

        Raises:
            PartitionRefused: it is not stopped, or nobody has ever read it.
        """
        row = await self._lock(partition)
        if row["stopped_kind"] is None:
            raise PartitionRefused(
                f"{_name(partition)} is not stopped; `orderflow partitions list` shows what is"
            )
        await self._connection.execute(SQL["resume_partition"], self._group, *partition, allow)
        detail = {"kind": row["stopped_kind"], "why": row["stopped_detail"], "allowed": allow}
        await self._write("partitions.resume", partition, row["next_offset"], by, detail)
        return str(row["stopped_detail"])

    async def move(
        self,
        partition: TopicPartition,
        to: int | Literal["earliest", "latest"],
        log: Log,
        by: By,
        *,
        is_forced: bool = False,
    ) -> Move:
        """Go on at another offset; a stopped partition is resumed by it.

        Raises:
            PartitionRefused: nothing is wrong with it, or the topic has no such offset.
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
        await self._write("partitions.move", partition, was, by, detail)
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
        by: By,
        detail: Mapping[str, object],
    ) -> None:
        topic = partition.topic.removeprefix(self._topic_prefix)
        done = Act(act, by.actor, by.reason, topic, partition.partition, offset, detail=detail)
        await audit.write(self._connection, [done])


def measure_move(was: int, to: int, log: Log, *, is_lost: bool) -> Move:
    """What a move passes over. A lost position inside the log counts records of another one."""
    is_inside = log.first <= was <= log.end and not is_lost
    begin = was if is_inside else log.first
    return Move(
        was,
        to,
        gone=max(0, log.first - was),
        skipped=max(0, to - begin),
        again=max(0, begin - to),
    )


def _target(partition: TopicPartition, to: int | Literal["earliest", "latest"], log: Log) -> int:
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
