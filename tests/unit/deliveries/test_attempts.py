"""Attempts: an error concerns one event; what ends without a result is not forgotten."""

import asyncio

import pytest

from services.deliveries.domain.schedule import Answer
from services.deliveries.network.client import WebhookClient
from services.deliveries.network.urls import NetworkRules
from services.deliveries.sending.attempts import Attempts
from services.deliveries.sending.request import Requests
from services.runtime.clock import ClockError, FileClock, SystemClock
from services.runtime.config.settings import Settings
from tests.unit.deliveries.test_request import BODY, KEY, ROW, a_target


@pytest.fixture
async def client():
    """A client that may reach no network of this machine."""
    opened = WebhookClient(NetworkRules(), connections=2)
    yield opened
    await opened.close()


async def taken(client, body, clock):
    """The answer of one attempt."""
    ended = asyncio.Event()
    attempts = Attempts(Requests(Settings(deliveries_key=KEY)), clock, ended.set)
    attempts.start(client, ROW, a_target(url="https://127.0.0.1/"), body)
    await ended.wait()
    return attempts.take()


@pytest.mark.parametrize("body", [None, BODY], ids=["no body", "address not public"])
async def test_attempt_without_a_request_has_a_result(client, body):
    (attempt,) = await taken(client, body, SystemClock())

    assert isinstance(attempt.answer, Answer)
    assert attempt.answer.status is None


async def test_attempt_that_ends_without_a_result_is_raised(client, tmp_path):
    with pytest.raises(ClockError):
        await taken(client, BODY, FileClock(tmp_path / "no file"))
