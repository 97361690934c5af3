"""`POST /shops/{shop}/commands`: commands of a shop as CloudEvents."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from services.gateway.access.key_ring import KeyRing
from services.gateway.access.keys import ACTIVITY, SHOP, ApiKey
from services.gateway.access.rates import Rates
from services.gateway.messages.cloud_events import media_type, read_events
from services.gateway.messages.commands import CommandReader
from services.gateway.names import SHOP_SENDER
from services.gateway.publisher import Publisher
from services.gateway.refusal import Refused, unauthorized
from services.gateway.web.answers import accepted
from services.gateway.web.bodies import Body
from services.gateway.web.credentials import key_of
from services.gateway.web.request_trace import traceparent_of
from services.gateway.web.requests import Requests
from services.runtime.clock import Clock

ROUTE = "/shops/{shop}/commands"


@dataclass(frozen=True, slots=True)
class ShopRoute:
    """Takes commands; the API key decides shop and `ce_source`."""

    keys: KeyRing
    rates: Rates
    publisher: Publisher
    requests: Requests
    clock: Clock

    async def __call__(self, request: Request) -> Response:
        """Answer a request."""
        return await self.requests.run(request, ROUTE, lambda _: SHOP_SENDER, self._take)

    async def _take(self, request: Request, body: Body) -> Response:
        key = await self._key(request)
        self.rates.take(key.id, key.per_second)
        media = media_type(request.headers.get("content-type", ""))
        events, flaws = read_events(media, request.headers.items(), await body.read())
        self.rates.take(key.id, key.per_second, len(events) - 1, counted=1)
        reader = CommandReader(key.name, key.source, traceparent_of(request), self.clock.now())
        return accepted(await self.publisher.publish(reader.read(events, flaws)))

    async def _key(self, request: Request) -> ApiKey:
        presented = key_of(request)
        if presented is None:
            raise unauthorized("key_missing", "send the API key: Authorization: Bearer ofk_…")
        key = await self.keys.check(presented)
        if key.kind == ACTIVITY:
            raise Refused(403, "only_activity", "this key may send activity of pages alone")
        if key.kind != SHOP or key.name != request.path_params["shop"]:
            raise Refused(403, "wrong_shop", "this key is not one of this shop")
        return key
