"""The trace of one round of a publisher, with a span for each of its records that is traced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress, count, repeat
from operator import contains
from typing import Any

from msgspec import Struct

from schemas.envelope import CE_ID, CE_SUBJECT, CE_TYPE, TRACEPARENT
from services.runtime.messages.headers import read_headers
from services.runtime.messages.trace_context import TraceContext
from services.runtime.observability.spans import Attributes, Kind, Span
from services.runtime.observability.tracing import (
    LINKS_LEFT_OUT,
    LINKS_MAX,
    Tracing,
    exemplar_of,
    now,
)
from services.runtime.outbox.rows import OutboxRow

RECORDS_MAX = 256
"""Most records of one round with spans."""
# What ends the `traceparent` of a traced record in its packed headers.
_MARK, _MARK_JSON = b"-01\0", b'-01"'


class _Traced(Struct, frozen=True, gc=False):
    """A record that is traced: its row, its number there, its headers, and the span before it."""

    row: OutboxRow
    index: int
    headers: Mapping[str, bytes]
    cause: TraceContext


class PublicationTrace:
    """Notes one round, from before its rows are read until they are published."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing
        self._began = self._read_at = now()
        self._rows: Sequence[OutboxRow] = ()
        self._traced: list[_Traced] = []
        self._left_out = 0

    def read(self, rows: Sequence[OutboxRow]) -> None:
        """Note that these rows were read, and find the records that are traced."""
        self._rows, self._read_at = rows, now()
        for each in _find_traced(self._tracing, rows):
            if len(self._traced) < RECORDS_MAX:
                self._traced.append(each)
            else:
                self._left_out += 1

    def exemplar(self, row: OutboxRow) -> dict[str, str] | None:
        """The exemplar of a row: the span that caused its first traced record."""
        return next((exemplar_of(each.cause) for each in self._traced if each.row is row), None)

    def published(self) -> None:
        """Have the spans exported: Kafka has acknowledged all records."""
        if not self._traced:
            return
        root, ended = self._tracing.new_root(), now()
        linked = [each.cause for each in self._traced[:LINKS_MAX]]
        self._tracing.emit(
            Span(
                name="publish",
                kind=Kind.INTERNAL,
                context=root,
                began=self._began,
                ended=ended,
                attributes={
                    "messaging.system": "kafka",
                    "messaging.batch.message_count": sum(len(row.topics) for row in self._rows),
                    "orderflow.outbox_rows": len(self._rows),
                    LINKS_LEFT_OUT: len(self._traced) - len(linked) + self._left_out,
                },
                links=linked,
            )
        )
        self._tracing.emit(self._tracing.part("read", root, self._began, self._read_at))
        self._tracing.emit(self._tracing.part("send", root, self._read_at, ended))
        for each in self._traced:
            self._tracing.emit(self._span_of(each, root, ended))

    def _span_of(self, each: _Traced, root: TraceContext, ended: int) -> Span:
        topic = self._tracing.topic(each.row.topics[each.index])
        return Span(
            name=f"send {topic}",
            kind=Kind.PRODUCER,
            context=self._tracing.new_child(each.cause),
            parent=each.cause,
            is_remote=True,
            began=self._read_at,
            ended=ended,
            attributes=_attributes(each, topic, self._read_at),
            links=[root],
        )


def _find_traced(tracing: Tracing, rows: Sequence[OutboxRow]) -> Iterator[_Traced]:
    for row in rows:
        # Every record is looked at, and most are passed over by this look alone.
        mark = _MARK_JSON if row.headers and row.headers[0][:1] == b"[" else _MARK
        marked = map(contains, row.headers, repeat(mark))
        for index in compress(count(), marked):
            headers = dict(read_headers(row.headers[index]))
            cause = tracing.choose(headers.get(TRACEPARENT, b"").decode("latin-1"))
            if cause is not None:
                yield _Traced(row, index, headers, cause)


def _attributes(each: _Traced, topic: str, read_at: int) -> Attributes:
    """No key and no sender's text: ids and types of what is sent are ours."""
    headers = each.headers
    found: dict[str, Any] = {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
        "orderflow.outbox_seconds": max(0.0, read_at / 1e9 - each.row.created_at.timestamp()),
    }
    names = {
        "messaging.message.id": CE_ID,
        "cloudevents.event_type": CE_TYPE,
        "orderflow.order_id": CE_SUBJECT,
    }
    found |= {name: headers[header].decode() for name, header in names.items() if header in headers}
    return found
