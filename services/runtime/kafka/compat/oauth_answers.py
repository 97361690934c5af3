"""A token that the broker rejects raises SaslAuthenticationFailed.

aiokafka 0.14 does not read the broker's answer to a token: an empty one accepts it, any other is
the reason of a rejection (RFC 7628, 3.2.2). Without this, the connection passes for open until the
broker closes it at the first request.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.conn import OAuthAuthenticator
from aiokafka.errors import SaslAuthenticationFailed

REASON_MAX = 100


def install() -> None:
    """Patch aiokafka's authenticator for this process; a second call changes nothing."""
    found = OAuthAuthenticator.step
    if not hasattr(found, "__wrapped__"):
        OAuthAuthenticator.step = _raise_rejection(found)


def _raise_rejection(step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(step)
    async def checked(self: Any, answer: bytes | None) -> Any:
        if answer:
            self._sasl_oauth_token_provider.reject()
            raise SaslAuthenticationFailed(f"the broker rejects the token: {_reason(answer)}")
        return await step(self, answer)

    return checked


def _reason(answer: bytes) -> str:
    """The `status` of the broker's answer, such as `invalid_token`."""
    try:
        text = str(json.loads(answer)["status"])
    except (ValueError, KeyError, TypeError, RecursionError):
        text = "without a reason"
    return "".join(each for each in text[:REASON_MAX] if each.isprintable())
