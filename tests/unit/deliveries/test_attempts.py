"""Attempts: an error concerns one event; what ends without a result is not forgotten."""

import asyncio
import dataclasses
import threading

import pytest
from msgspec.structs import replace

from services.deliveries.domain.schedule import Answer
from services.deliveries.network.client import WebhookClient
from services.deliveries.network.urls import NetworkRules
from services.deliveries.sending.attempts import Attempts
from services.deliveries.sending.request import Requests
from services.deliveries.sending.transports import LARGE_BYTES, WebhookTransport
from services.runtime.clock import ClockError, FileClock, SystemClock
from services.runtime.config.settings import Settings
from tests.unit.deliveries.test_request import BODY, KEY, ROW, a_target


@pytest.fixture
async def client():
    """A client that may reach no network of this machine."""
    opened = WebhookClient(NetworkRules(), connections=2)
    yield opened
    await opened.close()


async def taken(client, body, clock, row=ROW, *, gzip=False):
    """The answer of one attempt."""
    ended = asyncio.Event()
    attempts = Attempts(clock, ended.set)
    transport = WebhookTransport(Requests(Settings(deliveries_key=KEY)), client)
    target = a_target(url="https://127.0.0.1/")
    target = dataclasses.replace(target, target=replace(target.target, gzip=gzip))
    attempts.start(transport, row, target, body)
    await ended.wait()
    return attempts.take()


@pytest.mark.parametrize("body", [None, BODY], ids=["no body", "address not public"])
async def test_attempt_without_a_request_has_a_result(client, body):
    (attempt,) = await taken(client, body, SystemClock())

    assert isinstance(attempt.answer, Answer)
    assert attempt.answer.status is None


@pytest.mark.parametrize(
    ("gzip", "body_bytes", "is_beside"),
    [(True, LARGE_BYTES, True), (True, LARGE_BYTES - 1, False), (False, LARGE_BYTES, False)],
    ids=["large", "small", "not compressed"],
)
async def test_large_body_is_compressed_beside_the_event_loop(
    client, monkeypatch, gzip, body_bytes, is_beside
):
    threads, make = [], Requests.make

    def noted(self, *arguments):
        threads.append(threading.current_thread())
        return make(self, *arguments)

    monkeypatch.setattr(Requests, "make", noted)
    row = replace(ROW, body_bytes=body_bytes)
    (attempt,) = await taken(client, BODY, SystemClock(), row, gzip=gzip)

    assert attempt.row == row
    assert [each is not threading.main_thread() for each in threads] == [is_beside]


async def test_attempt_that_ends_without_a_result_is_raised(client, tmp_path):
    with pytest.raises(ClockError):
        await taken(client, BODY, FileClock(tmp_path / "no file"))
