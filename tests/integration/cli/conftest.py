"""`orderflow` as a person runs it, against the run's servers, with topics of the test's own."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from deploy.stack import Addresses
from orderflow.main import app

Run = Callable[..., Result]


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
