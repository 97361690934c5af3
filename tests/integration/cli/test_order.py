"""`orderflow order` on a real database: what shops and carriers wrote is shown as they wrote it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from schemas.identity import order_id
from services.orders.handler import OrdersBatch
from services.runtime.batch.batch import Batch
from services.runtime.config.settings import Settings
from services.runtime.messages.records import Original
from services.runtime.observability.metrics import Metrics
from services.runtime.postgres.connections import create_pool
from tests.integration.orders.conftest import a_record, an_upsert

from .conftest import Run

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def orders(database_url: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> str:
    """A cancelled order with a scanned parcel; every text in it looks like markup."""
    scan = {
        "event_name": "PICKED_UP_BY_CARRIER",
        "occurred_at": "2026-03-01T10:00:00Z",
        "location": {"city": "[/x]"},
    }
    report = {"carrier_reference": "ups", "tracking_number": "1Z[bold]9", "scans": [scan]}
    cancel = {"shop_slug": "demo-shop", "id": "1[red]", "reason": "[/bold] no"}
    asyncio.run(
        _apply(
            database_url,
            an_upsert(
                "1[red]", trackings=["1Z[bold]9"], order_placed_at="2026-03-01T10:30:00+05:00"
            ),
            a_record("tracking.reported", report, topic="carrier.tracking"),
            a_record("order.cancel", cancel),
        )
    )
    monkeypatch.setenv("DATABASE_URL", database_url)
    return "demo-shop/1[red]"


async def _apply(database_url: str, *records: Original) -> None:
    settings = Settings(database_url=database_url, http_port=0)
    pool: asyncpg.Pool = await create_pool(settings, "orders")
    batches = OrdersBatch(settings, Metrics())
    async with pool.acquire() as connection, connection.transaction():
        await batches.apply(connection, Batch(records, NOW))
    await pool.close()


def test_order_show_has_the_last_warnings(run: Run, database_url: str, monkeypatch) -> None:
    body = {"order_number": "W/1", "address": {"country_code": "Narnia"}, "weight": "[heavy]"}
    command = {"shop_slug": "demo-shop", "id": "W/1", "order": body}
    asyncio.run(_apply(database_url, a_record("order.upsert", command, ce_id="c-1")))
    monkeypatch.setenv("DATABASE_URL", database_url)

    shown, as_json = run("order", "demo-shop/W/1"), run("order", "demo-shop/W/1", "--json")

    assert shown.exit_code == 0, shown.output
    assert "value_left_out /order/weight in c-1: a text of 7 characters" in " ".join(
        shown.stdout.split()
    )
    warnings = json.loads(as_json.stdout)["warnings"]
    assert [(each["code"], each["pointer"], each["command_id"]) for each in warnings] == [
        ("value_left_out", "/order/address/country_code", "c-1"),
        ("value_left_out", "/order/weight", "c-1"),
    ]


def test_order_show_wraps_a_long_warning_and_cuts_nothing(
    run: Run, database_url: str, monkeypatch
) -> None:
    too_much = [{"sku": "S" * 60, "quantity": 7}]
    parcel = {"tracking_number": "1Z999", "products": too_much}
    order = {"order_number": "W2", "address": {}, "products": [{"sku": "S" * 60, "quantity": 1}]}
    command = {"shop_slug": "demo-shop", "id": "W2", "order": order, "trackings": [parcel]}
    asyncio.run(_apply(database_url, a_record("order.upsert", command, ce_id="c-1")))
    monkeypatch.setenv("DATABASE_URL", database_url)

    words = " ".join(run("order", "demo-shop/W2").stdout.split())

    assert "1 of 1 parcels have a number, not_delivered" in words
    assert words.endswith("the parcel keeps them, marked as not ordered.")


def test_order_show_has_the_last_voided_numbers(run: Run, database_url: str, monkeypatch) -> None:
    void = {"shop_slug": "demo-shop", "id": "V1", "tracking_number": "1z-9 99"}
    asyncio.run(
        _apply(
            database_url,
            an_upsert("V1", trackings=["1Z999"]),
            a_record("shipment.void", void),
        )
    )
    monkeypatch.setenv("DATABASE_URL", database_url)

    shown, as_json = run("order", "demo-shop/V1"), run("order", "demo-shop/V1", "--json")

    assert "number 1Z999 taken off 2026-03-01 12:00Z: its scans are not" in shown.stdout
    (voided,) = json.loads(as_json.stdout)["voided"]
    assert (voided["number"], voided["at"]) == ("1Z999", "2026-03-01T12:00:00+00:00")


def test_order_shows_the_sub_status_and_which_scan_set_it(
    run: Run, database_url: str, monkeypatch, tmp_path
) -> None:
    scans = [
        {"event_name": "SORTED", "occurred_at": "2026-02-27T10:00:00Z"},
        {"event_name": "DUTIES_UNPAID", "occurred_at": "2026-02-28T10:00:00Z"},
    ]
    report = {"carrier_reference": "ups", "tracking_number": "1Z9", "scans": scans}
    asyncio.run(
        _apply(
            database_url,
            an_upsert("S1", trackings=["1Z9"]),
            a_record("tracking.reported", report, topic="carrier.tracking"),
        )
    )
    monkeypatch.setenv("DATABASE_URL", database_url)
    picture = tmp_path / "order.svg"

    shown, as_json = run("order", "demo-shop/S1"), run("order", "demo-shop/S1", "--json")
    run("order", "demo-shop/S1", "--svg", str(picture))

    assert "in_transit DUTIES_UNPAID" in " ".join(shown.stdout.split())
    assert "now: in_transit DUTIES_UNPAID, flag delay" in picture.read_text("utf-8")
    (shipment,) = json.loads(as_json.stdout)["shipments"]
    assert (shipment["phase"], shipment["sub_status"]) == ("in_transit", "DUTIES_UNPAID")
    keys = {scan["event_name"]: scan["key"] for scan in shipment["scans"]}
    assert shipment["set_by"]["sub_status"] == keys["DUTIES_UNPAID"]
    assert shipment["set_by"]["phase"] == keys["SORTED"]


def test_order_as_json_has_the_eta_of_the_scan_that_set_it_and_the_first_one(
    run: Run, database_url: str, monkeypatch
) -> None:
    window = {"from": "2026-03-03T09:00:00Z", "to": "2026-03-03T12:00:00Z"}
    scans = [
        {
            "event_name": "SORTED",
            "occurred_at": "2026-02-27T10:00:00Z",
            "eta": {"to": "2026-03-02"},
        },
        {"event_name": "ETA_CHANGED", "occurred_at": "2026-02-28T10:00:00Z", "eta": window},
    ]
    report = {"carrier_reference": "ups", "tracking_number": "1Z9", "scans": scans}
    asyncio.run(
        _apply(
            database_url,
            an_upsert("E1", trackings=["1Z9"], promised_delivery_date="2026-03-05"),
            a_record("tracking.reported", report, topic="carrier.tracking"),
        )
    )
    monkeypatch.setenv("DATABASE_URL", database_url)

    (shipment,) = json.loads(run("order", "demo-shop/E1", "--json").stdout)["shipments"]

    assert shipment["eta"] == {
        "from": "2026-03-03T09:00:00+00:00",
        "to": "2026-03-03T12:00:00+00:00",
        "source": "carrier",
    }
    assert shipment["eta_original"] == {"from": None, "to": "2026-03-02", "source": "carrier"}
    keys = {scan["event_name"]: scan["key"] for scan in shipment["scans"]}
    assert shipment["set_by"]["eta"] == keys["ETA_CHANGED"]
    assert shipment["set_by"]["eta_original"] == keys["SORTED"]


@pytest.mark.parametrize(
    ("promised", "expected"),
    [
        ("2026-03-05", {"from": None, "to": "2026-03-05", "source": "promise"}),
        (None, None),
    ],
)
def test_order_as_json_has_the_promised_day_of_a_parcel_without_a_number(
    run: Run, database_url: str, monkeypatch, promised: str | None, expected: dict | None
) -> None:
    asyncio.run(_apply(database_url, an_upsert("E2", promised_delivery_date=promised)))
    monkeypatch.setenv("DATABASE_URL", database_url)

    (shipment,) = json.loads(run("order", "demo-shop/E2", "--json").stdout)["shipments"]

    assert (shipment["draft"], shipment["eta"], shipment["eta_original"]) == (True, expected, None)


def test_order_show_prints_markup_unchanged(run: Run, orders: str) -> None:
    shown = run("order", orders)

    assert shown.exit_code == 0, shown.output
    assert all(text in shown.stdout for text in (orders, "1Z[bold]9", "[/bold] no", "[/x]"))


def test_order_show_prints_times_in_utc(run: Run, orders: str) -> None:
    shown = run("order", orders)

    assert "placed 2026-03-01 05:30Z" in shown.stdout


@pytest.fixture
def many_orders(database_url: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders of two shops, some with the same references, and scans of a number without order."""
    report = {
        "carrier_reference": "ups",
        "tracking_number": "LOOSE-1",
        "scans": [{"event_name": "SORTED", "occurred_at": "2026-03-01T10:00:00Z"}],
    }
    asyncio.run(
        _apply(
            database_url,
            an_upsert("A/1", trackings=["1Z 99-A"], external_id="ext-1", order_name="IXF-1"),
            an_upsert("A2", external_id="ext-2", order_name="IXF-2"),
            an_upsert("B1", shop="other-shop", external_id="ext-3", order_name="IXF-1"),
            an_upsert("A2", shop="other-shop", trackings=["1Z99B"]),
            *(an_upsert(number, order_name="#7") for number in ("N1", "N2", "N3")),
            an_upsert("N3", order_name="#8"),
            *(an_upsert(number, order_name="#9") for number in ("N4", "N5")),
            an_upsert("N4", order_name="#10"),
            an_upsert("N6", trackings=["1Z99C"]),
            an_upsert("C1", shop="other-shop", trackings=["1z-99-c"]),
            a_record("tracking.reported", report, topic="carrier.tracking"),
        )
    )
    monkeypatch.setenv("DATABASE_URL", database_url)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["demo-shop/A/1"], ("demo-shop", "A/1")),
        (["A/1"], ("demo-shop", "A/1")),
        (["A/1", "--shop", "demo-shop"], ("demo-shop", "A/1")),
        (["demo-shop/A2"], ("demo-shop", "A2")),
        (["A2", "--shop", "other-shop"], ("other-shop", "A2")),
        (["ext-1"], ("demo-shop", "A/1")),
        (["demo-shop/ext-2"], ("demo-shop", "A2")),
        (["ext-3"], ("other-shop", "B1")),
        (["IXF-2"], ("demo-shop", "A2")),
        (["IXF-1", "--shop", "other-shop"], ("other-shop", "B1")),
        (["other-shop/IXF-1"], ("other-shop", "B1")),
        (["demo-shop/#8"], ("demo-shop", "N3")),
        (["demo-shop/#9"], ("demo-shop", "N5")),
        (["#9"], ("demo-shop", "N5")),
        (["1Z 99-A"], ("demo-shop", "A/1")),
        (["1z99a"], ("demo-shop", "A/1")),
        (["1Z-99.B"], ("other-shop", "A2")),
        (["demo-shop/1Z99A"], ("demo-shop", "A/1")),
        ([f"  {order_id('other-shop', 'B1')} "], ("other-shop", "B1")),
        ([str(order_id("other-shop", "B1")).upper()], ("other-shop", "B1")),
    ],
)
def test_order_is_found_by_any_reference(
    run: Run, many_orders: None, arguments: list[str], found: tuple[str, str]
) -> None:
    shown = run("order", *arguments, "--json")

    assert shown.exit_code == 0, shown.output
    document = json.loads(shown.stdout)
    assert (document["shop"], document["order_number"]) == found
    assert document["order_id"] == str(order_id(*found))


