"""Events of campaigns, discounts and tests as records; their key is the shop."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.envelope import rfc3339
from schemas.topics import CAMPAIGNS_EVENTS
from services.orders.domain.model.campaigns import (
    AbTestContent,
    CampaignsEvent,
    Content,
    Kind,
)
from services.orders.messages.encode import SOURCE
from services.orders.messages.members import to_json
from services.runtime.messages.headers import headers_by_place
from services.runtime.outbox.outbox import Outgoing

Json = dict[str, Any]


def campaign_record(event: CampaignsEvent, traceparent: str | None = None) -> Outgoing:
    """One event, in the order of its shop's events."""
    headers = headers_by_place(
        type=event.type,
        source=SOURCE,
        id=event.event_id,
        time=rfc3339(event.triggered_at),
        subject=f"{event.shop}/{event.entry_id}",
        traceparent=traceparent,
        causation_id=event.causation_id,
        sequence=event.sequence,
    )
    key = event.shop.encode()
    return Outgoing(CAMPAIGNS_EVENTS, key, to_json(_body(event)), headers, event.shop)


def _body(event: CampaignsEvent) -> Json:
    version = event.version
    body: Json = {
        "event_name": event.type.partition(".")[2],
        "triggered_at": event.triggered_at,
        "event_id": event.event_id,
        "shop_slug": event.shop,
        "sequence": event.sequence,
        "effective_at": version.effective_at,
        "version_id": version.version_id,
        "is_newest": event.is_newest,
        "reason": event.reason,
    }
    content = event.content
    if event.kind is Kind.CAMPAIGN:
        shown = None if content is None else _campaign(content, event.properties)
        states = {"state": event.state, "previous_state": event.previous_state}
        return {**body, "campaign_id": event.entry_id, **states, "campaign": shown}
    if event.kind is Kind.DISCOUNT:
        return {**body, "discount_id": event.entry_id, "discount": _members(content)}
    return {**body, "test_id": event.entry_id, "ab_test": _members(content)}


def _campaign(content: Content, properties: Json) -> Json:
    return {**_members(content), "promotion_properties": properties}


def _members(content: Content | None) -> Json:
    """The members of the contract; of a version without content none."""
    if content is None:
        return {}
    said = msgspec.structs.asdict(content)
    if isinstance(content, AbTestContent):
        said["campaigns"] = said.pop("variants")
        said["has_holdout"] = content.holdout_percentage > 0
    return said
