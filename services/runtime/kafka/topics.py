"""Creates missing topics of the catalogue (schemas/topics.py) and compares existing ones with it.

The number of partitions of an existing topic is never changed. Its other settings are changed only
when an operator says so (`apply`).
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

from schemas.topics import CARRIER_TRACKING, CATALOGUE, DAY_MS, Topic
from services import registry
from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import client_options
from services.runtime.kafka.topic_settings import (
    RETENTION,
    SettingChange,
    find_changes,
    make_changes,
    settings_of,
)

PUBLISHED = "orderflow.published"
MARKER_TOPIC = Topic(
    name=PUBLISHED,
    meaning="What exactly-once publication has published last, for the relays alone",
    key="{service}/{shard of the outbox}",
    writers=registry.consumers(),
    readers=registry.consumers(),
    models={},
    retention_ms=7 * DAY_MS,
    personal_data=False,
    cleanup_policy="compact",
    # Compaction does not touch the newest segment, so segments must be small.
    compaction={"segment.bytes": str(16 * 1024 * 1024), "min.cleanable.dirty.ratio": "0.1"},
)
# All topics of an installation: those of the contract, and the services' internal one.
INSTALLED: tuple[Topic, ...] = (*CATALOGUE, MARKER_TOPIC)
VISIBLE_TIMEOUT_SECONDS = 30.0
APPLY_ADVICE = "`orderflow topics apply` sets it"
RETENTION_ADVICE = f"{APPLY_ADVICE}; set ORDERFLOW_TRACKING_RETENTION_DAYS to keep another"
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
    is_missing: bool = False

    def __str__(self) -> str:
        return f"{self.topic}: {self.text}"


def configured(settings: Settings, topics: Iterable[Topic] = INSTALLED) -> tuple[Topic, ...]:
    """The topics of the catalogue with what settings say of them: the retention of tracking."""
    kept = settings.tracking_retention_days * DAY_MS
    return tuple(
        replace(topic, retention_ms=kept) if topic.name == CARRIER_TRACKING else topic
        for topic in topics
    )


def short_retention(settings: Settings) -> str | None:
    """A warning where tracking is kept for less time than it waits for its order, else None.

    No error: what waits is in Postgres. Only a restore or a rebuild reads it from Kafka again.
    """
    kept, waits = settings.tracking_retention_days, settings.tracking_wait_seconds / 86_400
    if kept >= waits:
        return None
    return (
        f"ORDERFLOW_TRACKING_RETENTION_DAYS={kept} keeps {settings.topic(CARRIER_TRACKING)} for "
        f"less time than tracking waits for its order (ORDERFLOW_TRACKING_WAIT_SECONDS, "
        f"{waits:.4g} days): after a restore or a rebuild, older tracking cannot be read again. "
        "Set the retention to as many days, or shorten the wait"
    )


async def create(settings: Settings, topics: Iterable[Topic] | None = None) -> list[str]:
    """Create the missing topics and return their names in Kafka; safe to run again.

    Without `topics`, all topics as `configured` has them.

    Raises:
        TopicError: Kafka refuses, or an existing topic has another number of partitions.
        KafkaError: Kafka cannot be reached.
    """
    wanted = _wanted(settings, topics)
    async with admin_client(settings) as admin:
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


async def check(settings: Settings, topics: Iterable[Topic] | None = None) -> list[Difference]:
    """Compare the topics with what is wanted: presence, partitions, retention, sizes.

    Without `topics`, all topics are wanted as `configured` has them.
    """
    wanted = _wanted(settings, topics)
    async with admin_client(settings) as admin:
        present = set(await admin.list_topics())
        missing = [
            Difference(
                name, "is missing; run `orderflow topics create`", is_fatal=True, is_missing=True
            )
            for name in wanted
            if name not in present
        ]
        there = [name for name in wanted if name in present]
        if not there:
            return missing
        described = await _describe(admin, there)
        changes = await find_changes(admin, {name: wanted[name] for name in there})
    return [
        *missing,
        *_partition_differences(settings, described),
        *(_setting_difference(settings, each) for each in changes),
    ]


async def apply(
    settings: Settings,
    topics: Iterable[Topic] | None = None,
    *,
    may_take_away: bool = False,
    is_dry_run: bool = False,
) -> tuple[list[SettingChange], list[SettingChange]]:
    """Set the settings of existing topics as they are wanted; partitions stay.

    Without `topics`, all topics are wanted as `configured` has them.
    Returns the changes that were made, and those that were not, as they take something away: Kafka
    would delete records, or refuse larger ones. `may_take_away` makes them, too.

    Raises:
        TopicError: Kafka lacks some of the topics.
        KafkaError: Kafka cannot be reached, or refuses.
    """
    wanted = _wanted(settings, topics)
    await require(settings, [topic.name for topic in wanted.values()])
    async with admin_client(settings) as admin:
        found = await find_changes(admin, wanted)
        made = [each for each in found if may_take_away or not each.takes_away]
        if not is_dry_run:
            await make_changes(admin, made)
    return made, [each for each in found if each not in made]


async def require(settings: Settings, names: Iterable[str]) -> None:
    """Check that topics exist, before a client waits for them in vain; `names` of the catalogue.

    Raises:
        TopicError: Kafka lacks some of them.
        KafkaError: Kafka cannot be reached.
    """
    async with admin_client(settings) as admin:
        present = set(await admin.list_topics())
    if missing := sorted({settings.topic(name) for name in names} - present):
        raise TopicError(f"Kafka has no topic {', '.join(missing)}: run `orderflow topics create`")


async def partitions_of(settings: Settings, topic: str) -> list[int]:
    """Return the partition numbers of a topic by its name in Kafka; empty if it is missing."""
    async with admin_client(settings) as admin:
        described = await _describe(admin, [topic])
    return sorted(each["partition"] for each in described.get(topic, ()))


@asynccontextmanager
async def admin_client(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connected client for topics, closed at the end."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


def _wanted(settings: Settings, topics: Iterable[Topic] | None) -> dict[str, Topic]:
    """Topics by their names in Kafka."""
    chosen = configured(settings) if topics is None else topics
    return {settings.topic(topic.name): topic for topic in chosen}


def _setting_difference(settings: Settings, change: SettingChange) -> Difference:
    of_tracking = change.topic == settings.topic(CARRIER_TRACKING)
    advice = RETENTION_ADVICE if of_tracking and change.setting == RETENTION else APPLY_ADVICE
    return Difference(change.topic, f"{change}; {advice}", is_fatal=False)


def _new_topic(settings: Settings, name: str, topic: Topic) -> NewTopic:
    replicas = settings.kafka_replication_factor
    configuration = settings_of(topic) | {"min.insync.replicas": str(max(1, replicas - 1))}
    return NewTopic(name, settings.kafka_partitions, replicas, topic_configs=configuration)


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
