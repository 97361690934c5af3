"""A connection of the analytics service to a database for one test."""

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from services.analytics.handler import EventBatches
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from services.runtime.postgres.connections import connect


@pytest.fixture
def settings(stack, database_url, topic_prefix):
    """Settings of a process on this test's database and topics."""
    return Settings(
        database_url=database_url,
        kafka_bootstrap_servers=stack.kafka_bootstrap_servers,
        kafka_topic_prefix=topic_prefix,
        http_port=0,
    )


@pytest.fixture
async def connection(settings) -> asyncpg.Connection:
    """A connection with the service's role, schema and limits."""
    connection = await connect(settings, "analytics", "test")
    yield connection
    await connection.close()


@pytest.fixture
def batches(settings):
    """The handler of the service, with separate metrics."""
    return EventBatches(settings, Metrics(CollectorRegistry()))
