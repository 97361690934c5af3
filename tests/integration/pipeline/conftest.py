"""The stage of the pipeline's state machine."""

import pytest
from structlog.testing import capture_logs

import services.orders.unit_of_work
from services.runtime.consumer import consumer
from tests.e2e.poisoned import plant
from tests.integration.pipeline.stage import Stage


@pytest.fixture
def stage(database_url, monkeypatch):
    """The orders service on a database of the test's own, with a bug that can be mended."""
    stage = Stage(database_url)
    buggy = plant(services.orders.unit_of_work, lambda: stage.is_mended)
    monkeypatch.setattr(services.orders.unit_of_work, "decide", buggy)
    monkeypatch.setattr(consumer, "backoff_seconds", lambda _: 0)
    with capture_logs():
        yield stage
    stage.close()
