"""Export of spans to a collector, by the SDK of OpenTelemetry: imported only where traces are on.

A thread of the SDK sends; the path of a message only puts spans into a bounded queue. Where the
collector does not answer, spans are dropped and counted, and nothing else happens.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import requests
import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from services.runtime.config.environment import SettingsError
from services.runtime.config.settings import Settings
from services.runtime.config.tracing_settings import TRACES_PATH
from services.runtime.messages.trace_context import TraceContext
from services.runtime.observability.metrics import Metrics
from services.runtime.observability.spans import Kind, Span

QUEUE_MAX = 4096
"""Most spans that wait for the collector, in memory; the next ones are dropped."""
EXPORT_MAX = 512
EXPORT_PAUSE_MS = 1_000
TIMEOUT_SECONDS = 5.0
"""How long one request to the collector may take, with its repetitions."""
ERROR_MAX_CHARACTERS = 500

log = structlog.get_logger(__name__)

_KINDS = {kind: trace.SpanKind[kind.value] for kind in Kind}
_SAMPLED, _NOT_SAMPLED = trace.TraceFlags(trace.TraceFlags.SAMPLED), trace.TraceFlags()
_WELL = trace.Status(trace.StatusCode.UNSET)


class SpanExport:
    """Sends the spans of one service of this process to the collector."""

    def __init__(self, settings: Settings, service: str, metrics: Metrics) -> None:
        """Start the thread that sends.

        Raises:
            SettingsError: the file of OTEL_EXPORTER_OTLP_CERTIFICATE cannot be read.
        """
        self._resource = _resource(settings, service)
        self._scope = InstrumentationScope("orderflow", version("orderflow"))
        self._dropped = metrics.trace_spans_total.labels(service, "dropped")
        self._exporter = _Counted(_exporter(settings), service, metrics)
        self._waiting = 0
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=2 * QUEUE_MAX,  # Never reached: `emit` counts what it drops.
            schedule_delay_millis=EXPORT_PAUSE_MS,
            max_export_batch_size=EXPORT_MAX,
        )

    def emit(self, span: Span) -> None:
        """Put a span into the queue; where it is full the span is dropped and counted."""
        if self._waiting - self._exporter.finished >= QUEUE_MAX:
            self._dropped.inc()
            return
        self._waiting += 1
        self._processor.on_end(self._readable(span))

    async def close(self, seconds: float) -> None:
        """Send what is queued, for so long at most; the rest is dropped and counted."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]
            if not loop.is_closed():
                loop.call_soon_threadsafe(sent.set)

        # A daemon: a collector that does not answer must not keep the process from its end.
        threading.Thread(target=send, name="span_export.close", daemon=True).start()
        try:
            async with asyncio.timeout(seconds):
                await sent.wait()
        except TimeoutError:
            self._exporter.shutdown()
        self._dropped.inc(max(0, self._waiting - self._exporter.finished))

    def _readable(self, span: Span) -> ReadableSpan:
        parent = span.parent
        status = _WELL
        if span.error is not None:
            status = trace.Status(trace.StatusCode.ERROR, span.error)
        return ReadableSpan(
            name=span.name,
            context=_context(span.context, is_remote=False),
            parent=None if parent is None else _context(parent, is_remote=span.is_remote),
            resource=self._resource,
            attributes=span.attributes,
            links=[trace.Link(_context(each, is_remote=True)) for each in span.links],
            kind=_KINDS[span.kind],
            status=status,
            start_time=span.began,
            end_time=span.ended,
            instrumentation_scope=self._scope,
        )


class _Counted(SpanExporter):
    """The exporter, with its results in a metric, and one log entry when the collector is lost."""

    def __init__(self, exporter: OTLPSpanExporter, service: str, metrics: Metrics) -> None:
        self._exporter = exporter
        self._service = service
        self._sent = metrics.trace_spans_total.labels(service, "sent")
        self._dropped = metrics.trace_spans_total.labels(service, "dropped")
        self._lost = 0
        self._is_lost = False
        self.finished = 0
        """Spans that were sent or given up."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; called by the thread of the SDK."""
        _REASONS.cause = ""
        try:
            result = self._exporter.export(spans)
        finally:
            self.finished += len(spans)
        if result is SpanExportResult.SUCCESS:
            self._sent.inc(len(spans))
            if self._is_lost:
                log.info("collector_answers", service=self._service, spans_dropped=self._lost)
            self._is_lost, self._lost = False, 0
            return result
        self._dropped.inc(len(spans))
        self._lost += len(spans)
        if not self._is_lost:
            log.warning("collector_lost", service=self._service, error=_REASONS.text())
        self._is_lost = True
        return result

    def shutdown(self) -> None:
        """End a request that is being repeated."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


class CollectorRedirects(Exception):
    """The collector answers with another address, where spans are not sent."""


class _LastMessage(logging.Filter):
    """Keeps the last message that the exporter logs, instead of one entry for each request.

    The message that ends repeated requests does not say why they failed: `cause` does.
    """

    last = ""
    cause = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the message, and do not log it."""
        if record.levelno == logging.WARNING and isinstance(record.args, tuple) and record.args:
            self.cause = str(record.args[0])
        else:
            self.last = record.getMessage()
        return False

    def answered(self, response: requests.Response, *_: object, **__: object) -> None:
        """Keep the status of an answer.

        Raises:
            CollectorRedirects: the exporter would take it for success.
        """
        if 300 <= response.status_code < 400:
            place = str(response.headers.get("location", "")).partition("?")[0]
            raise CollectorRedirects(f"status {response.status_code}, go to {place}")
        if not response.ok:
            self.cause = f"status {response.status_code}"

    def text(self) -> str:
        """The last message, with its cause where it does not say one."""
        says_why = "reason:" in self.last or not self.cause
        text = self.last if says_why else f"{self.last} Cause: {self.cause}"
        return text[:ERROR_MAX_CHARACTERS]


_REASONS = _LastMessage()
logging.getLogger(OTLPSpanExporter.__module__).addFilter(_REASONS)


def _exporter(settings: Settings) -> OTLPSpanExporter:
    certificate = settings.otel_exporter_otlp_certificate
    session = requests.Session()
    session.hooks["response"].append(_REASONS.answered)
    return OTLPSpanExporter(
        session=session,
        endpoint=f"{settings.otel_exporter_otlp_endpoint}{TRACES_PATH}",
        certificate_file=_checked(certificate) if certificate else None,
        headers=dict(settings.collector_headers),
        timeout=TIMEOUT_SECONDS,
        compression=Compression.Gzip,
    )


def _checked(certificate: Path) -> str:
    try:
        certificate.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"OTEL_EXPORTER_OTLP_CERTIFICATE: cannot read {certificate}: {error.strerror}"
        ) from None
    return str(certificate)


def _resource(settings: Settings, service: str) -> Resource:
    """What all spans of this service and process have in common, by the semantic conventions."""
    return Resource(
        {
            **settings.resource_attributes,
            "service.name": f"orderflow-{service}",
            "service.version": version("orderflow"),
            "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": version("opentelemetry-sdk"),
        }
    )


def _context(context: TraceContext, *, is_remote: bool) -> trace.SpanContext:
    return trace.SpanContext(
        int(context.trace_id, 16),
        int(context.span_id, 16),
        is_remote,
        _SAMPLED if context.is_sampled else _NOT_SAMPLED,
    )
