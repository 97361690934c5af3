"""No client of a process makes a topic, also where brokers would make missing ones."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.stack import jars, java
from deploy.stack.kafka import Kafka

pytestmark = [pytest.mark.stack, pytest.mark.slow]
SENDS = """
import asyncio, sys
from aiokafka import AIOKafkaProducer
from services.runtime.kafka.compat import topic_creation

async def main(server, topic, is_patched):
    if is_patched == "patched":
        topic_creation.install()
    producer = AIOKafkaProducer(bootstrap_servers=server, request_timeout_ms=3_000)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"value")
        print("written")
    except Exception as error:
        print(type(error).__name__)
    finally:
        await producer.stop()

asyncio.run(main(*sys.argv[1:]))
"""


class AutoCreating(Kafka):
    """A broker with Kafka's default for missing topics."""

    def _write_properties(self) -> Path:
        properties = super()._write_properties()
        text = properties.read_text("utf-8")
        assert "auto.create.topics.enable=false" in text
        properties.write_text(text.replace("topics.enable=false", "topics.enable=true"), "utf-8")
        return properties


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker that makes missing topics."""
    folder = tmp_path_factory.mktemp("creating") / "kafka"
    kafka = AutoCreating(folder, java=java.find(), jars=jars.fetch(jars.cache_folder()))
    kafka.start()
    yield kafka
    kafka.stop()


def _sent(broker: Kafka, topic: str, how: str, folder: Path) -> str:
    """What a process of its own prints: the change is one of the process."""
    words = [sys.executable, "-c", SENDS, broker.bootstrap_servers, topic, how]
    return subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


@pytest.mark.parametrize(
    ("how", "said"), [("as it is", "written"), ("patched", "UnknownTopicOrPartitionError")]
)
def test_topic_that_is_missing_is_made_only_by_a_client_as_it_is(
    broker: Kafka, project_folder: Path, how: str, said: str
) -> None:
    assert _sent(broker, f"missing-{how.replace(' ', '-')}", how, project_folder) == said
