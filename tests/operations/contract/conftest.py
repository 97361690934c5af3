"""The packages of the contract, and topics that the services filled, for tests of the packages."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

import pytest
from anyio.from_thread import start_blocking_portal

from demo.synthetic import synthetic_script
from deploy.stack import Addresses
from tests.e2e.aftermath import read_journal, until_no_lag
from tests.operations.contract.republished import Played, Republished, republish
from tests.processes import running
from tools.contract import wheel
from tools.contract.version import of_checkout

SECONDS = 300


@pytest.fixture(scope="session")
def played(stack: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Services that have read all of a made-up shop with claims, refused messages and campaigns.

    They and their watchers run in a loop of their own, also while a test waits for a program.
    """
    folder = tmp_path_factory.mktemp("played")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(_playing(stack, folder)) as found,
    ):
        yield found


@asynccontextmanager
async def _playing(stack: Addresses, folder: Path) -> AsyncIterator[Played]:
    script = synthetic_script(209, scale=0.05)
    async with running(stack, folder, copies=1, at=script.messages[0].at) as system:
        await system.player.play(script)
        await until_no_lag(system, "orders", "claims", "analytics")
        lines = [
            {"topic": each.topic, "key": each.key, "headers": dict(each.headers)}
            | {"value": each.value.decode("utf-8", "replace")}
            for entries in (await read_journal(system)).values()
            for each in entries
        ]
        records = folder / "records.jsonl"
        records.write_text("\n".join(map(json.dumps, lines)) + "\n", "utf-8")
        installation = system.installation
        yield Played(installation.addresses.kafka_bootstrap_servers, installation.prefix, records)


@pytest.fixture(scope="session")
def built_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return wheel.build(tmp_path_factory.mktemp("wheel"), of_checkout())


def new_environment(folder: Path, requirements: Sequence[str]) -> Path:
    """Make a virtual environment with these requirements alone; returns its interpreter."""
    run(sys.executable, "-m", "venv", str(folder))
    python = folder / "bin" / "python"
    run(
        str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements
    )
    return python


def run(*command: str, cwd: Path | None = None) -> str:
    """Run a program; returns what it printed.

    Raises:
        AssertionError: it failed; with what it printed.
    """
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
async def republished(played: Played, topic_prefix: str) -> Republished:
    """Topics of this test alone, with events of the services, repeated."""
    return await republish(played, topic_prefix)


def follow(command: Sequence[str], topics: Republished, cwd: Path | None = None) -> None:
    """Run a subscriber until it printed as many lines as there are events; compare them.

    A line is topic, order, sequence, name, and the version of the order that it keeps.

    Raises:
        AssertionError: it acted on other events, in another order, or keeps another version.
    """
    environment = os.environ | {
        "SERVERS": topics.servers,
        "TOPICS": ",".join(topics.topics),
        "GROUP": f"{topics.topics[0]}.{uuid4().hex[:6]}",
    }
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        watch = threading.Timer(SECONDS, program.kill)
        watch.start()
        try:
            assert program.stdout is not None
            lines = read_events(program.stdout, topics)
        finally:
            watch.cancel()
            program.kill()
    done: dict[str, list[str]] = {}
    versions: dict[str, int] = {}
    for topic, order, sequence, name, version in lines:
        done.setdefault(f"{topic} {order}", []).append(f"{sequence} {name}")
        versions[order] = int(version)
    assert done == topics.done
    assert versions == topics.versions


def read_events(output: IO[str], topics: Republished) -> list[list[str]]:
    """The lines about events, up to as many as there must be; others are logs of the client.

    Raises:
        AssertionError: the program ended before; with what it printed.
    """
    found: list[list[str]] = []
    others: list[str] = []
    while len(found) < topics.lines:
        line = output.readline()
        assert line, "".join(others[-50:])
        if line.split(" ")[0] in topics.topics:
            found.append(line.split())
        else:
            others.append(line)
    return found


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a language on a page, in their order."""
    text = page.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
