"""A share of the traffic sent over HTTP, by a gateway that is killed too: each 202 is noted.

The messages of one key go the same way, one after the other, and each is sent again until it is
accepted. What the gateway refuses is published to Kafka: that it is refused there is what the
checker expects.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import asyncpg
import httpx

from chaos.checker.accepted import Accepted
from demo.script import ScriptMessage
from schemas.topics import CARRIER_TRACKING, CLAIMS_COMMANDS, ORDERS_COMMANDS
from services.gateway.access.keys import SHOP
from services.gateway.operations import keys
from services.gateway.operations.keys import Owner
from services.runtime.clock import SystemClock
from services.runtime.config.settings import Settings
from services.runtime.incoming import read_as_service, unpublished
from services.runtime.operations.audit import Signature

ONE_IN = 5
"""Of so many keys, one has its messages sent over HTTP."""
PAUSE_SECONDS = 0.15
GIVE_UP_SECONDS = 120.0
SECRET = "a-secret-of-the-campaign"
TOPICS = (ORDERS_COMMANDS, CLAIMS_COMMANDS, CARRIER_TRACKING)
# A key that was made just now is known within a second.
_AGAIN = (401, 408, 429, 500, 503)
_ATTRIBUTES = frozenset(("ce_id", "ce_type", "ce_source", "content-type"))


class NotAccepted(Exception):
    """A message was refused for a reason that does not pass, or never accepted."""


def goes_over_http(message: ScriptMessage) -> bool:
    """Whether the messages of its key are sent over HTTP."""
    if message.topic not in TOPICS or not message.key or not message.value:
        return False
    return zlib.crc32(message.key) % ONE_IN == 0


def secrets_in(folder: Path) -> Path:
    """The folder with the secrets of senders that sign."""
    found = folder / "signature-keys"
    found.mkdir(parents=True, exist_ok=True)
    (found / "standard").write_text(SECRET)
    return found


@dataclass(slots=True)
class GatewayClient:
    """Sends messages to the gateway on `port`. Use as a context."""

    port: int
    settings: Settings
    accepted: list[Accepted] = field(default_factory=list)
    """Each record that was answered with 202."""
    answers: Counter[str] = field(default_factory=Counter)
    """Statuses of answers, and errors of connections, by how often they came."""
    _keys: dict[tuple[str, str], str] = field(default_factory=dict)
    _tracking_ids: dict[bytes, str] = field(default_factory=dict)
    """Of the first record with each body."""
    _client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            timeout=10,
            limits=httpx.Limits(max_connections=32),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client:
            await self._client.aclose()

    async def send(self, message: ScriptMessage) -> bool:
        """Send until it is accepted; False where the gateway refuses the message.

        Raises:
            NotAccepted: it was not accepted in a long time.
        """
        if not _can_be_sent(message):
            return False
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            answer = await self._try(message)
            if answer is not None and answer.status_code == 202:
                self.accepted += [
                    self._accepted(message, record) for record in answer.json()["records"]
                ]
                return True
            if answer is not None and answer.status_code not in _AGAIN:
                return False
            await asyncio.sleep(PAUSE_SECONDS)
        raise NotAccepted(f"{message.topic} {message.key!r}: not accepted; {dict(self.answers)}")

    def _accepted(self, message: ScriptMessage, record: Mapping[str, Any]) -> Accepted:
        id_ = record["id"]
        if message.topic == CARRIER_TRACKING:
            right_id = self._tracking_ids.setdefault(message.value or b"", id_)
        else:
            right_id = _texts(message)["ce_id"]
        return Accepted(record["topic"], record["partition"], record["offset"], id_, right_id)

    async def _try(self, message: ScriptMessage) -> httpx.Response | None:
        """One attempt; None where nothing was answered."""
        assert self._client
        is_tracking = message.topic == CARRIER_TRACKING
        try:
            request = _tracking(message) if is_tracking else await self._command(message)
            path, headers, body = request
            answer = await self._client.post(path, headers=headers, content=body)
        except (httpx.HTTPError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self.answers[type(error).__name__] += 1
            return None
        self.answers[str(answer.status_code)] += 1
        return answer

    async def _command(self, message: ScriptMessage) -> tuple[str, dict[str, str], bytes]:
        value, named = message.value or b"", _texts(message)
        shop = str(json.loads(value).get("shop_slug"))
        key = await self._key(shop, named.pop("ce_source"))
        kind, content_type = named.pop("ce_type"), named.pop("content-type")
        headers = {
            f"ce-{name.removeprefix('ce_')}": text
            for name, text in named.items()
            if name.startswith("ce_")
        }
        headers |= {
            "authorization": f"Bearer {key}",
            "ce-type": kind,
            "ce-partitionkey": (message.key or b"").decode(),
            "content-type": content_type,
        }
        return f"/shops/{shop}/commands", headers, value

    async def _key(self, shop: str, source: str) -> str:
        """An API key of a shop and source, made at its first use."""
        if (shop, source) not in self._keys:
            async with keys.opened_by_owner(self.settings) as connection:
                made = await keys.add(
                    connection,
                    Owner(SHOP, shop, source),
                    Signature("campaign", "to send"),
                    per_second=None,
                    expires_at=None,
                )
            self._keys[shop, source] = made.text
        return self._keys[shop, source]


def _tracking(message: ScriptMessage) -> tuple[str, dict[str, str], bytes]:
    value, said = message.value or b"", str(int(time.time()))
    signature = hmac.new(SECRET.encode(), f"{said}.".encode() + value, hashlib.sha256).hexdigest()
    headers = {
        "karla-signature": f"t={said},v1={signature}",
        "content-type": "application/json",
    }
    return "/carriers/standard", headers, value


def _texts(message: ScriptMessage) -> dict[str, str]:
    return {name: text.decode() for name, text in message.headers}


def _can_be_sent(message: ScriptMessage) -> bool:
    """Whether a message can be said in HTTP, and has the same answer then.

    The refusal of tracking would have another id, and a command needs its attributes and its shop.
    """
    if message.topic == CARRIER_TRACKING:
        return _is_readable(message)
    try:
        texts, body = _texts(message), json.loads(message.value or b"")
    except ValueError:
        return False
    return isinstance(body, dict) and "shop_slug" in body and texts.keys() >= _ATTRIBUTES


def _is_readable(message: ScriptMessage) -> bool:
    key, value = (message.key or b"").decode(), message.value or b""
    now = SystemClock().now()
    original = unpublished(message.topic, key, message.headers, value, now)
    return not read_as_service(original, now).errors
