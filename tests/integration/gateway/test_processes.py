"""`orderflow serve gateway --processes 2`: both take requests on one port."""

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path

import httpx
import pytest

from deploy.stack.machine import free_port

from .conftest import until

pytestmark = [pytest.mark.slow]
ANSWERED = re.compile(r'orderflow_http_requests_total\{process="(\d)",.*status="404"\} (\d+)')


def port_in(log: Path) -> int | None:
    """The port for health and metrics, once the log has it."""
    for line in log.read_text().splitlines():
        if "http_listening" in line:
            return int(json.loads(line)["port"])
    return None


async def test_processes_of_a_gateway_share_its_port(settings, tmp_path):
    log, port = tmp_path / "gateway.log", free_port()
    with log.open("wb") as stream:
        parent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orderflow", "serve", "gateway", "--processes", "2"),
            env=os.environ
            | {
                "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
                "KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
                "DATABASE_URL": settings.database_url.get_secret_value(),
                "HTTP_PORT": "0",
                "ORDERFLOW_GATEWAY_PORT": str(port),
            },
            stdout=stream,
            stderr=stream,
        )
    try:
        await until(lambda: port_in(log) is not None)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port_in(log)}") as health:
            while (await health.get("/health/ready")).status_code != 200:
                await asyncio.sleep(0.05)
            for _ in range(60):  # A connection each: the kernel chooses the process.
                async with httpx.AsyncClient() as client:
                    answer = await client.post(f"http://127.0.0.1:{port}/carriers/none")
                assert answer.status_code == 404
            metrics = (await health.get("/metrics")).text
    finally:
        parent.send_signal(signal.SIGTERM)
        status = await parent.wait()
    answered = {int(process): int(count) for process, count in ANSWERED.findall(metrics)}

    assert answered.keys() == {1, 2}
    assert sum(answered.values()) == 60
    assert status == 0
