"""`orderflow up` and `down`: the whole system left running, found by other commands, stopped."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner, Result

from deploy.stack.machine import free_port
from orderflow.console.environment import load_settings
from orderflow.main import app

pytestmark = [pytest.mark.slow, pytest.mark.stack]


@pytest.fixture(autouse=True)
def port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> int:
    """A stack in a folder of the test's own, no servers named, and its HTTP port."""
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "KAFKA_TOPIC_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    chosen = free_port()
    monkeypatch.setenv("HTTP_PORT", str(chosen))
    monkeypatch.setenv("ORDERFLOW_GATEWAY_PORT", str(free_port()))
    monkeypatch.setenv("ORDERFLOW_STACK_FOLDER", str(tmp_path / "stack"))
    return chosen


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_up_starts_everything_once_and_down_leaves_nothing(port: int) -> None:
    try:
        first = _run("up")
        status = json.loads(_run("stack", "status", "--json").stdout)
        second = _run("up", "--json")
        ready = _run("health")
        found = _run("topics", "check")
        settings = load_settings()
    finally:
        stopped = _run("down")

    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines()[-1].startswith("up: kafka=127.0.0.1:")
    assert f"health --port {port}" in first.stdout
    assert [one["name"] for one in status["processes"]] == ["postgres", "kafka", "services"]
    assert json.loads(second.stdout)["HTTP"] == f"http://127.0.0.1:{port}"
    assert (ready.exit_code, found.exit_code) == (0, 0)
    assert settings.deliveries_allow_http, "commands send to receivers here, as the services do"
    assert settings.deliveries_ports == "443,8443,9000"
    assert stopped.stdout.splitlines()[-1] == "down: stopped=services,kafka,postgres"
    assert not [one["pid"] for one in status["processes"] if psutil.pid_exists(one["pid"])]
    assert _run("stack", "status").exit_code == 1


@pytest.mark.long
def test_up_keeps_running_servers_when_services_have_died() -> None:
    try:
        assert _run("up").exit_code == 0
        before = {one["name"]: one["pid"] for one in _processes()}
        services = psutil.Process(before["services"])
        services.kill()
        psutil.wait_procs([services], timeout=60)

        status = _run("stack", "status", "--json")
        waiting = _run("outbox", "show", "orders")
        ready = _run("health")
        again = _run("up")
        after = {one["name"]: one["pid"] for one in _processes()}
    finally:
        _run("down")

    assert (status.exit_code, ready.exit_code) == (1, 1), "the services are gone"
    assert json.loads(status.stdout)["addresses"].keys() >= {"DATABASE_URL"}
    assert waiting.exit_code == 0, waiting.output
    assert again.exit_code == 0, again.output
    servers = ("postgres", "kafka")
    assert [after[name] for name in servers] == [before[name] for name in servers]
    assert after["services"] != before["services"]


# `orderflow up`; a run in the background ignores Ctrl-C, and its children inherit that.
_LISTENING_UP = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from orderflow.main import app
app(["up"], prog_name="orderflow")
"""


def _processes() -> list[dict[str, Any]]:
    return json.loads(_run("stack", "status", "--json").stdout)["processes"]


def test_up_leaves_nothing_after_ctrl_c_while_services_start() -> None:
    interrupted = subprocess.Popen(
        [sys.executable, "-c", _LISTENING_UP], stderr=subprocess.PIPE, text=True
    )
    try:
        while len(started := _processes()) < 3 and interrupted.poll() is None:
            time.sleep(0.05)
        interrupted.send_signal(signal.SIGINT)
        _, said = interrupted.communicate(timeout=60)
        left = _processes()
    finally:
        _run("down")

    assert [one["name"] for one in started] == ["postgres", "kafka", "services"]
    assert (interrupted.returncode, left) == (130, [])
    assert "stopped; nothing is left running" in said


def test_up_reports_a_taken_port_before_anything_starts(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        result = _run("up")
        left = _processes()
    _run("down")

    assert (result.exit_code, left) == (1, [])
    assert f"port {port}, where the services should listen, is taken" in result.stderr
    assert "set HTTP_PORT to a free one" in result.stderr


def test_up_needs_a_port_that_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PORT", "0")

    result = _run("up")

    assert (result.exit_code, _processes()) == (1, [])
    assert "HTTP_PORT is 0" in result.stderr


def test_down_succeeds_when_nothing_runs() -> None:
    result = _run("down")

    assert (result.exit_code, result.stdout) == (0, "down: stopped=nothing\n")


def test_up_keeps_servers_named_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092")

    result = _run("up")

    assert result.exit_code == 1
    assert "unset" in result.stderr
    assert json.loads(_run("stack", "status", "--json").stdout)["processes"] == []
