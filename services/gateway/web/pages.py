"""`POST /shops/{shop}/activity`: what visitors of tracking pages see and click."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from schemas.http import ACTIVITY_BODY_MAX_BYTES, JSON, TEXT
from services.gateway.access.key_ring import KeyRing
from services.gateway.access.keys import ACTIVITY, SHOP, ApiKey
from services.gateway.access.rates import Rates
from services.gateway.messages.activity import ActivityReader, read_items
from services.gateway.names import PAGE_SENDER
from services.gateway.publisher import Publisher
from services.gateway.refusal import Refused, unauthorized
from services.gateway.web.answers import accepted_activities
from services.gateway.web.bodies import Body
from services.gateway.web.credentials import key_of
from services.gateway.web.origins import Origins, is_from_browser
from services.gateway.web.request_trace import traceparent_of
from services.gateway.web.requests import Requests
from services.runtime.clock import Clock

ROUTE = "/shops/{shop}/activity"
KEY_IN_URL = "key"


@dataclass(frozen=True, slots=True)
class PageRoute:
    """Takes activities of the pages of a shop; the API key decides shop and `ce_source`."""

    keys: KeyRing
    rates: Rates
    publisher: Publisher
    requests: Requests
    clock: Clock
    origins: Origins

    async def __call__(self, request: Request) -> Response:
        """Answer a request, or the question of a browser before one."""
        if request.method == "OPTIONS":
            self.requests.count(ROUTE, 204, 0.0)
            return self.origins.preflight(request)
        response = await self.requests.run(request, ROUTE, lambda _: PAGE_SENDER, self._take)
        self.origins.mark(request, response)
        return response

    async def _take(self, request: Request, body: Body) -> Response:
        self.origins.check(request)
        key = await self._key(request)
        self.rates.take(key.id, key.per_second)
        _check_media_type(request)
        items = read_items(await body.read(ACTIVITY_BODY_MAX_BYTES))
        self.rates.take(key.id, key.per_second, len(items) - 1, counted=1)
        headers = request.headers
        reader = ActivityReader(
            key.name,
            key.source,
            traceparent_of(request),
            headers.get("user-agent") if is_from_browser(request) else None,
            self.clock.now(),
        )
        reader.read(items)
        published = await self.publisher.publish(reader.records)
        return accepted_activities(published, reader.refused)

    async def _key(self, request: Request) -> ApiKey:
        """The API key of a request: in `Authorization`, or of a page in the address.

        Raises:
            Refused: 401 without a valid key; 403 where it is of another shop, or a key for commands
                stands where everybody can read it.
        """
        in_header = key_of(request)
        presented = in_header or request.query_params.get(KEY_IN_URL)
        if presented is None:
            raise unauthorized(
                "key_missing", "send the API key: Authorization: Bearer ofk_…, or ?key=ofk_…"
            )
        key = await self.keys.check(presented)
        if key.kind not in (SHOP, ACTIVITY) or key.name != request.path_params["shop"]:
            raise Refused(403, "wrong_shop", "this key is not one of this shop")
        if key.kind == SHOP and (in_header is None or is_from_browser(request)):
            raise Refused(
                403,
                "key_not_for_pages",
                "who reads this key may send commands: revoke it, and use one that was made with "
                "`orderflow keys add --only-activity`",
            )
        return key


def _check_media_type(request: Request) -> None:
    """Check that a body is JSON; browsers send it as text where they need not ask before.

    Raises:
        Refused: 415, it is another media type.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (JSON, TEXT):
        raise Refused(415, "unsupported_media_type", f"send {JSON}, or {TEXT} with JSON in it")
