"""`orderflow` as a person runs it, against the run's servers, with topics of the test's own."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from typer.testing import CliRunner, Result

import services.orders.unit_of_work
from deploy.stack import Addresses
from orderflow.main import app
from services.orders.handler import OrdersBatch
from services.runtime.batch.batch import Batch
from services.runtime.config.settings import Settings
from services.runtime.messages.records import Original
from services.runtime.observability.metrics import Metrics
from services.runtime.postgres.connections import connect
from tests.e2e.poisoned import plant_until_mended

Run = Callable[..., Result]
Database = Callable[..., list[asyncpg.Record]]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATE = NOW + timedelta(minutes=16)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch, stack: Addresses, topic_prefix: str) -> None:
    """The environment names the run's Kafka, and its Postgres with no service's tables."""
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KAFKA_TOPIC_PREFIX", topic_prefix)
    monkeypatch.setenv("KAFKA_PARTITIONS", "3")


@pytest.fixture
def run(servers: None) -> Run:
    """Run `orderflow` with arguments; `input` is its stdin."""

    def invoke(*arguments: str, **options: str) -> Result:
        return CliRunner().invoke(app, list(arguments), **options)

    return invoke


@pytest.fixture
def topics(run: Run) -> None:
    """The catalogue's topics, with three partitions each."""
    result = run("topics", "create")
    assert result.exit_code == 0, result.output


@pytest.fixture
def service(database_url: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The database of this test, for the commands too."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    return Settings(database_url=database_url, http_port=0)


@pytest.fixture
def database(service: Settings, database_url: str) -> Database:
    """Runs a statement as the owner."""

    def execute(statement: str, *arguments: object) -> list[asyncpg.Record]:
        async def do() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(database_url)
            try:
                rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
                return rows
            finally:
                await connection.close()

        return asyncio.run(do())

    return execute


@pytest.fixture
def work(service: Settings) -> Callable[..., None]:
    """What the orders service does with records; `sweep` ends what has waited until then."""

    async def do(records: tuple[Original, ...], sweep: bool) -> None:
        batches = OrdersBatch(service, Metrics())
        connection = await connect(service, "orders")
        async with connection.transaction():
            if records:
                await batches.apply(connection, Batch(records, NOW))
            if sweep:
                await batches.sweep(connection, Batch((), LATE))
        await connection.close()

    def run_it(*records: Original, sweep: bool = False) -> None:
        asyncio.run(do(records, sweep))

    return run_it


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """A bug that meets whatever says POISON, until it is mended."""
    return plant_until_mended(monkeypatch, services.orders.unit_of_work)
