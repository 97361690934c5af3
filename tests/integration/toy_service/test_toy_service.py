"""A service that is registered and written down nowhere else, on real servers.

It is the code of docs/recipes/add-a-service.md. Every command runs as a process of its own.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

DEADLINE_SECONDS = 60
ORDERFLOW = [sys.executable, "-m", "tests.integration.toy_service"]


@pytest.fixture
def environment(stack, topic_prefix, empty_database_url, project_folder):
    """Of the processes: this test's database and topics, three partitions each."""
    return (
        {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
        | stack.environment()
        | {
            "DATABASE_URL": empty_database_url,
            "KAFKA_TOPIC_PREFIX": topic_prefix,
            "KAFKA_PARTITIONS": "3",
            "HTTP_PORT": "0",
            "PYTHONPATH": str(project_folder),
        }
    )


@pytest.fixture
def orderflow(environment, project_folder):
    """Runs one command; returns what it printed."""

    def run(*arguments, input=None, status=0):  # noqa: A002 - as subprocess calls it
        done = subprocess.run(
            [*ORDERFLOW, *arguments],
            env=environment,
            cwd=project_folder,
            input=input,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def serve(orderflow, environment, project_folder, tmp_path):
    """Starts `serve stock` on migrated tables; returns the process and its port, once ready."""
    orderflow("topics", "create")
    orderflow("migrate", "stock")
    log = tmp_path / "stock.log"
    started = []

    def start():
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*ORDERFLOW, "serve", "stock"],
                env=environment,
                cwd=project_folder,
                stdout=stream,
                stderr=stream,
            )
        started.append(process)
        port = until(lambda: port_in(log), log)
        until(lambda: is_ready(orderflow, port), log)
        return process, port

    yield start
    for process in started:
        process.kill()
        process.wait(DEADLINE_SECONDS)


def until(find, log):
    """What `find` gives once it gives anything."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := find()):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return found


def port_in(log):
    """The port in the log of a service; None before it listens."""
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    return next((str(e["port"]) for e in entries if e["event"] == "http_listening"), None)


def is_ready(orderflow, port):
    try:
        return orderflow("health", "--port", port)
    except AssertionError:
        return None


def lines(*commands):
    """Commands as lines for `orderflow send`; a command is (sku, pieces)."""
    return "\n".join(
        json.dumps({"type": "stock.change", "key": str(sku), "value": {"sku": sku, "pieces": n}})
        for sku, n in commands
    )


def parked_with_one_behind(orderflow):
    """The parked item with one behind it; None while there is none."""
    shown = orderflow("parked", "list", "--service", "stock", "--json").splitlines()
    return next((one for line in shown if (one := json.loads(line))["behind"] == 1), None)


def changed(sku, *levels):
    """The values of the events of an article."""
    return [{"sku": sku, "level": level} for level in levels]


def read(orderflow, topic, count):
    """The first values of a topic."""
    shown = orderflow("tail", topic, "--from", "beginning", "--max", str(count), "--json")
    return [json.loads(line)["value"] for line in shown.splitlines()]


def test_toy_service_has_settings_and_migrations_by_its_name(orderflow):
    settings = json.loads(orderflow("settings", "--json"))
    applied = json.loads(orderflow("migrate", "stock", "--json"))["applied"]

    assert {"STOCK_DATABASE_URL", "STOCK_DATABASE_PASSWORD"} <= set(settings)
    assert applied[-1] == "stock: stock/0001_stock_level.sql"
    assert "stock: runtime/0001" in applied[0]


BLOCK = re.compile(
    r"^`(?P<file>[a-z_/0-9]+\.(?:py|sql))`:\n\n```\w+\n(?P<code>.*?)```", re.MULTILINE | re.DOTALL
)


def test_toy_service_is_the_code_that_the_recipe_shows(project_folder):
    page = (project_folder / "docs" / "recipes" / "add-a-service.md").read_text()
    folder = project_folder / "tests" / "integration" / "toy_service"

    blocks = list(BLOCK.finditer(page))

    assert len(blocks) == page.count("```python") + page.count("```sql")
    for block in blocks:
        assert block["code"] in (folder / block["file"]).read_text(), block["file"]


@pytest.mark.slow
def test_toy_service_consumes_writes_publishes_rejects_and_parks(orderflow, serve, tmp_path):
    process, port = serve()
    too_many_for_the_column = 3_000_000_000
    commands = [
        ("MUG", 5),
        ("BIG", too_many_for_the_column),
        ("MUG", -2),
        ("BIG", 1),
        ("CUP", -1),
        (7, 1),
    ]

    orderflow("send", "-", "--unchecked", input=lines(*commands))

    assert "stock.database" in orderflow("health", "--port", port)
    assert read(orderflow, "stock.events", 2) == changed("MUG", 5, 3)
    reasons = [each["reason"] for each in read(orderflow, "stock.rejected", 2)]
    assert sorted(reasons) == ["invalid_fields", "not_enough"]

    # An item that cannot be written is parked, the next one of its article behind it, until an
    # operator corrects it; the service's own code decides it then.
    parked = until(lambda: parked_with_one_behind(orderflow), tmp_path / "stock.log")
    assert parked["kind"] == "write"
    place, corrected = parked["place"], tmp_path / "corrected.json"
    act = ("parked", "edit-and-retry", place, "--service", "stock", "--value", str(corrected))
    corrected.write_text('{"sku": "BIG"}')
    orderflow(*act, "--why", "a test", status=1)
    corrected.write_text('{"sku": "BIG", "pieces": 10}')
    orderflow(*act, "--why", "a test")
    events = read(orderflow, "stock.events", 4)
    assert [each for each in events if each["sku"] == "BIG"] == changed("BIG", 10, 11)

    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE_SECONDS) == 0
    emptied = orderflow("rebuild", "stock", "--why", "a test")
    assert emptied.startswith("rebuild: service=stock stock_level=3\n")
