"""Posts one request to a destination and reads as little of the answer as is needed."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
from yarl import URL

from services.deliveries.domain.schedule import Answer
from services.deliveries.network.resolver import AddressNotAllowed, CheckedResolver, NotResolved
from services.deliveries.network.urls import NetworkRules

CONNECT_SECONDS = 10.0
READ_SECONDS = 15.0
ANSWER_MAX_BYTES = 256
HEADERS_MAX_BYTES = 16_384
KEEP_ALIVE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Response:
    """What came back of one request.

    `text` is the beginning of the answer's body; empty where the receiver is not public: pages of
    servers in this network may hold secrets, and a shop could read them.
    """

    answer: Answer
    seconds: float
    text: str = ""


class WebhookClient:
    """One pool of connections. Open it in a running loop, and close it there.

    Redirects are answers like others; proxies of the environment and cookies are not used; bodies
    of answers are not decompressed.
    """

    def __init__(
        self,
        rules: NetworkRules,
        *,
        connections: int,
        nameservers: Sequence[str] = (),
        ca_file: Path | None = None,
    ) -> None:
        self._resolver = CheckedResolver(rules, nameservers)
        context = ssl.create_default_context()
        if ca_file:
            context.load_verify_locations(ca_file)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=self._resolver,
                use_dns_cache=False,
                ssl=context,
                limit=connections,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
            ),
            timeout=aiohttp.ClientTimeout(
                total=CONNECT_SECONDS + READ_SECONDS,
                sock_connect=CONNECT_SECONDS,
                sock_read=READ_SECONDS,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=HEADERS_MAX_BYTES,
            max_field_size=HEADERS_MAX_BYTES,
        )

    async def resolve(self, host: str) -> None:
        """Check that a host can be resolved and is allowed; raises as CheckedResolver.check."""
        await self._resolver.check(host)

    async def post(self, url: URL, headers: Mapping[str, str], body: bytes) -> Response:
        """Post a body; every failure to get an answer is an Answer without status."""
        started = time.monotonic()
        try:
            await self._resolver.check(url.raw_host or "")
            async with self._session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                status, after = response.status, response.headers.get("Retry-After")
                found = await _beginning(response)
                text = found if self._resolver.is_public(url.raw_host or "") else ""
                answer = Answer(status, None, _seconds(after))
        except (aiohttp.ClientError, NotResolved, AddressNotAllowed, OSError, ValueError) as error:
            answer, text = Answer(None, _described(error)), ""
        return Response(answer, time.monotonic() - started, text)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        await self._resolver.close()


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The first bytes of the answer; a connection with more to come is closed, not drained."""
    found = b""
    try:
        async with asyncio.timeout(READ_SECONDS):
            while len(found) <= ANSWER_MAX_BYTES and not response.content.at_eof():
                found += await response.content.read(ANSWER_MAX_BYTES + 1 - len(found))
    except (TimeoutError, aiohttp.ClientError):
        response.close()
    if len(found) > ANSWER_MAX_BYTES:
        response.close()
    return _plain(found[:ANSWER_MAX_BYTES])


def _plain(data: bytes) -> str:
    """Text that can be stored and shown on a terminal."""
    text = data.decode("utf-8", "replace")
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _seconds(retry_after: str | None) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3); None where it says nothing usable."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal() and len(text) <= 9:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.timestamp() - time.time()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _described(error: BaseException) -> str:
    """Why there was no answer, in words without addresses."""
    match error:
        case AddressNotAllowed() | NotResolved():
            return str(error)
        case TimeoutError():
            return (
                f"no answer within {CONNECT_SECONDS:.0f} s to connect, {READ_SECONDS:.0f} s to read"
            )
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return f"the certificate was not accepted: {type(error).__name__}"
        case aiohttp.ServerDisconnectedError():
            return "the receiver closed the connection before its answer was whole"
        case aiohttp.ClientResponseError():
            return f"the answer is not HTTP/1, or a header has over {HEADERS_MAX_BYTES:,} bytes"
        case OSError(errno=int(number)):
            return f"no connection, or it broke: {os.strerror(number)}"
        case _:
            return type(error).__name__
