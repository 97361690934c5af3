"""Feeds on a broker with rules (ACLs): each reader reads the topic of its shop, and no other."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from deploy.stack.kafka import Kafka
from orderflow.console.environment import load_settings
from schemas.topics import SHIPMENTS_EVENTS, feed_topic
from services.runtime.config.settings import Settings as Loaded
from services.runtime.kafka.clients import client_options
from tests.integration.deliveries.conftest import an_event
from tests.integration.deliveries.feeds import a_feed, publishing

from .conftest import Run, Serve, Settings
from .rules import OPERATIONS, TOPICS_BY_PREFIX, documented, give

pytestmark = [pytest.mark.stack, pytest.mark.slow]
WHY = ("--why", "a test")
SECONDS = 60


@pytest.fixture
async def rules(broker: Kafka, topic_prefix: str, project_folder: Path) -> None:
    """Exactly the rights of the operators' page for each user."""
    await give(broker.bootstrap_servers, topic_prefix, documented(project_folder))


def loaded(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> Loaded:
    """Settings as a process with this environment has them."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return load_settings()


@asynccontextmanager
async def reading(settings: Loaded, topic: str, group: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of a group."""
    consumer = AIOKafkaConsumer(
        settings.topic(topic),
        **client_options(settings),
        group_id=settings.kafka_topic_prefix + group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def first_record(settings: Loaded, topic: str, group: str) -> bytes:
    """The first record that a group reads, committed."""
    async with asyncio.timeout(SECONDS), reading(settings, topic, group) as consumer:
        record = await consumer.getone()
        await consumer.commit()
        value: bytes = record.value
        return value


@pytest.mark.usefixtures("rules")
def test_feed_is_read_by_the_reader_of_its_shop_alone(
    run: Run,
    login: Settings,
    serve: Serve,
    inside: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(login("operator"), "topics", "create").exit_code == 0
    for shop, reader in (("shop-a", "erp_a"), ("shop-b", "erp_b")):
        made = run(
            login("operator"), "destinations", "feed", shop, "--reader", f"User:{reader}", *WHY
        )
        assert made.exit_code == 0, made.output
    service = serve("deliveries", login("deliveries"))
    service.wait_ready()
    for shop in ("shop-a", "shop-b"):
        line = {"type": "destination.upsert", "key": shop, "value": a_feed(shop=shop)}
        sent = run(login("shop"), "send", "-", "--wait", input=_json(line))
        assert sent.exit_code == 0, sent.output
    asyncio.run(_publish(loaded(monkeypatch, inside)))

    own = loaded(monkeypatch, login("erp_a"))
    feed_a, feed_b = feed_topic("shop-a").name, feed_topic("shop-b").name
    value = asyncio.run(first_record(own, feed_a, "shop.shop-a:erp"))
    other = loaded(monkeypatch, login("erp_b"))
    of_other = asyncio.run(first_record(other, feed_b, "shop.shop-b:erp"))

    assert b'"shop-a"' in value
    assert b'"shop-b"' in of_other
    refused = [
        (own, feed_b, "shop.shop-a:erp", TopicAuthorizationFailedError),
        (own, SHIPMENTS_EVENTS, "shop.shop-a:erp", TopicAuthorizationFailedError),
        (own, feed_a, "shop.shop-b:erp", GroupAuthorizationFailedError),
        (other, feed_a, "shop.shop-b:erp", TopicAuthorizationFailedError),
    ]
    for settings, topic, group, error in refused:
        with pytest.raises(error):
            asyncio.run(first_record(settings, topic, group))
    service.stop()
    assert "not authorized" not in service.log.read_text()


def test_feed_whose_rules_may_not_be_made_says_which_lines_make_them(
    run: Run, login: Settings, broker: Kafka, topic_prefix: str
) -> None:
    may = ("Create", "Describe", "DescribeConfigs", "Read")
    rights = [("stranger", OPERATIONS[each], TOPICS_BY_PREFIX, "shop.") for each in may]
    asyncio.run(give(broker.bootstrap_servers, topic_prefix, rights))

    made = run(
        login("stranger"), "destinations", "feed", "demo-shop", "--reader", "User:erp_a", *WHY
    )

    assert made.exit_code == 1
    assert "Alter on the cluster" in made.output
    topic, groups = f"{topic_prefix}shop.demo-shop.events", f"{topic_prefix}shop.demo-shop:"
    assert f"--allow-principal User:erp_a --operation Read --topic {topic}" in made.output
    assert f"--group {groups} --resource-pattern-type prefixed" in made.output


def _json(line: object) -> str:
    return json.dumps(line) + "\n"


async def _publish(settings: Loaded) -> None:
    async with publishing(settings) as publish:
        for shop in ("shop-a", "shop-b"):
            await publish(SHIPMENTS_EVENTS, an_event("1", shop=shop))
