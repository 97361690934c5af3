"""Putting messages on topics: all at once, as fast as the generator can."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from bench.traffic import Letter
from demo.installation import Installation

CHUNK = 2_000


async def load(installation: Installation, letters: Sequence[Letter]) -> float:
    """Publish messages, each key's in order; returns messages per second, acknowledged."""
    producer = AIOKafkaProducer(
        acks="all", enable_idempotence=True, linger_ms=5, max_batch_size=256 * 1024,
        max_request_size=2 * 1024 * 1024, **installation.options,
    )  # fmt: skip
    await producer.start()
    began = time.perf_counter()
    try:
        for start in range(0, len(letters), CHUNK):
            sent = [
                await producer.send(
                    installation.prefix + letter.topic,
                    letter.value,
                    letter.key,
                    headers=list(letter.headers),
                )
                for letter in letters[start : start + CHUNK]
            ]
            await asyncio.gather(*sent)
    finally:
        await producer.stop()
    return len(letters) / (time.perf_counter() - began)
