"""Campaigns, discounts and AB tests of shops, and what an order keeps of them: values only.

What a shop says of a campaign holds since a time of its own (`effective_at`). All that was said is
kept as versions, so that an order of any time finds what held then, in whatever order the commands
came (docs/decisions/0190).
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from msgspec import field

from services.orders.domain.model.ids import Uuid
from services.orders.domain.value import Value


class Kind(StrEnum):
    """What an entry of a shop's book is."""

    CAMPAIGN = "campaign"
    DISCOUNT = "discount"
    AB_TEST = "ab_test"


class Act(StrEnum):
    """What a version does."""

    UPSERT = "upsert"
    PAUSE = "pause"
    REMOVE = "remove"


class CampaignContent(Value, frozen=True, kw_only=True, tag_field="kind", tag="campaign"):
    """What decides of a campaign; what is shown of it is in `Entry.properties`."""

    name: str
    segment: str | None = None
    """None: a default campaign, for orders that no campaign of a segment fits."""
    enabled: bool = False
    start_date: datetime | None = None
    """None: not said; `book.Held.start` is the start that follows."""
    end_date: datetime | None = None
    """The first moment at which it no longer runs."""
    priority: int = 0
    promotion_type: str
    discount_id: str | None = None


class DiscountContent(Value, frozen=True, kw_only=True, tag_field="kind", tag="discount"):
    """What decides of a discount."""

    code: str
    """As the shop wrote it; compared without regard to case."""
    type: str
    value_type: str
    value: Decimal
    currency: str | None = None
    target_type: str
    target_selection: str
    targets: tuple[str, ...] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    enabled: bool = True


class Variant(Value, frozen=True, kw_only=True):
    """A campaign of a test and its share of the orders, in per cent."""

    campaign_id: str
    allocation: int


class AbTestContent(Value, frozen=True, kw_only=True, tag_field="kind", tag="ab_test"):
    """What decides of an AB test; the shares and the hold-out add up to 100."""

    name: str
    segment: str | None = None
    variants: tuple[Variant, ...]
    has_holdout: bool = False
    holdout_percentage: int = 0
    start_date: datetime | None = None
    end_date: datetime | None = None
    enabled: bool = True


Content: TypeAlias = CampaignContent | DiscountContent | AbTestContent


class Version(Value, frozen=True, kw_only=True):
    """What was said of an entry, and since when it holds."""

    effective_at: datetime
    version_id: Uuid
    """Made of the entry, the time and what was said: the same in whatever order commands come."""
    act: Act
    content: Content | None = None
    """Of an upsert."""
    shown: str | None = None
    """Digest of the properties that an upsert says of a campaign; None where it says none."""
    source_version: int | None = None
    said_at: datetime | None = None
    """When it was said: of two versions since one time the later one counts."""
    item: int
    """Digest of the item that said it, to recognise a repeat."""


class EntryName(NamedTuple):
    """What names an entry."""

    shop: str
    kind: Kind
    entry_id: str


def code_of(text: str) -> str:
    """The code of a discount as codes are compared: without case and outer spaces."""
    return text.strip().casefold()


class Entry(Value, frozen=True, kw_only=True):
    """A campaign, discount or test, with all that was said of it."""

    shop: str
    kind: Kind
    entry_id: str
    """The shop's id of it."""
    versions: tuple[Version, ...] = ()
    """In order of `effective_at`, then `source_version`, `said_at`, `version_id` and item; at most
    101."""
    known_since: datetime | None = None
    """Since when all is kept; None: of all times. Older versions were folded away."""
    properties: dict[str, Any] = field(default_factory=dict)
    """What is shown of the newest version of a campaign (JSON); empty in a `Book`."""
    state: str | None = None
    """Of a campaign: the state that the last event said."""

    @property
    def name(self) -> EntryName:
        """What names it."""
        return EntryName(self.shop, self.kind, self.entry_id)

    @property
    def code(self) -> str | None:
        """Of a discount: its code as codes are compared, which never changes."""
        for version in self.versions:
            if isinstance(version.content, DiscountContent):
                return code_of(version.content.code)
        return None

    def is_forgotten(self, at: datetime) -> bool:
        """Whether versions of a time are not kept any more."""
        return self.known_since is not None and at < self.known_since


