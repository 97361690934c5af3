"""`orderflow destinations feed`, and the page that shows a reader."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orderflow.main import app
from schemas.topics import EVENT_RETENTION_MS, SHIPMENTS_EVENTS, feed_topic
from services.runtime.kafka import topics
from tests.integration.deliveries.conftest import SHOP, an_event, asked, until_row
from tests.integration.deliveries.feeds import CIRCUIT_OPEN, a_feed, fed, make_feed, publishing
from tests.integration.deliveries.test_deliveries import UPSERT

TOPIC = feed_topic(SHOP)
WHY = ("--why", "a test")
ACTS = "SELECT act, actor, topic, detail FROM deliveries.operator_act"


@pytest.fixture
def run(settings):
    """Runs `orderflow destinations feed`, in a thread: commands have a loop of their own."""
    environment = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
    }

    async def one(*arguments):
        words = ["destinations", "feed", *arguments]
        return await asyncio.to_thread(CliRunner().invoke, app, words, env=environment)

    return one


async def test_feed_command_makes_the_topic_as_those_of_events_are(settings, run):
    made = await run(SHOP, *WHY, "--by", "eva")
    again = await run(SHOP, *WHY)

    assert (made.exit_code, again.exit_code) == (0, 0), made.output + again.output
    assert f"feed={settings.topic(TOPIC.name)} created" in made.output
    assert "present" in again.output
    assert await topics.check(settings, [TOPIC]) == []
    assert TOPIC.retention_ms == EVENT_RETENTION_MS
    (act, *_) = await asked(settings, ACTS)
    assert (act["act"], act["actor"], act["topic"]) == ("destinations.feed", "eva", TOPIC.name)


async def test_feed_command_lets_what_waits_be_written_at_once(settings, running, command, run):
    await command(UPSERT, a_feed())
    async with publishing(settings) as publish:
        await publish(SHIPMENTS_EVENTS, *(an_event(str(n)) for n in range(6)))
    await until_row(settings, CIRCUIT_OPEN)

    await run(SHOP, *WHY)

    assert len(await fed(settings, 6)) == 6


async def test_feed_command_that_is_only_tried_makes_nothing(settings, run):
    tried = await run(SHOP, "--reader", "User:erp", "--dry-run")

    topic, groups = settings.topic(TOPIC.name), settings.topic(f"shop.{SHOP}:")
    assert tried.exit_code == 0, tried.output
    assert f"to allow --allow-principal User:erp --operation Read --topic {topic}" in tried.output
    assert f"--group {groups} --resource-pattern-type prefixed" in tried.output
    assert f"feed={topic} to make" in tried.output
    assert [each.is_missing for each in await topics.check(settings, [TOPIC])] == [True]
    assert await asked(settings, ACTS) == []


async def test_feed_command_says_where_brokers_have_no_rules(settings, run):
    made = await run(SHOP, "--reader", "User:erp", *WHY)

    assert made.exit_code == 1
    assert "the brokers have no rules (ACLs)" in made.output
    assert await topics.check(settings, [TOPIC]) == []


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (("No Shop",), "no slug of a shop"),
        ((SHOP, "--reader", "erp"), "write User:NAME"),
        ((SHOP, "--reader", "User:*"), "write User:NAME"),
        ((SHOP, "--group-prefix", " "), "groups of all shops"),
    ],
    ids=["no slug", "no kind of principal", "all logins", "all groups"],
)
async def test_feed_command_refuses(settings, run, arguments, fact):
    refused = await run(*arguments, *WHY)

    assert refused.exit_code == 2
    assert fact in refused.output
    assert (await topics.check(settings, [TOPIC]))[0].is_missing


async def test_reader_of_the_page_prints_an_event(
    settings, running, command, tmp_path, project_folder
):
    page = (project_folder / "docs/contract/feeds.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    script = tmp_path / "reader.py"
    script.write_text(code, "utf-8")
    await make_feed(settings)
    await command(UPSERT, a_feed())
    event = an_event()
    async with publishing(settings) as publish:
        await publish(SHIPMENTS_EVENTS, event)

    printed = await _first_line(script, settings)

    assert printed == f"{event['event_name']} {event['order_id']}"


async def _first_line(script: Path, settings) -> str:
    """The first line that a program prints; the program is ended then."""
    environment = {
        **os.environ,
        "SERVERS": settings.kafka_bootstrap_servers,
        "TOPIC": settings.topic(TOPIC.name),
    }
    program = await asyncio.create_subprocess_exec(
        sys.executable, script, env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            return (await program.stdout.readline()).decode().strip()
    finally:
        program.kill()
        await program.wait()
