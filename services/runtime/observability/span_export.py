"""Export of spans to a collector, as OTLP over HTTP: imported only where traces are on.

A thread sends; the path of a message only puts spans into a bounded queue. Where the collector
does not answer, spans are dropped and counted, and nothing else happens.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import requests
import structlog
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from prometheus_client import Counter

from services.runtime.config.environment import SettingsError
from services.runtime.config.settings import Settings
from services.runtime.config.tracing_settings import TRACES_PATH
from services.runtime.observability.metrics import Metrics
from services.runtime.observability.span_encoding import SpanEncoder
from services.runtime.observability.spans import Span
from services.runtime.retry import backoff_seconds

QUEUE_MAX = 4096
"""Most spans that wait for the collector, in memory; the next ones are dropped."""
EXPORT_MAX = 1024
EXPORT_PAUSE_SECONDS = 2.0
TIMEOUT_SECONDS = 5.0
"""How long the spans of one request are tried, with its repetitions."""
ERROR_MAX_CHARACTERS = 500
REPEATED = frozenset((429, 502, 503, 504))
"""Statuses after which a request is repeated, by the specification of OTLP."""

_MEDIA_TYPE = "application/x-protobuf"
_GZIP_LEVEL = 1
_FIRST_BACKOFF = 4

log = structlog.get_logger(__name__)


class SpanExport:
    """Sends the spans of one service of this process to the collector."""

    def __init__(self, settings: Settings, service: str, metrics: Metrics) -> None:
        """Start the thread that sends.

        Raises:
            SettingsError: the file of OTEL_EXPORTER_OTLP_CERTIFICATE cannot be read.
        """
        self._service = service
        self._encoder = SpanEncoder(settings, service)
        self._collector = _Collector(settings)
        self._sent = metrics.trace_spans_total.labels(service, "sent")
        self._dropped = metrics.trace_spans_total.labels(service, "dropped")
        self._queue: deque[Span] = deque()
        self._taken = self._finished = 0
        """Spans that were put into the queue, and those that were sent or given up."""
        self._lost = 0
        """Spans that were given up since the collector last answered."""
        self._counting = threading.Lock()
        self._is_closed = False
        self._woken = threading.Event()
        self._at_end: Callable[[], object] | None = None
        # A daemon: a collector that does not answer must not keep the process from its end.
        threading.Thread(target=self._run, name=f"span_export.{service}", daemon=True).start()

    def emit(self, span: Span) -> None:
        """Put a span into the queue; where it is full the span is dropped and counted."""
        if self._taken - self._finished >= QUEUE_MAX:
            self._dropped.inc()
            return
        self._taken += 1
        self._queue.append(span)
        if len(self._queue) == EXPORT_MAX:
            self._woken.set()

    async def close(self, seconds: float) -> None:
        """Send what is queued, for so long at most; the rest is dropped and counted."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        self._at_end = lambda: loop.call_soon_threadsafe(ended.set)
        self._woken.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), seconds)
        self._collector.close()
        with self._counting:
            self._is_closed = True
            self._dropped.inc(self._taken - self._finished)

    def _run(self) -> None:
        while self._at_end is None:
            self._woken.wait(EXPORT_PAUSE_SECONDS)
            self._woken.clear()
            self._send_queued()
        self._send_queued()
        with contextlib.suppress(RuntimeError):  # `close` waited long enough; its loop is closed.
            self._at_end()

    def _send_queued(self) -> None:
        while self._queue and not self._is_closed:
            count = min(EXPORT_MAX, len(self._queue))
            self._send([self._queue.popleft() for _ in range(count)])

    def _send(self, spans: Sequence[Span]) -> None:
        try:
            self._collector.post(self._encoded(spans))
        except NotTaken as error:
            self._count(self._dropped, len(spans))
            if not self._lost:
                reason = str(error)[:ERROR_MAX_CHARACTERS]
                log.warning("collector_lost", service=self._service, error=reason)
            self._lost += len(spans)
        else:
            self._count(self._sent, len(spans))
            if self._lost:
                log.info("collector_answers", service=self._service, spans_dropped=self._lost)
            self._lost = 0

    def _count(self, counter: Counter, spans: int) -> None:
        with self._counting:
            if not self._is_closed:  # `close` has counted what was not finished by then.
                counter.inc(spans)
                self._finished += spans

    def _encoded(self, spans: Sequence[Span]) -> bytes:
        try:
            return self._encoder.encode(spans)
        except ValueError as error:
            raise NotTaken(f"a span cannot be encoded: {error}") from error


class NotTaken(Exception):
    """The collector did not take spans, or cannot be given them; the text says why."""


class _Repeatable(Exception):
    """A request failed that may be repeated, after so many seconds where the collector says so."""

    def __init__(self, reason: str, after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.after_seconds = after_seconds


class _Collector:
    """The collector of OTEL_EXPORTER_OTLP_ENDPOINT."""

    def __init__(self, settings: Settings) -> None:
        self._url = f"{settings.otel_exporter_otlp_endpoint}{TRACES_PATH}"
        self._session = requests.Session()
        self._session.headers.update(settings.collector_headers)
        self._session.headers.update({"content-type": _MEDIA_TYPE, "content-encoding": "gzip"})
        self._session.verify = _authorities(settings.otel_exporter_otlp_certificate)
        self._closed = threading.Event()

    def post(self, body: bytes) -> None:
        """Send the body of a request, several times within TIMEOUT_SECONDS where that may help.

        Raises:
            NotTaken: the collector refused it, or did not take it in time.
        """
        packed = gzip.compress(body, _GZIP_LEVEL)
        deadline, attempt = time.monotonic() + TIMEOUT_SECONDS, _FIRST_BACKOFF
        while True:
            try:
                return self._try(packed, deadline - time.monotonic())
            except _Repeatable as error:
                pause = error.after_seconds or backoff_seconds(attempt)
                is_late = time.monotonic() + pause >= deadline
                if is_late or self._closed.wait(pause):
                    raise NotTaken(str(error)) from error
            attempt += 1

    def close(self) -> None:
        """End a request that is being repeated."""
        self._closed.set()

    def _try(self, packed: bytes, seconds: float) -> None:
        try:
            response = self._session.post(
                self._url, data=packed, timeout=seconds, allow_redirects=False
            )
        except requests.RequestException as error:
            raise _Repeatable(str(error)) from error
        status = response.status_code
        if status in REPEATED:
            raise _Repeatable(f"status {status}", _retry_after(response))
        if 300 <= status < 400:
            place = str(response.headers.get("location", "")).partition("?")[0]
            raise NotTaken(f"status {status}, go to {place}")
        if not response.ok:
            raise NotTaken(f"status {status}")
        if response.headers.get("content-type") == _MEDIA_TYPE:
            _check_answer(response.content)


def _check_answer(content: bytes) -> None:
    """Raise NotTaken where the collector says that it rejected spans of the request."""
    try:
        answer = ExportTraceServiceResponse.FromString(content).partial_success
    except DecodeError as error:
        raise NotTaken("the answer is not one of OTLP") from error
    if answer.rejected_spans:
        raise NotTaken(f"{answer.rejected_spans} spans rejected: {answer.error_message}")


def _retry_after(response: requests.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else None


def _authorities(certificate: Path | None) -> str | bool:
    """The file or folder of authorities to trust: the given one, or the system's."""
    if certificate is None:
        paths = ssl.get_default_verify_paths()
        return paths.cafile or paths.capath or True
    try:
        certificate.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"OTEL_EXPORTER_OTLP_CERTIFICATE: cannot read {certificate}: {error.strerror}"
        ) from None
    return str(certificate)
