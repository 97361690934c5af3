"""Payloads of all dialects, of JSON and XML, changed at random by a seeded generator."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

from services.orders.messages import decode
from services.orders.messages.carriers.code_maps import FOLDER as DIALECT_FOLDER
from services.orders.messages.carriers.registry import DIALECTS
from services.orders.messages.entries import DecodedItem, UndecodedItem
from services.runtime.messages.records import Original
from services.runtime.rejections import Rejection
from tests.unit.orders.mutations import NOW, VALUES, original_of
from tests.unit.orders.test_carrier_corpus import FOLDER

UNTYPED = 0.2
BROKEN_BYTES = 0.1


def cases() -> list[tuple[str, bytes]]:
    """Dialect and body of each payload: examples and the corpus."""
    return [
        (name, path.read_bytes())
        for name in DIALECTS
        for folder in (DIALECT_FOLDER / name / "examples", FOLDER / name)
        for path in sorted(folder.glob("*"))
        if path.suffix in (".json", ".xml") and not path.name.endswith(".answer.json")
    ]


class Mutator:
    """Draws payloads; each dialect is drawn equally often."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._cases: dict[str, list[Any]] = {name: [] for name in DIALECTS}
        for name, body in cases():
            if (tree := _tree(body)) is not None:
                self._cases[name].append(tree)

    def draw(self) -> tuple[str, Original]:
        """The next payload as a record, and its dialect."""
        rng = self._rng
        name = rng.choice(list(self._cases))
        tree = copy.deepcopy(rng.choice(self._cases[name]))
        is_xml = isinstance(tree, ET.Element)
        for _ in range(rng.randint(1, 4)):
            if is_xml:
                _change_element(rng, tree)
            else:
                _change_value(rng, tree)
        value = ET.tostring(tree, "utf-8") if is_xml else json.dumps(tree).encode()
        if rng.random() < BROKEN_BYTES:
            at = rng.randrange(len(value))
            value = value[:at] + bytes([rng.randrange(256)]) + value[at + 1 :]
        sent = original_of((decode.TRACKING, DIALECTS[name].types[0], value))
        if rng.random() < UNTYPED:
            sent = Original(sent.coordinates, sent.key, (), value, sent.timestamp)
        return name, sent


def endings(seed: int, count: int) -> Counter[tuple[str, str]]:
    """How payloads end, by dialect and by `items`, `refused` or a fault with what makes it."""
    mutator, found = Mutator(seed), Counter[tuple[str, str]]()
    for number in range(count):
        name, record = mutator.draw()
        for ending in set(_endings(record)):
            say = ending if ending in ("items", "refused") else f"{ending}: {seed}/{number}"
            found[name, say] += 1
    return found


def _endings(record: Original) -> Iterator[str]:
    try:
        entries = decode.read(record, NOW)
    except Exception as error:  # noqa: BLE001 - it is what is looked for
        yield f"raised {error!r}"
        return
    if not entries:
        yield "nothing"
    for entry in entries:
        if isinstance(entry, UndecodedItem):
            yield f"not decoded {entry.failure.traceback[-400:]}"
        else:
            assert isinstance(entry, DecodedItem | Rejection)
            yield "items" if isinstance(entry, DecodedItem) else "refused"


def _tree(body: bytes) -> Any:
    """The payload as a tree; None where it is broken on purpose."""
    try:
        if body.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<":
            return ET.fromstring(body)
        return json.loads(body)
    except ValueError:
        return None
    except ET.ParseError:
        return None


def _change_value(rng: random.Random, body: Any) -> None:
    holder = body
    while isinstance(holder, dict | list) and holder:
        key: Any = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.2:
            _change_member(rng, holder, key)
            return
        holder = inner


def _change_member(rng: random.Random, holder: Any, key: Any) -> None:
    """Replace a member mostly; else leave it out, put it into a list, or have it twice."""
    match rng.randrange(8):
        case 0:
            del holder[key]
        case 1:
            holder[key] = [holder[key]]
        case 2 if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        case _:
            holder[key] = copy.deepcopy(rng.choice(VALUES))


def _change_element(rng: random.Random, root: ET.Element) -> None:
    element = rng.choice(list(root.iter()))
    word = rng.choice([each for each in VALUES if not isinstance(each, dict | list)])
    match rng.randrange(7):
        case 0:
            for child in list(element)[:1]:
                element.remove(child)
        case 1:
            element.extend([copy.deepcopy(child) for child in list(element)[:1]])
        case 2:
            element.set(rng.choice([*element.keys(), "lang"]), _plain(word))
        case 3:
            element.tag = rng.choice([each.tag for each in root.iter()])
        case 4:
            element.tail = _plain(word)
        case _:
            element.text = _plain(word)


def _plain(word: Any) -> str:
    """A text that can stand in XML."""
    return "".join(each for each in str(word) if each.isprintable() or each in "\t\n")