class Book(Value, frozen=True, kw_only=True):
    """The campaigns and tests of a shop, and of its discounts those that were looked for."""

    shop: str
    sequence: int = 0
    """Number of the shop's last event on `campaigns.events`."""
    entries: tuple[Entry, ...] = ()
    """Campaigns and tests, by kind and id."""
    discounts: tuple[Entry, ...] = ()
    """Discounts with the codes that were asked for."""
    recalled: tuple[int, ...] = ()
    """Digests of items that were applied, and whose versions are not kept any more: those that are
    asked for. Not stored with the book."""


BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


class Review(Value, frozen=True, kw_only=True):
    """Orders of a shop to choose and credit again after a change of its campaigns.

    A change concerns the orders placed or fulfilled since the time it holds. A name that is new
    concerns every order that names a campaign or a discount code: then `since` is `BEGINNING`.
    """

    shop: str
    since: datetime
    only_contacts: bool = False
    """Whether only orders that `campaigns.attribute.has_contact` are concerned."""
    causation_id: str


class CampaignsEvent(Value, frozen=True, kw_only=True):
    """An event of `campaigns.events`, numbered by shop."""

    type: str
    """As in `schemas.campaigns.EVENTS`."""
    event_id: Uuid
    shop: str
    sequence: int
    kind: Kind
    entry_id: str
    version: Version
    """What it is about."""
    content: Content | None = None
    """What the entry is by it, with its start: of an upsert its own content, else what an earlier
    one said."""
    is_newest: bool
    state: str | None = None
    """Of a campaign, after it: scheduled, active, paused, inactive or removed."""
    previous_state: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    triggered_at: datetime
    causation_id: str


# What an order keeps.


class Considered(Value, frozen=True, kw_only=True):
    """A campaign that matched, and what came of it; see the contract for the words."""

    campaign_id: str
    outcome: str


class CampaignChoice(Value, frozen=True, kw_only=True):
    """The campaign that an order's page shows, and why; members as in `schemas.context`."""

    stage: str
    at: datetime
    rule: str
    campaign_id: str | None = None
    campaign_version: Uuid | None = None
    segment: str | None = None
    test_id: str | None = None
    is_held_out: bool = False
    discount_id: str | None = None
    considered: tuple[Considered, ...] = ()


class SaidSegments(Value, frozen=True, kw_only=True):
    """Segments of the customer as a command said them, and since when: `updated_at` of it."""

    at: datetime | None = None
    """None: the command had no time."""
    segments: tuple[str, ...] = ()


class Referral(Value, frozen=True, kw_only=True):
    """A link that led to the order: the keys of it that are kept."""

    campaign_id: str | None = None
    campaign_code: str | None = None
    source: str | None = None
    medium: str | None = None
    content: str | None = None
    term: str | None = None
    product_sku: str | None = None
    channel: str | None = None
    session_id: str | None = None
    clicked_at: datetime | None = None


class Touch(Value, frozen=True, kw_only=True):
    """A contact that may have led to the order; members as in `schemas.context`."""

    method: str
    confidence: str
    outcome: str
    campaign_id: str | None = None
    campaign: str | None = None
    at: datetime | None = None
    source: str | None = None
    medium: str | None = None
    content: str | None = None
    term: str | None = None
    channel: str | None = None
    product_sku: str | None = None
    session_id: str | None = None
    discount_id: str | None = None
    discount_code: str | None = None


class Credit(Value, frozen=True, kw_only=True):
    """The campaign that is credited with an order, and with what; amounts in `currency`."""

    campaign_id: str
    method: str
    confidence: str
    revenue: Decimal
    discount: Decimal = Decimal(0)
    currency: str
    session_id: str | None = None


class Attribution(Value, frozen=True, kw_only=True):
    """Which campaign led to an order."""

    version: int
    """Steps with every change of the credit, from 1; 0: no campaign was credited yet."""
    credit: Credit | None = None
    touches: tuple[Touch, ...] = ()
    """The strongest first."""
