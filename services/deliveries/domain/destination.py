"""A destination: where a shop's events are sent, which of them, and in which form."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

APPLIED_MAX = 64
"""How many of its newest command items a destination names, to find repeats."""


class State(StrEnum):
    """Whether events are sent. Those of a paused or disabled destination are kept."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"
    """It failed for so long that nothing is sent until a shop or an operator resumes it."""
    REMOVED = "removed"


class Kind(StrEnum):
    """Where events are sent. The kind of a destination never changes."""

    WEBHOOK = "webhook"
    FEED = "feed"
    """A Kafka topic that holds the events of this shop alone."""


class Form(StrEnum):
    """What is sent of an event."""

    FULL = "full"
    THIN = "thin"
    UCP = "ucp"


class WhenExhausted(StrEnum):
    """What follows when an event was tried for over three days in vain."""

    HOLD = "hold"
    SKIP = "skip"


class Target(Struct, frozen=True):
    """What a shop says of a destination; one command replaces all of it."""

    kind: Kind
    url: str | None = None
    """Where a webhook is; a feed has none."""
    filters: tuple[str, ...] = ("*",)
    event_groups: tuple[str, ...] = ()
    only_notify: bool = False
    form: Form = Form.FULL
    gzip: bool = False
    when_exhausted: WhenExhausted = WhenExhausted.HOLD
    description: str | None = None
    order_url: str | None = None
    """Template of the page of an order; a destination of the form UCP has one."""

    @property
    def webhook_url(self) -> str | None:
        """The URL to check and to send to; None for a feed, also where one was said."""
        return self.url if self.kind == Kind.WEBHOOK else None


class Secret(Struct, frozen=True):
    """The secrets that sign, each encrypted; the former one until `former_until`."""

    current: bytes
    former: bytes | None = None
    former_until: datetime | None = None


class Destination(Struct, frozen=True, kw_only=True):
    """A destination of a shop. `id` is None until it is stored."""

    shop: str
    name: str
    target: Target
    state: State
    secret: Secret | None
    """None: a feed, which signs nothing."""
    reason: str | None = None
    """Why it is not active."""
    id: int | None = None
    retries_now: bool = False
    """Set by a command after which the sender tries at once what waits."""
    replays: int = 0
    """How many of its replays have not ended."""
    applied: tuple[str, ...] = ()
    """Ids of the newest command items that were applied, oldest first."""
