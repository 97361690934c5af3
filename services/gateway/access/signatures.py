"""Signatures: how each sender signs its requests, as its documentation says.

Each check takes the secrets of the sender, of which any may be the right one, and compares in
constant time. Sources: AfterShip https://www.aftership.com/docs/tracking/webhook/webhook-signature,
EasyPost https://docs.easypost.com/docs/webhooks and its client libraries (the second form is not in
these, and is as third parties describe it), Shippo
https://docs.goshippo.com/tracking/webhook-security, 17TRACK https://api.17track.net/en/doc,
Karla https://docs.gokarla.io/docs/triggers/webhooks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from services.gateway.refusal import unauthorized

TOLERANCE_SECONDS = 300
"""How far the time in a signature may be from ours; a copy of a request is of no use for longer."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What signatures are made of."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    now: float
    """Unix time in seconds."""


Check = Callable[[SignedRequest, str, bytes], bool]
"""Whether the value of the header is the signature of the request by the secret.

Raises:
    Refused: 401, the signature is too old.
"""


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to sign: the header of the signature, and the check of its value."""

    header: str
    check: Check


def verify(schemes: Sequence[Scheme], request: SignedRequest, secrets: Sequence[str]) -> None:
    """Check a request by the first of `schemes` whose header it has.

    Raises:
        Refused: 401.
    """
    for scheme in schemes:
        value = request.headers.get(scheme.header)
        if value is None:
            continue
        # All secrets are tried, so that the time says nothing about which of them is right.
        found = [scheme.check(request, value.strip(), each.encode()) for each in secrets]
        if any(found):
            return
        raise unauthorized(
            "wrong_signature",
            f"the signature in {scheme.header} does not belong to this body and to a secret that "
            "is known here",
        )
    names = " or ".join(scheme.header for scheme in schemes)
    raise unauthorized("signature_missing", f"the request is not signed: send {names}")


def is_signed(schemes: Sequence[Scheme], headers: Mapping[str, str]) -> bool:
    """Whether a request has the header of one of the schemes."""
    return any(scheme.header in headers for scheme in schemes)


def _hmac_hex(secret: bytes, *parts: bytes) -> str:
    return hmac.new(secret, b"".join(parts), hashlib.sha256).hexdigest()


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


def _same_hex(expected: str, given: str) -> bool:
    """Compare digits of either case: .NET and Java write large ones."""
    return _same(expected, given.lower())


def _aftership(request: SignedRequest, value: str, secret: bytes) -> bool:
    digest = hmac.new(secret, request.body, hashlib.sha256).digest()
    return _same(base64.b64encode(digest).decode(), value)


def _nfkd(secret: bytes) -> bytes:
    return unicodedata.normalize("NFKD", secret.decode()).encode()


def _easypost(request: SignedRequest, value: str, secret: bytes) -> bool:
    return _same_hex("hmac-sha256-hex=" + _hmac_hex(_nfkd(secret), request.body), value)


def _easypost_2(request: SignedRequest, value: str, secret: bytes) -> bool:
    said = request.headers.get("x-timestamp", "")
    path = request.headers.get("x-path", request.path)
    expected = _hmac_hex(
        _nfkd(secret), said.encode(), request.method.encode(), path.encode(), request.body
    )
    if path != request.path or not _same_hex("hmac-sha256-hex=" + expected, value):
        return False
    _check_age(_unix_time(said), request.now)
    return True


def _unix_time(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _timed(request: SignedRequest, value: str, secret: bytes) -> bool:
    """`t=<unix>,v1=<hex>`: HMAC-SHA256 of the time, a dot and the body."""
    members = [part.strip().partition("=") for part in value.split(",")[:8]]
    said = next((text for name, _, text in members if name == "t"), "")
    if not (said.isascii() and said.isdecimal() and len(said) <= 12):
        return False
    expected = _hmac_hex(secret, said.encode(), b".", request.body)
    found = [_same_hex(expected, text) for name, _, text in members if name == "v1"]
    if not any(found):
        return False
    _check_age(float(said), request.now)
    return True


def _seventeen_track(request: SignedRequest, value: str, secret: bytes) -> bool:
    return _same_hex(hashlib.sha256(request.body + b"/" + secret).hexdigest(), value)


def _check_age(said: float | None, now: float) -> None:
    """Raise Refused where a right signature was made too long ago, or by a clock that is wrong."""
    if said is None or abs(now - said) > TOLERANCE_SECONDS:
        raise unauthorized(
            "old_signature",
            f"the signature was made more than {TOLERANCE_SECONDS} seconds from now: sign each "
            "attempt again, and set the clock",
        )


KARLA = Scheme("karla-signature", _timed)
"""Any sender may sign so where a secret for it is known."""

_OWN: Mapping[str, Sequence[Scheme]] = {
    "aftership": (Scheme("aftership-hmac-sha256", _aftership),),
    "easypost": (
        Scheme("x-hmac-signature", _easypost),
        Scheme("x-hmac-signature-v2", _easypost_2),
    ),
    "shippo": (Scheme("shippo-auth-signature", _timed),),
    "track17": (Scheme("sign", _seventeen_track),),
}
TOKEN_IN_URL = frozenset(("shippo",))
"""Senders whose only other way is a key in the address: `?token=`."""
KEY_HEADERS: Mapping[str, str] = {"ups": "credential"}
"""Senders that send the key that they are given in a header of their own. Source: UPS Track Alert,
https://github.com/UPS-API/api-documentation/blob/main/UPSTrackAlert.yaml."""


def schemes_of(sender: str) -> tuple[Scheme, ...]:
    """The schemes of a sender's form, by its name: its own, and that of Karla."""
    return (*_OWN.get(sender, ()), KARLA)
