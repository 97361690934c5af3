"""Publish a round's messages over some seconds, as shops and carriers would, faults or none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from aiokafka import AIOKafkaProducer

from chaos.gateway import GatewayClient, goes_over_http
from demo.script import CLAIM_ID, ScriptMessage

BURSTS_A_SECOND = 8


@dataclass(slots=True)
class Publisher:
    """An idempotent producer that waits for Kafka however long it is away, and for some keys a
    client of the gateway that repeats each request until it is accepted.
    """

    options: Mapping[str, Any]
    prefix: str
    gateway: GatewayClient
    sent: int = 0
    _producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            acks="all", enable_idempotence=True, request_timeout_ms=90_000, **self.options
        )
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._producer:
            await self._producer.stop()

    async def publish(
        self, messages: Sequence[ScriptMessage], seconds: float, claims: Mapping[str, str]
    ) -> None:
        """Send everything in turn, in bursts over `seconds`; `claims` are claim ids by opener."""
        assert self._producer
        bursts = max(1, round(seconds * BURSTS_A_SECOND))
        size = 1 + len(messages) // bursts
        sending: list[asyncio.Future[Any]] = []
        before: dict[bytes, asyncio.Future[Any]] = {}
        for start in range(0, len(messages), size):
            for message in messages[start : start + size]:
                named = _named(message, claims)
                if named is None:
                    continue
                if goes_over_http(named):
                    key = named.key or b""
                    last = asyncio.ensure_future(self._send_over_http(named, before.get(key)))
                    before[key] = last
                    sending.append(last)
                else:
                    sending.append(await self._send(named))
            await asyncio.sleep(seconds / bursts)
        await asyncio.gather(*sending)
        self.sent += len(sending)

    async def _send_over_http(
        self, message: ScriptMessage, before: asyncio.Future[Any] | None
    ) -> None:
        """Send once the message before it, of the same key, is on Kafka."""
        if before is not None:
            await before
        if not await self.gateway.send(message):
            await (await self._send(message))

    async def _send(self, message: ScriptMessage) -> asyncio.Future[Any]:
        assert self._producer
        acknowledged: asyncio.Future[Any] = await self._producer.send(
            self.prefix + message.topic,
            message.value,
            message.key,
            headers=list(message.headers),
        )
        return acknowledged


def _named(message: ScriptMessage, claims: Mapping[str, str]) -> ScriptMessage | None:
    """With the claim's id put in; None for an act on a claim that never came to be."""
    if not message.claim_opened_by:
        return message
    claim = claims.get(message.claim_opened_by)
    if claim is None:
        return None
    return replace(message, value=(message.value or b"").replace(CLAIM_ID.encode(), claim.encode()))
