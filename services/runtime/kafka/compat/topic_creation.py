"""Requests for metadata that let no broker make a topic.

aiokafka 0.14 asks for the metadata of topics in a way that makes a missing one, where brokers have
`auto.create.topics.enable` (Kafka's default): with the broker's number of partitions and its
retention, and again after it was deleted.
"""

from __future__ import annotations

from typing import Any

from aiokafka import client
from aiokafka.errors import KafkaConnectionError, for_code
from aiokafka.protocol.metadata import MetadataRequest


class _MetadataRequest(MetadataRequest):  # type: ignore[misc]
    """A request that leaves missing topics missing; brokers before 0.11 do not know the member."""

    def __init__(
        self,
        topics: list[str] | None = None,
        allow_auto_topic_creation: bool | None = None,  # noqa: ARG002 - aiokafka's names
    ) -> None:
        super().__init__(topics, allow_auto_topic_creation=False)


def install() -> None:
    """Patch aiokafka's client for this process; a second call changes nothing."""
    client.MetadataRequest = _MetadataRequest


async def check_topic(connected: Any, topic: str) -> None:
    """Ask a broker for a topic once; `connected` is aiokafka's client of a producer or consumer.

    Raises:
        UnknownTopicOrPartitionError: there is no such topic.
        TopicAuthorizationFailedError: this login may not know of it.
        KafkaError: no broker answers, or it refuses.
    """
    node = connected.get_random_node()
    if node is None:
        raise KafkaConnectionError("no broker is known")
    answer = await connected.send(node, _MetadataRequest([topic]))
    for code, *_ in answer.topics:
        if code:
            raise for_code(code)(topic)
