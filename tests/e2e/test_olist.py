"""A thousand real orders of 2016 to 2018, against figures worked out from their files alone."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from demo.audit import Audit
from demo.expectation import Totals
from demo.olist import read_script
from demo.script import Script
from deploy.stack import Addresses
from tests.olist import olist_folder
from tests.processes import System, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

TOTALS = Totals(
    orders=1000,
    parcels_expected=1021,
    parcels_handed_over=1014,
    parcels_delivered=1000,
    orders_late=62,
    parcels_late=63,
    orders_cancelled=2,
    cancelled_after_hand_over=1,
    item_value={"BRL": Decimal("136373.83")},
)


@pytest.fixture(scope="module")
def script() -> Script:
    """The files' script."""
    return read_script(olist_folder())


@pytest.fixture
async def system(
    stack: Addresses, script: Script, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    folder = tmp_path_factory.mktemp("olist")
    async with running(stack, folder, at=script.messages[0].at) as system:
        yield system


def test_olist_files_hold_the_known_figures(script: Script) -> None:
    assert script.expectation.totals == TOTALS


@pytest.mark.long
async def test_olist_orders_reach_the_known_figures_and_keep_them_when_sent_again(
    system: System, script: Script
) -> None:
    await system.player.play(script)
    once = await system.judge(script)

    await system.player.play_at_once(script.shuffled(3))
    again = await system.judge(script)

    assert _counts(again) == _counts(once)
    assert again.orders == once.orders


async def test_olist_orders_shuffled_and_sent_twice_reach_the_same_figures(
    system: System, script: Script
) -> None:
    await system.player.play_at_once(script.shuffled(5).twice())

    await system.judge(script)


def _counts(found: Audit) -> tuple[int, int]:
    return found.order_events, found.shipment_events
