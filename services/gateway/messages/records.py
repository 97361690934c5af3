"""Record: what is put on Kafka for a request, and how headers are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from schemas.envelope import CE_ID, CE_SOURCE, CE_TIME, CE_TYPE, CONTENT_TYPE, TRACEPARENT
from services.runtime.clock import new_id
from services.runtime.messages.repair import ItemWarning
from services.runtime.messages.trace_context import read_traceparent

CE_SPECVERSION = "ce_specversion"


class Record(Struct, frozen=True, gc=False):
    """One record; `topic` is its name in the catalogue."""

    topic: str
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes
    id: str
    warnings: Sequence[ItemWarning] = ()


def make_headers(
    *,
    id_: str,
    source: str,
    type_: str,
    time: str,
    content_type: str,
    traceparent: str | None,
    others: Mapping[str, str] | None = None,
) -> tuple[tuple[str, bytes], ...]:
    """The headers of a record; `others` are further attributes, by their names in Kafka."""
    named = {
        CE_SPECVERSION: "1.0",
        CE_ID: id_,
        CE_SOURCE: source,
        CE_TYPE: type_,
        CE_TIME: time,
        CONTENT_TYPE: content_type,
        TRACEPARENT: trace_of(traceparent),
    }
    return tuple((name, text.encode()) for name, text in (named | dict(others or {})).items())


def trace_of(said: str | None) -> str:
    """The sender's trace (W3C Trace Context), or a new one where it sent none that is valid.

    A new one has ids for log entries alone: no span of it is recorded.
    """
    if said is not None and read_traceparent(said):
        return said
    return f"00-{new_id().replace('-', '')}-{new_id().replace('-', '')[:16]}-00"
