"""The catalogue: every topic, its key, who writes and reads it, how long it keeps what."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from . import (
    activity,
    campaigns,
    claims,
    commands,
    deliveries,
    events,
    outcomes,
    tracking,
)
from .model import ContractModel

PARTITIONS = 6
MAX_MESSAGE_BYTES = 1_048_576
DAY_MS = 86_400_000
COMMAND_RETENTION_MS = 7 * DAY_MS
TRACKING_RETENTION_MS = 60 * DAY_MS
"""As long as tracking waits for an order: it can be read again until its order names the number."""
EVENT_RETENTION_MS = 30 * DAY_MS

ORDERS_COMMANDS = "orders.commands"
ORDERS_OUTCOMES = "orders.outcomes"
ORDERS_EVENTS = "orders.events"
SHIPMENTS_EVENTS = "shipments.events"
ORDERS_STATE = "orders.state"
CARRIER_TRACKING = "carrier.tracking"
CLAIMS_COMMANDS = "claims.commands"
CLAIMS_EVENTS = "claims.events"
CLAIMS_OUTCOMES = "claims.outcomes"
ORDERS_REJECTED = "orders.rejected"
CARRIER_TRACKING_REJECTED = "carrier.tracking.rejected"
CLAIMS_REJECTED = "claims.rejected"
ANALYTICS_REJECTED = "analytics.rejected"
DELIVERIES_COMMANDS = "deliveries.commands"
DELIVERIES_OUTCOMES = "deliveries.outcomes"
DELIVERIES_EVENTS = "deliveries.events"
DELIVERIES_REJECTED = "deliveries.rejected"
CAMPAIGNS_EVENTS = "campaigns.events"
PORTAL_ACTIVITY = "portal.activity"
STATE_COMPACTION: Mapping[str, str] = {
    "segment.bytes": str(128 * 1024 * 1024),
    "min.cleanable.dirty.ratio": "0.5",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": str(DAY_MS),
    "delete.retention.ms": str(EVENT_RETENTION_MS),
}
"""Compaction of `orders.state`. The newest segment is never compacted, so segments have a bound. At
most half of the topic is old states, so that a reader reads at most twice as much as there is, and
Kafka writes each state a second time only. An old state is gone a day after the newer one at the
latest, also where nothing else is written: what was erased must go. No reader needs an old state.
A null value stays as long as an event: who was away for less learns of every order erased."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. Its name in Kafka is the installation's prefix and `name`.

    The number of partitions is fixed at creation: more of them later would send a key to another
    partition than before, and break the order of its messages.
    """

    name: str
    meaning: str
    key: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    models: Mapping[str, type[ContractModel]]
    retention_ms: int
    """How long records are kept; of a compacted topic, how long null values (tombstones) are."""
    personal_data: bool
    incoming: bool = False
    """Whether others write it and a service reads it."""
    rejects: tuple[str, ...] = ()
    """Topics whose refused items this one holds, as far as its writer refused them."""
    partitions: int = PARTITIONS
    cleanup_policy: str = "delete"
    max_message_bytes: int = MAX_MESSAGE_BYTES
    compaction: Mapping[str, str] = field(default_factory=dict)
    """Of a compacted topic: how Kafka compacts it, as settings of the topic in Kafka."""

    @property
    def retention_days(self) -> int:
        """Retention in days."""
        return self.retention_ms // DAY_MS

    @property
    def kept(self) -> str:
        """What is kept, and for how many days, in words."""
        if self.cleanup_policy == "compact":
            return f"the newest of each key; null values {self.retention_days} days"
        return f"{self.retention_days} days"


_REJECTED: Mapping[str, type[ContractModel]] = {outcomes.ITEM_REJECTED: outcomes.RejectedRecord}


def _rejected(
    name: str, writer: str, refused: str, rejects: tuple[str, ...], *senders: str
) -> Topic:
    return Topic(
        name=name,
        meaning=f"What {writer} refused of {refused}: reason, fields, where it lay, the original",
        key="the refused message's",
        writers=(writer,),
        readers=(*senders, "operators"),
        models=_REJECTED,
        retention_ms=EVENT_RETENTION_MS,
        personal_data=True,
        rejects=rejects,
    )


CATALOGUE: tuple[Topic, ...] = (
    Topic(
        name=ORDERS_COMMANDS,
        meaning="What shops want done with orders",
        key="{shop}/{order_number}; any key is read, one key keeps one order's commands in order; "
        "of campaigns, discounts and tests {shop}",
        writers=("shops",),
        readers=("orders",),
        models={**commands.MODELS, **campaigns.MODELS},
        retention_ms=COMMAND_RETENTION_MS,
        personal_data=True,
        incoming=True,
    ),
    Topic(
        name=ORDERS_OUTCOMES,
        meaning="What became of each command item: applied, no_change or rejected",
        key="the command's",
        writers=("orders",),
        readers=("shops",),
        models={outcomes.COMMAND_DECIDED: outcomes.OutcomeRecord},
        retention_ms=COMMAND_RETENTION_MS,
        personal_data=False,
    ),
    Topic(
        name=ORDERS_EVENTS,
        meaning="What happened to orders, each event with the whole order",
        key="order id",
        writers=("orders",),
        readers=("claims", "analytics", "deliveries", "shops"),
        models=events.ORDER_EVENTS,
        retention_ms=EVENT_RETENTION_MS,
        personal_data=True,
    ),
    Topic(
        name=SHIPMENTS_EVENTS,
        meaning="What happened to parcels: one event for each fact, mostly a scan",
        key="order id",
        writers=("orders",),
        readers=("claims", "analytics", "deliveries", "shops"),
        models=events.SHIPMENT_EVENTS,
        retention_ms=EVENT_RETENTION_MS,
        personal_data=True,
    ),
    Topic(
        name=ORDERS_STATE,
        meaning="The present state of each order, to start from; null where an order was erased",
        key="order id",
        writers=("orders",),
        readers=("shops",),
        models={events.ORDER_SNAPSHOT: events.OrderSnapshot},
        retention_ms=EVENT_RETENTION_MS,
        personal_data=True,
        cleanup_policy="compact",
        compaction=STATE_COMPACTION,
    ),
    Topic(
        name=CARRIER_TRACKING,
        meaning="Scans of parcels, from carriers and aggregators",
        key="{carrier}/{tracking_number}",
        writers=("carriers", "aggregators"),
        readers=("orders",),
        models=tracking.MODELS,
        retention_ms=TRACKING_RETENTION_MS,
        personal_data=True,
        incoming=True,
    ),
    Topic(
        name=CLAIMS_COMMANDS,
        meaning="Customers' problems with parcels, and what is decided about them",
        key="{shop}/{order_number}",
        writers=("shops", "tracking page"),
        readers=("claims",),
        models=claims.MODELS,
        retention_ms=COMMAND_RETENTION_MS,
        personal_data=True,
        incoming=True,
    ),
    Topic(
        name=CLAIMS_OUTCOMES,
        meaning="What became of each claim command: applied, no_change or rejected",
        key="the command's",
        writers=("claims",),
        readers=("shops", "tracking page"),
        models={outcomes.COMMAND_DECIDED: outcomes.OutcomeRecord},
        retention_ms=EVENT_RETENTION_MS,
        personal_data=False,
    ),
    Topic(
        name=CLAIMS_EVENTS,
        meaning="What happened to claims",
        key="order id",
        writers=("claims",),
        readers=("orders", "analytics", "deliveries", "shops"),
        models=events.CLAIM_EVENTS,
        retention_ms=EVENT_RETENTION_MS,
        personal_data=True,
    ),
    Topic(
        name=CAMPAIGNS_EVENTS,
        meaning="Campaigns, discounts and AB tests of shops, as they change",
        key="{shop}",
        writers=("orders",),
        readers=("shops",),
        models=campaigns.EVENTS,
        retention_ms=EVENT_RETENTION_MS,
        personal_data=False,
    ),
    Topic(
        name=PORTAL_ACTIVITY,
        meaning="What visitors of tracking pages see and click",
        key="{shop}/{order_number}",
        writers=("tracking page", "shops"),
        readers=("analytics",),
        models=activity.MODELS,
        retention_ms=COMMAND_RETENTION_MS,
        personal_data=True,
        incoming=True,
    ),
    _rejected(
        ORDERS_REJECTED,
        "orders",
        "orders.commands and claims.events",
        (ORDERS_COMMANDS, CLAIMS_EVENTS),
        "shops",
    ),
    _rejected(
        CARRIER_TRACKING_REJECTED, "orders", "carrier.tracking", (CARRIER_TRACKING,), "carriers"
    ),
    _rejected(
        CLAIMS_REJECTED,
        "claims",
        "claims.commands, orders.events and shipments.events",
        (CLAIMS_COMMANDS, ORDERS_EVENTS, SHIPMENTS_EVENTS),
        "shops",
    ),
    _rejected(
        ANALYTICS_REJECTED,
        "analytics",
        "the event topics and portal.activity",
        (ORDERS_EVENTS, SHIPMENTS_EVENTS, CLAIMS_EVENTS, PORTAL_ACTIVITY),
        "tracking page",
    ),
    Topic(
        name=DELIVERIES_COMMANDS,
        meaning="Where shops want their events sent: destinations, made, changed and ended",
        key="{shop}",
        writers=("shops", "operators"),
        readers=("deliveries",),
        models=deliveries.MODELS,
        retention_ms=COMMAND_RETENTION_MS,
        personal_data=False,
        incoming=True,
    ),
    Topic(
        name=DELIVERIES_OUTCOMES,
        meaning="What became of each command of a destination: applied, no_change or rejected",
        key="the command's",
        writers=("deliveries",),
        readers=("shops", "operators"),
        models={outcomes.COMMAND_DECIDED: outcomes.OutcomeRecord},
        retention_ms=COMMAND_RETENTION_MS,
        personal_data=False,
    ),
    Topic(
        name=DELIVERIES_EVENTS,
        meaning="Destinations that were disabled, enabled again or removed",
        key="{shop}",
        writers=("deliveries",),
        readers=("shops", "operators"),
        models=deliveries.EVENTS,
        retention_ms=EVENT_RETENTION_MS,
        personal_data=False,
    ),
    _rejected(
        DELIVERIES_REJECTED,
        "deliveries",
        "deliveries.commands and the three event topics",
        (DELIVERIES_COMMANDS, ORDERS_EVENTS, SHIPMENTS_EVENTS, CLAIMS_EVENTS),
        "shops",
    ),
)

TOPICS: Mapping[str, Topic] = {topic.name: topic for topic in CATALOGUE}

FEED = Topic(
    name="shop.{slug}.events",
    meaning="All that happened to orders, parcels and claims of one shop, as on the three event "
    "topics: the same keys, headers and values. One for each shop with a feed",
    key="order id",
    writers=("deliveries",),
    readers=("the shop",),
    models={**events.ORDER_EVENTS, **events.SHIPMENT_EVENTS, **events.CLAIM_EVENTS},
    retention_ms=EVENT_RETENTION_MS,
    personal_data=True,
)
"""The topics of feeds, by the pattern of their names; `orderflow destinations feed` makes each."""
FEED_PREFIX = FEED.name.partition("{")[0]
"""How the names of all feeds begin."""


def feed_topic(shop: str) -> Topic:
    """The topic of a shop's feed; `shop` is its slug."""
    return replace(FEED, name=FEED.name.format(slug=shop))


EVENT_TOPICS = (ORDERS_EVENTS, SHIPMENTS_EVENTS, CLAIMS_EVENTS)
"""The topics of numbered events."""


@functools.cache
def rejected_topic(topic: str, service: str) -> str:
    """The topic for items of `topic` that `service` refused.

    Raises:
        LookupError: the catalogue has none.
    """
    for each in TOPICS.values():
        if service in each.writers and topic in each.rejects:
            return each.name
    raise LookupError(
        f"{service} refuses items of {topic}, and no topic of the catalogue (schemas/topics.py) "
        f"takes them: add one with writers=({service!r},) and rejects=({topic!r},)"
    )
