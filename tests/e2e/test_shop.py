"""A shop's whole life through two replicas of each service: in time, sent twice, and shuffled."""

from collections.abc import AsyncIterator

import pytest

from demo.comparison import differences_in_time
from demo.script import Script
from demo.synthetic import synthetic_script
from deploy.stack import Addresses
from tests.processes import System, running

SEED = 11
SCALE = 0.35


@pytest.fixture
def script() -> Script:
    """Some 130 orders of every kind, one order's commands under three keys among them."""
    return synthetic_script(SEED, scale=SCALE)


@pytest.fixture
async def system(
    stack: Addresses, script: Script, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    folder = tmp_path_factory.mktemp("shop")
    async with running(stack, folder, at=script.messages[0].at) as system:
        yield system


async def test_shop_reaches_the_right_answer_in_business_time(
    system: System, script: Script
) -> None:
    await system.player.play(script)

    found = await system.judge(script)

    assert differences_in_time(script.expectation, found) == []
    assert found.repeats == 0
    assert found.scans == script.expectation.scans


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
async def test_shop_input_shuffled_and_sent_twice_reaches_the_same_answer(
    system: System, script: Script, seed: int
) -> None:
    await system.player.play_at_once(script.shuffled(seed).twice())

    await system.judge(script)


def test_shop_publishes_one_orders_commands_under_three_keys(script: Script) -> None:
    keys: dict[str | None, set[bytes | None]] = {}
    for message in script.messages:
        if message.topic == "orders.commands":
            keys.setdefault(message.order_key, set()).add(message.key)
    assert max(len(found) for found in keys.values()) >= 3
