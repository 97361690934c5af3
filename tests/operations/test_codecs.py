"""KAFKA_COMPRESSION_TYPE: what a service publishes is read by Kafka's own client, in Java."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from demo.replicas import Replica
from deploy.stack import Addresses, jars
from orderflow.main import app
from tests.integration.runtime.kafka.wire_codecs import CODECS, fetch_batches

PROGRAM = Path(__file__).parent / "codecs" / "ReadTopic.java"
ORDERS = 100
READ_SECONDS = 60


@pytest.fixture(params=[codec for codec in CODECS if codec != "none"])
def codec(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def variables(codec: str, stack: Addresses, database_url: str, topic_prefix: str) -> dict[str, str]:
    return {
        **stack.environment(),
        "DATABASE_URL": database_url,
        "KAFKA_TOPIC_PREFIX": topic_prefix,
        "KAFKA_PARTITIONS": "1",
        "KAFKA_COMPRESSION_TYPE": codec,
    }


@pytest.fixture
def service(variables: dict[str, str], tmp_path: Path) -> Iterator[Replica]:
    made = CliRunner().invoke(app, ["topics", "create"], env=variables)
    assert made.exit_code == 0, made.output
    replica = Replica("orders", "orders", tmp_path, variables)
    replica.start()
    replica.wait_ready()
    yield replica
    replica.kill()


def _values(brokers: str, topic: str) -> list[bytes]:
    """The values of a topic as Kafka's client reads them."""
    java = shutil.which("java")
    assert java is not None, "a Java (JDK 17 or later) must be on PATH"
    path = f"{jars.fetch(jars.cache_folder())}/*"
    done = subprocess.run(
        [java, "-Xmx256m", "-cp", path, str(PROGRAM), brokers, topic],
        capture_output=True,
        timeout=READ_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.splitlines()


def test_codec_of_published_events_is_read_by_kafkas_own_client(
    codec: str, service: Replica, variables: dict[str, str], topic_prefix: str
) -> None:
    lines = [
        {
            "type": "order.place",
            "value": {
                "shop_slug": "demo-shop",
                "order": {"order_number": str(n), "address": {"zip_code": "10115", "city": "Köln"}},
            },
        }
        for n in range(ORDERS)
    ]
    text = "\n".join(map(json.dumps, lines))
    sent = CliRunner().invoke(app, ["send", "-", "--wait"], env=variables, input=text)
    assert sent.exit_code == 0, sent.output

    brokers, topic = variables["KAFKA_BOOTSTRAP_SERVERS"], f"{topic_prefix}orders.events"
    found = [json.loads(value) for value in _values(brokers, topic)]

    numbers = {event["context"]["order"]["order_number"] for event in found}
    assert numbers == {str(n) for n in range(ORDERS)}
    batches = asyncio.run(fetch_batches(brokers, topic, 1))
    assert {batch.codec for batch in batches if batch.records > 9} == {codec}