@pytest.mark.parametrize(
    ("reference", "listed"),
    [
        ("A2", {("demo-shop", "A2", "order_number"), ("other-shop", "A2", "order_number")}),
        ("IXF-1", {("demo-shop", "A/1", "order_name"), ("other-shop", "B1", "order_name")}),
        ("demo-shop/#7", {("demo-shop", "N1", "order_name"), ("demo-shop", "N2", "order_name")}),
        ("#7", {("demo-shop", "N1", "order_name"), ("demo-shop", "N2", "order_name")}),
        (
            "1Z99C",
            {("demo-shop", "N6", "tracking_number"), ("other-shop", "C1", "tracking_number")},
        ),
    ],
)
def test_order_reference_of_several_orders_lists_them_all(
    run: Run, many_orders: None, reference: str, listed: set[tuple[str, str, str]]
) -> None:
    shown, as_json = run("order", reference), run("order", reference, "--json")

    assert (shown.exit_code, as_json.exit_code) == (1, 1)
    hits = json.loads(as_json.stdout)["orders"]
    assert {(hit["shop"], hit["order_number"], *hit["matched_by"]) for hit in hits} == listed
    assert f"{reference} names 2 orders" in shown.stdout
    assert all(f"orderflow order {shop}/{number}" in shown.stdout for shop, number, _ in listed)


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["demo-shop/ext-3"], ["ext-1", "--shop", "other-shop"], ["1Z99A1"]]
)
def test_order_reference_of_no_order_is_said(
    run: Run, many_orders: None, arguments: list[str]
) -> None:
    shown = run("order", *arguments)

    assert shown.exit_code == 1
    assert f"{arguments[0]}: no such order" in shown.stdout


