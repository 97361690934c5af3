"""The stage of the pipeline's state machine."""

import pytest
from structlog.testing import capture_logs

import services.orders.docket
from services.runtime import consumer
from tests.integration.pipeline.stage import Stage
from tests.poisoned import plant


@pytest.fixture
def stage(database_url, monkeypatch):
    """The orders service on a database of the test's own, with a bug that can be mended."""
    stage = Stage(database_url)
    buggy = plant(services.orders.docket, lambda: stage.is_mended)
    monkeypatch.setattr(services.orders.docket, "decide", buggy)
    monkeypatch.setattr(consumer, "backoff_seconds", lambda _: 0)
    with capture_logs():
        yield stage
    stage.close()
