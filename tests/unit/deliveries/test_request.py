"""The request of one attempt."""

import base64
import time
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from services.deliveries.domain.destination import Secret, State, Target
from services.deliveries.secret_box import read_box
from services.deliveries.sending.request import Requests, Unsendable
from services.deliveries.sending.rows import StoredBody, StoredTarget
from services.deliveries.sending.window import Row
from services.runtime.config.settings import Settings
from tests.unit.deliveries.receivers import plugin_accepts

LONG_AGO = datetime(2020, 3, 4, 12, tzinfo=UTC)
KEY = SecretStr(base64.b64encode(bytes(32)).decode())
OTHER_KEY = SecretStr(base64.b64encode(bytes(range(32))).decode())
ROW = Row(1, 0, 7, "order", "event", 0, 10)
BODY = StoredBody("demo", "shipment.scanned", 3, 4, b"", b'{"ref": "x"}')
URL = "https://hooks.shop.example/"


def a_target(key=KEY, url=URL, **secret):
    """A destination with a secret under this key."""
    box = read_box(key)
    former = {"former": box.new_secret("demo", "erp"), **secret} if secret else {}
    sealed = Secret(box.new_secret("demo", "erp"), **former)
    return StoredTarget(7, "demo", "erp", Target("webhook", url), State.ACTIVE, sealed)


def made(target=None, body=BODY, key=KEY, row=ROW):
    """The request at a business time of long ago."""
    requests = Requests(Settings(deliveries_key=key))
    return requests.make(row, target or a_target(), body, LONG_AGO)


def test_signature_has_the_time_of_the_clock_of_receivers_not_that_of_the_business():
    assert abs(int(made().headers["webhook-timestamp"]) - time.time()) < 60


@pytest.mark.parametrize(
    ("until", "signatures"), [(LONG_AGO, 1), (LONG_AGO + timedelta(seconds=1), 2)]
)
def test_former_secret_signs_until_its_business_time_is_over(until, signatures):
    headers = made(a_target(former_until=until)).headers

    assert len(headers["webhook-signature"].split()) == signatures


def test_plugin_that_reads_one_signature_accepts_either_secret_within_two_attempts():
    target = a_target(former_until=LONG_AGO + timedelta(hours=1))
    box = read_box(KEY)
    current, former = (
        box.decrypt(each, "demo", "erp") for each in (target.secret.current, target.secret.former)
    )
    first, second = (made(target, row=replace(ROW, failures=n)) for n in (8, 9))

    accepted = [
        [plugin_accepts(request.headers, request.body, secret) for request in (first, second)]
        for secret in (former, current)
    ]

    assert accepted == [[True, False], [False, True]]


@pytest.mark.parametrize(
    ("changes", "is_receivers"),
    [
        ({"body": None}, False),
        ({"body": StoredBody("other", "shipment.scanned", 3, 4, b"", b"{}")}, False),
        ({"key": None}, False),
        ({"target": a_target(OTHER_KEY)}, False),
        ({"target": a_target(url="http://hooks.shop.example/")}, True),
    ],
    ids=["no body", "body of another shop", "no key", "key that is gone", "URL not allowed"],
)
def test_request_that_cannot_be_made_says_whether_the_destination_is_at_fault(
    changes, is_receivers
):
    with pytest.raises(Unsendable) as caught:
        made(**changes)

    assert caught.value.is_receivers is is_receivers
