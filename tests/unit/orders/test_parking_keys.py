"""Parking keys of the orders service: stored, and read by replicas of other versions, so fixed."""

import pytest

from services.orders.domain.model.ids import order_id_of
from services.orders.domain.model.parcel import Owner, Parcel
from services.orders.domain.model.references import Reference, ReferenceKind
from services.orders.messages.decode import read
from services.orders.parking_keys import asked_candidate, keys_of
from services.orders.store import Stored
from tests.unit.orders.shelf import NOW, record_of

ORDER, OTHER = order_id_of("shop", "1"), order_id_of("shop", "2")


def ref(kind, value):
    return Reference("shop", ReferenceKind(kind), value)


@pytest.mark.parametrize(
    ("references", "numbers", "keys"),
    [
        (
            [ref("order_number", "1")],
            [],
            {f"order:{ORDER}", "order/shop/order_number/1", f"order/shop/uuid/{ORDER}"},
        ),
        ([ref("uuid", ORDER)], [], {f"order:{ORDER}", f"order/shop/uuid/{ORDER}"}),
        ([ref("external_id", "e-1")], [], {f"order:{ORDER}", "order/shop/external_id/e-1"}),
        ([ref("order_name", "#1")], [], {"order/shop/order_name/#1"}),
        ([], ["1Z9"], {"number/1Z9"}),
        ([ref("uuid", "no uuid")], ["1Z9"], {"order/shop/uuid/no uuid", "number/1Z9"}),
    ],
)
def test_parking_keys_are_spelled_as_stored(references, numbers, keys):
    known = Stored(references={ref("external_id", "e-1"): ORDER})

    assert keys_of(references, numbers, known) == keys


def test_parking_keys_of_a_number_are_those_of_its_owners_too():
    owners = tuple(Owner(order_id=each, shipment_id=each, shop="shop") for each in (ORDER, OTHER))

    keys = keys_of([], ["1Z1"], Stored(parcels={"1Z1": Parcel(number="1Z1", owners=owners)}))

    assert keys == {"number/1Z1", f"order:{ORDER}", f"order:{OTHER}"}


def test_parking_keys_of_a_shared_name_are_those_of_all_its_orders():
    name = ref("order_name", "#1")
    known = Stored(references={name: ORDER}, shared={name: (ORDER, OTHER)})

    keys = keys_of([name], [], known)

    assert keys == {"order/shop/order_name/#1", f"order:{ORDER}", f"order:{OTHER}"}


@pytest.mark.parametrize(
    ("reference", "is_described"),
    [("1", True), ("#1", True), ("#1", False)],
    ids=["number", "name and order", "name"],
)
def test_name_that_a_command_only_gives_is_held_and_does_not_stop_it(reference, is_described):
    name = ref("order_name", "#1")
    known = Stored(references={name: OTHER}, shared={name: (OTHER, ORDER)})
    body = {"shop_slug": "shop", "id": reference}
    body["id_type"] = "order_name" if reference == "#1" else "order_number"
    if is_described:
        body["order"] = {"order_number": "1", "order_name": "#1", "address": {"zip_code": "1"}}
    (asked,) = read(record_of(1, "c-1", "order.upsert", body), NOW)

    candidate = asked_candidate(asked, known)

    key = "order/shop/order_name/#1"
    assert key in candidate.held
    assert (key in candidate.keys) == (not is_described)
    assert (f"order:{OTHER}" in candidate.held) == (not is_described)
    assert f"order:{ORDER}" in candidate.keys
