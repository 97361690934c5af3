"""Messages written as JSON lines: read, checked against the contract, made ready to publish.

One line is `{"type": "order.upsert", "value": {…}}`, with `key`, `id`, `source`, `topic`, `time`,
`subject` and `headers` (texts by name) if they should be other than they would be. `data` is as
good a name as `value`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

import orjson

from schemas import commands
from schemas.topics import TOPICS
from services.runtime.clock import new_id
from services.runtime.incoming import (
    MODELS_BY_TOPIC,
    TOPIC_OF,
    default_key,
    read_as_service,
    unpublished,
)
from services.runtime.messages.json_codec import FieldError, Malformed, decode_json
from services.runtime.messages.repair import ItemWarning

SOURCE = "orderflow-send"
MEMBERS = ("type", "value", "data", "key", "id", "source", "topic", "time", "subject", "headers")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message ready for Kafka; `topic` is the catalogue's name, `items` how many it holds."""

    line: int
    topic: str
    type: str
    key: str
    id: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    items: int


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a line; `pointer` lies in the message's value, or in the line itself."""

    line: int
    pointer: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.pointer or '/'}: {self.message}"


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a service will warn about in a line that it takes; of a bulk command, in which item."""

    line: int
    found: ItemWarning
    is_of_many: bool

    def __str__(self) -> str:
        warning = self.found.warning
        item = f", item {self.found.index}" if self.is_of_many else ""
        place = f"line {self.line}{item}: {warning.pointer or '/'}"
        return f"{place}: warning {warning.code}: {warning.detail}"


@dataclass(slots=True)
class Lines:
    """What was read: messages to send, what is wrong with the other lines, and warnings."""

    messages: list[Prepared] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)

    @property
    def bad(self) -> int:
        """How many lines are not to be sent."""
        return len({flaw.line for flaw in self.flaws})


def prepare(lines: Iterable[bytes], now: datetime, *, is_checked: bool = True) -> Lines:
    """Read JSON lines (empty ones are skipped); with `is_checked`, only what would be taken.

    The services' own reading decides what would be taken, and with which warnings.
    """
    read = Lines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            message = _prepared(number, line, now)
            doubts = _checked(message, now) if is_checked else []
        except Malformed as malformed:
            read.flaws += [Flaw(number, e.pointer, e.message) for e in malformed.errors]
            continue
        read.messages.append(message)
        read.doubts += doubts
    return read


def _checked(message: Prepared, now: datetime) -> list[Doubt]:
    """The warnings of a message that its service takes.

    Raises:
        Malformed: the service would refuse it, or an item of it.
    """
    record = unpublished(message.topic, message.key, message.headers, message.value, now)
    reading = read_as_service(record, now)
    if reading.errors:
        raise Malformed("refused", reading.errors)
    is_of_many = message.type == commands.ORDERS_FULFILL_BULK
    return [Doubt(message.line, each, is_of_many) for each in reading.warnings]


def _prepared(number: int, line: bytes, now: datetime) -> Prepared:
    members = decode_json(line.strip())
    kind, topic, value = _read(members)
    identifier = str(members.get("id") or new_id())
    return Prepared(
        line=number,
        topic=topic,
        type=kind,
        key=str(members.get("key") or default_key(kind, value)),
        id=identifier,
        value=_encoded(value, topic),
        headers=_headers(members, kind, identifier, now),
        items=len(value["items"]) if _is_bulk(kind, value) else 1,
    )


def _read(members: Any) -> tuple[str, str, Any]:
    """Type, topic and value of a line, or Malformed with what it lacks."""
    if not isinstance(members, dict):
        raise _malformed("", 'a line is an object: {"type": "order.upsert", "value": {…}}')
    strange = sorted(set(members) - set(MEMBERS))
    if strange:
        raise _malformed(f"/{strange[0]}", f"unknown; a line has {', '.join(MEMBERS)}")
    kind, value = members.get("type"), members.get("value", members.get("data"))
    if not isinstance(kind, str):
        raise _malformed("/type", f"missing; one of {', '.join(TOPIC_OF)}")
    if not isinstance(value, dict):
        raise _malformed("/value", "missing; the message itself, an object")
    topic = members.get("topic") or TOPIC_OF.get(kind)
    if topic is None:
        near = get_close_matches(kind, TOPIC_OF, n=1)
        known = f"there are {', '.join(TOPIC_OF)}; for another give its topic, too"
        hint = f"did you mean {near[0]}?" if near else known
        raise _malformed("/type", f"no type {kind!r}; {hint}")
    if not isinstance(topic, str) or topic not in MODELS_BY_TOPIC:
        raise _malformed(
            "/topic", f"{topic!r} is no topic to send to; {', '.join(MODELS_BY_TOPIC)} are"
        )
    return kind, topic, value


def _is_bulk(kind: str, value: Mapping[str, Any]) -> bool:
    return kind == commands.ORDERS_FULFILL_BULK and isinstance(value.get("items"), list)


def _headers(
    members: Mapping[str, Any], kind: str, identifier: str, now: datetime
) -> tuple[tuple[str, bytes], ...]:
    own = members.get("headers") or {}
    if not isinstance(own, dict) or not all(isinstance(text, str) for text in own.values()):
        raise _malformed("/headers", 'texts by name, such as {"x-batch": "7"}')
    standard = {
        "ce_specversion": "1.0",
        "ce_id": identifier,
        "ce_source": str(members.get("source") or SOURCE),
        "ce_type": kind,
        "ce_time": str(members.get("time") or now.isoformat()),
        "content-type": "application/json",
        "traceparent": _traceparent(),
    }
    if members.get("subject"):
        standard["ce_subject"] = str(members["subject"])
    return tuple((name, text.encode()) for name, text in (standard | own).items())


def _encoded(value: Mapping[str, Any], topic: str) -> bytes:
    """The value as it is published; a value that Kafka would not take is reported with its line."""
    try:
        encoded = orjson.dumps(value, default=_number)
    except TypeError:
        encoded = orjson.dumps(_huge_as_written(value), default=_number)
    limit = TOPICS[topic].max_message_bytes
    if len(encoded) > limit:
        raise _malformed("/value", f"takes {len(encoded):,} bytes; {topic} takes {limit:,}")
    return encoded


def _traceparent() -> str:
    """A new trace (W3C Trace Context), so that the events of this message can be found by it."""
    return f"00-{new_id().replace('-', '')}-{new_id().replace('-', '')[:16]}-01"


def _number(value: object) -> orjson.Fragment:
    """Decimals as they were written: a float would change an amount."""
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} is not JSON")


def _huge_as_written(value: Any) -> Any:
    """The value with integers of more than 64 bits as they were written: orjson takes none."""
    if isinstance(value, dict):
        return {name: _huge_as_written(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_huge_as_written(member) for member in value]
    is_huge = isinstance(value, int) and value.bit_length() > 63
    return orjson.Fragment(str(value)) if is_huge else value


def _malformed(pointer: str, message: str) -> Malformed:
    return Malformed("line", [FieldError(pointer, message)])
