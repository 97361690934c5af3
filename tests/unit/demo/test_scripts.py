"""Scripts: the same for a seed, their order kept where it matters, their answers hand-checked."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from demo.messages import command
from demo.olist import DataError, read_script
from demo.player import steps
from demo.script import ScriptMessage
from demo.synthetic import synthetic_script

ORDERS = """order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,\
order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date
on-time,c1,delivered,2017-10-02 10:56:33,2017-10-02 11:07:15,2017-10-04 19:55:00,\
2017-10-18 23:30:00,2017-10-18 00:00:00
late,c1,delivered,2017-10-02 10:56:33,2017-10-02 11:07:15,2017-10-04 19:55:00,\
2017-10-19 00:10:00,2017-10-18 00:00:00
gone,c1,canceled,2017-10-02 10:56:33,2017-10-02 11:07:15,,,2017-10-18 00:00:00
"""
ITEMS = """order_id,order_item_id,product_id,seller_id,price
on-time,1,p1,s1,10.10
on-time,2,p2,s2,0.90
late,1,p1,s1,5.00
gone,1,p1,s1,7.00
"""
CUSTOMERS = """customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state
c1,u1,01310,sao paulo,SP
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "orders.csv").write_text(ORDERS)
    items = [f"{line},1.00" for line in ITEMS.splitlines()[1:]]
    header = f"{ITEMS.splitlines()[0]},freight_value"
    (tmp_path / "order_items.csv").write_text("\n".join([header, *items]))
    (tmp_path / "customers.csv").write_text(CUSTOMERS)
    return tmp_path


def test_olist_days_are_counted_by_the_local_calendar(folder: Path) -> None:
    totals = read_script(folder).expectation.totals

    assert (totals.orders, totals.parcels_expected, totals.parcels_delivered) == (3, 4, 3)
    assert (totals.orders_late, totals.parcels_late) == (1, 1)
    assert (totals.orders_cancelled, totals.cancelled_after_hand_over) == (1, 0)
    assert totals.item_value == {"BRL": Decimal("23.00")}


def test_olist_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"orders\.csv is missing: DATA must name a folder"):
        read_script(tmp_path)


def test_synthetic_shop_is_the_same_for_a_seed() -> None:
    assert synthetic_script(3, scale=0.1) == synthetic_script(3, scale=0.1)
    assert synthetic_script(3, scale=0.1) != synthetic_script(4, scale=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_shuffling_keeps_every_message_and_the_order_within_a_key(seed: int) -> None:
    script = synthetic_script(seed, scale=0.1)
    shuffled = script.shuffled(seed)

    assert sorted(map(repr, shuffled.messages)) == sorted(map(repr, script.messages))
    assert _lanes(shuffled.messages) == _lanes(script.messages)
    assert shuffled.messages != script.messages


def test_steps_never_split_one_instant() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    hours = (0, 1, 1, 3, 3, 9)
    messages = [
        command(f"shop/{at}", "order.cancel", {}, start + timedelta(hours=at), id_=str(number))
        for number, at in enumerate(hours)
    ]

    cut = [[message.at for message in step] for step in steps(messages, timedelta(hours=2))]

    assert [[(at - start) // timedelta(hours=1) for at in step] for step in cut] == [
        [0, 1, 1],
        [3, 3],
        [9],
    ]


def _lanes(messages: tuple[ScriptMessage, ...]) -> dict[str, list[bytes | None]]:
    found: dict[str, list[bytes | None]] = defaultdict(list)
    for message in messages:
        if message.order_key:
            found[message.order_key].append(message.value)
    return found
