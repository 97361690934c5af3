"""`orderflow tail`: follow a topic, one line for each message."""

from enum import StrEnum
from typing import Annotated, Any

import orjson
import typer
from aiokafka import AIOKafkaConsumer
from rich.text import Text

from orderflow.console.environment import load_settings
from orderflow.console.terminal import Json, WrongArgument, err, out, print_json, run
from orderflow.console.topic_reader import Record, assign_all, records
from schemas.topics import TOPICS
from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import client_options
from services.runtime.messages.records import time_of

_IDS = ("campaign_id", "discount_id", "test_id", "destination_id")
"""What messages that are about no order are about."""


class Start(StrEnum):
    """Where to begin."""

    BEGINNING = "beginning"
    END = "end"


def tail(  # noqa: PLR0917 - the command line passes them by name
    topic: Annotated[str, typer.Argument(help="Topic, such as orders.events.")],
    start: Annotated[Start, typer.Option("--from", help="Where to begin.")] = Start.END,
    count: Annotated[int | None, typer.Option("--max", min=1, help="Stop after so many.")] = None,
    key: Annotated[str | None, typer.Option(help="Only messages with this key.")] = None,
    follow: Annotated[
        bool, typer.Option(help="Go on for ever, or stop at what is the end now.")
    ] = True,
    json: Json = False,
) -> None:
    """Print the messages of a topic as they come, one line each; Ctrl-C stops.

    Takes no part in any consumer group and changes nothing. Messages of one key come in order;
    between partitions the order is that of their timestamps, roughly.

    Examples: `orderflow tail orders.events`

    `orderflow tail orders.rejected --from beginning --no-follow --json`
    """
    if topic not in TOPICS:
        raise WrongArgument(f"no topic {topic}; there are {', '.join(TOPICS)}")
    run(_tail(load_settings(), topic, start, (count, key, follow, json)))


async def _tail(
    settings: Settings, topic: str, start: Start, options: tuple[int | None, str | None, bool, bool]
) -> None:
    count, key, follow, json = options
    consumer = AIOKafkaConsumer(**client_options(settings))
    try:  # Also around the start: a client that could not connect complains when left unstopped.
        await consumer.start()
        is_all = start is Start.BEGINNING
        ends = await assign_all(consumer, settings.topic(topic), from_beginning=is_all)
        shown = 0
        async for record in records(consumer, None if follow else ends):
            if key is not None and _text(record.key) != key:
                continue
            print_json(as_json(topic, record)) if json else out.print(as_line(record))
            shown += 1
            if shown == count:
                return
        if not shown:
            which = "" if key is None else f" with the key {key!r}"
            begin = "" if is_all else "; --from beginning reads what is there"
            err.print(f"tail: nothing in {topic}{which}{begin}", markup=False)
    finally:
        await consumer.stop()


def as_json(topic: str, record: Record) -> dict[str, Any]:
    """A record whole: where it lies, key, headers, and its value as JSON where it is JSON."""
    return {
        "topic": topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": time_of(record.timestamp),
        "key": _text(record.key),
        "headers": {name: _text(value) for name, value in record.headers},
        "value": _exact(record.value),
    }


def as_line(record: Record) -> Text:
    """A record in one line: time, place, type, key, and what its kind makes worth seeing."""
    headers = {name: _text(value) for name, value in record.headers}
    body = _value(record.value)
    when = time_of(record.timestamp)
    return Text.assemble(
        (f"{when:%H:%M:%S}.{when.microsecond // 1000:03d} ", "dim"),
        (f"{record.partition}/{record.offset:<6} ", "dim"),
        (f"{headers.get('ce_type') or '-':<26} ", "bold cyan"),
        (f"{_text(record.key) or '-':<38} ", ""),
        _summary(body if isinstance(body, dict) else {}),
    )


def _summary(body: dict[str, Any]) -> Text:
    if "outcome" in body:
        colours = {"applied": "green", "rejected": "red"}
        return Text(_words(body, "outcome", "reason", "detail"), colours.get(body["outcome"], ""))
    if "event_name" in body:
        return Text(_event_words(body), "green")
    if "rejected_at" in body:
        return Text(_words(body, "reason", "detail", "ce_type"), "red")
    return Text(_words(body, "shop_slug", "tracking_number", "kind", "widget", *_IDS))


def _event_words(body: dict[str, Any]) -> str:
    data = body.get("event_data") or {}
    numbers = [("#", body.get("sequence")), ("v", body.get("order_version"))]
    words = [f"{sign}{number}" for sign, number in numbers if number is not None]
    words += [
        str(body["event_name"]),
        _words(body, *_IDS, "state", "reason"),
        _words(data, "status", "shipment_phase", "tracking_number", "reason"),
    ]
    if choice := data.get("campaign"):
        words.append(f"shows {choice.get('campaign_id') or 'no campaign'} by {choice.get('rule')}")
    for name in ("credit", "former_credit"):
        if credit := data.get(name):
            words.append(f"{name} {_words(credit, 'campaign_id', 'revenue', 'currency')}")
    return " ".join(filter(None, words))


def _words(body: dict[str, Any], *names: str) -> str:
    return " ".join(str(body[name]) for name in names if body.get(name) is not None)


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "backslashreplace")


def _exact(data: bytes | None) -> Any:
    """A value that is JSON on one line as it is, so that no amount changes its digits."""
    value = _value(data)
    if data is None or b"\n" in data or b"\r" in data or value == _text(data):
        return value
    return orjson.Fragment(data)


def _value(data: bytes | None) -> Any:
    try:
        return orjson.loads(data or b"null")
    except orjson.JSONDecodeError:
        return _text(data)
