"""The campaign's receivers of webhooks fail in their manner, and note what they got."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest

from chaos.checker.findings import Findings
from chaos.checker.ledger import Ledger
from chaos.checker.webhooks import Hook, WebhookLedger
from chaos.webhooks.destinations import DYING, HANGING, MOVING, REFUSING, STEADY
from chaos.webhooks.names import FORBIDDEN, HOST
from chaos.webhooks.receivers import Receivers, receiving
from services.deliveries.messages.signing import secret_text, signature_headers
from services.deliveries.network.resolver import AddressNotAllowed, CheckedResolver
from services.deliveries.network.urls import rules_of
from services.runtime.config.settings import Settings

HOOKS = {name: Hook("a", name) for name in (STEADY, REFUSING, HANGING, DYING, MOVING)}
SECRET = secret_text(bytes(32))
ENDLESS = 3_600.0
DEADLINE_SECONDS = 20


@pytest.fixture
async def receivers() -> AsyncIterator[Receivers]:
    """One receiver of each manner."""
    hooks = tuple(HOOKS.values())
    log = WebhookLedger(Ledger(Findings()), hooks, dict.fromkeys(hooks, SECRET))
    async with receiving(log, 1) as found:
        yield found
        found.raise_errors()


async def answers(receivers: Receivers, name: str, count: int) -> list[int | None]:
    """Statuses of so many requests, one after the other; None where the connection broke."""
    found: list[int | None] = []
    url = f"http://127.0.0.1:{receivers.by_hook[HOOKS[name]].port}/hook"
    async with aiohttp.ClientSession() as session:
        for number in range(count):
            try:
                found.append(await _status(session, url, number))
            except aiohttp.ClientError:
                found.append(None)
    return found


async def _status(session: aiohttp.ClientSession, url: str, number: int) -> int:
    event = {"event_id": f"{number}", "shop_slug": "a", "order_id": f"{number}", "sequence": 1}
    value = orjson.dumps({**event, "source": "orders"})
    headers = signature_headers([SECRET], f"{number}", 1_772_000_000, value)
    headers["orderflow-sequence"] = "1"
    async with session.post(url, data=value, headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize("name", HOOKS)
async def test_receiver_answers_while_it_does_not_fail(receivers: Receivers, name: str) -> None:
    assert await answers(receivers, name, 20) == [204] * 20


async def test_refusing_receiver_answers_with_each_refusal_until_it_is_sound(
    receivers: Receivers,
) -> None:
    failing = asyncio.create_task(receivers.fail(REFUSING, ENDLESS))
    await asyncio.sleep(0)  # It begins.

    refused = await answers(receivers, REFUSING, 100)
    failing.cancel()
    await asyncio.wait([failing])

    assert set(refused) == {204, 400, 429, 500, 503}
    assert await answers(receivers, REFUSING, 20) == [204] * 20


async def test_hanging_receiver_answers_when_it_is_sound_again(receivers: Receivers) -> None:
    receiver = receivers.by_hook[HOOKS[HANGING]]
    failing = asyncio.create_task(receivers.fail(HANGING, ENDLESS))
    asked = asyncio.create_task(answers(receivers, HANGING, 100))
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not receiver.answers["hung"]:
            await asyncio.sleep(0.01)

    assert not asked.done()
    failing.cancel()

    assert set(await asked) <= {200, 204, 503}


async def test_dying_receiver_breaks_connections_and_comes_back_on_its_port(
    receivers: Receivers,
) -> None:
    receiver = receivers.by_hook[HOOKS[DYING]]
    port = receiver.port
    failing = asyncio.create_task(receivers.fail(DYING, 3.0))
    async with asyncio.timeout(DEADLINE_SECONDS):
        while None not in await answers(receivers, DYING, 10):
            pass
    assert await failing, "it got a request"

    assert receiver.port == port
    assert await answers(receivers, DYING, 20) == [204] * 20


async def test_name_of_a_moving_receiver_leads_to_a_forbidden_address_in_turn(
    receivers: Receivers,
) -> None:
    settings = Settings.model_validate(receivers.environment)
    resolver = CheckedResolver(rules_of(settings), [receivers.names.address])
    assert await resolver.check(HOST) == ("127.0.0.1",)

    failing = asyncio.create_task(receivers.fail(MOVING, ENDLESS))
    await asyncio.sleep(0)  # It begins.
    assert await resolver.check(HOST) == ("127.0.0.1",)
    with pytest.raises(AddressNotAllowed):
        await resolver.check(HOST)
    failing.cancel()
    await asyncio.wait([failing])

    assert await resolver.check(HOST) == ("127.0.0.1",)
    await resolver.close()


async def test_connection_to_the_forbidden_address_is_a_leak(receivers: Receivers) -> None:
    receiver = receivers.by_hook[HOOKS[MOVING]]

    reader, writer = await asyncio.open_connection(FORBIDDEN, receiver.port)
    assert await reader.read() == b""
    writer.close()

    assert receiver.log.ledger.findings.counts["leaked"] == 1
