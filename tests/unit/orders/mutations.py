"""Messages that are valid, nearly valid and broken, made from valid ones by a seeded generator."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from pydantic import BaseModel

from bench.traffic import MIXES, mix
from demo.script import Script
from demo.synthetic import synthetic_script
from schemas import commands, tracking
from schemas.example_files import load_examples
from services.orders.messages.decode import COMMANDS, TRACKING
from services.runtime.messages.records import Coordinates, Original

NOW = datetime(2026, 3, 5, 9, 3, tzinfo=UTC)

# One character class, bound, coercion or spelling each.
_TEXTS = [
    "", " ", "a", "A" * 64, "A" * 65, "A" * 128, "A" * 129, "x" * 255, "x" * 256, "x" * 1025,
    "x" * 4001, "é" * 64, "\u00a0", "\u2028", "\x7f", "\u0085", "\x1f", "a\n", "a\tb", "\ufeffa",
    "EUR", "eur", "EU", "E1R", "EURO", "ſUR", "DE", "de", "ß", "D", "DHL", "dhl", "dhl!", "-dhl",
    "1Z", "1ZA", "1-Z-A", "ééé1ZA", "a/b", " a", "a ", "#1001", "demo-shop", "Demo", "-demo",
    "demo-", "order_number", "uuid", "ORDER_NUMBER", "product", "bundle", "second", "minute",
    "hour", "day", "merchant_customer", "customer_merchant", "http://a", "https://a b", "ftp://x",
    "https://x\u00a0y", "https://", "DELIVERED", "delivered", "NO_SUCH_WORD",
    "UK", "EL", "DEU", "Germany", "XX", "ABC", "abc", "€", "guest", "a@b", "vip, x", "//cdn/a b",
    "Mu\u0308tze", "\u212b", "DHL Paket", " x ",
    "7ce7c1e0-0000-5000-8000-000000000001", "7CE7C1E0000050008000000000000001", "{7ce7}",
]  # fmt: skip
_NUMBERS_IN_TEXT = [
    "0", "-0", "+5", "1", "12.34", "12.345678", "12.3400", "-1", "1e3", "1E+2", "1_000", "٣", "１",
    "NaN", "Infinity", " 5", "5 ", "00012.10", "99999999999", "9999999999.9999", "0.00000", ".5",
    "5.", "0x10", "1,5", "1,234.50", "1.234,5", "1,234", "12.50 EUR", "0.0000001",
    "14.309999999999999",
]  # fmt: skip
_TIMES = [
    "2026-03-02", "2026-02-30", "2024-02-29", "2026-3-2", "2026-03-02T07:00:01Z",
    "2026-03-02T07:00:01+00:00", "2026-03-02T07:00:01", "2026-03-02 07:00:01Z",
    "2026-03-02T24:00:00Z", "2026-03-02T07:00:60Z", "2026-03-02T07:00:01.1234567Z",
    "2026-03-02T07:00:01.1Z", "2026-03-02T07:00:01.Z", "2026-03-02t07:00:01z", "2026-03-02T07:00Z",
    "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00+05:00",
    "2100-01-01T00:00:00Z", "2100-01-01T00:00:01Z", "2099-12-31T23:30:00-01:00",
    "2026-03-02T07:00:01-23:59", "2026-03-02T07:00:01+0100", "2026-03-02T07:00:01+14:60",
    "2026-03-02T07:00:01+01", "20260302T070001Z", "2026-W10-1", "٢026-03-02", "1700000000",
]  # fmt: skip
_OTHERS: list[Any] = [
    None, True, False, 0, 1, -1, 7, 1.5, 12.3, 1e2, -0.0, 10**10, 10**12, 2**63, 2**64, 10**30,
    100_000, 100_001, 1_000_001, [], {}, [None], ["a"], [""], [{}], {"a": None}, {"a": 1}, [[]],
]  # fmt: skip
VALUES: list[Any] = [*_TEXTS, *_NUMBERS_IN_TEXT, *_TIMES, *_OTHERS]

# Written as they stand in the place of a value: what json.dumps cannot write.
_RAW = [
    b"NaN", b"Infinity", b"-0", b"1e999999999", b"-1e999999999", b"1e-999999999", b"0e-999",
    b"1E+2", b"5.0", b"12.10", b"0.1e1", b"01", b"1.", b"'a'",
    b'"\\u00fc"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"',
    b'"\\u0085"', b'"\\u001f"', b'"a\\/b"', b'"\\x"', b'"\xff"', b'"\xc2\x85"', b"1" * 400,
    b"[" * 300 + b"]" * 300, b'{"a":1,"a":2}', b"tru", b"",
]  # fmt: skip
_MARK = "\u2603mark\u2603"

# No members of a message, though a twin has them under these names; and one of no model.
_FOREIGN = ("omitted_", "from__by_name", "unknown")

_TOPICS = (COMMANDS, TRACKING)
_Object = tuple[dict[str, Any], type[BaseModel]]
Sent = tuple[str, str, bytes]
"""Topic, type and value."""


class _Bulk(commands.OrdersFulfillBulk):
    """The command with its items named: the contract leaves them open and checks each alone."""

    items: list[commands.BulkFulfillment]


_MODELS: dict[str, type[BaseModel]] = {
    **commands.MODELS,
    **tracking.MODELS,
    commands.ORDERS_FULFILL_BULK: _Bulk,
}


def valid_messages(topics: Collection[str] = _TOPICS) -> list[Sent]:
    """The contract's examples, the benchmark's traffic and the synthetic shop's, each once."""
    found = [*example_messages(topics), *bench_messages(topics), *synthetic_messages(topics)]
    return list(dict.fromkeys(found))


