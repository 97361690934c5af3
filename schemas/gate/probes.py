"""Variations of a release's examples, and how its models read each: what no schema can say.

A check written in Python, a word lowered or a text stripped is in no JSON Schema. So a release
keeps, for every place in its examples, values that its models took there, and what they read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from schemas.example_files import Example
from schemas.gate.contract import Contract
from schemas.model import ContractModel

Step = str | int
ABSENT = "(absent)"
ITEMS_LOOKED_INTO = 2
LONGEST = 300


@dataclass(frozen=True, slots=True)
class Probe:
    """An example with one value replaced, and what the models of the release read there."""

    type: str
    case: str
    at: tuple[Step, ...]
    value: Any
    reading: Any

    def applied(self, example: Example) -> Any:
        """The example's value with this one in its place."""
        if not self.at:
            return self.value
        changed = deepcopy(example.value)
        parent = _at(changed, self.at[:-1])
        if self.value == ABSENT:
            del parent[self.at[-1]]
        else:
            parent[self.at[-1]] = self.value
        return changed

    @property
    def pointer(self) -> str:
        """Where the value stands."""
        return "".join(f"/{step}" for step in self.at)


def lines(contract: Contract, models: Mapping[str, type[ContractModel]]) -> str:
    """Probes of every example, one a line, of those values that the models take."""
    by_place: dict[str, str] = {}
    for example in contract.examples:
        varied = contract.incoming(example.type)
        for p in _made(example, models[example.type], varied=varied):
            # One place and value is probed once, in whatever example it is met first.
            place = ["*" if isinstance(step, int) else step for step in p.at]
            line = json.dumps([p.type, p.case, p.at, p.value, p.reading], ensure_ascii=False)
            by_place.setdefault(json.dumps([p.type, place, p.value]), line)
    return "[\n" + ",\n".join(by_place.values()) + "\n]\n"


def read(path: Path) -> tuple[Probe, ...]:
    """The probes of a release."""
    found = json.loads(path.read_text("utf-8"))
    return tuple(Probe(t, case, tuple(at), value, r) for t, case, at, value, r in found)


def reading(model: type[ContractModel], value: Any, at: Sequence[Step]) -> Any:
    """What the model reads at a place; members that were not sent are left out.

    Raises:
        ValidationError: the model refuses the value.
    """
    taken = model.model_validate_json(json.dumps(value))
    dumped = taken.model_dump(mode="json", by_alias=True, exclude_unset=True)
    try:
        return _at(dumped, at)
    except (KeyError, IndexError, TypeError):
        return ABSENT


def _made(example: Example, model: type[ContractModel], *, varied: bool) -> Iterator[Probe]:
    """Probes of an example; what we publish ourselves is never anything but what we publish."""
    for at, value in _places(example.value, ()):
        if not varied and isinstance(value, dict | list):
            continue
        for variation in _variations(value) if varied else (value,):
            probe = Probe(example.type, example.case, at, variation, None)
            if isinstance(at[-1], int) and variation == ABSENT:
                continue
            try:
                found = reading(model, probe.applied(example), at)
            except ValidationError:
                continue
            yield Probe(example.type, example.case, at, variation, found)


def _places(value: Any, at: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], Any]]:
    """Every place with a value, the first items of a list standing for all of them."""
    if at:
        yield at, value
    members: Any = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value[:ITEMS_LOOKED_INTO])
    for step, member in members:
        yield from _places(member, (*at, step))


def _variations(value: Any) -> Iterator[Any]:
    """The value as it is, without it, and what else a sender might put there."""
    yield ABSENT
    yield None
    if isinstance(value, dict):
        yield {}
    elif isinstance(value, list):
        yield []
    elif isinstance(value, str):
        yield value
        yield from _texts(value)
    else:
        yield value
        if isinstance(value, int) and not isinstance(value, bool):
            yield from (0, value + 1, 99, str(value), float(value))


def _texts(value: str) -> Iterator[str]:
    yield from sorted({value.upper(), value.lower(), f" {value} ", "", "x", "ß 漢字 🎁"} - {value})
    yield from ("0", "12.90", "a word of tomorrow", "x" * 64)
    if len(value) < LONGEST:
        yield value + value


def _at(value: Any, at: Sequence[Step]) -> Any:
    for step in at:
        value = value[step]
    return value
