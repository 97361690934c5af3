"""The span of one attempt to deliver an event, and the `traceparent` of its request."""

from __future__ import annotations

from services.deliveries.domain.destination import Kind as DestinationKind
from services.deliveries.network.client import Response
from services.deliveries.sending.rows import StoredTarget
from services.deliveries.sending.window import Row
from services.runtime.messages.trace_context import TraceContext
from services.runtime.observability.spans import Kind, Span
from services.runtime.observability.tracing import Tracing, now

_NAMES = {
    DestinationKind.WEBHOOK: ("POST webhook", Kind.CLIENT),
    DestinationKind.FEED: ("send feed", Kind.PRODUCER),
}


class AttemptTrace:
    """One attempt, from before its request is made; `context` is its span."""

    def __init__(self, tracing: Tracing, event: TraceContext) -> None:
        """`event` is the span that the event names as its cause."""
        self._tracing = tracing
        self._event = event
        self._began = now()
        self.context = tracing.new_child(event)

    def end(self, row: Row, target: StoredTarget, response: Response) -> None:
        """Have the span exported; it says nothing of where the destination is."""
        name, kind = _NAMES[target.target.kind]
        answer = response.answer
        attributes: dict[str, str | int] = {
            "messaging.message.id": row.event_id,
            "orderflow.order_id": row.order_id,
            "orderflow.attempt": row.failures + 1,
        }
        if answer.status is not None:
            attributes["http.response.status_code"] = answer.status
        self._tracing.emit(
            Span(
                name=name,
                kind=kind,
                context=self.context,
                parent=self._event,
                is_remote=True,
                began=self._began,
                ended=now(),
                attributes=attributes,
                error=None if answer.is_success else str(answer.status or "no answer"),
            )
        )
