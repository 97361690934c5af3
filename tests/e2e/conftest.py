"""A script of a few orders and the system that plays it, for tests that lose tables or topics."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from demo.script import Script
from demo.synthetic import synthetic_script
from deploy.stack import Addresses
from tests.processes import System, running

SCALE = 0.03
STEP = timedelta(days=1)


@pytest.fixture
def script(seed: int) -> Script:
    """A few orders of every kind, with claims, by the seed of the test's module."""
    return synthetic_script(seed, scale=SCALE)


@pytest.fixture
async def system(
    stack: Addresses, script: Script, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """One replica of each service; the player publishes a day of the script at once."""
    folder = tmp_path_factory.mktemp("system")
    async with running(stack, folder, copies=1, at=script.messages[0].at) as system:
        system.player.step = STEP
        yield system
