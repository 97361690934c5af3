"""Writing to a closed connection on uvloop raises KafkaConnectionError.

aiokafka 0.14 expects an OSError there. uvloop raises RuntimeError ("the handler is closed"), which
aiokafka does not catch: the task that refreshes the metadata ends silently, and the consumer waits
for metadata for ever. It happens if a connection breaks in the same iteration of the event loop in
which a request is sent on it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError


def install() -> None:
    """Patch aiokafka's connection for this process; a second call changes nothing."""
    for name in ("send", "_send_sasl_token"):
        found = getattr(AIOKafkaConnection, name)
        if not hasattr(found, "__wrapped__"):
            setattr(AIOKafkaConnection, name, _raise_connection_error(found))


def _raise_connection_error(send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    def sent(self: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return send(self, *arguments, **named)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"the connection was closed already: {error}") from error

    return sent
