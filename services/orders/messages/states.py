"""States: the record on `orders.state` of each order that a batch changed (docs/decisions/0184).

They go to the outbox behind all events of the batch, in the same transaction. The context of an
order's last event is written again as it was encoded, where it is the context of the state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from services.orders.domain.events.snapshot import is_same_state, state_of
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order
from services.orders.messages import snapshot
from services.orders.messages.encode import event_record
from services.orders.messages.snapshot import Context
from services.runtime.outbox.outbox import Outgoing

Encoded = dict[Uuid, tuple[Order, Context]]
"""The order and the context of the last events of each order, as they were encoded."""


def state_records(
    before: Mapping[Uuid, Order | None],
    after: Mapping[Uuid, Order],
    encoded: Encoded,
    *,
    max_bytes: int,
    now: datetime,
) -> Iterator[Outgoing]:
    """One record for each order whose state a batch changed; `before` are the stored orders.

    An order that only remembers a further item, or a warning, is published in the same state.
    """
    for order_id, order in after.items():
        if not is_same_state(before.get(order_id), order):
            context = _context(order, encoded.get(order_id), max_bytes)
            yield state_record(order, context, now)


def state_record(order: Order, context: Context, now: datetime) -> Outgoing:
    """The record of an order's state; `context` has its claims whole."""
    return event_record(state_of(order, now), context, None)


def _context(order: Order, encoded: tuple[Order, Context] | None, max_bytes: int) -> Context:
    """The context of the state: that of the last event, unless it lacks something.

    Events show claims in part. Those of an item with many events are cut to less than a message.
    """
    if encoded is not None and not order.claims:
        shown, context = encoded
        if shown.version == order.version and not context.is_truncated:
            return context
    return snapshot.encode(order, max_bytes, whole_claims=True)
