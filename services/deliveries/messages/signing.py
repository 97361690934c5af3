"""Signatures of requests to webhooks: that of Standard Webhooks 1.0, and that of Karla's API.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md signs
`{id}.{time}.{body}` by the bytes of which the secret is the base64, after `whsec_`.
https://docs.gokarla.io/docs/triggers/webhooks signs `{time}.{body}` by the secret as it is written.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32


def secret_text(random: bytes) -> str:
    """The secret that a shop is given, of random bytes."""
    return PREFIX + base64.b64encode(random).decode()


def signature_headers(
    secrets: Sequence[str], event_id: str, unix_seconds: int, body: bytes
) -> dict[str, str]:
    """The headers that sign a body; each secret signs, so that receivers may know either."""
    time = str(unix_seconds)
    standard = [_standard(each, f"{event_id}.{time}.".encode() + body) for each in secrets]
    karla = [_hmac(each.encode(), f"{time}.".encode() + body).hex() for each in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": time,
        "webhook-signature": " ".join(f"v1,{each}" for each in standard),
        "Karla-Signature": ",".join((f"t={time}", *(f"v1={each}" for each in karla))),
    }


def _standard(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(_hmac(key, content)).decode()


def _hmac(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")
