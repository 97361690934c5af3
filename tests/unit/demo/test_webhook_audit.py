"""What a webhook receiver got, judged against the topics; and signatures that it refuses."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import orjson
import pytest
from standardwebhooks import Webhook

from demo.journal import Entry
from demo.receiver import Request, verify
from demo.webhook_audit import is_wanted, judge_webhook
from schemas.topics import EVENT_TOPICS, ORDERS_EVENTS, SHIPMENTS_EVENTS

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
NOW = 1_772_000_000
FILTERS = ("orders", "shipments/delivered")
PLACED, DELIVERED = "orders/ORDER_PLACED", "shipments/delivered/DELIVERED"


def entry(topic, sequence, ref, order="o1", shop="demo-shop", type_="order.placed"):
    """One event on its topic."""
    body = {"source": ref.partition("/")[0], "ref": ref, "order_id": order, "shop_slug": shop}
    headers = {"ce_id": f"{order}-{ref}-{sequence}", "ce_type": type_}
    return Entry(topic, 0, sequence, order, orjson.dumps({**body, "sequence": sequence}), headers)


JOURNAL = dict.fromkeys(EVENT_TOPICS, ()) | {
    ORDERS_EVENTS: [
        entry(ORDERS_EVENTS, 1, PLACED),
        entry(ORDERS_EVENTS, 2, "orders/ORDER_UPDATED"),
        entry(ORDERS_EVENTS, 3, "orders/ORDER_SNAPSHOT", type_="order.snapshot"),
        entry(ORDERS_EVENTS, 1, PLACED, "o2", "other-shop"),
    ],
    SHIPMENTS_EVENTS: [
        entry(SHIPMENTS_EVENTS, 1, "shipments/in_transit/SORTED"),
        entry(SHIPMENTS_EVENTS, 2, DELIVERED),
    ],
}
WANTED = [JOURNAL[ORDERS_EVENTS][0], JOURNAL[ORDERS_EVENTS][1], JOURNAL[SHIPMENTS_EVENTS][1]]


def requests(*entries, is_signed=True):
    """Requests that bring these events."""
    return [Request(each.id, each.value, is_signed) for each in entries]


def judged(*received):
    """The counts of an audit that are not zero."""
    found = judge_webhook(JOURNAL, "demo-shop", FILTERS, received)
    names = ("missing", "repeated", "reordered", "foreign", "wrongly_signed")
    assert found.is_clean is not any(getattr(found, name) for name in names)
    return {name: number for name in names if (number := getattr(found, name))}


def test_audit_of_a_right_receiver_is_clean():
    assert judged(*requests(*WANTED)) == {}
    assert judged(*requests(WANTED[2], *WANTED[:2])) == {}  # Between topics there is no order.


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (requests(*WANTED[1:]), {"missing": 1}),
        (requests(*WANTED, WANTED[0]), {"repeated": 1}),
        (requests(WANTED[1], WANTED[0], WANTED[2]), {"reordered": 1}),
        (requests(*WANTED, JOURNAL[ORDERS_EVENTS][3]), {"foreign": 1}),
        (requests(*WANTED, JOURNAL[SHIPMENTS_EVENTS][0]), {"foreign": 1}),
        (requests(*WANTED, JOURNAL[ORDERS_EVENTS][2]), {"foreign": 1}),
        ([*requests(*WANTED[:2]), Request(WANTED[2].id, b"{}", True)], {"foreign": 1}),
        (requests(*WANTED) + requests(WANTED[0], is_signed=False), {"wrongly_signed": 1}),
        (
            requests(*WANTED[:2]) + requests(WANTED[2], is_signed=False),
            {"missing": 1, "wrongly_signed": 1},
        ),
    ],
    ids=[
        "missing", "repeated", "reordered", "of another shop", "not matched", "snapshot",
        "another body", "forged beside", "forged",
    ],
)  # fmt: skip
def test_audit_of_a_webhook_finds(received, expected):
    assert judged(*received) == expected


@pytest.mark.parametrize(
    ("ref", "filters", "expected"),
    [
        (PLACED, ("*",), True),
        (PLACED, ("orders",), True),
        (PLACED, ("order",), False),
        (DELIVERED, ("shipments/delivered",), True),
        (DELIVERED, ("shipments/deliver",), False),
        (DELIVERED, (DELIVERED,), True),
        (DELIVERED, ("orders", "claims"), False),
    ],
)
def test_filters_want(ref, filters, expected):
    assert is_wanted("any", ref, filters) is expected


def signed(body=b"{}", at=NOW, secret=SECRET, id_="e1"):
    """Headers as the contract describes them, made by the published package."""
    moment = datetime.fromtimestamp(at, UTC)
    karla = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(at),
        "webhook-signature": Webhook(secret).sign(id_, moment, body.decode()),
        "Karla-Signature": f"t={at},v1={karla}",
    }


OTHER = "whsec_" + base64.b64encode(b"x" * 32).decode()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (signed(), True),
        (signed(at=NOW - 290), True),
        ({**signed(), "webhook-signature": "v1,AAAA " + signed()["webhook-signature"]}, True),
        (signed(at=NOW - 310), False),
        (signed(secret=OTHER), False),
        (signed(body=b"[]"), False),
        ({**signed(), "webhook-id": "e2"}, False),
        ({**signed(), "Karla-Signature": signed(secret=OTHER)["Karla-Signature"]}, False),
        ({**signed(), "webhook-signature": signed(secret=OTHER)["webhook-signature"]}, False),
        ({}, False),
    ],
    ids=[
        "right", "older", "two signatures", "too old", "another secret", "another body",
        "another id", "wrong for Karla", "wrong for the standard", "none",
    ],
)  # fmt: skip
def test_receiver_accepts_signatures(headers, expected):
    assert verify(headers, b"{}", SECRET, NOW) is expected