def example_messages(topics: Collection[str] = _TOPICS) -> list[Sent]:
    """The contract's examples on these topics."""
    return [
        (each.topic, each.type, json.dumps(each.value).encode())
        for each in load_examples()
        if each.topic in topics
    ]


def bench_messages(topics: Collection[str] = _TOPICS) -> list[Sent]:
    """Some of each of the benchmark's mixes."""
    return [
        (letter.topic, dict(letter.headers)["ce_type"].decode(), letter.value)
        for name in MIXES
        for letter in mix(name, 10).letters
        if letter.topic in topics
    ]


def synthetic_messages(topics: Collection[str] = _TOPICS) -> list[Sent]:
    """A small synthetic shop's, with what the demo sends to be refused."""
    return messages_of(synthetic_script(seed=5, scale=0.1), topics)


def messages_of(script: Script, topics: Collection[str] = _TOPICS) -> list[Sent]:
    """What a script has on these topics, as far as its type is said."""
    return [
        (message.topic, type_, message.value)
        for message in script.messages
        if (type_ := dict(message.headers).get("ce_type", b"").decode())
        and message.topic in topics
        and message.value
    ]


def mutated(
    seed: int,
    count: int,
    sources: Sequence[Sent],
    models: Mapping[str, type[BaseModel]] = _MODELS,
) -> Iterator[Sent]:
    """So many messages, each a valid one with one to three changes of its tree or bytes.

    `models` are the contract's, by type; messages of other types are left out.
    """
    rng = random.Random(seed)
    readable = [(topic, type_, _tree(value)) for topic, type_, value in sources]
    readable = [each for each in readable if isinstance(each[2], dict) and each[1] in models]
    for _ in range(count):
        topic, type_, tree = rng.choice(readable)
        body = copy.deepcopy(tree)
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
            _change(body, models[type_], rng)
        yield topic, type_, _written(body, rng)


def _tree(value: bytes) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return None


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in members:
        yield (*path, key)
        if isinstance(member, dict | list):
            yield from _places(member, (*path, key))


def _change(body: Any, model: type[BaseModel], rng: random.Random) -> None:
    """Take a member away, add one that the contract knows there, or give one another value."""
    places = list(_places(body))
    act = rng.random()
    if act < 0.3 or not places:
        _add_member(*rng.choice(list(_objects(body, model))), rng)
        return
    *path, last = rng.choice(places)
    holder = body
    for key in path:
        holder = holder[key]
    if act < 0.4 and isinstance(holder, dict):
        del holder[last]
    elif act < 0.5:
        holder[last] = _MARK
    else:
        holder[last] = copy.deepcopy(rng.choice(VALUES))


def _add_member(holder: dict[str, Any], model: type[BaseModel], rng: random.Random) -> None:
    """One member with its example or any value, under its name in JSON or in Python."""
    name, field = rng.choice(list(model.model_fields.items()))
    values = field.examples if field.examples and rng.random() < 0.5 else VALUES
    key = rng.choice((field.alias or name, name))
    if rng.random() < 0.1:
        key = rng.choice(_FOREIGN)
    holder[key] = copy.deepcopy(rng.choice(values))


def _objects(
    value: Any, model: type[BaseModel]
) -> Iterator[tuple[dict[str, Any], type[BaseModel]]]:
    """Each object of a message with the model that the contract has of it."""
    if isinstance(value, list):
        for each in value:
            yield from _objects(each, model)
    elif isinstance(value, dict):
        yield value, model
        for name, field in model.model_fields.items():
            for inner in _models_in(field.annotation):
                yield from _objects(value.get(field.alias or name), inner)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models_in(each)


def _written(body: Any, rng: random.Random) -> bytes:
    """As JSON, escaped or not, with spaces or without, sometimes damaged or with a key twice."""
    is_ascii, separators = rng.random() < 0.5, rng.choice((None, (",", ":")))
    text = json.dumps(body, ensure_ascii=is_ascii, separators=separators)
    value = text.encode("utf-8", "surrogatepass")
    mark = json.dumps(_MARK, ensure_ascii=is_ascii).encode()
    while mark in value:
        value = value.replace(mark, rng.choice(_RAW), 1)
    act = rng.random()
    if act < 0.03 and value:
        at = rng.randrange(len(value))
        value = value[:at] + bytes([rng.randrange(256)]) + value[at + 1 :]
    elif act < 0.05 and value.startswith(b"{") and len(body) > 1:
        key = rng.choice(list(body))
        value = b"{" + json.dumps(key).encode() + b":1," + value[1:]
    return value


def original_of(sent: Sent) -> Original:
    """The message as a record."""
    topic, type_, value = sent
    headers = (("ce_type", type_.encode()), ("ce_id", b"1"), ("ce_source", b"/fuzz"))
    return Original(Coordinates(topic, 0, 1), b"demo-shop/1", headers, value, NOW)
