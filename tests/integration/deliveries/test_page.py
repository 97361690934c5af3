"""The receivers of docs/contract/webhooks.md, as processes, against requests of the service.

A language that is not on this machine is skipped, unless WEBHOOK_RECEIVERS names it, as
`make webhooks-test` does.
"""

import asyncio
import os
import re
import shutil
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from deploy.stack.machine import free_port
from services.deliveries.messages.encode import request_headers
from services.deliveries.secret_box import read_box
from tests.integration.deliveries.conftest import (
    DEADLINE_SECONDS,
    SHOP,
    a_destination,
    an_event,
    asked,
    until,
)

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "contract" / "webhooks.md"
PACKAGES = ROOT / "tests" / "receivers" / "node_modules"
FIND = "SELECT * FROM deliveries.destination WHERE name = 'erp'"
REQUIRED = os.environ.get("WEBHOOK_RECEIVERS", "").split()


@dataclass(frozen=True)
class Language:
    """A receiver of the page: `nth` block of its language, and the command that runs a file."""

    name: str
    fence: str
    nth: int
    file: str
    command: tuple[str, ...]

    def snippet(self):
        """The receiver, as the page has it."""
        blocks = re.findall(rf"```{self.fence}\n(.*?)```", PAGE.read_text(), re.DOTALL)
        return blocks[self.nth]

    def missing(self):
        """What is not there to run it; None: all is."""
        if shutil.which(self.command[0]) is None:
            return f"{self.command[0]} is not on this machine"
        if self.name == "package" and not (PACKAGES / "standardwebhooks").is_dir():
            return "the npm package standardwebhooks is not installed: `make webhooks-test` does"
        return None


LANGUAGES = [
    Language("python", "python", 0, "receiver.py", (sys.executable, "{file}")),
    Language("node", "js", 0, "receiver.js", ("node", "{file}")),
    Language("php", "php", 0, "receiver.php", ("php", "-S", "127.0.0.1:{port}", "{file}")),
    Language("package", "js", 1, "package.js", ("node", "{file}")),
]


@dataclass
class Running:
    """A receiver that listens; `lines` is what it printed."""

    url: str
    lines: list[str]

    async def status(self, headers, body):
        """What it answers to a request."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, headers=headers, data=body) as answer,
        ):
            return answer.status


@asynccontextmanager
async def receiver_of(language, secret, folder):
    """Run a receiver of the page with a secret, until the block ends."""
    if why := language.missing():
        if language.name in REQUIRED:
            pytest.fail(why)
        pytest.skip(why)
    file, port = folder / language.file, free_port()
    file.write_text(language.snippet())
    process = await asyncio.create_subprocess_exec(
        *(each.format(file=file, port=port) for each in language.command),
        env={**os.environ, "SECRET": secret, "PORT": str(port), "NODE_PATH": str(PACKAGES)},
        stdout=asyncio.subprocess.PIPE,
        cwd=folder,
    )
    running = Running(f"http://127.0.0.1:{port}/", [])
    reading = asyncio.create_task(read_lines(process.stdout, running.lines))
    try:
        await until_listening(port, process)
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def read_lines(stream, lines):
    """Keep what a process prints."""
    async for line in stream:
        lines.append(line.decode().strip())


async def until_listening(port, process):
    """Wait until a process accepts connections."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            assert process.returncode is None, "the receiver ended before it listened"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


def forwarding_to(running):
    """An answer of the test's receiver: that of another one, to the same request."""

    async def answer(received):
        kept = {n: v for n, v in received.headers.items() if n.lower() not in ("host", "accept")}
        return web.Response(status=await running.status(kept, received.body))

    return answer


async def secrets_of(settings):
    """The secrets of the destination, the current one first."""
    (row,) = await asked(settings, FIND)
    box = read_box(settings.deliveries_key)
    sealed = filter(None, (row["secret"], row["former_secret"]))
    return [box.decrypt(each, SHOP, "erp") for each in sealed]


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda each: each.name)
async def test_receiver_of_the_page_accepts_what_the_service_sends(
    settings, running, command, publish, receiver, tmp_path, language
):
    await command("destination.upsert", a_destination(receiver.url))
    (former,) = await secrets_of(settings)
    await command("destination.rotate_secret", {"shop_slug": SHOP, "destination_id": "erp"})
    current, _ = await secrets_of(settings)
    event = an_event(event_data={"notify": True, "carrier_text": "zugestellt: Tür, 漢字, 📦"})

    async with (
        receiver_of(language, current, tmp_path) as hook,
        receiver_of(language, former, tmp_path) as older,
    ):
        receiver.answer = forwarding_to(hook)
        await publish(event)
        await until(lambda: receiver.requests and receiver.requests[0].status)
        (request,) = receiver.requests
        assert request.status == 204
        assert await older.status(request.headers, request.body) == 204
        await until(lambda: hook.lines)
    assert hook.lines == [f"accepted shipment.scanned {event['event_id']}"]


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda each: each.name)
async def test_receiver_of_the_page_refuses_what_was_changed_or_is_old(tmp_path, language):
    secret, other = (f"whsec_{letter * 43}=" for letter in "AE")
    body, now = '{"text":"Tür 📦"}'.encode(), int(time.time())

    def signed(seconds=0, with_secret=secret):
        return request_headers([with_secret], "evt_1", body, now + seconds, {}, is_gzip=False)[0]

    right = signed()
    changes = {
        "body": (right, body + b" "),
        "time": ({**right, "webhook-timestamp": str(now + 1)}, body),
        "no time": ({**right, "webhook-timestamp": "soon"}, body),
        "id": ({**right, "webhook-id": "evt_2"}, body),
        "signature": ({**right, "webhook-signature": "v1,AAAA"}, body),
        "no signature": ({n: v for n, v in right.items() if n != "webhook-signature"}, body),
        "old": (signed(-400), body),
        "early": (signed(400), body),
        "other secret": (signed(with_secret=other), body),
    }
    async with receiver_of(language, secret, tmp_path) as hook:
        assert await hook.status(right, body) == 204
        answers = {name: await hook.status(*change) for name, change in changes.items()}
    assert answers == dict.fromkeys(changes, 401)
