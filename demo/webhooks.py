"""A shop's webhook on an installation: its destination, made by a command, and its secret."""

from __future__ import annotations

import base64
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import asyncpg
import orjson
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from demo.installation import Installation
from demo.receiver import HOST, Receiver
from demo.script import Script
from demo.watcher import Unanswered, Watcher
from schemas.topics import DELIVERIES_COMMANDS
from services.deliveries.operations.destinations import show_secret
from services.deliveries.secret_box import read_box
from services.runtime.operations.audit import Signature

DESTINATION = "erp"
FILTERS = ("orders", "shipments/delivered", "claims")
ANSWER_SECONDS = 60.0
SIGNATURE = Signature("demo", "to check what the receiver gets")


@dataclass(slots=True)
class Webhook:
    """The destination of the shop that has most of the script's messages."""

    shop: str
    receiver: Receiver
    key: str = field(default_factory=lambda: base64.b64encode(os.urandom(32)).decode(), repr=False)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the services run with, so that they send to a receiver on this machine."""
        return {
            "ORDERFLOW_DELIVERIES_KEY": self.key,
            "ORDERFLOW_DELIVERIES_ALLOW_HTTP": "true",
            "ORDERFLOW_DELIVERIES_PORTS": str(self.receiver.port),
            "ORDERFLOW_DELIVERIES_NETWORKS": f"{HOST}/32",
        }

    async def subscribe(self, installation: Installation, watcher: Watcher) -> None:
        """Make the destination, wait for its outcome, and give its secret to the receiver.

        Raises:
            Unanswered: the command was not applied in time.
        """
        body = {"shop_slug": self.shop, "destination_id": DESTINATION, "url": self.receiver.url}
        headers = [
            ("ce_type", b"destination.upsert"),
            ("ce_id", b"demo-webhook"),
            ("ce_source", f"shops/{self.shop}".encode()),
        ]
        value = orjson.dumps({**body, "filters": FILTERS})
        async with AIOKafkaProducer(acks="all", **installation.options) as producer:
            at = await producer.send_and_wait(
                installation.prefix + DELIVERIES_COMMANDS,
                value,
                self.shop.encode(),
                headers=headers,
            )
        place = (DELIVERIES_COMMANDS, at.partition, at.offset, 0)
        await watcher.until(
            lambda: place in watcher.outcomes,
            lambda: f"destination.upsert of {self.shop} has no outcome",
            ANSWER_SECONDS,
        )
        outcome = watcher.outcomes[place]
        if outcome["outcome"] != "applied":
            raise Unanswered(f"destination.upsert of {self.shop} ended as {dict(outcome)}")
        self.receiver.secret = await self._secret(installation)

    async def _secret(self, installation: Installation) -> str:
        """The secret, as `orderflow destinations secret` shows it."""
        box = read_box(SecretStr(self.key))
        assert box, "the key was made here"
        connection = await asyncpg.connect(
            installation.database_url, server_settings={"search_path": "deliveries"}
        )
        try:
            return await show_secret(connection, (self.shop, DESTINATION), box, SIGNATURE)
        finally:
            await connection.close()

    async def finish(self, watcher: Watcher) -> None:
        """Wait until the receiver has what was published; the audit counts what is missing."""
        await self.receiver.until(watcher.sent_to(self.shop, FILTERS), ANSWER_SECONDS)


def webhook_of(script: Script, receiver: Receiver) -> Webhook:
    """The webhook of the shop with most messages in a script."""
    keys = (message.order_key for message in script.messages if message.order_key)
    shops = Counter(key.partition("/")[0] for key in keys if " " not in key.partition("/")[0])
    return Webhook(shops.most_common(1)[0][0], receiver)
