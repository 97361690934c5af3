"""Erased orders: no later item brings one back (docs/decisions/0184)."""

from __future__ import annotations

from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import RecordClaim
from services.orders.domain.model.reasons import SENTENCES, CommandRefused, Reason, Unchanged
from services.orders.domain.model.references import Reference, direct_id


def check_not_erased(recorder: Recorder, reference: Reference) -> None:
    """Refuse an item that names an erased order, by its number or uuid, where there is no order.

    So neither a repeat nor a late message stores again what was erased. Other names of the order
    are forgotten: an item that has none but these waits, as for an order that never was.

    Raises:
        CommandRefused: a command names an erased order.
        Unchanged: a claim event does. Its sender has no answer, so nothing of it is kept.
    """
    order_id = direct_id(reference)
    published = recorder.world.published.get(order_id) if order_id else None
    erased = published.erased if published else None
    if erased is None or erased.shop != reference.shop:
        return
    if isinstance(recorder.item, RecordClaim):
        raise Unchanged(Reason.ORDER_ERASED)
    raise CommandRefused(Reason.ORDER_ERASED, SENTENCES[Reason.ORDER_ERASED], "/id")
