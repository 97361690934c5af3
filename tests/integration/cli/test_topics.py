"""`orderflow topics` on a real Kafka."""

import asyncio
import json
from dataclasses import replace

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from typer.testing import Result

from schemas.topics import (
    CARRIER_TRACKING,
    CATALOGUE,
    DAY_MS,
    ORDERS_EVENTS,
    ORDERS_STATE,
    TOPICS,
)
from services.runtime.config.settings import Settings
from services.runtime.kafka.compat.incremental_configs import set_topic_settings
from services.runtime.kafka.topic_settings import RETENTION
from services.runtime.kafka.topics import INSTALLED, admin_client, check, create

from .conftest import Run

DEADLINE_SECONDS = 30.0
DAYS = "ORDERFLOW_TRACKING_RETENTION_DAYS"


def _last_line(result: Result) -> str:
    return result.stdout.splitlines()[-1]


def test_topics_are_created_once_and_then_left_unchanged(run: Run, topic_prefix: str) -> None:
    made = run("topics", "create", "--json")
    again = run("topics", "create")
    checked = run("topics", "check")

    names = {topic_prefix + topic.name for topic in INSTALLED}
    assert set(json.loads(made.stdout)["created"]) == names
    assert _last_line(again) == f"topics: created=0 present={len(INSTALLED)}"
    assert _last_line(checked) == f"topics: checked={len(INSTALLED)} different=0"
    assert [made.exit_code, again.exit_code, checked.exit_code] == [0, 0, 0]


def test_topic_of_states_is_made_to_be_compacted(
    run: Run, topics: None, kafka_bootstrap_servers: str, topic_prefix: str
) -> None:
    name = topic_prefix + ORDERS_STATE

    found = asyncio.run(_settings(kafka_bootstrap_servers, name))

    wanted = {"cleanup.policy": "compact", **TOPICS[ORDERS_STATE].compaction}
    assert {setting: found[setting] for setting in wanted} == wanted
    assert int(found["max.compaction.lag.ms"]) == DAY_MS
    assert int(found["delete.retention.ms"]) == TOPICS[ORDERS_EVENTS].retention_ms


async def _settings(servers: str, topic: str) -> dict[str, str]:
    async with admin_client(Settings(kafka_bootstrap_servers=servers)) as admin:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    ((*_, entries),) = answer.resources
    return {entry[0]: entry[1] for entry in entries}


def test_topics_are_listed_for_people_and_for_scripts(run: Run) -> None:
    table, lines = run("topics", "list").stdout, run("topics", "list", "--json").stdout

    found = [json.loads(line) for line in lines.splitlines()]
    assert [each["topic"] for each in found] == [topic.name for topic in CATALOGUE]
    assert all(name in table for name in ("orders.commands", "analytics.rejected"))
    assert found[0]["retention_days"] == 7


def test_topics_that_are_missing_are_named_with_the_way_out(run: Run, topic_prefix: str) -> None:
    result = run("topics", "check")

    assert result.exit_code == 1
    assert f"FAIL {topic_prefix}orders.commands: is missing; run `orderflow" in result.stdout


