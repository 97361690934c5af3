"""The commands on `deliveries.commands` and the events on `deliveries.events`, by their type."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from .model import ContractModel, about, refused
from .patterns import DESTINATION_ID, EVENT_GROUP, FILTER, ORDER_URL
from .repair import FACT
from .values import Line, OrderNumber, ShopSlug, Timestamp, WholeNumber

FILTERS_MAX = 50
URL_MAX_CHARACTERS = 2_048
WHEN = "2026-03-01T09:30:06.120Z"
EVENT = "7a9cf261-905e-5bfc-8f4d-86cdaa23a823"
ORDER = "0f9619ff-8b86-5d01-b42d-00cf4fc964ff"
URL = "https://hooks.shop.example/orderflow"
PAGE = "https://shop.example/orders/{order_number}"

DestinationId = Annotated[str, StringConstraints(max_length=64, pattern=DESTINATION_ID)]
OrderUrl = Annotated[
    str,
    StringConstraints(
        max_length=URL_MAX_CHARACTERS,
        pattern=ORDER_URL,
    ),
]
Filter = Annotated[
    str,
    StringConstraints(max_length=160, pattern=FILTER),
]
EventGroup = Annotated[str, StringConstraints(max_length=100, pattern=EVENT_GROUP)]


class Kind(StrEnum):
    """What a destination is. A word that is not known is refused."""

    WEBHOOK = "webhook"
    FEED = "feed"


class Body(StrEnum):
    """What is sent of an event. A word that is not known is refused."""

    FULL = "full"
    THIN = "thin"
    UCP = "ucp"


class Exhausted(StrEnum):
    """What follows when an event was tried for over three days in vain."""

    HOLD = "hold"
    SKIP = "skip"


class DestinationCommand(ContractModel):
    """What every command says: which destination of which shop."""

    shop_slug: Annotated[ShopSlug, about("The shop", "demo-shop")]
    destination_id: Annotated[
        DestinationId, FACT, about("The shop's own name of the destination", "erp")
    ]


class DestinationUpsert(DestinationCommand):
    """`destination.upsert`: make a destination, or replace what an earlier command said of it."""

    kind: Annotated[
        Kind, FACT, about("webhook: HTTP requests; feed: a Kafka topic of the shop", "webhook")
    ] = Kind.WEBHOOK
    url: Annotated[
        Annotated[str, Field(min_length=1, max_length=URL_MAX_CHARACTERS)] | None,
        FACT,
        about(
            "Where a webhook's events are sent: https, a public address, no password in it; a "
            "feed has none",
            URL,
        ),
    ] = None
    filters: Annotated[
        list[Filter],
        FACT,
        Field(max_length=FILTERS_MAX),
        about(
            "Which events: * (all but snapshots), a source, source/phase, or a whole ref",
            ["shipments/delivered", "claims"],
        ),
    ] = Field(default_factory=lambda: ["*"])
    event_groups: Annotated[
        list[EventGroup],
        FACT,
        Field(max_length=FILTERS_MAX),
        about("Only events of these groups; [] any, also those of none", ["shipment_delivered"]),
    ] = Field(default_factory=list)
    only_notify: Annotated[
        bool, FACT, about("Only events of which customers are to be notified", example=False)
    ] = False
    body: Annotated[
        Body,
        FACT,
        about(
            "full: the event as on Kafka, always so of a feed; thin: without `context`; ucp: the "
            "order of the Universal Commerce Protocol",
            "full",
        ),
    ] = Body.FULL
    order_url: Annotated[
        OrderUrl | None,
        FACT,
        about("Page of an order, for ucp: {order_number}, {order_id} or {external_id} in it", PAGE),
    ] = None
    gzip: Annotated[
        bool, FACT, about("Compress a webhook's bodies (Content-Encoding)", example=False)
    ] = False
    when_exhausted: Annotated[
        Exhausted,
        FACT,
        about(
            "After three days: hold the order's events, always so of a feed; or skip the event",
            "hold",
        ),
    ] = Exhausted.HOLD
    description: Annotated[Line | None, about("For people", "Events for the ERP")] = None

    @model_validator(mode="after")
    def _has_what_its_body_needs(self) -> DestinationUpsert:
        if self.body is Body.UCP and self.order_url is None:
            raise refused("needs `order_url` for the body ucp: the page of an order, as " + PAGE)
        return self


class DestinationRemove(DestinationCommand):
    """`destination.remove`: end a destination; what it has not received yet is dropped."""

    reason: Annotated[Line | None, about("Why", "moved to another system")] = None


class DestinationPause(DestinationCommand):
    """`destination.pause`: send nothing until it is resumed; events are kept meanwhile."""

    reason: Annotated[Line | None, about("Why", "maintenance")] = None


class DestinationResume(DestinationCommand):
    """`destination.resume`: send again, what was kept first. Also of a disabled destination."""


class DestinationRotateSecret(DestinationCommand):
    """`destination.rotate_secret`: make a new secret; the former one signs too, for 24 hours.

    Of webhooks alone: a feed has no secret.
    """


class DestinationReplay(DestinationCommand):
    """`destination.replay`: send events of the shop again, as they were, behind what waits.

    At least one of `order_id`, `order_number`, `from`, `until` and `only_failed` must be there.
    """

    order_id: Annotated[UUID | None, FACT, about("Events of this order", ORDER)] = None
    order_number: Annotated[
        OrderNumber | None, FACT, about("The same, by the shop's number of the order", "1001")
    ] = None
    from_: Annotated[
        Timestamp | None,
        FACT,
        Field(alias="from"),
        about("Events of this time or later, by `triggered_at`", "2026-02-28T00:00:00Z"),
    ] = None
    until: Annotated[
        Timestamp | None,
        FACT,
        about("Events before this time, by `triggered_at`", "2026-03-01T00:00:00Z"),
    ] = None
    sequence_from: Annotated[
        WholeNumber | None, FACT, about("From this `sequence` of each topic; needs the order", 2)
    ] = None
    sequence_until: Annotated[
        WholeNumber | None, FACT, about("To this `sequence`, included; needs the order", 9)
    ] = None
    only_failed: Annotated[
        bool,
        FACT,
        about("Only what was given up; what is held or is tried later is tried now", example=False),
    ] = False
    reason: Annotated[Line | None, about("Why", "the ERP lost a day")] = None


class Replayed(ContractModel):
    """Which replay ended, and how many events it put behind what waits, by where they were."""

    replay_id: Annotated[UUID, about("Id of the replay: header `orderflow-replay`", EVENT)]
    kept: Annotated[WholeNumber, about("Events that the deliveries service had kept", 10)]
    topics: Annotated[WholeNumber, about("Events that were read from the topics", 2)]
    states: Annotated[
        WholeNumber, about("Of these, states of orders, where older events are gone", 0)
    ] = 0


class DestinationEvent(ContractModel):
    """What happened to a destination."""

    event_name: Annotated[str, about("disabled, enabled, removed or replayed", "disabled")]
    triggered_at: Annotated[AwareDatetime, about("When it was decided", WHEN)]
    event_id: Annotated[UUID, about("Id of the event; a repeat carries it again", EVENT)]
    shop_slug: Annotated[str, about("The shop", "demo-shop")]
    destination_id: Annotated[str, about("The destination", "erp")]
    reason: Annotated[
        str | None, about("Reason code: exhausted, gone, command, ended", "exhausted")
    ] = None
    detail: Annotated[
        str | None, about("The reason in words", "no success since 2026-02-26T09:30:06Z")
    ] = None
    failures: Annotated[
        WholeNumber | None, about("Attempts in vain since the last that succeeded", 112)
    ] = None
    replay: Annotated[
        Replayed | None,
        about(
            "Of destination.replayed", {"replay_id": EVENT, "kept": 10, "topics": 2, "states": 0}
        ),
    ] = None


DESTINATION_UPSERT = "destination.upsert"
DESTINATION_REMOVE = "destination.remove"
DESTINATION_PAUSE = "destination.pause"
DESTINATION_RESUME = "destination.resume"
DESTINATION_ROTATE_SECRET = "destination.rotate_secret"  # noqa: S105 - the name of a command
DESTINATION_REPLAY = "destination.replay"

DESTINATION_DISABLED = "destination.disabled"
DESTINATION_ENABLED = "destination.enabled"
DESTINATION_REMOVED = "destination.removed"
DESTINATION_REPLAYED = "destination.replayed"

MODELS: Mapping[str, type[ContractModel]] = {
    DESTINATION_UPSERT: DestinationUpsert,
    DESTINATION_REMOVE: DestinationRemove,
    DESTINATION_PAUSE: DestinationPause,
    DESTINATION_RESUME: DestinationResume,
    DESTINATION_ROTATE_SECRET: DestinationRotateSecret,
    DESTINATION_REPLAY: DestinationReplay,
}
EVENTS: Mapping[str, type[ContractModel]] = {
    DESTINATION_DISABLED: DestinationEvent,
    DESTINATION_ENABLED: DestinationEvent,
    DESTINATION_REMOVED: DestinationEvent,
    DESTINATION_REPLAYED: DestinationEvent,
}
