"""What webhooks received against the topics: each event once taken, in order, and of no other shop.

It knows the contract (docs/contract/webhooks.md) and the secret of each destination.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from chaos.checker.findings import DUPLICATED, LEAKED, LOST, REORDERED, TORN
from chaos.checker.ledger import Ledger
from demo.journal import Entry
from schemas.topics import EVENT_TOPICS

SNAPSHOT = "order.snapshot"
LATE_ALLOWED = 1
_TOPICS = {name.partition(".")[0]: name for name in EVENT_TOPICS}
"""The topic of each source."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A destination as its command says it."""

    shop: str
    name: str
    filters: tuple[str, ...] = ("*",)
    only_notify: bool = False
    is_thin: bool = False
    """Its bodies have no `context`."""
    is_gzip: bool = False

    def __str__(self) -> str:
        return f"{self.shop}/{self.name}"

    def gets(self, event: PublishedEvent) -> bool:
        """Whether the event is for this destination."""
        if event.shop != self.shop or (self.only_notify and not event.is_notifying):
            return False
        if event.is_snapshot:
            return event.ref in self.filters
        return any(
            each in {"*", event.ref} or event.ref.startswith(f"{each}/") for each in self.filters
        )


@dataclass(frozen=True, slots=True)
class Request:
    """One request that a receiver got; the body is as it was before compression."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The id of the event; a repeat has the same."""
        return self.headers.get("webhook-id", "")


@dataclass(frozen=True, slots=True)
class PublishedEvent:
    """One event as it stands on its topic. The digests are those of its bodies, full and thin."""

    shop: str
    ref: str
    is_notifying: bool
    is_snapshot: bool
    full: bytes
    thin: bytes


