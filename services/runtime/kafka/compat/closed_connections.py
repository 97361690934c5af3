"""Kafka clients on uvloop: a connection that is closed already is a lost connection, no more.

aiokafka (0.14) expects an OSError from writing to one. uvloop raises RuntimeError ("the handler is
closed"), which nobody catches: it ends the task that refreshes the client's metadata, silently, and
from then on the consumer waits for metadata for ever. It takes a connection that breaks in the same
turn of the loop as something is sent on it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError


def install() -> None:
    """Let every Kafka client of this process take it so; done once more it changes nothing."""
    for name in ("send", "_send_sasl_token"):
        found = getattr(AIOKafkaConnection, name)
        if not hasattr(found, "__wrapped__"):
            setattr(AIOKafkaConnection, name, _lost_when_closed(found))


def _lost_when_closed(send: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(send)
    def sent(self: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return send(self, *arguments, **named)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"the connection was closed already: {error}") from error

    return sent
