"""Requests: the work around each of them, alike for all routes: answers, metrics, refusals."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import Response

from services.gateway.names import SERVICE
from services.gateway.refusal import Refused, unavailable
from services.gateway.web.answers import problem
from services.gateway.web.bodies import Body, HeldBytes
from services.gateway.web.connections import HEAD_MAX_BYTES
from services.gateway.web.request_trace import RequestTrace
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from services.runtime.observability.tracing import Tracing

OTHER = "other"
"""The route of a request that has none."""

Work = Callable[[Request, Body], Awaitable[Response]]
SenderOf = Callable[[Request], str]

log = structlog.get_logger(__name__)


class Requests:
    """Runs requests and counts what became of them; nothing of what they hold is logged."""

    def __init__(
        self, settings: Settings, metrics: Metrics, tracing: Tracing | None = None
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._tracing = tracing
        self._held = HeldBytes(settings.gateway_max_in_flight_bytes, metrics)
        self._refused: Counter[tuple[str, str, str]] = Counter()

    async def run(self, request: Request, route: str, sender_of: SenderOf, work: Work) -> Response:
        """Answer a request by `work`, which gets its body; where it raises Refused, a problem."""
        with RequestTrace(self._tracing, request, route) as trace:
            began = time.perf_counter()
            response = await self._answer(request, route, sender_of, work)
            trace.status = response.status_code
            self.count(route, trace.status, time.perf_counter() - began, trace.exemplar)
        return response

    async def _answer(
        self, request: Request, route: str, sender_of: SenderOf, work: Work
    ) -> Response:
        async with Body(request, self._settings, self._held) as body:
            try:
                _check_framing(request)
                response = await work(request, body)
            except Refused as refused:
                self.note(route, sender_of(request), refused)
                response = problem(refused, is_open=await body.discard())
            except asyncio.CancelledError:  # The drain timeout is over.
                stopped = unavailable("stopping", "the gateway stops; send this again", 1)
                self.note(route, sender_of(request), stopped)
                response = problem(stopped, is_open=False)
            except Exception:
                log.exception("request_failed", service=SERVICE, route=route)
                failed = Refused(500, "internal_error", "a bug here; send this again later")
                self.note(route, sender_of(request), failed)
                response = problem(failed, is_open=False)
            self._metrics.http_body_bytes_total.labels(SERVICE, route).inc(body.held)
        return response

    def note(self, route: str, sender: str, refused: Refused) -> None:
        """Count a refusal, for metrics and for the log."""
        self._metrics.http_refusals_total.labels(SERVICE, sender, refused.reason).inc()
        self._refused[route, sender, refused.reason] += 1

    def count(
        self, route: str, status: int, seconds: float, exemplar: dict[str, str] | None = None
    ) -> None:
        """Count an answer."""
        self._metrics.http_requests_total.labels(SERVICE, route, str(status)).inc()
        self._metrics.http_request_seconds.labels(SERVICE, route).observe(seconds, exemplar)

    async def log_refused(self) -> None:
        """Log how many requests were refused since the last call: one entry for each reason."""
        refused, self._refused = self._refused, Counter()
        for (route, sender, reason), count in refused.items():
            log.info(
                "requests_refused",
                service=SERVICE,
                route=route,
                sender=sender,
                reason=reason,
                count=count,
            )


def _check_framing(request: Request) -> None:
    """Refuse what two servers may read differently, and bodies that would have to be unpacked.

    Raises:
        Refused: 400, 415 or 431.
    """
    headers = request.headers
    if sum(len(name) + len(value) for name, value in headers.raw) > HEAD_MAX_BYTES:
        raise Refused(431, "head_too_large", f"headers have at most {HEAD_MAX_BYTES:,} bytes")
    if "transfer-encoding" in headers and "content-length" in headers:
        raise Refused(
            400, "ambiguous_length", "send either Content-Length or Transfer-Encoding, not both"
        )
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refused(415, "unsupported_encoding", "send the body as it is, without encoding")
