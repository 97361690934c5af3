"""Spans as values: what is exported, by the model of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from services.runtime.messages.trace_context import TraceContext

Attributes: TypeAlias = Mapping[str, str | float]


class Kind(Enum):
    """What a span is in a trace, by the names of OpenTelemetry."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


class Span(Struct, frozen=True, gc=False, kw_only=True):
    """A span that has ended; times in nanoseconds since 1970.

    `is_remote`: the parent is a span of another process. `links` are spans of other traces that it
    has to do with. `error`: why it failed, in a word.
    """

    name: str
    kind: Kind
    context: TraceContext
    parent: TraceContext | None = None
    is_remote: bool = False
    began: int
    ended: int
    attributes: Attributes
    links: Sequence[TraceContext] = ()
    error: str | None = None
