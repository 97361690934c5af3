"""Bodies: read within limits of bytes and time, and counted while they are held."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Self

from starlette.requests import ClientDisconnect, Request

from services.gateway.names import SERVICE
from services.gateway.refusal import Refused, unavailable
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics

DISCARD_SECONDS = 1.0


class HeldBytes:
    """Bytes of bodies that the requests in progress hold."""

    def __init__(self, most: int, metrics: Metrics) -> None:
        self._most = most
        self._held = 0
        self._gauge = metrics.http_body_bytes_held.labels(SERVICE)

    def add(self, count: int) -> None:
        """Count bytes that were read.

        Raises:
            Refused: 503, there is no room for them.
        """
        if self._held + count > self._most:
            raise unavailable("too_many_bytes", "too much is being sent at once", 1)
        self._held += count
        self._gauge.set(self._held)

    def remove(self, count: int) -> None:
        """Count bytes that are no longer held."""
        self._held -= count
        self._gauge.set(self._held)


class Body:
    """The body of one request. Use as a context: its bytes are counted until the end."""

    def __init__(self, request: Request, settings: Settings, held: HeldBytes) -> None:
        self._request = request
        self._settings = settings
        self._all_held = held
        self.held = 0
        self.is_read = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._all_held.remove(self.held)

    async def read(self, most: int | None = None) -> bytes:
        """The whole body, of at most `most` bytes where the setting allows more.

        Raises:
            Refused: 413, it is larger than allowed; 408, it takes too long; 400, the client left.
        """
        most = min(self._settings.gateway_max_body_bytes, most or sys.maxsize)
        declared = self._request.headers.get("content-length")
        if declared is not None and (not declared.isdecimal() or int(declared) > most):
            raise _too_large(most)
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(self._settings.gateway_body_seconds):
                async for chunk in self._request.stream():
                    if self.held + len(chunk) > most:
                        raise _too_large(most)
                    self._all_held.add(len(chunk))
                    self.held += len(chunk)
                    chunks.append(chunk)
        except TimeoutError:
            seconds = self._settings.gateway_body_seconds
            raise Refused(
                408, "slow_body", f"the body did not arrive within {seconds:g} seconds"
            ) from None
        except ClientDisconnect:
            raise Refused(400, "client_left", "the client ended the connection") from None
        self.is_read = True
        return b"".join(chunks)

    async def discard(self) -> bool:
        """Read the rest of a body that nothing needs, as far as the limits go; whether all is read.

        A client that still sends would get a reset connection instead of the answer.
        """
        if self.is_read:
            return True
        count = 0
        with contextlib.suppress(TimeoutError, ClientDisconnect, RuntimeError):
            async with asyncio.timeout(DISCARD_SECONDS):
                async for chunk in self._request.stream():
                    count += len(chunk)
                    if count > self._settings.gateway_max_body_bytes:
                        return False
                self.is_read = True
        return self.is_read


def _too_large(most: int) -> Refused:
    return Refused(413, "too_large", f"a body has at most {most:,} bytes: send less at once")