def test_topics_with_another_number_of_partitions_are_an_error(
    run: Run, topics: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_PARTITIONS", "4")

    checked, created = run("topics", "check"), run("topics", "create")

    assert [checked.exit_code, created.exit_code] == [1, 1]
    assert "has 3 partitions, KAFKA_PARTITIONS says 4" in checked.stdout
    assert "may overtake the ones before" in created.stderr


def test_topics_with_another_retention_are_reported_and_no_error(
    kafka_bootstrap_servers: str, topic_prefix: str
) -> None:
    settings = Settings(
        kafka_bootstrap_servers=kafka_bootstrap_servers,
        kafka_topic_prefix=topic_prefix,
        kafka_partitions=1,
    )
    shorter = replace(CATALOGUE[0], retention_ms=60_000)
    asyncio.run(create(settings, [shorter]))

    (difference,) = asyncio.run(check(settings, CATALOGUE[:1]))

    assert not difference.is_fatal
    said = "retention.ms is 60000 (0.0006944 days), wanted is 604800000 (7 days)"
    assert f"{said}; `orderflow topics apply` sets it" in str(difference)


@pytest.fixture
def made_before(run: Run, kafka_bootstrap_servers: str, topic_prefix: str) -> Settings:
    """Topics of a version that kept tracking for 7 days and events without end, and of today."""
    settings = Settings(
        kafka_bootstrap_servers=kafka_bootstrap_servers,
        kafka_topic_prefix=topic_prefix,
        kafka_partitions=3,
    )
    days = {CARRIER_TRACKING: 7 * DAY_MS, ORDERS_EVENTS: -1}
    before = [replace(TOPICS[name], retention_ms=kept) for name, kept in days.items()]
    asyncio.run(create(settings, before))
    assert run("topics", "create", "--json").exit_code == 0
    return settings


def test_topics_made_with_another_retention_are_named_by_create(
    run: Run, made_before: Settings
) -> None:
    found = run("topics", "create")

    tracking = f"{made_before.kafka_topic_prefix}carrier.tracking"
    assert found.exit_code == 0
    assert f"note     {tracking}: retention.ms is 604800000 (7 days)" in found.stdout


def test_topics_get_the_settings_of_the_catalogue_and_keep_their_own(
    run: Run, made_before: Settings, topic_prefix: str
) -> None:
    tracking, events = topic_prefix + CARRIER_TRACKING, topic_prefix + ORDERS_EVENTS
    asyncio.run(_set(made_before, tracking, "segment.bytes", "2097152"))

    shown = run("topics", "apply", "--dry-run")
    still = run("topics", "check")
    applied = run("topics", "apply")
    shortened = run("topics", "apply", "--shorten", "--json")
    checked = run("topics", "check")

    change = "retention.ms is 604800000 (7 days), wanted is 5184000000 (60 days)"
    assert f"to set {tracking}: {change}" in shown.stdout
    assert (_last_line(shown), shown.exit_code) == ("topics: changed=0 left=1", 1)
    assert _last_line(still).endswith("different=2")
    assert f"set    {tracking}: {change}" in applied.stdout
    assert f"left   {events}: retention.ms is -1 (without end)" in applied.stdout
    assert (_last_line(applied), applied.exit_code) == ("topics: changed=1 left=1", 1)
    (changed,) = json.loads(shortened.stdout)["changed"]
    assert (changed["topic"], changed["present"], shortened.exit_code) == (events, "-1", 0)
    assert _last_line(checked).endswith("different=0")
    assert asyncio.run(_setting(made_before, tracking, "segment.bytes")) == "2097152"


def test_topics_keep_tracking_for_as_long_as_the_setting_says(
    run: Run, servers: None, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def until_kept(days: int) -> None:
        settings, topic = Settings.from_environment(), topic_prefix + CARRIER_TRACKING
        asyncio.run(_until_set(settings, topic, RETENTION, str(days * DAY_MS)))

    monkeypatch.setenv(DAYS, "90")
    made = run("topics", "create")
    until_kept(90)
    checked = run("topics", "check")
    listed = [json.loads(line) for line in run("topics", "list", "--json").stdout.splitlines()]
    monkeypatch.setenv(DAYS, "75")
    different, left = run("topics", "check"), run("topics", "apply")
    shortened = run("topics", "apply", "--shorten")
    until_kept(75)
    checked_again = run("topics", "check")

    assert made.exit_code == 0
    assert _last_line(checked).endswith("different=0")
    assert next(t for t in listed if t["topic"] == CARRIER_TRACKING)["retention_days"] == 90
    assert f"wanted is {75 * DAY_MS} (75 days)" in different.stdout
    assert f"set {DAYS} to keep another" in different.stdout
    assert (_last_line(left), left.exit_code) == ("topics: changed=0 left=1", 1)
    assert shortened.exit_code == 0
    assert _last_line(checked_again).endswith("different=0")


def test_topics_warn_of_tracking_kept_for_less_time_than_it_waits(
    run: Run, topics: None, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = run("topics", "check")
    monkeypatch.setenv(DAYS, "30")

    warned = run("topics", "check", "--json")

    assert quiet.stderr == ""
    assert f"warning: {DAYS}=30 keeps {topic_prefix}carrier.tracking for less" in warned.stderr
    assert warned.exit_code == 0
    assert len(json.loads(warned.stdout)) == 1


async def _set(settings: Settings, topic: str, name: str, value: str) -> None:
    async with admin_client(settings) as admin:
        assert await set_topic_settings(admin, {topic: {name: value}}) == [(topic, 0, "")]


async def _until_set(settings: Settings, topic: str, name: str, value: str) -> None:
    """Wait until the broker answers with a value: it takes a change over a moment later."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await _setting(settings, topic, name) != value:
            pass


async def _setting(settings: Settings, topic: str, name: str) -> str:
    async with admin_client(settings) as admin:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        (answer,) = await admin.describe_configs([resource])
        ((*_, entries),) = answer.resources
        return next(entry[1] for entry in entries if entry[0] == name)


async def test_topics_can_be_created_concurrently(
    kafka_bootstrap_servers: str, topic_prefix: str
) -> None:
    settings = Settings(
        kafka_bootstrap_servers=kafka_bootstrap_servers,
        kafka_topic_prefix=topic_prefix,
        kafka_partitions=2,
    )

    await asyncio.gather(create(settings), create(settings), create(settings))

    assert await check(settings) == []


def test_topics_with_more_replicas_than_brokers_are_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_REPLICATION_FACTOR", "9")

    result = run("topics", "create")

    assert result.exit_code == 1
    assert "KAFKA_REPLICATION_FACTOR must not exceed its brokers" in result.stderr
    assert "Traceback" not in result.output


def test_topics_without_kafka_end_in_an_error_without_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")

    result = run("topics", "check")

    assert result.exit_code == 1
    assert "KAFKA_BOOTSTRAP_SERVERS" in result.stderr
