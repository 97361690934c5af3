"""Scripts from CSV files: days by the local calendar, dirty rows named, answers hand-checked."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from demo.olist import REPORTED_AHEAD, read_script
from demo.purchases import COLUMNS, OPTIONAL, DataError, Dirt, read_purchases
from demo.script import ScriptMessage
from schemas.topics import CARRIER_TRACKING

ORDER = {
    "order_id": "o1",
    "customer_id": "c1",
    "order_status": "delivered",
    "order_purchase_timestamp": "2017-10-02 10:56:33",
    "order_approved_at": "2017-10-02 11:07:15",
    "order_delivered_carrier_date": "2017-10-04 19:55:00",
    "order_delivered_customer_date": "2017-10-18 23:30:00",
    "order_estimated_delivery_date": "2017-10-18 00:00:00",
}
ITEM = {
    "order_id": "o1",
    "order_item_id": "1",
    "product_id": "p1",
    "seller_id": "s1",
    "price": "10.10",
    "freight_value": "1.00",
}
OTHER = {**ORDER, "order_id": "o2"}
CUSTOMER = {
    "customer_id": "c1",
    "customer_unique_id": "u1",
    "customer_zip_code_prefix": "01310",
    "customer_city": "sao paulo",
    "customer_state": "SP",
}


@dataclass
class Files:
    """A folder of one clean order, changed row by row."""

    folder: Path
    orders: list[dict[str, str]] = field(default_factory=lambda: [ORDER])
    items: list[dict[str, str]] = field(default_factory=lambda: [ITEM])
    customers: list[dict[str, str]] = field(default_factory=lambda: [CUSTOMER])

    def write(self) -> Path:
        rows = (self.orders, self.items, self.customers)
        for (name, known), wanted in zip(COLUMNS.items(), rows, strict=True):
            optional = (
                each for each in OPTIONAL.get(name, ()) if any(each in row for row in wanted)
            )
            columns = (*known, *optional)
            lines = [",".join(columns), *(",".join(row[c] for c in columns) for row in wanted)]
            (self.folder / name).write_text("\n".join(lines))
        return self.folder


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_olist_days_are_counted_by_the_local_calendar(files: Files) -> None:
    late = {**ORDER, "order_id": "late", "order_delivered_customer_date": "2017-10-19 00:10:00"}
    gone = {
        **ORDER,
        "order_id": "gone",
        "order_status": "canceled",
        "order_delivered_carrier_date": "",
        "order_delivered_customer_date": "",
    }
    files.orders += [late, gone]
    files.items += [
        {**ITEM, "order_item_id": "2", "seller_id": "s2", "price": "0.90"},
        {**ITEM, "order_id": "late", "price": "5.00"},
        {**ITEM, "order_id": "gone", "price": "7.00"},
    ]

    totals = read_script(files.write()).expectation.totals

    assert (totals.orders, totals.parcels_expected, totals.parcels_delivered) == (3, 4, 3)
    assert (totals.orders_late, totals.parcels_late) == (1, 1)
    assert (totals.orders_cancelled, totals.cancelled_after_hand_over) == (1, 0)
    assert totals.item_value == {"BRL": Decimal("23.00")}


def test_olist_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"orders\.csv is missing: DATA must name a folder"):
        read_script(tmp_path)


def test_olist_column_that_is_missing_is_named(files: Files) -> None:
    folder = files.write()
    text = (folder / "order_items.csv").read_text()
    (folder / "order_items.csv").write_text(text.replace("seller_id", "seller"))

    with pytest.raises(DataError, match=r"order_items\.csv has no column seller_id"):
        read_script(folder)


def test_olist_rows_that_are_clean_are_no_dirty_rows(files: Files) -> None:
    assert read_script(files.write()).notes == ("demo: rows=1 played=1 dirty_rows=0",)


CARRIER_DATE, CUSTOMER_DATE = "order_delivered_carrier_date", "order_delivered_customer_date"
PURCHASE, ESTIMATE = "order_purchase_timestamp", "order_estimated_delivery_date"


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({CUSTOMER_DATE: "2017-10-04 14:55:00"}, {Dirt.DELIVERY_BEFORE_HAND_OVER}),
        (
            {CUSTOMER_DATE: "2017-10-02 09:00:00"},
            {Dirt.DELIVERY_BEFORE_HAND_OVER, Dirt.DELIVERY_BEFORE_PURCHASE},
        ),
        (
            {CUSTOMER_DATE: "2017-10-02 09:00:00", CARRIER_DATE: ""},
            {Dirt.HAND_OVER_MISSING, Dirt.DELIVERY_BEFORE_PURCHASE},
        ),
        ({CARRIER_DATE: "2017-10-02 10:32:33"}, {Dirt.HAND_OVER_BEFORE_PURCHASE}),
        ({CARRIER_DATE: ""}, {Dirt.HAND_OVER_MISSING}),
        ({CUSTOMER_DATE: ""}, {Dirt.DELIVERY_MISSING}),
        ({CUSTOMER_DATE: "", "order_status": "shipped"}, set()),
        ({ESTIMATE: ""}, {Dirt.ESTIMATE_MISSING}),
        ({ESTIMATE: "2017-10-01 00:00:00"}, {Dirt.ESTIMATE_BEFORE_PURCHASE}),
        ({ESTIMATE: "2017-10-02 00:00:00"}, set()),
        ({PURCHASE: ""}, {Dirt.PURCHASE_MISSING}),
        ({PURCHASE: "yesterday"}, {Dirt.PURCHASE_MISSING, Dirt.TIME_UNREADABLE}),
        ({"order_approved_at": "0001-01-01 00:00:00"}, {Dirt.TIME_UNREADABLE}),
        ({"order_approved_at": ""}, set()),
        ({"customer_id": "c9"}, {Dirt.CUSTOMER_MISSING}),
    ],
)
def test_olist_dirty_row_is_named_and_played(
    files: Files, change: dict[str, str], kinds: set[Dirt]
) -> None:
    files.orders = [{**ORDER, **change}]

    found = read_purchases(files.write())

    assert (set(found.dirt), found.dirty_rows, len(found.playable)) == (kinds, bool(kinds), 1)
    assert list(read_script(files.folder).expectation.orders) == ["olist/o1"]


@pytest.mark.parametrize(
    ("delivered", "phase"),
    [
        ("2017-10-04 19:54:00", "delivered"),
        ("2017-10-04 07:55:00", "delivered"),
        ("2017-10-04 07:54:59", "in_transit"),
        ("2017-09-01 19:55:00", "in_transit"),
    ],
)
def test_olist_hand_over_long_after_the_delivery_begins_another_journey(
    files: Files, delivered: str, phase: str
) -> None:
    files.orders = [{**ORDER, CUSTOMER_DATE: delivered}]

    (parcel,) = read_script(files.write()).expectation.orders["olist/o1"].parcels

    assert (parcel.phase, parcel.is_delivered) == (phase, True)


@pytest.mark.parametrize("price", ["", "free", "-1.00", "NaN"])
def test_olist_item_without_a_readable_price_adds_nothing(files: Files, price: str) -> None:
    files.items += [{**ITEM, "order_item_id": "2", "price": price}]

    assert set(read_purchases(files.write()).dirt) == {Dirt.PRICE_UNREADABLE}
    assert read_script(files.folder).expectation.totals.item_value == {"BRL": Decimal("10.10")}


@pytest.mark.parametrize(
    ("year", "number", "is_one_box"),
    [
        ("2017", "1z-999 01", True),
        ("2018", "1Z99901", False),
        ("2017", "1Z99902", False),
    ],
    ids=["in one box", "used again a year later", "another number"],
)
def test_olist_number_on_two_orders(
    files: Files, year: str, number: str, *, is_one_box: bool
) -> None:
    later = {
        name: text.replace("2017", year).replace("10-18 23", "10-19 23")
        for name, text in ORDER.items()
    }
    files.orders = [ORDER, {**later, "order_id": "o2"}]
    files.items = [
        {**ITEM, "tracking_number": "1Z99901"},
        {**ITEM, "order_id": "o2", "tracking_number": number},
    ]

    script = read_script(files.write())

    first, second = (script.expectation.orders[f"olist/{name}"].parcels[0] for name in ("o1", "o2"))
    is_shared = number != "1Z99902"
    assert (Dirt.NUMBER_SHARED in read_purchases(files.folder).dirt) is is_shared
    assert (first.tracking_number == second.tracking_number) is is_shared
    assert (first.scans == second.scans) is is_one_box
    assert (len(first.scans), first.phase, second.phase) == (
        3 if is_one_box else 2,
        "delivered",
        "delivered",
    )


@pytest.mark.parametrize("text", ["none", "0", "https://carrier.example/1", "1Z1, 1Z2"])
def test_olist_text_that_is_no_tracking_number_is_named_and_replaced(
    files: Files, text: str
) -> None:
    files.items = [{**ITEM, "tracking_number": f'"{text}"'}]

    assert set(read_purchases(files.write()).dirt) == {Dirt.NUMBER_UNREADABLE}
    (parcel,) = read_script(files.folder).expectation.orders["olist/o1"].parcels
    assert parcel.tracking_number.startswith("BR")


def test_olist_order_without_items_has_one_parcel(files: Files) -> None:
    files.items = []

    assert set(read_purchases(files.write()).dirt) == {Dirt.ITEMS_MISSING}
    assert read_script(files.folder).expectation.totals.parcels_delivered == 1


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({**ORDER, "order_id": ""}, Dirt.NOT_PLAYED_NO_ID),
        ({**ORDER, "order_status": "shipped"}, Dirt.NOT_PLAYED_REPEATED),
        ({**dict.fromkeys(ORDER, ""), "order_id": "o2"}, Dirt.NOT_PLAYED_NO_TIME),
    ],
)
def test_olist_row_that_cannot_be_played_is_counted(
    files: Files, row: dict[str, str], kind: Dirt
) -> None:
    files.orders = [ORDER, row]

    script = read_script(files.write())

    assert script.notes == (f"demo: rows=2 played=1 dirty_rows=1 {kind}=1",)
    assert script.expectation.orders["olist/o1"].parcels[0].phase == "delivered"


def test_olist_folder_without_any_playable_row_is_refused(files: Files) -> None:
    files.orders = [{**ORDER, "order_id": ""}]

    with pytest.raises(DataError, match=r"orders\.csv holds no orders that can be played"):
        read_script(files.write())


def test_olist_delivery_before_the_order_waits_for_it(files: Files) -> None:
    files.orders = [{**ORDER, CUSTOMER_DATE: "2017-10-02 09:00:00"}]

    delivery, placement, *_ = read_script(files.write()).messages

    assert delivery.topic == CARRIER_TRACKING
    assert delivery.is_answered_later
    assert delivery.at < placement.at


def test_olist_delivery_is_not_reported_longer_ahead_than_tracking_waits(files: Files) -> None:
    files.orders = [{**ORDER, CUSTOMER_DATE: "2016-01-01 09:00:00"}]

    messages = read_script(files.write()).messages

    delivery = messages[0]
    attached = max(message.at for message in messages)
    assert _occurred(delivery) == "2016-01-01T09:00:00"
    assert attached - delivery.at == REPORTED_AHEAD < timedelta(days=60)


def _occurred(message: ScriptMessage) -> str:
    occurred: str = json.loads(message.value or b"")["scans"][0]["occurred_at"]
    return occurred
