"""When a failed delivery is tried again, and when that ends.

The delays are those of Standard Webhooks 1.0
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md), which
end after more than three days. A 410 says that the receiver is gone. A Retry-After of 429 and 503
is obeyed up to RETRY_AFTER_MAX where it is longer than the delay. Other answers of 4xx say that the
request itself is refused: a fast repeat would be refused as well.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 60, 300, 1_800, 7_200, 21_600, 43_200, 86_400, 86_400, 86_400)
)
"""The pause before each further attempt: 3 days and 20 hours in all."""
SLOW_FROM = 2
"""An event that the receiver refused is tried again after DELAYS[SLOW_FROM] at the earliest."""
JITTER = 0.1
RETRY_AFTER_MAX = timedelta(days=1)
GONE = 410
OBEYS_RETRY_AFTER = frozenset((429, 503))
OPENS_AFTER = 5
"""So many failures in a row of one destination open its circuit."""
PROBE_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 30, 60, 120, 300))
"""How long the circuit stays open before each single probe; the last repeats."""
DISABLED_AFTER = timedelta(days=3)


class Verdict(StrEnum):
    """What an attempt means for its delivery."""

    DELIVERED = "delivered"
    RETRY = "retry"
    EXHAUSTED = "exhausted"
    GONE = "gone"


class Answer(Struct, frozen=True):
    """What a receiver answered, or Kafka for a feed.

    `status` is None where there was no answer, and for a feed; `error` says why an attempt failed.
    """

    status: int | None
    error: str | None = None
    retry_after_seconds: float | None = None
    is_written: bool = False
    """Whether Kafka has the record of a feed."""
    is_receivers: bool = True
    """False where the reason is not the destination's: no request could be made, or the topic of
    a feed takes no record so large."""

    @property
    def is_success(self) -> bool:
        """Whether the receiver took the event."""
        return self.is_written or (self.status is not None and 200 <= self.status < 300)

    @property
    def is_outage(self) -> bool:
        """Whether the destination took no event now, whichever: no answer, 408, 429 or 5xx.

        Other answers of 4xx refuse one event, and say nothing about the others.
        """
        status = self.status
        if self.is_written or not self.is_receivers:
            return False
        return status is None or status >= 500 or status in {408, 429}


class Next(Struct, frozen=True):
    """What follows an attempt; `due_at` of a RETRY says when the next one is made."""

    verdict: Verdict
    due_at: datetime | None = None


def judge(answer: Answer, attempts: int, now: datetime, random: float) -> Next:
    """Decide what follows the attempt number `attempts` (from 1) of a delivery.

    `random`, from 0 to 1, spreads the retries by JITTER of their delay to both sides.
    """
    if answer.is_success:
        return Next(Verdict.DELIVERED)
    if answer.status == GONE:
        return Next(Verdict.GONE)
    if attempts > len(DELAYS):
        return Next(Verdict.EXHAUSTED)
    step = attempts - 1
    if _is_refused(answer):
        step = max(step, SLOW_FROM)
    delay = DELAYS[step] * (1 + JITTER * (2 * random - 1))
    return Next(Verdict.RETRY, now + max(delay, _asked_for(answer)))


def _is_refused(answer: Answer) -> bool:
    status = answer.status
    return status is not None and 400 <= status < 500 and status not in OBEYS_RETRY_AFTER


def _asked_for(answer: Answer) -> timedelta:
    if answer.retry_after_seconds is None or answer.status not in OBEYS_RETRY_AFTER:
        return timedelta(0)
    return min(timedelta(seconds=max(0.0, answer.retry_after_seconds)), RETRY_AFTER_MAX)


class Circuit(Struct, frozen=True):
    """The circuit breaker of one destination; while it is open, nothing but a probe is sent."""

    failures: int = 0
    """Failures since the last success."""
    failing_since: datetime | None = None
    open_until: datetime | None = None
    probes: int = 0

    @property
    def is_open(self) -> bool:
        """Whether only one probe at a time is sent, and none before `open_until`."""
        return self.open_until is not None

    def may_send(self, now: datetime) -> bool:
        """Whether an attempt may begin; of an open circuit only one, the probe."""
        return self.open_until is None or self.open_until <= now

    def after_failure(self, now: datetime, random: float) -> Circuit:
        """The circuit after an attempt without success."""
        failures, since = self.failures + 1, self.failing_since or now
        if failures < OPENS_AFTER:
            return Circuit(failures, since)
        if self.open_until and now < self.open_until:  # A request from before it opened: no probe.
            return replace(self, failures=failures)
        delay = PROBE_DELAYS[min(self.probes, len(PROBE_DELAYS) - 1)]
        spread = delay * (1 + JITTER * (2 * random - 1))
        return Circuit(failures, since, now + spread, self.probes + 1)

    def is_hopeless(self, now: datetime) -> bool:
        """Whether nothing succeeded for so long that the destination is to be disabled."""
        return (
            self.is_open
            and self.failing_since is not None
            and now - self.failing_since >= DISABLED_AFTER
        )


CLOSED = Circuit()
