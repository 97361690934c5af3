"""For tests that see alerts firing: what they see, breaks that go on, requests to the gateway."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from chaos.proxy import LOOPBACK
from tests.operations.alert_stage import SHOP, Stage

AGAIN_SECONDS = 0.2

Test = Callable[..., Awaitable[None]]
Act = Callable[[], Awaitable[object]]
"""Something that is done again and again while an alert is waited for."""


def sees(*names: str) -> Callable[[Test], Test]:
    """The alerts that a test sees firing and resolving, as its argument `names`."""
    given = pytest.mark.parametrize("names", [names], ids=["-".join(names)])
    in_loop = pytest.mark.asyncio(loop_scope="module")
    return lambda test: in_loop(given(test))


@asynccontextmanager
async def repeated(act: Act) -> AsyncIterator[None]:
    """Do it again and again meanwhile."""

    async def go_on() -> None:
        while True:
            await act()
            await asyncio.sleep(AGAIN_SECONDS)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def add_key(stage: Stage, options: str = "") -> str:
    """A new API key of the shop, which the gateway knows."""
    printed = await stage.operate(f"keys add --shop {SHOP} --why test {options}")
    return next(word for word in printed.split() if word.startswith("ofk_"))


async def post(stage: Stage, client: httpx.AsyncClient, key: str) -> int:
    """Send a command to the gateway; returns the status of its answer."""
    answer = await client.post(
        f"http://{LOOPBACK}:{stage.gateway_port}/shops/{SHOP}/commands",
        headers={"Authorization": f"Bearer {key}", "ce-type": "order.cancel", "ce-id": "a"},
        json={"shop_slug": SHOP, "id": "never"},
    )
    return answer.status_code
