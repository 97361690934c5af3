"""Origins: which pages may send from a browser, and what browsers are answered (CORS)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from services.gateway.refusal import Refused

ANY = "*"
ALLOWED_HEADERS = "authorization, content-type, traceparent"
PREFLIGHT_SECONDS = 7_200
"""How long a browser keeps the answer; Chromium keeps none for longer."""


class Origins:
    """The origins that are allowed: `said` is the setting, None for none.

    A browser says the origin of a page with each request that the page sends to another one. No
    credentials of the browser are taken, so what is refused here is mistakes, not forgery.
    """

    def __init__(self, said: str | None) -> None:
        self._allowed = frozenset((said or "").lower().split(",")) - {""}

    def check(self, request: Request) -> None:
        """Check a request that a browser sends; other requests have no origin.

        Raises:
            Refused: 403, the origin is not allowed.
        """
        if is_from_browser(request) and not self._allows(request):
            raise Refused(
                403,
                "origin_not_allowed",
                "pages of this origin may not send: ORDERFLOW_GATEWAY_ACTIVITY_ORIGINS lists those "
                "that may",
            )

    def mark(self, request: Request, response: Response) -> None:
        """Let the page of a request read the answer."""
        response.headers["vary"] = "Origin"
        if self._allows(request):
            response.headers["access-control-allow-origin"] = request.headers["origin"]
            response.headers["access-control-expose-headers"] = "Retry-After"

    def preflight(self, request: Request) -> Response:
        """Answer the request by which a browser asks what a page may send."""
        response = Response(status_code=204)
        self.mark(request, response)
        if self._allows(request):
            response.headers["access-control-allow-methods"] = "POST"
            response.headers["access-control-allow-headers"] = ALLOWED_HEADERS
            response.headers["access-control-max-age"] = str(PREFLIGHT_SECONDS)
        return response

    def _allows(self, request: Request) -> bool:
        said = request.headers.get("origin", "").lower()
        return bool(said) and (said in self._allowed or ANY in self._allowed)


def is_from_browser(request: Request) -> bool:
    """Whether a page in a browser sends the request."""
    return "origin" in request.headers
