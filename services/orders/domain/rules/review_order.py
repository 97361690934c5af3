"""Review an order: choose and credit it again, after a change of its shop's campaigns."""

from __future__ import annotations

from services.orders.domain.events.choose_and_credit import choose_and_credit
from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import ReviewOrder
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.reasons import Reason, Unchanged


def review(recorder: Recorder, command: ReviewOrder) -> Uuid:
    """Choose and credit by the book as it is now. Nothing else of the order changes.

    Raises:
        Unchanged: the order is not there any more: it was erased.
    """
    order = recorder.order(command.order_id)
    if order is None or order.shop != command.shop:
        raise Unchanged(Reason.NO_DIFFERENCE)
    choose_and_credit(recorder, order.order_id)
    return order.order_id