@dataclass(slots=True)
class Line:
    """The events of one order and topic at one destination, as they arrived."""

    last: int = 0
    """The highest sequence."""
    is_taken: bool = True
    """Whether the event with the highest sequence was answered with 2xx."""
    late: int = 0
    """Repeats of taken events that came after a later event."""
    ids: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class WebhookLedger:
    """What all destinations got, and what they should get."""

    ledger: Ledger
    hooks: Sequence[Hook]
    secrets: dict[Hook, str] = field(default_factory=dict)
    requests: int = 0
    taken: int = 0
    """Events answered with 2xx, each counted once for a destination."""
    repeats: int = 0
    late: int = 0
    """Those of the repeats that came after a later event of their order."""
    _events: dict[str, PublishedEvent] = field(default_factory=dict)
    """Of the shops that have destinations, by id."""
    _bodies: dict[tuple[Hook, str], bytes] = field(default_factory=dict)
    """The digest of each body, by destination and event."""
    _unchecked: dict[tuple[Hook, str], None] = field(default_factory=dict)
    """Those that were not compared with the topics yet."""
    _taken: dict[Hook, set[str]] = field(default_factory=lambda: defaultdict(set))
    _due: dict[Hook, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """Events that a destination is to get and has not taken: what they are, by id."""
    _lines: dict[tuple[Hook, str, str], Line] = field(default_factory=lambda: defaultdict(Line))

    # What is to be sent.

    def take(self, entry: Entry) -> None:
        """Take in a record of a topic."""
        if entry.topic not in EVENT_TOPICS or entry.id in self._events:
            return
        body = entry.body
        if not any(hook.shop == body["shop_slug"] for hook in self.hooks):
            return
        event = self._events[entry.id] = _event(entry, body)
        for hook in self.hooks:
            if hook.gets(event) and entry.id not in self._taken[hook]:
                sequence = entry.headers["ce_sequence"]
                self._due[hook][entry.id] = f"{entry.topic}: order {entry.key} sequence {sequence}"

    # What is received.

    def arrived(self, hook: Hook, request: Request) -> None:
        """Take in a request when it has arrived, before it is answered."""
        self.requests += 1
        self._check_signatures(hook, request)
        body = orjson.loads(request.body)
        if body.get("shop_slug") != hook.shop:
            self._leak(hook, f"got event {request.id} of shop {body.get('shop_slug')}")
        if body["event_id"] != request.id:
            text = f"event {body['event_id']} came under the id {request.id}"
            self.ledger.findings.add(DUPLICATED, hook, text)
        digest = _digest(body if hook.is_thin else request.body)
        known = self._bodies.setdefault((hook, request.id), digest)
        if known is digest:
            self._unchecked[hook, request.id] = None
        else:
            self.repeats += 1
        if known != digest:
            self.ledger.findings.add(TORN, hook, f"{request.id} came again with another body")
        self._check_order(hook, request, body)

    def answered(self, hook: Hook, request: Request) -> None:
        """Take in that a request is answered with 2xx."""
        self._due[hook].pop(request.id, None)
        self.taken += request.id not in self._taken[hook]
        self._taken[hook].add(request.id)
        body = orjson.loads(request.body)
        line = self._line(hook, body)
        if body["sequence"] == line.last:
            line.is_taken = True

    def connected_where_forbidden(self, host: str, address: str) -> None:
        """Take in a connection to an address that no request may go to."""
        self.ledger.findings.add(LEAKED, host, f"a connection was opened to {address}")

    # Judging.

    def check(self) -> None:
        """Note what no destination got, and what one got that is not for it. For quiet times."""
        for hook, due in self._due.items():
            for id_, text in due.items():
                self.ledger.findings.add(LOST, hook, f"has not taken {id_}, {text}")
        for place in list(self._unchecked):
            if self._is_right(*place):
                del self._unchecked[place]

    def _is_right(self, hook: Hook, id_: str) -> bool:
        event = self._events.get(id_)
        if event is None:
            self._leak(hook, f"got {id_}, which is no event of any shop with destinations")
        elif not hook.gets(event):
            self._leak(
                hook, f"got {id_} ({event.ref} of {event.shop}), which its filters leave out"
            )
        elif self._bodies[hook, id_] != (event.thin if hook.is_thin else event.full):
            self.ledger.findings.add(TORN, hook, f"{id_} has another body than on its topic")
        else:
            return True
        return False

    def _check_signatures(self, hook: Hook, request: Request) -> None:
        own = self.secrets.get(hook, "")
        if own and _is_signed_by(own, request):
            return
        signer = next((each for each, known in self.secrets.items()
                       if each != hook and _is_signed_by(known, request)), None)  # fmt: skip
        whose = f"is signed by the secret of {signer}" if signer else "has a wrong signature"
        self._leak(hook, f"{request.id} {whose}")

    def _check_order(self, hook: Hook, request: Request, body: Mapping[str, Any]) -> None:
        """The next sequence comes when the one before is taken, and none goes back.

        A process that loses its lease may still send what it had begun: of an order, one event.
        """
        line, sequence = self._line(hook, body), body["sequence"]
        at = f"{hook}: order {body['order_id']}, {body['source']}"
        if request.headers.get("orderflow-sequence") != str(sequence):
            self.ledger.findings.add(TORN, hook, f"{request.id} has not its sequence in the header")
        if sequence < line.last:
            is_repeat = request.id in self._taken[hook]
            line.late += is_repeat
            self.late += is_repeat
            if not is_repeat or line.late > LATE_ALLOWED:
                text = f"sequence {sequence} came after {line.last}"
                self.ledger.findings.add(REORDERED, at, text)
        elif sequence > line.last and not line.is_taken:
            text = f"sequence {sequence} came while {line.last} was not taken"
            self.ledger.findings.add(REORDERED, at, text)
        if line.ids.setdefault(sequence, request.id) != request.id:
            text = f"sequence {sequence} came as {line.ids[sequence]} and as {request.id}"
            self.ledger.findings.add(DUPLICATED, at, text)
        if sequence > line.last:
            line.last, line.is_taken = sequence, False

    def _line(self, hook: Hook, body: Mapping[str, Any]) -> Line:
        return self._lines[hook, body["order_id"], body["source"]]

    def _leak(self, hook: Hook, text: str) -> None:
        self.ledger.findings.add(LEAKED, hook, text)


def _event(entry: Entry, body: Mapping[str, Any]) -> PublishedEvent:
    notify = body["event_data"].get("notify")
    return PublishedEvent(
        shop=body["shop_slug"],
        ref=body["ref"],
        is_notifying=bool(body.get("event_group")) if notify is None else notify,
        is_snapshot=entry.headers["ce_type"] == SNAPSHOT,
        full=_digest(entry.value),
        thin=_digest({k: v for k, v in body.items() if k not in {"context", "context_truncated"}}),
    )


def _digest(body: bytes | Mapping[str, Any]) -> bytes:
    """Of bytes as they are; of an object whatever the order and spelling of its members."""
    data = body if isinstance(body, bytes) else orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(data).digest()


def _is_signed_by(secret: str, request: Request) -> bool:
    """Whether every signature of both kinds is by this secret, and there is one of each."""
    headers, body = request.headers, request.body
    time = headers.get("webhook-timestamp", "")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{request.id}.{time}.".encode() + body
    standard = f"v1,{base64.b64encode(_hmac(key, content)).decode()}"
    karla = f"v1={_hmac(secret.encode(), f'{time}.'.encode() + body).hex()}"
    return (
        headers.get("webhook-signature", "") == standard
        and headers.get("Karla-Signature", "") == f"t={time},{karla}"
    )


def _hmac(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).digest()
