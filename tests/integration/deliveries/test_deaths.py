"""A process of deliveries that is killed while it sends loses nothing and keeps the order."""

import asyncio
import itertools
import json
import os
import random
import subprocess
import sys
from collections import defaultdict
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.deliveries.conftest import (
    Receiver,
    a_destination,
    an_event,
    asked,
    listening,
    until,
)

PROJECT = Path(__file__).resolve().parents[3]
ORDERS, EVENTS = 30, 5
FAILING_SHARE = 0.3
RETRY = "UPDATE deliveries.destination SET retries_now = true WHERE name = 'failing'"


@asynccontextmanager
async def process(settings, log):
    """The service in a process of its own, which is killed at the end."""
    given = settings.model_dump(mode="json", exclude_defaults=True)
    given["database_url"] = settings.database_url.get_secret_value()
    given["deliveries_key"] = settings.deliveries_key.get_secret_value()
    file = log.with_suffix(".json")
    file.write_text(json.dumps(given))
    module = "tests.integration.deliveries.deliveries_process"
    with log.open("ab") as out:
        started = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [sys.executable, "-m", module, str(file)],
            cwd=PROJECT,
            stdout=out,
            stderr=out,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )
    try:
        yield
    finally:
        started.kill()
        await asyncio.to_thread(started.wait, 10)


def by_order(receiver):
    """The sequences of each order, each once, in the order in which they arrived first."""
    found = defaultdict(dict)
    for each in receiver.requests:
        found[each.event["order_id"]].setdefault(each.event["sequence"])
    return {order: list(sequences) for order, sequences in found.items()}


def expected(events):
    """The sequences of each order, in order."""
    found = defaultdict(list)
    for each in events:
        found[each["order_id"]].append(each["sequence"])
    return dict(found)


def some_fail(seed):
    """An answer that is 503 for a part of the requests, the same part in each run."""
    dice = random.Random(seed)
    return lambda _request: 503 if dice.random() < FAILING_SHARE else 204


async def hang(_request):
    """Never answer."""
    await asyncio.Event().wait()


def taken(receiver):
    """Ids of the events that a receiver answered by 2xx."""
    return {each.headers["webhook-id"] for each in receiver.requests if each.status == 204}


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_kill_while_sending_loses_nothing_and_keeps_the_order(
    settings, command, publish, receiver, tmp_path
):
    log = tmp_path / "process.log"
    events = [an_event(str(n), k) for k in range(1, EVENTS + 1) for n in range(ORDERS)]
    ids = {each["event_id"] for each in events}
    async with listening(Receiver(some_fail(7))) as failing, listening(Receiver(hang)) as hole:
        async with process(settings, log):
            await command("destination.upsert", a_destination(receiver.url))
            await command("destination.upsert", a_destination(failing.url, "failing"))
            await command("destination.upsert", a_destination(hole.url, "hole"))
            sent = asyncio.create_task(publish(*events))
            await until(lambda: len(receiver.requests) > len(events) // 4)
        for part in itertools.count(2):
            async with process(settings, log):
                wanted = min(len(ids), part * len(ids) // 4)
                async with asyncio.timeout(90):
                    while len(taken(receiver)) < wanted or len(taken(failing)) < wanted:
                        await asked(settings, RETRY)
                        await asyncio.sleep(0.2)
            if wanted == len(ids):
                break
        await sent

    for each in (receiver, failing):
        assert by_order(each) == expected(events), log.read_text()
        assert taken(each) == ids
        assert all(r.headers["webhook-id"] == r.event["event_id"] for r in each.requests)
    assert len(hole.requests) > 0
