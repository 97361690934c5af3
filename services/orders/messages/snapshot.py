"""The snapshot that every event carries: the whole order, its customer, parcels and claims.

Never scan history. What stands in several places (the lines of the order, what a parcel's summary
says) is encoded once and put in as bytes. A snapshot that is too large is cut in a fixed order,
and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from services.orders.domain.model.campaigns import Attribution, CampaignChoice
from services.orders.domain.model.goods import PackedLine
from services.orders.domain.model.ledger import (
    is_unsent,
    ledger_of,
    parcels_of,
    whole_bundles,
    with_assumed_contents,
)
from services.orders.domain.model.matching import IDENTIFIERS
from services.orders.domain.model.order import (
    Analytics,
    BundledProduct,
    ClaimCopy,
    Order,
    Placement,
    Shipment,
)
from services.orders.domain.model.warnings import WarningCode
from services.orders.domain.tracking.catalogue import State, Why, state_of
from services.orders.messages.cuts import CUTS
from services.orders.messages.detection.candidate import CarrierCandidate
from services.orders.messages.detection.detect import candidates_of
from services.orders.messages.members import (
    joined,
    lines_of,
    to_json,
    with_all_members,
    writer_of,
)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """An encoded snapshot; `is_truncated` when something was left out to keep it in bounds."""

    json: bytes
    is_truncated: bool


def encode(order: Order, max_bytes: int, *, whole_claims: bool = False) -> Context:
    """The snapshot of an order in at most `max_bytes` of JSON, cut as `CUTS` says if need be.

    With `whole_claims` each claim has the whole data of its event, as `order.snapshot` needs.
    """
    encoded = _encode(order, whole_claims=whole_claims)
    if len(encoded) <= max_bytes:
        return Context(encoded, is_truncated=False)
    snapshot = msgspec.json.decode(encoded)
    for cut in CUTS:
        cut(snapshot)
        encoded = to_json(snapshot)
        if len(encoded) <= max_bytes:
            break
    return Context(encoded, is_truncated=True)


class _Snapshot(Struct, gc=False):
    order: Raw
    customer: _Customer
    shipments: Raw
    claims: list[Any]


class _OrderStart(Struct, gc=False):
    """What `order` says before the placement."""

    uuid: str
    shop_slug: str


class _OrderEnd(Struct, gc=False):
    """What `order` says after the placement."""

    status: str
    expected_number_of_shipments: int
    placed_at: Any
    cancelled_at: Any
    delivery_state: str
    is_dispatched: bool
    order_analytics: Json | None
    trackings: Raw


class _Customer(Struct, gc=False):
    external_id: str | None
    email: str | None
    first_name: str | None
    last_name: str | None


class _Tracking(Struct, gc=False, omit_defaults=True):
    """A parcel's summary: all of it in `order.trackings`, the first part of it in `shipments`.

    Days are left out where instants are known; the sub-status, reasons and candidates where there
    are none.
    """

    shipment_id: str
    ordinal: int
    draft: bool
    tracking_number: str | None
    carrier_reference: str | None
    tracking_url: str | None
    phase: str
    flag: str
    state: str
    direction: str
    eta: Any
    first_scan_at: Any
    delivered_at: Any
    first_scan_on: Any = None
    delivered_on: Any = None
    sub_status: str | None = None
    reason_code: str | None = None
    reason: str | None = None
    action_required: bool = False
    carrier_candidates: tuple[CarrierCandidate, ...] = ()


class _ShipmentEnd(Struct, gc=False):
    """What `shipments` says of a parcel after its summary."""

    order_id: str
    external_shipment_id: str | None
    tracking_placed_at: Any
    products: Raw
    leg: int
    attempts: int
    pickup: Any
    promised_delivery_date: Any
    updated_at: Any


class _PackedLine(Struct, gc=False):
    line: int
    part: int | None
    line_id: str | None
    variant_id: str | None
    sku: str | None
    title: str | None
    quantity: int


class _NotOrdered(Struct, gc=False):
    product: int
    quantity: int
    reason: str


class _ShipmentMore(Struct, gc=False, omit_defaults=True):
    """What `shipments` says of few parcels only; most have none of it."""

    lines: list[_PackedLine] | None = None
    contents: str | None = None
    not_ordered: list[_NotOrdered] | None = None
    shares_contents_with: str | None = None
    given_up: str | None = None


class _LedgerMember(Struct, gc=False):
    ledger: list[Json]


class _Campaigns(Struct, gc=False, omit_defaults=True):
    """What `order` says of few orders only: those of shops with campaigns."""

    campaign: CampaignChoice | None = None
    attribution: Attribution | None = None


_copy_placement = writer_of(Placement, ("products",))


def _encode(order: Order, *, whole_claims: bool) -> bytes:
    lines = lines_of(order.placement.products)
    trackings = [to_json(_tracking(order, shipment)) for shipment in order.shipments]
    said, ledger = order.shipments, b""
    is_one = len(said) == 1
    if not is_one and not order.claims and is_unsent(order):
        shipments = _drafts(order, trackings, lines) if said else []
    else:
        if not is_one or order.claims or said[0].products is not None or said[0].is_gone:
            order = with_assumed_contents(order)
            ledger = to_json(_LedgerMember(_ledger(order)))
        shipments = [
            _shipment(
                order, shipment, tracking, lines, is_assumed=not is_one and one.products is None
            )
            for one, shipment, tracking in zip(said, order.shipments, trackings, strict=True)
        ]
    return to_json(
        _Snapshot(
            Raw(_order(order, lines, trackings, ledger)),
            _customer(order.placement),
            Raw(_list(shipments)),
            [_claim(claim, whole=whole_claims) for claim in order.claims],
        )
    )


def _order(order: Order, lines: bytes, trackings: Sequence[bytes], ledger: bytes) -> bytes:
    placement, analytics = order.placement, order.order_analytics
    said = _copy_placement(placement)
    said.products = Raw(b"[%b]" % lines[:-1].replace(b"\n", b","))
    end = _OrderEnd(
        order.status,
        order.expected_number_of_shipments,
        placement.order_placed_at,
        order.cancelled_at,
        order.delivery_state,
        order.is_dispatched,
        None if analytics is None else _analytics(analytics),
        Raw(_list(trackings)),
    )
    start = _OrderStart(order.order_id, order.shop)
    last = to_json(end)
    if order.campaign or order.attribution:
        last = joined(last, to_json(_Campaigns(order.campaign, order.attribution)))
    if ledger:
        return joined(to_json(start), to_json(said), last, ledger)
    return joined(to_json(start), to_json(said), last)


def _ledger(order: Order) -> list[Json]:
    """Where the pieces of each line are; of a bundle whole bundles, and the pieces of each part."""
    counts = ledger_of(order)
    found: list[Json] = []
    for line, product in enumerate(order.placement.products):
        inside = [counts[line, place] for place in range(len(product.bundled_products))]
        parts = [
            {"part": place, **_names(part), **msgspec.structs.asdict(each)}
            for place, (part, each) in enumerate(zip(product.bundled_products, inside, strict=True))
        ]
        whole = whole_bundles(product, inside) if inside else counts[line, None]
        of_line = {"line": line, **_names(product), **msgspec.structs.asdict(whole)}
        found.append({**of_line, "shipment_ids": parcels_of(order, line), "parts": parts})
    return found


def _names(product: BundledProduct) -> Json:
    return {name: getattr(product, name) for name in IDENTIFIERS}


def _customer(placement: Placement) -> _Customer:
    name = (placement.address.name or "").strip()
    first, _, last = name.rpartition(" ")
    return _Customer(
        placement.external_customer_id,
        placement.email_id,
        (first or last) or None,
        last if first else None,
    )


def _analytics(analytics: Analytics) -> Json:
    known = msgspec.structs.asdict(analytics)
    extras = known.pop("extras")
    return {**extras, **{name: value for name, value in known.items() if value is not None}}


class _Promise(Struct, gc=False):
    """The promised day as the window of arrival of a draft."""

    from_: None = field(default=None, name="from")
    to: Any = None
    source: str = "promise"


def _tracking(order: Order, shipment: Shipment) -> _Tracking:
    tracking = shipment.tracking
    eta: Any = tracking.eta
    if eta is not None:
        eta = with_all_members(eta)
    is_draft, carrier = shipment.number is None, shipment.carrier
    if is_draft and not shipment.archived:
        promised = order.placement.promised_delivery_date
        eta = eta if promised is None else _Promise(to=promised)
    said = _Tracking(
        shipment.shipment_id,
        shipment.ordinal,
        is_draft,
        shipment.tracking_number,
        carrier,
        shipment.tracking_url,
        tracking.phase,
        tracking.flag,
        State.ARCHIVED if shipment.archived else state_of(tracking.phase),
        tracking.direction,
        eta,
        tracking.first_scan_at,
        tracking.delivered_at,
        tracking.first_scan_on,
        tracking.delivered_on,
        shipment.sub_status,
    )
    if not is_draft and carrier is None:
        # A carrier that was named is never doubted.
        country = order.placement.address.country_code
        said.carrier_candidates = candidates_of(shipment.number or "", country)
    if tracking.why is not None:
        _say_why(said, tracking.why)
    return said


def _say_why(said: _Tracking, why: Why) -> None:
    said.reason_code, said.reason = why.reason_code, why.reason
    said.action_required = why.action_required


def _shipment_end(order: Order, shipment: Shipment, lines: bytes) -> _ShipmentEnd:
    tracking = shipment.tracking
    # A parcel that nothing is said of holds everything that was bought.
    held = lines if shipment.products is None else lines_of(shipment.products)
    # In a parcel each line names it; a line has other members, so a comma goes before.
    end = b',"shipment_id":%b},' % to_json(shipment.shipment_id)
    return _ShipmentEnd(
        order.order_id,
        shipment.external_shipment_id,
        shipment.tracking_placed_at,
        Raw(b"[%b]" % held.replace(b"}\n", end)[:-1]),
        tracking.leg,
        tracking.attempts,
        tracking.pickup and with_all_members(tracking.pickup),
        order.placement.promised_delivery_date,
        tracking.last_occurred_at,
    )


def _drafts(order: Order, trackings: Sequence[bytes], lines: bytes) -> list[bytes]:
    """Drafts of which none has a list: the first is shown with everything, the others share it."""
    head = order.shipments[0].shipment_id
    shared = f'{{"contents":"assumed","shares_contents_with":"{head}"}}'.encode()
    return [
        joined(tracking, to_json(_shipment_end(order, shipment, lines)), b'{"contents":"assumed"}')
        if shipment.shipment_id == head
        else joined(tracking, to_json(_shipment_end(order, shipment, b"")), shared)
        for shipment, tracking in zip(order.shipments, trackings, strict=True)
    ]


def _shipment(
    order: Order, shipment: Shipment, tracking: bytes, lines: bytes, *, is_assumed: bool
) -> bytes:
    end = to_json(_shipment_end(order, shipment, lines))
    if not is_assumed and shipment.lines is None and shipment.tracking.given_up is None:
        return joined(tracking, end)
    return joined(tracking, end, to_json(_more(order, shipment, is_assumed=is_assumed)))


def _more(order: Order, shipment: Shipment, *, is_assumed: bool) -> _ShipmentMore:
    given_up = shipment.tracking.given_up
    lines = None if shipment.lines is None else [_line(order, each) for each in shipment.lines]
    not_ordered = [
        _NotOrdered(each.product, each.quantity, _REASONS[each.is_known])
        for each in shipment.not_ordered
    ]
    contents = "assumed" if is_assumed else None
    return _ShipmentMore(lines, contents, not_ordered or None, shipment.shares_with, given_up)


_REASONS = (WarningCode.PRODUCT_NOT_ORDERED, WarningCode.QUANTITY_ABOVE_ORDERED)


def _line(order: Order, packed: PackedLine) -> _PackedLine:
    line = order.placement.products[packed.line]
    named = line if packed.part is None else line.bundled_products[packed.part]
    return _PackedLine(
        packed.line,
        packed.part,
        named.line_id,
        named.variant_id,
        named.sku,
        named.title,
        packed.quantity,
    )


def _claim(claim: ClaimCopy, *, whole: bool) -> Any:
    if whole:
        return with_all_members(claim)
    known = msgspec.structs.asdict(claim)
    del known["sequence"], known["event_data"]
    return known


def _list(encoded: Sequence[bytes]) -> bytes:
    return b"[%b]" % b",".join(encoded)
