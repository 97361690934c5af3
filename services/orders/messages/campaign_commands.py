"""Commands of campaigns, discounts and tests, as commands of the domain."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct
from pydantic_core import PydanticCustomError

from schemas import campaigns as contract
from schemas.values import timestamp
from services.orders.domain.model import campaigns as values
from services.orders.domain.model.campaigns import Act, Kind
from services.orders.domain.model.commands import ChangeCampaigns
from services.orders.domain.value import replace
from services.runtime.messages.records import FieldError, Item, Malformed

PROPERTIES_MAX_BYTES = 262_144
"""Most that is shown of a campaign, as JSON: an event carries it whole."""

_VARIANTS = tuple[values.Variant, ...]


def upsert_campaign(message: contract.CampaignUpsert, item: Item) -> ChangeCampaigns:
    """`campaign.upsert`.

    Raises:
        Malformed: what is shown is larger than an event may carry.
    """
    content = values.CampaignContent(
        name=message.name,
        segment=message.segment or None,
        enabled=message.enabled,
        start_date=message.start_date,
        end_date=message.end_date,
        priority=message.priority,
        promotion_type=message.promotion_type.value,
        discount_id=message.discount_id,
    )
    change = _change(message, item, Kind.CAMPAIGN, message.campaign_id, content=content)
    return replace(change, properties=_properties(message.promotion_properties))


def pause_campaign(message: contract.CampaignPause, item: Item) -> ChangeCampaigns:
    """`campaign.pause`."""
    change = _change(message, item, Kind.CAMPAIGN, message.campaign_id, act=Act.PAUSE)
    return replace(change, reason=message.reason)


def remove_campaign(message: contract.CampaignRemove, item: Item) -> ChangeCampaigns:
    """`campaign.remove`."""
    change = _change(message, item, Kind.CAMPAIGN, message.campaign_id, act=Act.REMOVE)
    return replace(change, reason=message.reason)


def upsert_discount(message: contract.DiscountUpsert, item: Item) -> ChangeCampaigns:
    """`discount.upsert`."""
    content = values.DiscountContent(
        code=message.code,
        type=message.type.value,
        value_type=message.value_type.value,
        value=message.value,
        currency=message.currency,
        target_type=message.target_type.value,
        target_selection=message.target_selection.value,
        targets=tuple(message.targets),
        starts_at=message.starts_at,
        ends_at=message.ends_at,
        enabled=message.enabled,
    )
    return _change(message, item, Kind.DISCOUNT, message.discount_id, content=content)


def upsert_test(message: contract.AbTestUpsert, item: Item) -> ChangeCampaigns:
    """`ab_test.upsert`."""
    content = values.AbTestContent(
        name=message.name,
        segment=message.segment or None,
        variants=msgspec.convert(message.campaigns, _VARIANTS, from_attributes=True),
        has_holdout=message.has_holdout,
        holdout_percentage=message.holdout_percentage,
        start_date=message.start_date,
        end_date=message.end_date,
        enabled=message.enabled,
    )
    return _change(message, item, Kind.AB_TEST, message.test_id, content=content)


def _change(
    message: contract.CampaignCommandBase,
    item: Item,
    kind: Kind,
    entry_id: str,
    *,
    act: Act = Act.UPSERT,
    content: values.Content | None = None,
) -> ChangeCampaigns:
    return ChangeCampaigns(
        shop=message.shop_slug,
        item_id=item.item_id,
        causation_id=item.causation_id,
        source_version=message.source_version,
        updated_at=message.updated_at,
        kind=kind,
        entry_id=entry_id,
        act=act,
        content=content,
        effective_at=message.effective_at or _said_at(message, item),
        said_at=_said_at(message, item),
    )


def _properties(said: contract.PromotionProperties) -> dict[str, Any]:
    """What a page shows, as JSON; only what was said.

    Raises:
        Malformed: it is larger than an event may carry.
    """
    known = msgspec.convert(said, _Properties, from_attributes=True)
    found: dict[str, Any] = msgspec.to_builtins(known)
    if (size := len(msgspec.json.encode(found))) > PROPERTIES_MAX_BYTES:
        fact = f"must be at most {PROPERTIES_MAX_BYTES:,} bytes of JSON; it has {size:,}"
        raise Malformed("invalid_fields", [FieldError("/promotion_properties", fact)])
    return found


class _Translation(Struct, omit_defaults=True, gc=False):
    language: str
    title: str | None = None
    subtitle: str | None = None
    cta_label: str | None = None
    cta_url: str | None = None
    image_url: str | None = None


class _Product(Struct, omit_defaults=True, gc=False):
    title: str | None = None
    image_url: str | None = None
    product_url: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    sku: str | None = None
    category: str | None = None
    discount: str | None = None


class _Properties(Struct, omit_defaults=True, gc=False):
    """The members of `PromotionProperties`, left out where they say nothing."""

    title: str | None = None
    subtitle: str | None = None
    cta_label: str | None = None
    cta_url: str | None = None
    image_url: str | None = None
    translations: list[_Translation] = []
    products: list[_Product] = []


def _said_at(message: contract.CampaignCommandBase, item: Item) -> datetime:
    """When a command was said, by its sender: never when it came."""
    return message.updated_at or _sent_at(item.envelope.time) or item.original.timestamp


def _sent_at(text: str | None) -> datetime | None:
    """The time in the header of a message; one that cannot be read says nothing."""
    if text is None:
        return None
    try:
        return timestamp(text)
    except PydanticCustomError:
        return None
