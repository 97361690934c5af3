"""Commands: events of a shop, checked as the service that takes them would, as records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from schemas.envelope import CE_SUBJECT, rfc3339
from schemas.http import JSON
from schemas.topics import CLAIMS_COMMANDS, ORDERS_COMMANDS
from services.gateway.messages.cloud_events import Event
from services.gateway.messages.records import Record, make_headers
from services.gateway.refusal import Refused, invalid
from services.runtime.incoming import TOPIC_OF, default_key, read_as_service, unpublished
from services.runtime.messages.records import FieldError, Malformed, decode_json

TYPES = tuple(
    kind for kind, topic in TOPIC_OF.items() if topic in (ORDERS_COMMANDS, CLAIMS_COMMANDS)
)
ERRORS_MAX = 200
PARTITION_KEY = "partitionkey"
"""An extension of CloudEvents: the key of the record."""
_KNOWN = frozenset(
    ("id", "source", "type", "time", "specversion", "datacontenttype", "traceparent", "subject")
)


class _Wrong(Exception):
    """An event that its service would refuse."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__()
        self.errors = errors


@dataclass(slots=True)
class CommandReader:
    """Reads the events of one request of a shop; `source` is that of its key."""

    shop: str
    source: str
    traceparent: str | None
    now: datetime
    records: list[Record] = field(default_factory=list)
    errors: list[FieldError] = field(default_factory=list)

    def read(self, events: Sequence[Event], flaws: Sequence[FieldError]) -> Sequence[Record]:
        """The records of all events.

        Raises:
            Refused: 403, an event is of another shop or source; 422, an event would be refused.
                Then none of them is published.
        """
        self.errors += flaws
        for event in events:
            try:
                self.records.append(self._record(event))
            except _Wrong as wrong:
                self.errors += wrong.errors
        if self.errors:
            raise invalid(self.errors[:ERRORS_MAX])
        return self.records

    def _record(self, event: Event) -> Record:
        self._check_source(event)
        kind = event.attributes["type"]
        if kind not in TYPES:
            raise _Wrong(FieldError(f"{event.attributes_at}type", _hint(kind)))
        value = self._value(event)
        attributes = event.attributes
        headers = make_headers(
            id_=attributes["id"],
            source=self.source,
            type_=kind,
            time=attributes.get("time") or rfc3339(self.now),
            content_type=JSON,
            traceparent=attributes.get("traceparent") or self.traceparent,
            others=dict(_others(event)),
        )
        topic, key = TOPIC_OF[kind], self._key(event, kind, value)
        reading = read_as_service(unpublished(topic, key, headers, event.data, self.now), self.now)
        if reading.errors:
            raise _Wrong(*(_placed(each, event) for each in reading.errors))
        return Record(topic, key.encode(), headers, event.data, attributes["id"], reading.warnings)

    def _key(self, event: Event, kind: str, value: dict[str, Any]) -> str:
        """The key of the record: `partitionkey` where the event has it, else as in the contract."""
        said = event.attributes.get(PARTITION_KEY)
        if said is None:
            return default_key(kind, value)
        if said != self.shop and not said.startswith(f"{self.shop}/"):
            must = f"must be {self.shop}/ and the order's number"
            raise _Wrong(FieldError(f"{event.attributes_at}{PARTITION_KEY}", must))
        return said

    def _check_source(self, event: Event) -> None:
        said = event.attributes.get("source")
        if said is not None and said != self.source:
            raise Refused(
                403,
                "source_not_allowed",
                f"this key sends as {self.source}: send this as source, or leave source out",
                errors=[FieldError(f"{event.attributes_at}source", "not that of the key")],
            )

    def _value(self, event: Event) -> dict[str, Any]:
        """The data of an event, which must be of the shop of the key."""
        try:
            value = decode_json(event.data)
        except Malformed as malformed:
            raise _Wrong(*malformed.under(event.data_at).errors) from None
        if not isinstance(value, dict):
            raise _Wrong(FieldError(event.data_at, "must be an object"))
        said = value.get("shop_slug")
        if isinstance(said, str) and said != self.shop:
            raise Refused(
                403,
                "wrong_shop",
                f"this key is of shop {self.shop}, and the command of another",
                errors=[FieldError(f"{event.data_at}/shop_slug", f"must be {self.shop}")],
            )
        return value


def _others(event: Event) -> Iterator[tuple[str, str]]:
    for name, text in event.attributes.items():
        if name == "subject":
            yield CE_SUBJECT, text
        elif name not in _KNOWN:
            yield f"ce_{name}", text


def _placed(error: FieldError, event: Event) -> FieldError:
    """The error of a service about a record, where it stands in the request."""
    head = "/headers/ce_"
    if error.pointer.startswith(head):
        return FieldError(event.attributes_at + error.pointer.removeprefix(head), error.message)
    return FieldError(event.data_at + error.pointer, error.message)


def _hint(kind: str) -> str:
    if topic := TOPIC_OF.get(kind):
        return f"{kind} is not taken at this address: its topic is {topic}"
    near = get_close_matches(kind, TYPES, n=1)
    return f"no such command; did you mean {near[0]}?" if near else f"one of {', '.join(TYPES)}"
