"""A token for Kafka, and the error where there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from aiokafka.errors import KafkaError

FETCH_SECONDS = 10.0
"""How long a source of tokens may take."""


class TokenUnavailable(KafkaError):  # type: ignore[misc]
    """No token for Kafka; the text names the setting to look at, never a secret. May pass."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Token:
    """A token and how many seconds it is valid from when it was fetched."""

    value: str = field(repr=False)
    lifetime_seconds: float


class TokenSource(Protocol):
    """Where tokens come from. Equal sources share their tokens, so a source is hashable."""

    async def fetch(self) -> Token:
        """A new token. Raises TokenUnavailable, within FETCH_SECONDS."""

    def __hash__(self) -> int: ...
