"""Connections are replaced before the broker ends their session.

A broker with `connections.max.reauth.ms` closes a connection at the first request after its login,
or its token, has expired. KIP-368 lets a client log in again on the open connection, which aiokafka
0.14 does not do: its requests fail, and it takes the group's coordinator for dead. Instead, a
connection is retired at RETIRE_AT_SHARE of the session that the broker granted: new requests open
another connection, which logs in, and this one is closed when its requests are answered.
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.protocol.admin import SaslAuthenticateRequest

RETIRE_AT_SHARE = 0.85
PAUSE_SECONDS = 0.05
"""Between two looks at the requests of a retired connection."""


def install() -> None:
    """Patch aiokafka's connection for this process; a second call changes nothing."""
    if hasattr(AIOKafkaConnection, "is_retired"):
        return
    AIOKafkaConnection.is_retired = False
    AIOKafkaConnection.send = _reading_lifetime(AIOKafkaConnection.send)
    AIOKafkaConnection.connected = _unless_retired(AIOKafkaConnection.connected)


def _reading_lifetime(send: Callable[..., Any]) -> Callable[..., Any]:
    """Read the session's lifetime from the broker's answer to a login."""

    # Without functools.wraps: closed_connections knows its own wrapper by `__wrapped__`.
    def sent(self: Any, request: Any, *arguments: Any, **named: Any) -> Any:
        answer = send(self, request, *arguments, **named)
        if isinstance(request, SaslAuthenticateRequest):
            return _with_lifetime(self, answer)
        return answer

    return sent


async def _with_lifetime(connection: Any, answer: Awaitable[Any]) -> Any:
    response = await answer
    # The answer of an old broker lacks the field; 0 is a session without end.
    seconds = getattr(response, "session_lifetime_ms", 0) / 1000
    if seconds > 0:
        reference = weakref.ref(connection)
        asyncio.get_running_loop().call_later(seconds * RETIRE_AT_SHARE, _retire, reference)
    return response


def _retire(reference: weakref.ref[Any]) -> None:
    """Let no new request on the connection, and close it when the last one is answered."""
    connection = reference()
    if connection is not None:
        connection.is_retired = True
        _close_when_answered(connection, connection._request_timeout)  # noqa: SLF001


def _close_when_answered(connection: Any, seconds_left: float) -> None:
    if connection._requests and seconds_left > 0:  # noqa: SLF001
        asyncio.get_running_loop().call_later(
            PAUSE_SECONDS, _close_when_answered, connection, seconds_left - PAUSE_SECONDS
        )
    else:
        connection.close(reason=CloseReason.IDLE_DROP)


def _unless_retired(connected: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Aiokafka opens another connection where one is not connected."""

    @functools.wraps(connected)
    def asked(self: Any) -> bool:
        return not self.is_retired and connected(self)

    return asked
