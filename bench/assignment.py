"""Whether a contender's processes have their partitions, asked of Kafka from outside."""

from __future__ import annotations

from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from demo.installation import Installation


class Group:
    """The consumer group of a contender, as Kafka describes it."""

    def __init__(self, installation: Installation, group: str) -> None:
        self._name = installation.prefix + group
        self._admin = AIOKafkaAdminClient(**installation.options)

    async def __aenter__(self) -> Self:
        await self._admin.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()

    async def is_placed(self, members: int) -> bool:
        """Whether the group is stable with so many members, and each has partitions."""
        try:
            described = await self._admin.describe_consumer_groups([self._name])
        except KafkaError as error:
            if not error.retriable:
                raise
            return False
        return is_stable(described[0].to_object()["groups"][0], members)


def is_stable(group: dict[str, Any], members: int) -> bool:
    """Whether a described group has so many members, all of them with partitions."""
    assigned = [member for member in group["members"] if _partitions(member["member_assignment"])]
    return bool(group["state"] == "Stable" and len(assigned) == len(group["members"]) == members)


def _partitions(assignment: bytes) -> int:
    """How many topics with partitions an assignment names; its first two bytes are a version."""
    return int.from_bytes(assignment[2:6], "big", signed=True) if len(assignment) >= 6 else 0
