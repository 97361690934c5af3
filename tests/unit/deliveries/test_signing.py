"""Signatures of requests, and how secrets are stored."""

import base64
import gzip
import time

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from services.deliveries.domain.destination import Form, Target
from services.deliveries.messages.encode import body_of, request_headers
from services.deliveries.messages.signing import secret_text, signature_headers
from services.deliveries.messages.thin import thin_body
from services.deliveries.secret_box import SecretUnreadable, read_box
from services.runtime.config.environment import SettingsError
from tests.unit.deliveries.receivers import plugin_accepts

FIRST, SECOND = (secret_text(bytes([n]) * 32) for n in (1, 2))
KEYS = [base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2)]
BODY = b'{"event_name":"TEST"}'


def box_of(*keys):
    """A box with these keys."""
    return read_box(SecretStr("\n".join(keys)))


def test_signature_of_a_known_request():
    headers = signature_headers([FIRST], "evt_1", 1_770_000_000, BODY)

    assert headers == {
        "webhook-id": "evt_1",
        "webhook-timestamp": "1770000000",
        "webhook-signature": headers["webhook-signature"],
        "Karla-Signature": headers["Karla-Signature"],
    }
    assert headers["webhook-signature"].startswith("v1,")
    assert headers["Karla-Signature"].startswith("t=1770000000,v1=")


@pytest.mark.parametrize("secret", [FIRST, SECOND])
def test_signature_by_two_secrets_is_right_for_either(secret):
    headers = signature_headers([FIRST, SECOND], "evt_1", int(time.time()), BODY)

    assert Webhook(secret).verify(BODY, headers) == {"event_name": "TEST"}


def changed(headers, name, old, new):
    """Headers of which one has another text in place of a part of it."""
    assert old in headers[name]
    return {**headers, name: headers[name].replace(old, new)}


def standard_accepts(headers, body, secret):
    """The check of the package `standardwebhooks` of PyPI."""
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


CHECKS = [standard_accepts, plugin_accepts]


@pytest.mark.parametrize("accepts", CHECKS)
@pytest.mark.parametrize(
    "body", [BODY, '{"a":"\u00e4\u6f22\U0001f4e6"}'.encode()], ids=["plain", "utf8"]
)
def test_receiver_accepts_what_was_signed_and_no_other_body_or_secret(accepts, body):
    headers = signature_headers([FIRST], "evt_1", int(time.time()), body)

    assert accepts(headers, body, FIRST)
    assert not accepts(headers, body + b" ", FIRST)
    assert not accepts(headers, body, SECOND)


@pytest.mark.parametrize("accepts", CHECKS)
@pytest.mark.parametrize("seconds", [-400, 400], ids=["old", "early"])
def test_receiver_refuses_a_time_that_is_far_away(accepts, seconds):
    headers = signature_headers([FIRST], "evt_1", int(time.time()) + seconds, BODY)

    assert not accepts(headers, BODY, FIRST)


@pytest.mark.parametrize("accepts", CHECKS)
def test_receiver_refuses_a_time_that_was_changed(accepts):
    now = int(time.time())
    headers = signature_headers([FIRST], "evt_1", now, BODY)
    for name in ("webhook-timestamp", "Karla-Signature"):
        headers = changed(headers, name, str(now), str(now + 1))

    assert not accepts(headers, BODY, FIRST)


def test_receiver_of_standard_webhooks_refuses_another_id():
    headers = signature_headers([FIRST], "evt_1", int(time.time()), BODY)

    assert not standard_accepts(changed(headers, "webhook-id", "1", "2"), BODY, FIRST)


def test_body_that_is_compressed_is_signed_as_it_was_before():
    headers, data = request_headers([FIRST], "evt_1", BODY, 1, {}, is_gzip=True)

    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(data) == BODY
    plain, _ = request_headers([FIRST], "evt_1", BODY, 1, {}, is_gzip=False)
    assert headers["webhook-signature"] == plain["webhook-signature"]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (Form.FULL, b'{"ref": "x", "context": {"a": 1}}'),
        (Form.THIN, b'{"ref":"x"}'),
    ],
)
def test_body_of_a_form(form, expected):
    target = Target("webhook", "https://hooks.shop.example/", form=form)
    assert body_of(b'{"ref": "x", "context": {"a": 1}}', target) == expected


@pytest.mark.parametrize(
    "member",
    [b'"\xff"', b"1.10", b"1e999", b"123456789012345678901234567890", '"\u00e4"'.encode()],
    ids=repr,
)
def test_thin_body_keeps_the_bytes_of_its_members(member):
    value = b'{"a": ' + member + b', "context": ' + member + b"}"

    assert thin_body(value) == b'{"a":' + member + b"}"


def test_secret_is_stored_encrypted_and_read_again():
    box = box_of(KEYS[0])

    sealed = box.encrypt(FIRST, "demo", "erp")

    assert FIRST.encode() not in sealed
    assert box.decrypt(sealed, "demo", "erp") == FIRST
    assert sealed != box.encrypt(FIRST, "demo", "erp")


def test_secret_of_one_destination_cannot_be_used_for_another():
    box = box_of(KEYS[0])

    with pytest.raises(SecretUnreadable):
        box.decrypt(box.encrypt(FIRST, "demo", "erp"), "other", "erp")


def test_secret_of_a_former_key_can_be_read():
    sealed = box_of(KEYS[0]).encrypt(FIRST, "demo", "erp")

    assert box_of(KEYS[1], KEYS[0]).decrypt(sealed, "demo", "erp") == FIRST
    with pytest.raises(SecretUnreadable, match="ORDERFLOW_DELIVERIES_KEY"):
        box_of(KEYS[1]).decrypt(sealed, "demo", "erp")


@pytest.mark.parametrize("damage", [b"", b"\x02", b"\x01short", None])
def test_secret_that_is_damaged_is_an_error_of_its_own(damage):
    box = box_of(KEYS[0])
    sealed = box.encrypt(FIRST, "demo", "erp")

    with pytest.raises(SecretUnreadable):
        box.decrypt(sealed[:-1] if damage is None else damage, "demo", "erp")


@pytest.mark.parametrize("key", ["short", "!" * 44, base64.b64encode(bytes(31)).decode()])
def test_key_that_is_no_key_ends_the_start(key):
    with pytest.raises(SettingsError, match="ORDERFLOW_DELIVERIES_KEY"):
        box_of(key)


def test_key_that_is_not_there_means_no_webhooks():
    assert read_box(None) is None
