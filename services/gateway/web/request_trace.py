"""The span of one request, and the `traceparent` that its records get."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import structlog
from starlette.requests import Request

from services.runtime.messages.trace_context import TraceContext, read_traceparent
from services.runtime.observability.spans import Kind, Span
from services.runtime.observability.tracing import Tracing, exemplar_of, now

_KEY = "orderflow.traceparent"


def traceparent_of(request: Request) -> str | None:
    """The `traceparent` for the records of a request: of its span, else the sender's."""
    text: str | None = request.scope.get(_KEY) or request.headers.get("traceparent")
    return text


class RequestTrace:
    """The span of one request, used in a `with` block; without `tracing` it does nothing.

    A request without a valid `traceparent` begins a new trace, sampled by chance: its records carry
    whether it is.
    """

    def __init__(self, tracing: Tracing | None, request: Request, route: str) -> None:
        self._tracing = tracing
        self._request = request
        self._route = route
        self._began = now()
        self._logged: Mapping[str, Any] = {}
        self._parent: TraceContext | None = None
        self._context: TraceContext | None = None
        self.status = 0
        """The status of the answer, once there is one."""
        if tracing is not None:
            self._open(tracing)

    @property
    def exemplar(self) -> dict[str, str] | None:
        """The exemplar of the request; None where it is not traced."""
        return exemplar_of(self._context)

    def _open(self, tracing: Tracing) -> None:
        said = self._request.headers.get("traceparent")
        if read_traceparent(said) is None:
            root = tracing.choose_new()
            self._request.scope[_KEY] = str(root)
            self._context = root if root.is_sampled else None
        elif (parent := tracing.choose(said)) is not None:
            self._parent, self._context = parent, tracing.new_child(parent)
            self._request.scope[_KEY] = str(self._context)

    def __enter__(self) -> Self:
        if self._context is not None:
            self._logged = structlog.contextvars.bind_contextvars(
                trace_id=self._context.trace_id, span_id=self._context.span_id
            )
        return self

    def __exit__(
        self, type_: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if self._tracing is None or self._context is None:
            return
        structlog.contextvars.reset_contextvars(**self._logged)
        self._tracing.emit(
            Span(
                name=f"{self._request.method} {self._route}",
                kind=Kind.SERVER,
                context=self._context,
                parent=self._parent,
                is_remote=True,
                began=self._began,
                ended=now(),
                attributes={
                    "http.request.method": self._request.method,
                    "http.route": self._route,
                    "http.response.status_code": self.status,
                },
                error=None if self.status < 500 else str(self.status),
            )
        )
