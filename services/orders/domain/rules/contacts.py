"""Facts that campaigns are chosen and credited by: segments by their time, and links to the order.

They are facts of their own time, so a command that is older than the order brings them too.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import json

from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.campaigns import BEGINNING, Referral, SaidSegments
from services.orders.domain.model.commands import PlacementFields
from services.orders.domain.model.order import Analytics, Order
from services.orders.domain.model.warnings import WarningCode
from services.orders.domain.value import replace

SEGMENTS_MAX = 20
"""Most times at which an order keeps its segments; the first are kept, as orders are chosen for
when they are placed and fulfilled."""
REFERRALS_MAX = 50
"""Most links that an order keeps; the newest are kept."""


def with_contacts(
    recorder: Recorder, before: Order | None, order: Order, said: PlacementFields
) -> Order:
    """The order with the segments and the link that a command says of it.

    `before` is the order as it was, `order` as it is described now.
    """
    if said.segments is not None:
        order = _with_segments(before, order, said.segments, recorder.item.updated_at)
    if said.referral is not None:
        order = _with_referral(order, said.referral)
        _warn_if_late(recorder, order, said.referral.clicked_at, "/order/referral/clicked_at")
    return order


def warn_of_late_contact(
    recorder: Recorder, order: Order, said: Analytics | None, pointer: str
) -> None:
    """Warn of a contact that a shop says and that is later than the order."""
    if said is not None and order.shop in recorder.world.books:
        _warn_if_late(recorder, order, said.clicked_at, f"{pointer}/clicked_at")


def _warn_if_late(recorder: Recorder, order: Order, at: datetime | None, pointer: str) -> None:
    if at is not None and at > order.placed_at:
        recorder.warn(
            WarningCode.TOUCH_AFTER_ORDER,
            pointer,
            f"The contact at {at.isoformat()} is later than the order, which was placed at "
            f"{order.placed_at.isoformat()}; it is kept, and a link is not credited with the "
            "order.",
        )


def _with_segments(
    before: Order | None, order: Order, segments: tuple[str, ...], at: datetime | None
) -> Order:
    held = order.said_segments
    former = before.placement.segments if before is not None else ()
    if not held and former and (at is not None or _is_final(before, segments)):
        held = (SaidSegments(at=None, segments=former),)
    if at is None:
        return _with_undated(before, order, held, segments)
    said = SaidSegments(at=at, segments=segments)
    if said in held:
        return order
    ordered = sorted((*held, said), key=_place)[:SEGMENTS_MAX]
    return replace(order, said_segments=tuple(ordered))


def _with_undated(
    before: Order | None,
    order: Order,
    held: tuple[SaidSegments, ...],
    segments: tuple[str, ...],
) -> Order:
    """Segments without a time replace those without one, until the first parcel is handed over."""
    if not held and segments:
        return order
    is_known = bool(held) and held[0].at is None
    if not (is_known and before is not None and before.is_dispatched):
        said = SaidSegments(at=None, segments=segments)
        held = (said, *(held[1:] if is_known else held))[:SEGMENTS_MAX]
    return order if held == order.said_segments else replace(order, said_segments=held)


def _is_final(before: Order | None, segments: tuple[str, ...]) -> bool:
    return before is not None and before.is_dispatched and before.placement.segments != segments


def _place(said: SaidSegments) -> tuple[bool, datetime, tuple[str, ...]]:
    return said.at is not None, said.at or BEGINNING, said.segments


def _with_referral(order: Order, referral: Referral) -> Order:
    if referral in order.referrals:
        return order
    kept = sorted((*order.referrals, referral), key=_referral_place)[-REFERRALS_MAX:]
    return replace(order, referrals=tuple(kept))


def _referral_place(referral: Referral) -> tuple[datetime, bytes]:
    return referral.clicked_at or BEGINNING, json.encode(referral, order="sorted")
