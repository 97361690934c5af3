"""Cancellation: an order expects nothing more; parcels under way go on being tracked."""

from __future__ import annotations

from services.orders.domain.acceptance import accept
from services.orders.domain.commands import CancelOrder
from services.orders.domain.drafts import settle
from services.orders.domain.frozen import replace
from services.orders.domain.identity import Uuid
from services.orders.domain.ledger import Ledger
from services.orders.domain.lookup import check_news, require
from services.orders.domain.order import OrderStatus
from services.orders.domain.settlement import conclude


def cancel(ledger: Ledger, command: CancelOrder) -> Uuid:
    """Cancel an order, whatever of it is sent already. Drafts are archived; twice is once."""
    held = require(ledger, command.reference)
    check_news(held, command)
    if held.status is OrderStatus.CANCELLED:
        return conclude(ledger, held, accept(held, command))
    cancelled = replace(
        held,
        status=OrderStatus.CANCELLED,
        cancelled_at=command.cancelled_at or ledger.now,
        cancel_reason=command.reason,
    )
    return conclude(ledger, held, accept(settle(cancelled), command))
