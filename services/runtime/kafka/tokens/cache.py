"""Keeps one token for all Kafka clients of a process, and renews it in time."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable

import structlog

from services.runtime.kafka.tokens.token import Token, TokenSource, TokenUnavailable

RENEW_AT_SHARE = 0.8
"""Share of a token's lifetime after which a connection that is opened gets a new one."""
PAUSE_SECONDS = 2.0
"""How long the error of a fetch is the answer, so that reconnects do not flood the token server."""
REJECTED_SECONDS = 10.0
"""A token younger than this is kept when the broker rejects it, for the same reason."""

log = structlog.get_logger(__name__)


class TokenCache:
    """The token of one source. Connections ask for it when they log in.

    One fetch runs at a time. A token past RENEW_AT_SHARE of its lifetime is used on while no new
    one can be had, until it expires.
    """

    def __init__(self, source: TokenSource, now: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._now = now
        self._token: Token | None = None
        self._fetched_at = 0.0
        self._failure: TokenUnavailable | None = None
        self._failed_at = 0.0
        self._fetching: asyncio.Task[None] | None = None

    async def token(self) -> str:
        """A valid token.

        Raises:
            TokenUnavailable: none can be had, and the last one has expired.
        """
        if self._age_share() >= RENEW_AT_SHARE:
            await self._renew()
        if self._token is None or self._age_share() >= 1:
            raise TokenUnavailable(str(self._failure or "the token for Kafka expired at once"))
        return self._token.value

    def reject(self) -> None:
        """The broker has rejected the token: the next connection gets a new one."""
        if self._now() - self._fetched_at > REJECTED_SECONDS:
            self._token = None

    @property
    def trouble(self) -> str:
        """Why the last fetch failed; empty if it did not."""
        return str(self._failure or "")

    def _age_share(self) -> float:
        """The share of its lifetime that the token is old; 1 without a token."""
        if self._token is None:
            return 1.0
        return (self._now() - self._fetched_at) / self._token.lifetime_seconds

    async def _renew(self) -> None:
        """Fetch a token, or wait for the fetch that runs."""
        if self._failure and self._now() - self._failed_at < PAUSE_SECONDS:
            return
        running, loop = self._fetching, asyncio.get_running_loop()
        if running is None or running.done() or running.get_loop() is not loop:
            self._fetching = running = loop.create_task(self._fetch())
        # Others wait for the same fetch: the end of one connection does not cancel it.
        await asyncio.shield(running)

    async def _fetch(self) -> None:
        asked_at = self._now()
        try:
            self._token, self._fetched_at = await self._source.fetch(), asked_at
            self._failure = None
        except TokenUnavailable as error:
            self._failure, self._failed_at = error, self._now()
            if self._age_share() < 1:  # Otherwise the connection that asked reports it.
                log.warning("token_not_renewed", error=str(error))


@functools.cache
def cache_of(source: TokenSource) -> TokenCache:
    """The cache of a source: the same one for all clients of the process."""
    return TokenCache(source)
