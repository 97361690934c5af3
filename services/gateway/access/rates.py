"""Rates: a token bucket for each sender."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from services.gateway.refusal import Refused

BURST_SECONDS = 2.0
"""A sender that was silent may send what it may send in so long at once."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Rates:
    """How much each sender may send; senders are those that were recognised, so they are few."""

    def __init__(self, per_second: float, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._now = now
        self._buckets: dict[str, _Bucket] = {}

    def take(
        self, sender: str, per_second: float | None, count: int = 1, *, counted: int = 0
    ) -> None:
        """Count `count` messages of a request; `counted` others of it were counted before.

        A request with more messages than the burst of its sender counts as the burst.

        Raises:
            Refused: 429, with the seconds until the whole request may be sent.
        """
        rate = per_second or self._per_second
        most = max(1.0, rate * BURST_SECONDS)
        wanted = min(float(count + counted), most) - counted
        if wanted <= 0:
            return
        now = self._now()
        bucket = self._buckets.setdefault(sender, _Bucket(most, now))
        bucket.tokens = min(most, bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        if bucket.tokens < wanted:
            raise Refused(
                429,
                "too_many_requests",
                f"this sender may send {rate:g} messages a second",
                retry_after=(wanted + counted - bucket.tokens) / rate,
            )
        bucket.tokens -= wanted
