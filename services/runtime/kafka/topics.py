"""Creates missing topics of the catalogue (schemas/topics.py) and compares existing ones with it.

Existing topics are never changed: the number of partitions must not change, and other settings are
the operator's decision.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

from schemas.topics import CATALOGUE, DAY_MS, Topic
from services import registry
from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import client_options

PUBLISHED = "orderflow.published"
MARKER_TOPIC = Topic(
    name=PUBLISHED,
    meaning="What exactly-once publication has published last, for the relays alone",
    key="{service}/{shard of the outbox}",
    writers=registry.names(),
    readers=registry.names(),
    models={},
    retention_ms=7 * DAY_MS,
    personal_data=False,
    cleanup_policy="compact",
)
# All topics of an installation: those of the contract, and the services' internal one.
INSTALLED: tuple[Topic, ...] = (*CATALOGUE, MARKER_TOPIC)
# Compaction does not touch the newest segment, so segments must be small.
COMPACTION = {"segment.bytes": str(16 * 1024 * 1024), "min.cleanable.dirty.ratio": "0.1"}
VISIBLE_TIMEOUT_SECONDS = 30.0
PARTITIONS_ADVICE = (
    "The number of partitions is fixed when a topic is made: with another, an order's next "
    "messages go to another partition and may overtake the ones before. Set KAFKA_PARTITIONS to "
    "what is there, or take a new KAFKA_TOPIC_PREFIX."
)


class TopicError(Exception):
    """Topics are missing or unsuitable; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between a topic and the catalogue; `is_fatal` if order or data depend on it."""

    topic: str
    text: str
    is_fatal: bool

    def __str__(self) -> str:
        return f"{self.topic}: {self.text}"


async def create(settings: Settings, topics: Iterable[Topic] = INSTALLED) -> list[str]:
    """Create the missing topics and return their names in Kafka; safe to run again.

    Raises:
        TopicError: Kafka refuses, or an existing topic has another number of partitions.
        KafkaError: Kafka cannot be reached.
    """
    wanted = {settings.topic(topic.name): topic for topic in topics}
    async with _admin(settings) as admin:
        present = set(await admin.list_topics())
        missing = [name for name in wanted if name not in present]
        if missing:
            made = [_new_topic(settings, name, wanted[name]) for name in missing]
            answer = await admin.create_topics(made)
            _refuse_failures(answer.topic_errors)
        described = await _visible(admin, list(wanted))
    fatal = [d for d in _partition_differences(settings, described) if d.is_fatal]
    if fatal:
        raise TopicError("\n".join([*map(str, fatal), PARTITIONS_ADVICE]))
    return missing


async def check(settings: Settings, topics: Iterable[Topic] = INSTALLED) -> list[Difference]:
    """Compare the topics with the catalogue: presence, partitions, retention, sizes."""
    wanted = {settings.topic(topic.name): topic for topic in topics}
    async with _admin(settings) as admin:
        present = set(await admin.list_topics())
        missing = [
            Difference(name, "is missing; run `orderflow topics create`", is_fatal=True)
            for name in wanted
            if name not in present
        ]
        there = [name for name in wanted if name in present]
        if not there:
            return missing
        described = await _describe(admin, there)
        configured = await _configurations(admin, there)
    return [
        *missing,
        *_partition_differences(settings, described),
        *_configuration_differences(wanted, configured),
    ]


async def partitions_of(settings: Settings, topic: str) -> list[int]:
    """Return the partition numbers of a topic by its name in Kafka; empty if it is missing."""
    async with _admin(settings) as admin:
        described = await _describe(admin, [topic])
    return sorted(each["partition"] for each in described.get(topic, ()))


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


def _new_topic(settings: Settings, name: str, topic: Topic) -> NewTopic:
    replicas = settings.kafka_replication_factor
    configuration = configuration_of(topic) | {"min.insync.replicas": str(max(1, replicas - 1))}
    return NewTopic(name, settings.kafka_partitions, replicas, topic_configs=configuration)


def configuration_of(topic: Topic) -> dict[str, str]:
    """Make the Kafka configuration of a topic of the catalogue."""
    return {
        "retention.ms": str(topic.retention_ms),
        "cleanup.policy": topic.cleanup_policy,
        "max.message.bytes": str(topic.max_message_bytes),
        **(COMPACTION if topic.cleanup_policy == "compact" else {}),
    }


def _refuse_failures(errors: Iterable[tuple[Any, ...]]) -> None:
    """Raise TopicError for failures; a topic that another process created meanwhile is none."""
    failures = [
        f"{name}: {for_code(code).__name__} {' '.join(str(part) for part in rest if part)}".strip()
        for name, code, *rest in errors
        if for_code(code) not in (NoError, TopicAlreadyExistsError)
    ]
    if failures:
        raise TopicError(
            "Kafka refused to make topics (KAFKA_REPLICATION_FACTOR must not exceed its brokers):\n"
            + "\n".join(failures)
        )


async def _describe(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, list[Any]]:
    """Describe the partitions of each topic whose partitions all have a leader."""
    found = await admin.describe_topics(names)
    return {
        topic["topic"]: topic["partitions"]
        for topic in found
        if topic["partitions"] and all(p["leader"] >= 0 for p in topic["partitions"])
    }


async def _visible(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, list[Any]]:
    """Describe the topics once all have leaders: a new topic takes a moment."""
    deadline = asyncio.get_running_loop().time() + VISIBLE_TIMEOUT_SECONDS
    while len(described := await _describe(admin, names)) < len(names):
        if asyncio.get_running_loop().time() > deadline:
            lost = sorted(set(names) - set(described))
            raise TopicError(f"no leader for {', '.join(lost)} after {VISIBLE_TIMEOUT_SECONDS:g} s")
        await asyncio.sleep(0.1)
    return described


def _partition_differences(settings: Settings, described: dict[str, list[Any]]) -> list[Difference]:
    return [
        Difference(
            name,
            f"has {len(partitions)} partitions, KAFKA_PARTITIONS says {settings.kafka_partitions}",
            is_fatal=True,
        )
        for name, partitions in described.items()
        if len(partitions) != settings.kafka_partitions
    ]


async def _configurations(
    admin: AIOKafkaAdminClient, names: list[str]
) -> dict[str, dict[str, str | None]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answers = await admin.describe_configs(resources)
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for answer in answers
        for _code, _message, _type, name, entries in answer.resources
    }


def _configuration_differences(
    wanted: dict[str, Topic], configured: dict[str, dict[str, str | None]]
) -> list[Difference]:
    return [
        Difference(name, f"{key} is {values.get(key)}, the catalogue says {value}", is_fatal=False)
        for name, values in configured.items()
        for key, value in configuration_of(wanted[name]).items()
        if values.get(key) != value
    ]
