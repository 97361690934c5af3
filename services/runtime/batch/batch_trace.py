"""The trace of one batch: its stages, and the items of it that are traced.

An item that is traced goes on with a span of its own: that span stands in the `traceparent` of the
events and outcomes that the item causes (docs/decisions/0206). Spans are exported when the batch is
committed; of one that failed, those of the batch alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import Any, Self

import structlog
from msgspec.structs import replace

from schemas.envelope import TRACEPARENT, CloudEvent
from services.runtime.batch.batch_spans import (
    BatchNotes,
    Origin,
    PollTrace,
    Sources,
    TracedItem,
    received_span_id,
    spans_of_batch,
    spans_of_items,
)
from services.runtime.batch.items import FailureKind, ItemRef
from services.runtime.messages.records import Coordinates, Original
from services.runtime.messages.trace_context import TraceContext
from services.runtime.observability.tracing import Tracing, exemplar_of, now

ITEMS_MAX = 256
"""Most items of one batch with spans: senders say what is traced, and must not slow the others."""
APPLY, RETRY, SWEEP = "apply", "retry", "sweep"
"""What is done with a batch: of records, of parked items, of items that have waited too long."""


class BatchTrace:
    """Notes what happens to one batch; used in a `with` block around its transaction.

    Nothing is exported where no item of the batch is traced.
    """

    def __init__(
        self,
        tracing: Tracing,
        operation: str,
        sources: Sources,
        parked: Sequence[tuple[ItemRef, FailureKind]],
        *,
        retried: frozenset[Coordinates] = frozenset(),
        poll: PollTrace | None = None,
    ) -> None:
        """`parked` is the report's list of items that were parked, `retried` say which records hold
        parked items that are decided again.
        """
        self._tracing = tracing
        self._parked = parked
        self._retried = retried
        self._notes = BatchNotes(tracing, operation, sources, poll)
        self._logged: Mapping[str, Token[Any]] = {}
        self.skips = tracing.skips
        """Whether an item is surely not traced, by its record and `traceparent`."""
        self.records: set[int] = set()
        """Identities of the records that hold traced items."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, type_: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        notes, context = self._notes, self._notes.context
        if context is None:
            return
        structlog.contextvars.reset_contextvars(**self._logged)
        if notes.operation == APPLY:
            self.lap("commit")
        notes.ended = now()
        error = None if type_ is None else type_.__name__
        for span in spans_of_batch(notes, context, error=error):
            self._tracing.emit(span)
        if error is None:
            self._note_parked()
            for span in spans_of_items(notes, context):
                self._tracing.emit(span)

    def adopt(
        self,
        original: Original,
        index: int,
        envelope: CloudEvent,
        *,
        type_: str | None = None,
        is_waiting: bool = False,
    ) -> CloudEvent:
        """Give an item a span where it is traced; returns its envelope, with the span in it.

        `type_` is the item's type where it is one of the contract: a sender's text is not exported.
        """
        own = self._adopt(original, index, envelope.traceparent, type_, is_waiting=is_waiting)
        return envelope if own is None else replace(envelope, traceparent=str(own))

    def note(self, original: Original, *, type_: str | None = None) -> None:
        """Give a record of one item, which causes nothing outside, a span where it is traced."""
        said = None
        for name, value in original.headers:
            if name == TRACEPARENT:
                said = value.decode("latin-1")
        if not self.skips(original, said):
            self._adopt(original, 0, said, type_)

    def _adopt(
        self,
        original: Original,
        index: int,
        traceparent: str | None,
        type_: str | None,
        *,
        is_waiting: bool = False,
    ) -> TraceContext | None:
        """The span of an item; None where it is not traced."""
        chosen = self._choose(original, traceparent)
        if chosen is None:
            return None
        notes = self._notes
        if len(notes.items) >= ITEMS_MAX:
            notes.left_out += 1
            return None
        if notes.context is None:
            notes.context = self._begin(notes.poll)
        trace_id, parent = chosen
        at = original.coordinates
        received = TraceContext(trace_id, received_span_id(self._tracing.service, at, index))
        origin = Origin.WAITING if is_waiting else Origin.KAFKA
        origin = Origin.PARKED if at in self._retried else origin
        own = received if origin is Origin.KAFKA else self._tracing.new_child(received)
        if parent is None and origin is not Origin.KAFKA:
            parent = received
        item = TracedItem(original, index, type_, origin, own, parent, received)
        notes.items[id(original), index] = item
        self.records.add(id(original))
        return own

    def end(
        self,
        original: Original,
        index: int,
        outcome: str,
        reason: str | None = None,
        order_id: str | None = None,
    ) -> None:
        """Note how an item ended; items that are not traced are passed over.

        `original` is the record that the item was adopted with, the same object.
        """
        item = self._notes.items.get((id(original), index))
        if item is not None:
            found = {
                "orderflow.outcome": outcome,
                "orderflow.reason": reason,
                "orderflow.order_id": order_id,
            }
            item.end = {name: str(value) for name, value in found.items() if value}

    def lap(self, stage: str) -> dict[str, str] | None:
        """Note that a stage ends now; returns the exemplar for its histogram."""
        self._notes.stages.append((stage, now()))
        return exemplar_of(self._notes.context)

    def _choose(
        self, original: Original, traceparent: str | None
    ) -> tuple[str, TraceContext | None] | None:
        """The trace of an item and its sender's span; None where the item is not traced."""
        if traceparent is None:
            root = self._tracing.choose_root(original)
            return None if root is None else (root, None)
        sender = self._tracing.choose(traceparent)
        return None if sender is None else (sender.trace_id, sender)

    def _begin(self, poll: PollTrace | None) -> TraceContext:
        """The span of the batch, now that one of its items is traced; log entries name it."""
        if poll is None:
            context = self._tracing.new_root()
        else:
            poll.context = poll.context or self._tracing.new_root()
            context = self._tracing.new_child(poll.context)
        self._logged = structlog.contextvars.bind_contextvars(
            trace_id=context.trace_id, span_id=context.span_id
        )
        return context

    def _note_parked(self) -> None:
        kinds = {(ref.at, ref.index): kind for ref, kind in self._parked}
        for item in self._notes.items.values() if kinds else ():
            kind = kinds.get((item.original.coordinates, item.index))
            if kind is not None:
                item.end = {"orderflow.outcome": "parked", "orderflow.reason": kind.value}
                item.error = None if kind is FailureKind.BEHIND else kind.value
