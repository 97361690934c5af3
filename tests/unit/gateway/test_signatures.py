"""Signatures of senders: right, wrong, old, missing, by the older and by the newer secret."""

import base64
import hashlib
import hmac
import re
import unicodedata
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.access.signatures import (
    TOLERANCE_SECONDS,
    SignedRequest,
    is_signed,
    schemes_of,
    verify,
)
from services.gateway.refusal import Refused

NOW = 1_790_000_000.0
BODY = '{"msg": {"tracking_number": "1Z1"}, "city": "Köln"}'.encode()
SECRET, OLDER = "weiẛẛes-secret-of-now", "the-secret-before"


def hmac_hex(secret, *parts):
    return hmac.new(secret.encode(), b"".join(parts), hashlib.sha256).hexdigest()


def aftership(body, secret, now=NOW):
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {"aftership-hmac-sha256": base64.b64encode(digest).decode()}


def easypost(body, secret, now=NOW):
    normal = unicodedata.normalize("NFKD", secret)
    return {"x-hmac-signature": f"hmac-sha256-hex={hmac_hex(normal, body)}"}


def easypost_2(body, secret, now=NOW):
    normal = unicodedata.normalize("NFKD", secret)
    said = format_datetime(datetime.fromtimestamp(now, UTC))
    path = "/carriers/easypost"
    signature = hmac_hex(normal, said.encode(), b"POST", path.encode(), body)
    return {
        "x-hmac-signature-v2": f"hmac-sha256-hex={signature}",
        "x-timestamp": said,
        "x-path": path,
    }


def timed(header):
    def sign(body, secret, now=NOW):
        said = str(int(now))
        return {header: f"t={said},v1={hmac_hex(secret, said.encode(), b'.', body)}"}

    return sign


def seventeen_track(body, secret, now=NOW):
    return {"sign": hashlib.sha256(body + b"/" + secret.encode()).hexdigest()}


SIGNED = {
    "aftership": aftership,
    "easypost": easypost,
    "easypost, second form": easypost_2,
    "shippo": timed("shippo-auth-signature"),
    "track17": seventeen_track,
    "ups": timed("karla-signature"),
    "standard": timed("karla-signature"),
}
TIMED = ("easypost, second form", "shippo", "ups", "standard")


def check(name, headers, body=BODY, secrets=(SECRET,), now=NOW):
    sender = name.split(",")[0]
    request = SignedRequest("POST", f"/carriers/{sender}", headers, body, now)
    verify(schemes_of(sender), request, secrets)


def refusal(*arguments, **options):
    with pytest.raises(Refused) as refused:
        check(*arguments, **options)
    assert refused.value.status == 401
    return refused.value.reason


@pytest.mark.parametrize("name", SIGNED)
def test_signature_of_a_sender_is_right_by_any_of_its_secrets(name):
    headers = SIGNED[name](BODY, SECRET)

    check(name, headers)
    check(name, headers, secrets=(OLDER, SECRET))
    check(name, SIGNED[name](BODY, OLDER), secrets=(OLDER, SECRET))
    assert is_signed(schemes_of(name.split(",")[0]), headers)


@pytest.mark.parametrize("name", sorted(SIGNED.keys() - {"aftership"}))
def test_signature_in_hex_is_right_in_large_digits(name):
    headers = {
        header: re.sub("[0-9a-f]{64}", lambda digits: digits[0].upper(), value)
        for header, value in SIGNED[name](BODY, SECRET).items()
    }

    assert headers != SIGNED[name](BODY, SECRET)
    check(name, headers)


@pytest.mark.parametrize("name", SIGNED)
def test_signature_of_another_body_or_secret_is_refused(name):
    headers = SIGNED[name](BODY, SECRET)

    assert refusal(name, headers, body=BODY + b" ") == "wrong_signature"
    assert refusal(name, headers, body=b"") == "wrong_signature"
    assert refusal(name, headers, secrets=(OLDER,)) == "wrong_signature"
    assert refusal(name, headers, secrets=()) == "wrong_signature"


@pytest.mark.parametrize("name", SIGNED)
def test_signature_that_is_missing_is_refused(name):
    assert refusal(name, {}) == "signature_missing"


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("seconds", [-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1])
def test_signature_with_a_time_is_refused_when_it_is_too_far(name, seconds):
    headers = SIGNED[name](BODY, SECRET)

    check(name, headers, now=NOW + seconds - (1 if seconds > 0 else -1))
    assert refusal(name, headers, now=NOW + seconds) == "old_signature"


@pytest.mark.parametrize("name", TIMED)
def test_signature_whose_time_was_changed_is_wrong(name):
    headers = {
        header: value.replace(str(int(NOW)), str(int(NOW) + 900))
        for header, value in SIGNED[name](BODY, SECRET).items()
    }
    if "x-timestamp" in headers:
        headers["x-timestamp"] = format_datetime(datetime.fromtimestamp(NOW + 900, UTC))

    assert refusal(name, headers, now=NOW + 900) == "wrong_signature"


def test_second_form_of_easypost_is_of_one_address():
    headers = easypost_2(BODY, SECRET)
    request = SignedRequest("POST", "/carriers/ups", headers, BODY, NOW)

    with pytest.raises(Refused, match="wrong_signature"):
        verify(schemes_of("easypost"), request, (SECRET,))


def test_signature_of_karla_may_have_several_values():
    (value,) = timed("karla-signature")(BODY, SECRET).values()

    check("ups", {"karla-signature": f"{value},v1={'0' * 64}"})


@given(st.sampled_from(sorted(SIGNED)), st.text(max_size=200), st.text(max_size=60))
def test_no_text_is_a_signature_and_none_raises_another_error(name, text, said):
    (header, *_) = SIGNED[name](BODY, SECRET)

    reason = refusal(name, {header: text, "x-timestamp": said, "x-path": said})

    assert reason in ("wrong_signature", "old_signature")
