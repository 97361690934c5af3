"""The parent of several processes: what its port answers while they start, and when one is silent.

The children are small programs: one that never listens, and one that answers once. They are real
processes under the real parent.
"""

import asyncio
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import pytest

from services.runtime.observability.listener import listen
from services.runtime.processes import health_proxy
from services.runtime.processes.health_proxy import LIVE, METRICS, READY, report_without_answer
from services.runtime.processes.supervisor import Inherited, Plan

DEADLINE_SECONDS = 30
CHILD = """
import os, socket, sys
number, listener, parent_pipe = map(int, sys.argv[-1].split(","))
if "answer" in sys.argv:
    ports = socket.socket(fileno=listener)
    ports.listen()
    connection, _ = ports.accept()
    ports.close()  # Before the answer: nothing listens once it is read.
    connection.recv(1000)
    body = b'{"status": "ok", "checks": {"orders.consuming": {"ok": true, "detail": "polls"}}}'
    connection.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n" + body)
    connection.close()
os.read(parent_pipe, 1)
"""


class Parent:
    """A parent of one child, and what its port says."""

    def __init__(self, *arguments: str) -> None:
        with listen("127.0.0.1", 0) as listener:
            listener.set_inheritable(True)
            self.port = listener.getsockname()[1]
            plan = Plan(
                processes=1,
                command=[sys.executable, "-c", CHILD, *arguments],
                listener=listener.fileno(),
                drain_seconds=1.0,
                log_format="json",
                log_level="INFO",
            )
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "services.runtime.processes.supervisor",
                    json.dumps(asdict(plan)),
                ],
                pass_fds=(listener.fileno(),),
                stderr=subprocess.PIPE,
                text=True,
            )

    def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def check(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status, and the checks of a health report."""
        status, body = self.ask(path)
        return status, json.loads(body)["checks"]


@contextmanager
def parent(*arguments: str) -> Iterator[Parent]:
    started = Parent(*arguments)
    try:
        yield started
    finally:
        started.process.terminate()
        _, output = started.process.communicate(timeout=DEADLINE_SECONDS)
        assert started.process.returncode == 0, output


def test_supervisor_is_alive_and_not_ready_while_a_process_starts() -> None:
    with parent() as asked:
        live, ready = asked.check(LIVE), asked.check(READY)

    assert live == (200, {"1.process": {"ok": True, "detail": "starting"}})
    assert ready[0] == 503
    assert ready[1]["1.process"]["detail"].startswith("has not started yet: ConnectionRefused")


def test_process_that_answers_no_more_is_not_alive() -> None:
    with parent("answer") as asked:
        status, checks = asked.check(LIVE)
        while "1.orders.consuming" not in checks:  # Its start; bounded by the test's timeout.
            assert status == 200
            status, checks = asked.check(LIVE)
        after, silence = asked.check(LIVE)

    assert (status, after) == (200, 503)
    assert silence["1.process"]["detail"].startswith("does not answer: ConnectionRefused")


def test_health_proxy_refuses_other_requests_and_goes_on() -> None:
    with parent() as asked:
        assert asked.ask("/elsewhere") == (404, "")
        assert asked.ask(LIVE, "POST")[0] == 405
        assert asked.ask(f"{LIVE}?now", "HEAD") == (200, "")
        assert asked.ask(METRICS) == (200, "")
        assert asyncio.run(_answer_to(asked.port, b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 405")
        assert asyncio.run(_answer_to(asked.port, b"x" * 100_000)) == b""
        assert asked.check(LIVE)[0] == 200


async def _answer_to(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await reader.read(-1)
    except ConnectionResetError:  # Closed with some of the request unread.
        return b""
    finally:
        writer.close()


async def _answer_much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Metrics of more bytes than the sockets of both ends hold."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n# HELP much Much.\n# TYPE much gauge\n")
    writer.writelines(b'much{line="%d"} 1\n' % line for line in range(500_000))
    await writer.drain()
    writer.close()


async def _write_until_refused(writer: asyncio.StreamWriter) -> None:
    """Raises ConnectionError as soon as the other end has let go of the connection."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)


async def test_health_proxy_drops_a_client_that_reads_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health_proxy, "REQUEST_SECONDS", 0.5)
    process = await asyncio.start_server(_answer_much, "127.0.0.1", 0)
    listener = listen("127.0.0.1", 0)
    backend = health_proxy.Backend(1, process.sockets[0].getsockname()[1])
    async with await health_proxy.serve_proxy([backend], listener), process:
        reader, writer = await asyncio.open_connection(*listener.getsockname(), limit=1)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")

        assert await reader.read(12) == b"HTTP/1.1 200"
        with pytest.raises(ConnectionError):
            await _write_until_refused(writer)


async def test_process_that_answers_nonsense_gives_an_error_and_has_started() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 No\r\n\r\n" + (b"\xff" if METRICS.encode() in head else b"No"))
        writer.close()

    process = await asyncio.start_server(answer, "127.0.0.1", 0)
    listener = listen("127.0.0.1", 0)
    backend = health_proxy.Backend(1, process.sockets[0].getsockname()[1])
    async with await health_proxy.serve_proxy([backend], listener), process:
        port = listener.getsockname()[1]
        live = await _answer_to(port, f"GET {LIVE} HTTP/1.1\r\n\r\n".encode())
        metrics = await _answer_to(port, f"GET {METRICS} HTTP/1.1\r\n\r\n".encode())

    assert live.startswith(b"HTTP/1.1 503")
    assert metrics.startswith(b"HTTP/1.1 500")
    assert backend.has_answered


def test_process_that_starts_for_too_long_is_not_alive() -> None:
    late = report_without_answer(LIVE, "refused", is_starting=False)

    assert late["status"] == "failing"
    assert late["checks"]["process"] == {"ok": False, "detail": "does not answer: refused"}


def test_inherited_values_can_be_written_and_read() -> None:
    assert Inherited.parse(str(Inherited(3, 7, 9))) == Inherited(3, 7, 9)
