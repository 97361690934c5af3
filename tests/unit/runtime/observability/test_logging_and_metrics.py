"""Log entries in one form, metrics from one list, and their table in the docs."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import structlog
from prometheus_client import generate_latest

from orderflow import docs
from services.runtime.config.settings import Settings
from services.runtime.observability.logging import configure_logging
from services.runtime.observability.metrics import COUNTERS, GAUGES, HISTOGRAMS, Metrics


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def _logged(log_format: Literal["json", "console"] = "json") -> io.StringIO:
    stream = io.StringIO()
    configure_logging(Settings(log_format=log_format), stream)
    return stream


def test_log_entry_is_one_json_line_with_its_fields() -> None:
    stream = _logged()
    structlog.contextvars.bind_contextvars(order_id="o-1", trace_id="t-1")

    structlog.get_logger("services.orders").info("batch_applied", records=12)

    entry = json.loads(stream.getvalue())
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "event": "batch_applied",
        "records": 12,
        "order_id": "o-1",
        "trace_id": "t-1",
        "level": "info",
        "logger": "services.orders",
    }


def test_libraries_log_in_the_same_form() -> None:
    stream = _logged()

    logging.getLogger("asyncpg").warning("lost %s", "connection")
    logging.getLogger("aiokafka").info("chatter")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == [
        "lost connection"
    ]


def test_log_entry_keeps_a_traceback_on_its_line() -> None:
    stream = _logged()

    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().exception("decision_failed")

    (line,) = stream.getvalue().splitlines()
    assert "ValueError: broken" in json.loads(line)["exception"]


def test_log_entry_in_console_form_is_text() -> None:
    stream = _logged("console")

    structlog.get_logger().info("batch_applied", records=12)

    assert "batch_applied" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_metrics_are_those_that_are_listed() -> None:
    metrics = Metrics()
    listed = {spec.name for spec in (*GAUGES, *COUNTERS, *HISTOGRAMS)}

    assert {name for name in vars(metrics) if name != "registry"} == listed
    text = generate_latest(metrics.registry).decode()
    for name in listed:
        assert f"# HELP orderflow_{name} " in text


def test_metrics_of_two_registries_are_separate() -> None:
    first, second = Metrics(), Metrics()

    first.outbox_rows.labels("orders").set(3)

    assert "orderflow_outbox_rows{" not in generate_latest(second.registry).decode()


def test_metrics_begin_counters_of_a_service_at_0() -> None:
    metrics = Metrics()

    metrics.begin_counters("orders")

    text = generate_latest(metrics.registry).decode()
    assert 'orderflow_fence_refusals_total{service="orders"} 0.0' in text
    assert 'orderflow_transient_retries_total{service="orders"} 0.0' in text


@pytest.mark.parametrize("name", docs.PAGES)
def test_page_with_generated_tables_is_up_to_date(name: str) -> None:
    page = (docs.DOCS / name).read_text(encoding="utf-8")

    assert docs.filled(name, page) == page, "run `python -m orderflow.docs`"


def test_metrics_are_all_set_by_something() -> None:
    project = Path(__file__).resolve().parents[4]
    files = [f for f in (project / "services").rglob("*.py") if f.name != "telemetry.py"]
    code = "\n".join(file.read_text() for file in files)

    specs = (*GAUGES, *COUNTERS, *HISTOGRAMS)
    assert [spec.name for spec in specs if f".{spec.name}" not in code] == []
