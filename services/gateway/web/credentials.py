"""Credentials: the API key that a request brings."""

from __future__ import annotations

import base64

from starlette.requests import Request

from services.gateway.access.signatures import KEY_HEADERS, TOKEN_IN_URL
from services.gateway.refusal import unauthorized

KEY_MAX_CHARACTERS = 512


def key_of(request: Request) -> str | None:
    """The API key of a request: `Authorization: Bearer`, or the password of `Basic`; None for none.

    Senders that can only be given an address put the key there as the password.

    Raises:
        Refused: 401, the header is of another form.
    """
    said = request.headers.getlist("authorization")
    if not said:
        return None
    kind, _, value = said[0].strip().partition(" ")
    value = value.strip()
    if len(said) > 1 or len(value) > KEY_MAX_CHARACTERS:
        raise _unreadable()
    if kind.lower() == "bearer" and value:
        return value
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:  # binascii.Error and UnicodeDecodeError are such.
            raise _unreadable() from None
    raise _unreadable()


def _unreadable() -> Exception:
    return unauthorized(
        "authorization_unreadable", "send one header Authorization: Bearer and the API key"
    )


def carrier_key_of(request: Request, name: str) -> str | None:
    """The API key of a request with tracking in the named form; None for none.

    Beside `Authorization` some senders have a header of their own, or a parameter of the address.

    Raises:
        Refused: 401, the header Authorization is of another form.
    """
    presented = key_of(request)
    if presented is None and name in KEY_HEADERS:
        presented = request.headers.get(KEY_HEADERS[name], "").strip() or None
    if presented is None and name in TOKEN_IN_URL:
        presented = request.query_params.get("token")
    return presented
