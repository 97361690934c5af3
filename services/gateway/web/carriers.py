"""`POST /carriers/{dialect}`: tracking of a carrier or aggregator, in its own form."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from schemas.http import JSON, XML_TYPES
from services.gateway.access.key_ring import KeyRing
from services.gateway.access.keys import CARRIER
from services.gateway.access.rates import Rates
from services.gateway.access.signatures import (
    KEY_HEADERS,
    SignedRequest,
    is_signed,
    schemes_of,
    verify,
)
from services.gateway.messages.tracking import tracking_record
from services.gateway.names import UNKNOWN_SENDER
from services.gateway.publisher import Publisher
from services.gateway.refusal import Refused, invalid, unauthorized
from services.gateway.web.answers import accepted
from services.gateway.web.bodies import Body
from services.gateway.web.credentials import carrier_key_of
from services.gateway.web.request_trace import traceparent_of
from services.gateway.web.requests import Requests
from services.runtime.clock import Clock
from services.runtime.messages.records import FieldError

ROUTE = "/carriers/{dialect}"
ANSWERED_200 = frozenset(("ups",))
"""Senders whose documentation asks for 200 and names no other status. Source: UPS Track Alert,
https://github.com/UPS-API/api-documentation/blob/main/UPSTrackAlert.yaml."""
_MEDIA_TYPE = re.compile(
    r"application/([a-z0-9.+-]*\+)?(json|xml)|text/xml|application/soap\+xml", re.IGNORECASE
)
_CONTENT_TYPE = re.compile(r"[\x20-\x7e]{1,256}")


@dataclass(frozen=True, slots=True)
class CarrierRoute:
    """Takes tracking from the senders of known forms, by their signature or by an API key."""

    types: Mapping[str, str]
    """The message type of each form, by its name."""
    keys: KeyRing
    rates: Rates
    publisher: Publisher
    requests: Requests
    clock: Clock
    secrets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Secrets of senders that sign; replaced when the files change."""

    async def __call__(self, request: Request) -> Response:
        """Answer a request."""
        return await self.requests.run(request, ROUTE, self._sender, self._take)

    def _sender(self, request: Request) -> str:
        name = str(request.path_params["dialect"])
        return name if name in self.types else UNKNOWN_SENDER

    async def _take(self, request: Request, body: Body) -> Response:
        name = self._sender(request)
        if name == UNKNOWN_SENDER:
            raise Refused(
                404, "unknown_dialect", f"no such form; there are {', '.join(sorted(self.types))}"
            )
        is_by_signature = is_signed(schemes_of(name), request.headers)
        source = f"/carriers/{name}" if is_by_signature else await self._source_of_key(request)
        content_type = _content_type(request)
        value = await body.read()
        if is_by_signature:
            self._verify(name, request, value)
            self.rates.take(source, None)
        if not value.strip():
            raise invalid([FieldError("", "the body is empty")])
        record = tracking_record(
            value,
            sender=name,
            type_=self.types[name],
            source=source,
            content_type=content_type,
            traceparent=traceparent_of(request),
            now=self.clock.now(),
        )
        published = await self.publisher.publish((record,))
        return accepted(published, 200 if name in ANSWERED_200 else 202)

    def _verify(self, name: str, request: Request, body: bytes) -> None:
        signed = SignedRequest(
            method=request.method,
            path=request.url.path,
            headers=request.headers,
            body=body,
            now=time.time(),
        )
        verify(schemes_of(name), signed, self.secrets.get(name, ()))

    async def _source_of_key(self, request: Request) -> str:
        """The source of the API key of a request, whose messages are counted.

        Raises:
            Refused: 401 without a valid key, 403 where it is for another form, 429.
        """
        name = request.path_params["dialect"]
        presented = carrier_key_of(request, name)
        if presented is None:
            raise unauthorized("signature_missing", _proofs_of(name))
        key = await self.keys.check(presented)
        if key.kind != CARRIER or key.name != name:
            raise Refused(403, "wrong_dialect", f"this API key is not one of the form {name}")
        self.rates.take(key.id, key.per_second)
        return key.source


def _proofs_of(name: str) -> str:
    """How a sender of the named form may prove who it is."""
    signed = " or ".join(scheme.header for scheme in schemes_of(name))
    own = f", or {KEY_HEADERS[name]}: ofk_…" if name in KEY_HEADERS else ""
    return f"send an API key (Authorization: Bearer ofk_…{own}), or sign the request ({signed})"


def _content_type(request: Request) -> str:
    """The content type as it was sent.

    Raises:
        Refused: 415, it is neither JSON nor XML.
    """
    said = request.headers.get("content-type", "")
    media = said.partition(";")[0].strip()
    if not _CONTENT_TYPE.fullmatch(said) or not _MEDIA_TYPE.fullmatch(media):
        taken = ", ".join((JSON, *XML_TYPES))
        raise Refused(415, "unsupported_media_type", f"send {taken}, or a form of these")
    return said
