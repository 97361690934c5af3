"""A collector of spans for tests: OTLP over HTTP, read with the messages of opentelemetry-proto."""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

DEADLINE_SECONDS = 40.0
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class SeenSpan:
    """One span as the collector got it; ids are hexadecimal, links are (trace, span)."""

    resource: dict[str, Any]
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    began: int
    ended: int
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...]
    error: str | None

    @property
    def service(self) -> str:
        """Which service it is of."""
        return str(self.resource["service.name"])

    @property
    def traceparent(self) -> str:
        """The header of a message that this span caused."""
        return f"00-{self.trace_id}-{self.span_id}-01"


@dataclass
class Collector:
    """Spans that were sent, in the order they came, and the headers of each request."""

    spans: list[SeenSpan] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    """What it answers."""
    first_statuses: list[int] = field(default_factory=list)
    """What it answers to the first requests instead."""
    retry_after: str | None = None
    """The header of each answer."""
    answer: bytes = ExportTraceServiceResponse().SerializeToString()
    """The body of each answer."""
    held: threading.Event | None = None
    """Requests are answered once this is set."""
    port: int = 0

    @property
    def endpoint(self) -> str:
        """Its OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self.port}"

    def of(self, trace_id: str) -> list[SeenSpan]:
        """The spans of a trace, by their beginning."""
        found = [each for each in list(self.spans) if each.trace_id == trace_id]
        return sorted(found, key=lambda each: (each.began, -each.ended))

    def named(self, name: str, trace_id: str | None = None) -> list[SeenSpan]:
        """The spans of this name; a name's topic may have a prefix."""
        return [
            each
            for each in list(self.spans)
            if _plain(each.name) == name and trace_id in (None, each.trace_id)
        ]

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until the condition gives something true, and return it.

        Raises:
            AssertionError: it did not before the deadline; the text has the spans.
        """
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"no such spans in time; there are:\n{self.described()}")
            await asyncio.sleep(LOOK_SECONDS)
        return found

    def described(self) -> str:
        """All spans, one a line."""
        return "\n".join(
            f"{each.trace_id[:6]} {each.parent_id[:4] or '----'} > {each.span_id[:4]} "
            f"{each.service} {each.name} {each.attributes} {each.error or ''}"
            for each in list(self.spans)
        )


def _plain(name: str) -> str:
    """The name of a span without the prefix of a test's topics."""
    operation, _, topic = name.partition(" ")
    if topic.startswith("test_"):
        topic = topic.split(".", 2)[2]
    return f"{operation} {topic}".strip()


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port of this machine."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.requests.append({k.lower(): v for k, v in self.headers.items()})
            if collector.held is not None:
                collector.held.wait(DEADLINE_SECONDS)
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            first = collector.first_statuses
            status = first.pop(0) if first else collector.status
            if self.path == "/v1/traces" and status == 200:
                collector.spans += _read(ExportTraceServiceRequest.FromString(body))
            self.send_response(status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(collector.answer)))
            if collector.retry_after is not None:
                self.send_header("retry-after", collector.retry_after)
            self.end_headers()
            self.wfile.write(collector.answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        if collector.held is not None:
            collector.held.set()
        server.shutdown()
        server.server_close()


def _read(request: ExportTraceServiceRequest) -> Iterator[SeenSpan]:
    for resource in request.resource_spans:
        about = {each.key: _value(each.value) for each in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield _span(span, about)


def _span(span: SpanMessage, about: dict[str, Any]) -> SeenSpan:
    is_error = span.status.code == Status.STATUS_CODE_ERROR
    return SeenSpan(
        resource=about,
        name=span.name,
        kind=SpanMessage.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        attributes={each.key: _value(each.value) for each in span.attributes},
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        error=(span.status.message or "error") if is_error else None,
    )


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return None if kind is None else getattr(value, kind)
