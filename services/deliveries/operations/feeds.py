"""The topic of a shop's feed on Kafka, with the rules of who may read it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka.errors import ClusterAuthorizationFailedError, SecurityDisabled
from asyncpg import Connection

from schemas.patterns import SHOP_SLUG
from schemas.topics import Topic, feed_topic
from services.runtime.config.settings import Settings
from services.runtime.kafka import topics
from services.runtime.kafka.compat.access_rules import ReadRule, allow
from services.runtime.operations import audit
from services.runtime.operations.audit import Act, Signature
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parents[1] / "sql" / "operations.sql")
FEED = "destinations.feed"
SHOP_MAX_CHARACTERS = 64
_PRINCIPAL = re.compile(r"User:[^\x00-\x1f\x7f-\x9f]{1,240}")


class WrongFeed(ValueError):
    """What was asked for makes no feed; the text says why."""


class RulesNotMade(Exception):
    """The topic is there, its rules are not; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Feed:
    """The topic of a shop's feed, and who may read it."""

    shop: str
    topic: Topic
    rules: tuple[ReadRule, ...]


def feed_of(
    settings: Settings, shop: str, readers: Sequence[str], group_prefix: str | None
) -> Feed:
    """The feed of a shop for these readers, such as `User:erp`.

    They read as groups whose names begin with `group_prefix`; without one, with the shop and a
    colon, which no slug holds: `shop.a.` would also be how groups of a shop `a.b` begin.

    Raises:
        WrongFeed: the slug, a reader or the prefix is none.
    """
    if not re.fullmatch(SHOP_SLUG, shop) or len(shop) > SHOP_MAX_CHARACTERS:
        raise WrongFeed(f"{shop!r} is no slug of a shop")
    for reader in readers:
        if not _PRINCIPAL.fullmatch(reader) or reader == "User:*":
            raise WrongFeed(f"{reader!r} names no login: write User:NAME, as the brokers know it")
    if group_prefix is not None and not group_prefix.strip():
        raise WrongFeed("an empty --group-prefix would allow the groups of all shops")
    topic = feed_topic(shop)
    groups = group_prefix or f"{settings.topic('shop.')}{shop}:"
    rules = [
        rule
        for reader in dict.fromkeys(readers)
        for rule in (
            ReadRule(reader, "topic", settings.topic(topic.name)),
            ReadRule(reader, "group", groups, is_prefix=True),
        )
    ]
    return Feed(shop, topic, tuple(rules))


async def find_differences(settings: Settings, feed: Feed) -> list[topics.Difference]:
    """How the topic differs from what a feed needs; that it is missing is one."""
    return await topics.check(settings, [feed.topic])


async def make(settings: Settings, connection: Connection, feed: Feed, by: Signature) -> bool:
    """Make the topic and the rules, and try at once what waits; returns whether a topic was made.

    What is there already stays as it is.

    Raises:
        TopicError: Kafka refuses, or the topic has another number of partitions.
        RulesNotMade: the brokers have no rules, or this login may not make any.
        KafkaError: Kafka cannot be reached, or refuses.
    """
    made = await topics.create(settings, [feed.topic])
    await _allow(settings, feed)
    rules = list(map(str, feed.rules))
    detail = {"shop": feed.shop, "made": bool(made), "rules": rules}
    act = Act(FEED, by.actor, by.reason, topic=feed.topic.name, detail=detail)
    async with connection.transaction():
        await connection.execute(SQL["ask_feed_retries"], feed.shop)
        await audit.write(connection, [act])
    return bool(made)


async def _allow(settings: Settings, feed: Feed) -> None:
    if not feed.rules:
        return
    try:
        async with topics.admin_client(settings) as admin:
            await allow(admin, feed.rules)
    except SecurityDisabled:
        raise RulesNotMade(
            f"{settings.topic(feed.topic.name)} is there, but the brokers have no rules (ACLs): "
            "every client reads every topic. Set authorizer.class.name, or leave --reader out"
        ) from None
    except ClusterAuthorizationFailedError:
        lines = "\n".join(f"kafka-acls.sh --add {rule}" for rule in feed.rules)
        raise RulesNotMade(
            f"{settings.topic(feed.topic.name)} is there, but this login may not make rules: "
            f"allow it Alter on the cluster, or let those who may run\n{lines}"
        ) from None
