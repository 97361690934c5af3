"""CSV files with dirty rows: played to the end, and counted as their columns say."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from demo.comparison import differences_in_time
from demo.expectation import Totals
from demo.olist import read_script
from demo.script import Script
from deploy.stack import Addresses
from tests.processes import System, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FOLDER = Path(__file__).parent / "dirty_orders"
TOTALS = Totals(
    orders=23,
    parcels_expected=25,
    parcels_handed_over=23,
    parcels_delivered=17,
    orders_late=5,
    parcels_late=5,
    orders_cancelled=1,
    cancelled_after_hand_over=1,
    item_value={"BRL": Decimal("861.75")},
)
NOTE = (
    "demo: rows=26 played=23 dirty_rows=24 purchase_missing=1 hand_over_missing=3 "
    "delivery_missing=3 estimate_missing=1 time_unreadable=1 hand_over_before_purchase=1 "
    "delivery_before_hand_over=4 delivery_before_purchase=2 estimate_before_purchase=2 "
    "items_missing=1 price_unreadable=1 customer_missing=1 number_shared=4 number_unreadable=1 "
    "not_played_no_time=1 not_played_no_id=1 not_played_repeated=1"
)


@pytest.fixture(scope="module")
def script() -> Script:
    """The files' script."""
    return read_script(FOLDER)


@pytest.fixture
async def system(
    stack: Addresses, script: Script, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    folder = tmp_path_factory.mktemp("dirty")
    async with running(stack, folder, copies=1, at=script.messages[0].at) as system:
        yield system


def test_dirty_rows_are_counted_by_kind(script: Script) -> None:
    assert script.notes == (NOTE,)
    assert script.expectation.totals == TOTALS


@pytest.mark.long
async def test_dirty_rows_are_played_to_the_end_and_reach_their_figures(
    system: System, script: Script
) -> None:
    await system.player.play(script)
    once = await system.judge(script)
    assert differences_in_time(script.expectation, once) == []

    await system.player.play_at_once(script.shuffled(3))
    again = await system.judge(script)

    assert again.orders == once.orders
    assert set(again.orders) == set(script.expectation.orders)
