"""Trial: one signed test event, sent to a destination at once, outside of its order and circuit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from asyncpg import Connection
from msgspec.structs import replace

from schemas.envelope import rfc3339
from services.deliveries.domain.destination import Form, Kind
from services.deliveries.domain.schedule import GONE, Answer
from services.deliveries.network.client import Response, WebhookClient
from services.deliveries.operations import show
from services.deliveries.sending import rows
from services.deliveries.sending.request import Requests, Unsendable
from services.deliveries.sending.rows import StoredBody, StoredTarget
from services.deliveries.sending.window import Row
from services.runtime.clock import new_id
from services.runtime.config.settings import Settings
from services.runtime.messages.json_codec import encode_json
from services.runtime.operations import audit
from services.runtime.operations.audit import Act, Signature

TEST = "destinations.test"
TYPE = "destination.test"
MEANING = "A test by the operators of Orderflow: the destination can be reached. Nothing happened."
ADVICE = {
    401: "the receiver does not accept the signature: give it the present secret",
    403: "the receiver refuses the request: see whether it accepts the signature, and who may call",
    404: "the receiver has nothing at this path: correct the URL by destination.upsert",
    405: "the receiver takes no POST at this path: correct the URL by destination.upsert",
    408: "the receiver waited too long for the request",
    413: "the receiver refuses a body of this size",
    429: "the receiver takes fewer requests than it gets",
    GONE: "the receiver says that it is gone: an event would remove the destination",
}
"""What a status means, beside those of the next table."""
BY_HUNDRED = {
    1: "the receiver gave no final answer",
    3: "the receiver sends elsewhere; redirects are not followed: make the last URL its URL",
    4: "the receiver refuses the request",
    5: "the receiver has an error, or what stands before it has",
}


class NotTestable(Exception):
    """There is no such destination, or nothing can be sent to it; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a test event; `sentence` says what was wrong, or that nothing was."""

    event_id: str
    answer: Answer
    milliseconds: int
    sentence: str


async def send(
    connection: Connection,
    key: tuple[str, str],
    signature: Signature,
    *,
    settings: Settings,
    open_client: Callable[[], WebhookClient],
    now: datetime,
) -> Trial:
    """Send a test event by the same checks and client as events; the audit has who did.

    Raises:
        NotTestable: the destination is not there, is no webhook, or no request can be made.
    """
    target = await _target(connection, key)
    # An event without an order has no other form.
    target = dataclasses.replace(target, target=replace(target.target, form=Form.FULL))
    event_id = new_id()
    body = test_body(target, event_id, now)
    row = Row(0, 0, target.id, "", event_id, 0, len(body.value))
    try:
        request = Requests(settings).make(row, target, body, now)
    except Unsendable as error:
        raise NotTestable(str(error)) from None
    detail = {"shop": key[0], "destination": key[1], "event": event_id}
    async with connection.transaction():
        act = Act(TEST, signature.actor, signature.reason, detail=detail)
        await audit.write(connection, [act])
    client = open_client()
    try:
        response = await client.post(request.url, request.headers, request.body)
    finally:
        await client.close()
    return _trial(event_id, response)


async def _target(connection: Connection, key: tuple[str, str]) -> StoredTarget:
    shown = await connection.fetchrow(show.SQL["find_destination"], *key)
    if shown is None or shown["state"] == "removed":
        raise NotTestable(f"{'/'.join(key)} is no destination: see `orderflow destinations list`")
    target = (await rows.read_targets(connection, [shown["id"]]))[shown["id"]]
    if target.target.kind is not Kind.WEBHOOK:
        raise NotTestable(
            f"{'/'.join(key)} is a {target.target.kind} and no webhook: "
            "a test event would stay on its topic for all its readers"
        )
    return target


def test_body(target: StoredTarget, event_id: str, now: datetime) -> StoredBody:
    """The test event: it has the members of an event, and no order."""
    value = encode_json(
        {
            "source": "destinations",
            "ref": "destinations/TEST",
            "event_name": "TEST",
            "event_group": None,
            "version": 1,
            "triggered_at": rfc3339(now),
            "shop_slug": target.shop,
            "event_id": event_id,
            "event_data": {"destination_id": target.name, "text": MEANING},
            "context": {},
        }
    )
    return StoredBody(target.shop, TYPE, 0, None, b"", value)


def _trial(event_id: str, response: Response) -> Trial:
    milliseconds = round(response.seconds * 1000)
    return Trial(event_id, response.answer, milliseconds, sentence_of(response.answer))


def sentence_of(answer: Answer) -> str:
    """What an answer says about the receiver, and the way out."""
    if answer.is_success:
        return "the receiver took it"
    if answer.status is None:
        return f"there was no answer: {answer.error}"
    return ADVICE.get(answer.status) or BY_HUNDRED.get(
        answer.status // 100, "the receiver answered with a status that HTTP does not have"
    )
