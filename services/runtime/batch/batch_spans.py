"""The spans of one batch, made of what was noted while it was applied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any

from services.runtime.messages.records import Coordinates, Original
from services.runtime.messages.trace_context import TraceContext
from services.runtime.observability.spans import Attributes, Kind, Span
from services.runtime.observability.tracing import LINKS_LEFT_OUT, LINKS_MAX, Tracing, now


class Origin(StrEnum):
    """Where an item comes from; the value of an attribute of its span."""

    KAFKA = "kafka"
    WAITING = "waiting"
    PARKED = "parked"


@dataclass(slots=True)
class PollTrace:
    """When a poll began and ended, and the root of the trace that its batches share."""

    began: int
    ended: int
    context: TraceContext | None = None
    is_emitted: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """What a batch is made of: topics by their names in Kafka, partitions, number of records."""

    topics: frozenset[str] = frozenset()
    partitions: frozenset[int] = frozenset()
    records: int = 0

    def attributes(self) -> dict[str, Any]:
        """By the semantic conventions: a destination where all records have one in common."""
        found: dict[str, Any] = {"messaging.batch.message_count": self.records}
        if len(self.topics) == 1:
            found["messaging.destination.name"] = next(iter(self.topics))
            if len(self.partitions) == 1:
                found["messaging.destination.partition.id"] = str(next(iter(self.partitions)))
        return found

    def named(self, operation: str) -> str:
        """The name of a span: the operation, and the destination where there is one."""
        return f"{operation} {next(iter(self.topics))}" if len(self.topics) == 1 else operation


@dataclass(slots=True)
class TracedItem:
    """An item that is traced, and how it ended: None while it has no end."""

    original: Original
    index: int
    type: str | None
    origin: Origin
    context: TraceContext
    parent: TraceContext | None
    received: TraceContext
    """The span of the item when it was taken from Kafka: its own, or an earlier one."""
    end: Mapping[str, str] | None = None
    error: str | None = None


@dataclass(slots=True)
class BatchNotes:
    """What is noted of a batch; `stages` are their names and ends."""

    tracing: Tracing
    operation: str
    sources: Sources
    poll: PollTrace | None
    context: TraceContext | None = None
    """The span of the batch; None while nothing in it is traced."""
    began: int = field(default_factory=now)
    ended: int = 0
    stages: list[tuple[str, int]] = field(default_factory=list)
    items: dict[tuple[int, int], TracedItem] = field(default_factory=dict)
    """By the identity of the record, which they hold, and the index in it."""
    left_out: int = 0
    """Items that were to be traced and have no span, as there were too many."""


def spans_of_batch(
    notes: BatchNotes, context: TraceContext, *, error: str | None
) -> Iterator[Span]:
    """The batch with links to the spans of its messages' senders, its stages, and its poll."""
    poll = notes.poll
    if poll is not None and poll.context is not None and not poll.is_emitted:
        poll.is_emitted = True
        yield from _spans_of_poll(notes, poll, poll.context)
    linked = [each.parent or each.context for each in notes.items.values()]
    attributes = _of_batch(notes, notes.operation, "process")
    attributes[LINKS_LEFT_OUT] = max(0, len(linked) - LINKS_MAX) + notes.left_out
    yield Span(
        name=notes.sources.named(notes.operation),
        kind=Kind.CONSUMER,
        context=context,
        parent=None if poll is None else poll.context,
        began=notes.began,
        ended=notes.ended,
        attributes=attributes,
        links=linked[:LINKS_MAX],
        error=error,
    )
    began = notes.began
    for stage, ended in notes.stages:
        yield notes.tracing.part(stage, context, began, ended)
        began = ended


def spans_of_items(notes: BatchNotes, batch: TraceContext) -> Iterator[Span]:
    """One span for each item that ended; the others were not decided, and go on waiting."""
    for item in notes.items.values():
        if item.end is not None:
            yield _span_of_item(notes, item, batch)


def received_span_id(service: str, at: Coordinates, index: int) -> str:
    """The id of an item's span when it is taken from Kafka; a replay gives the same.

    Events carry it in their headers, and those of a replay are to be the same.
    """
    return sha256(f"span/{service}/{at}#{index}".encode()).hexdigest()[:16]


def _spans_of_poll(notes: BatchNotes, poll: PollTrace, root: TraceContext) -> Iterator[Span]:
    """The root, from the poll to the end of its first batch, and the poll in it."""
    yield Span(
        name=notes.sources.named("batch"),
        kind=Kind.INTERNAL,
        context=root,
        began=poll.began,
        ended=notes.ended,
        attributes={"messaging.consumer.group.name": notes.tracing.group},
    )
    yield Span(
        name=notes.sources.named("poll"),
        kind=Kind.CLIENT,
        context=notes.tracing.new_child(root),
        parent=root,
        began=poll.began,
        ended=poll.ended,
        attributes=_of_batch(notes, "poll", "receive"),
    )


def _span_of_item(notes: BatchNotes, item: TracedItem, batch: TraceContext) -> Span:
    links = [batch]
    if item.received not in (item.context, item.parent):
        links.append(item.received)
    topic = notes.tracing.topic(item.original.coordinates.topic)
    return Span(
        name=f"process {topic}",
        kind=Kind.CONSUMER,
        context=item.context,
        parent=item.parent,
        is_remote=True,
        began=notes.began,
        ended=notes.ended,
        attributes=_attributes_of(notes, item, topic),
        links=links,
        error=item.error,
    )


def _attributes_of(notes: BatchNotes, item: TracedItem, topic: str) -> Attributes:
    """Few, without those that say nothing: each costs two microseconds to encode."""
    at = item.original.coordinates
    waited = notes.began / 1e9 - item.original.timestamp.timestamp()
    found = {
        **_of_kafka("process", "process"),
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(at.partition),
        "messaging.kafka.offset": at.offset,
        "orderflow.waited_seconds": max(0.0, waited),
        **(item.end or {}),
    }
    if item.type is not None:
        found["cloudevents.event_type"] = item.type
    if item.index:
        found["orderflow.index"] = item.index
    if item.origin is not Origin.KAFKA:
        found["orderflow.origin"] = item.origin.value
    return found


def _of_kafka(name: str, type_: str) -> dict[str, Any]:
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": name,
        "messaging.operation.type": type_,
    }


def _of_batch(notes: BatchNotes, name: str, type_: str) -> dict[str, Any]:
    group = {"messaging.consumer.group.name": notes.tracing.group}
    return _of_kafka(name, type_) | group | notes.sources.attributes()