def test_order_of_a_number_without_order_names_its_kept_scans(run: Run, many_orders: None) -> None:
    shown, as_json = run("order", "loose1"), run("order", "loose1", "--json")

    assert "scans of this tracking number that are kept until an order names it: 1" in shown.stdout
    assert json.loads(as_json.stdout) == {
        "reference": "loose1",
        "shop": None,
        "found": False,
        "orders": [],
        "scans": 1,
    }


def test_order_without_a_text_is_refused(run: Run, many_orders: None) -> None:
    shown = run("order", " ")

    assert shown.exit_code == 2
    assert "an empty text names no order" in shown.output


def test_order_shows_the_sum_of_scans_that_are_not_kept(run: Run, database_url: str, monkeypatch):
    begin = NOW - timedelta(days=2)
    scans = [
        {"event_name": "SORTED", "code": f"c{n}", "occurred_at": str(begin + timedelta(minutes=n))}
        for n in range(501)
    ]
    report = {"carrier_reference": "ups", "tracking_number": "1Z9", "scans": scans}
    asyncio.run(
        _apply(
            database_url,
            an_upsert("F", trackings=["1Z9"]),
            a_record("tracking.reported", report, topic="carrier.tracking"),
        )
    )
    monkeypatch.setenv("DATABASE_URL", database_url)

    shown, as_json = run("order", "demo-shop/F"), run("order", "demo-shop/F", "--json")

    said = "the oldest 51 scans, until 2026-02-27 12:50Z, are not kept one by one"
    assert said in " ".join(shown.stdout.replace("│", " ").split())
    (shipment,) = json.loads(as_json.stdout)["shipments"]
    assert shipment["folded"] == {
        "scans": 51,
        "until": "2026-02-27T12:50:00+00:00",
        "phase": "in_transit",
        "flag": "normal",
        "leg": 1,
        "attempts": 0,
        "delivered_at": None,
    }
    assert len(shipment["scans"]) == 450


def test_order_says_which_scans_of_a_shared_number_it_does_not_see(
    run: Run, database_url: str, monkeypatch
) -> None:
    def scan(name: str, day: int) -> dict[str, str]:
        return {"event_name": name, "occurred_at": f"2026-02-{day:02}T10:00:00Z"}

    def upsert(order: str, day: int, shop: str = "demo-shop") -> Original:
        number = {"tracking_number": "1Z9", "carrier_reference": "ups"}
        tracking = {**number, "tracking_placed_at": f"2026-02-{day:02}T08:00:00Z"}
        placement = {"order_number": order, "address": {"zip_code": "10115"}}
        body = {"shop_slug": shop, "id": order, "order": placement, "trackings": [tracking]}
        return a_record("order.upsert", body)

    def report(carrier: str, *scans: dict[str, str]) -> Original:
        body = {"carrier_reference": carrier, "tracking_number": "1Z9", "scans": scans}
        return a_record("tracking.reported", body, topic="carrier.tracking")

    asyncio.run(
        _apply(
            database_url,
            upsert("OLD", 1),
            report("ups", scan("PICKED_UP_BY_CARRIER", 1), scan("SUCCESSFULLY_DELIVERED", 2)),
            upsert("NEW", 20),
            upsert("SECRET", 21, "qb"),
            report("ups", scan("OUT_FOR_DELIVERY", 22)),
            report("dpd", scan("SORTED", 23)),
        )
    )
    monkeypatch.setenv("DATABASE_URL", database_url)

    shown, as_json = run("order", "demo-shop/NEW"), run("order", "demo-shop/NEW", "--json")

    text = " ".join(shown.stdout.replace("│", " ").replace("├──", "").split())
    assert "window: scans from 2026-02-17 08:00Z to any time are its own" in text
    assert "the number is also on demo-shop/OLD" in text
    assert "the number is also on shipments of other shops: 1" in text
    assert "not its scan: 2026-02-23 10:00Z SORTED. It is of carrier dpd" in text
    assert "SECRET" not in shown.stdout + as_json.stdout
    (shipment,) = json.loads(as_json.stdout)["shipments"]
    assert [(each["event_name"], each["cause"]) for each in shipment["window"]["unseen"]] == [
        ("PICKED_UP_BY_CARRIER", "of_former_parcel"),
        ("SUCCESSFULLY_DELIVERED", "of_former_parcel"),
        ("SORTED", "other_carrier"),
    ]
    former = json.loads(run("order", "demo-shop/OLD", "--json").stdout)["shipments"][0]["window"]
    assert [each["cause"] for each in former["unseen"]] == ["of_later_parcel", "other_carrier"]


def test_order_alone_on_its_number_shows_no_window(run: Run, orders: str) -> None:
    assert "window" not in run("order", orders).stdout
