"""The source text of the function that finishes a twin, and the function compiled from it."""

from __future__ import annotations

import linecache
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.runtime.twins.unsaid import UNSAID
from services.runtime.twins.values import Read, Value


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a twin: its name, its key in JSON, how it is read, and its default."""

    name: str
    key: str
    value: Value
    is_required: bool
    default: Any

    @property
    def is_filled(self) -> bool:
        """Whether null stands for a default other than None."""
        return not self.is_required and self.default is not None


def finisher(
    model: str, members: Sequence[Member], checks: Sequence[Read], *, is_telling: bool
) -> tuple[Read | None, str]:
    """The function that finishes a converted twin in place, and its text.

    It raises ValueError for what the contract refuses. None where there is nothing to do.
    """
    names: dict[str, Any] = {f"check_{n}": check for n, check in enumerate(checks)}
    if is_telling:
        names["UNSAID_BY"] = _unsaid_by([each.name for each in members if each.is_filled])
    body = [*_lines(members, names, is_telling=is_telling)]
    body += [f"check_{n}(said)" for n in range(len(checks))]
    if not body:
        return None, ""
    text = "\n    ".join((f"def finish_{model}(said):", *body)) + "\n"
    # The text can be seen in a traceback, and step by step in a debugger.
    file = f"<twin of {model}{', telling' if is_telling else ''}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), names)  # noqa: S102 - our own text, of the contract's names
    finish: Read = names[f"finish_{model}"]
    return finish, text


def _lines(members: Sequence[Member], names: dict[str, Any], *, is_telling: bool) -> Iterator[str]:
    filled = [each for each in members if each.is_filled]
    if is_telling:
        yield "absent = 0"
    for member in members:
        bit = 1 << filled.index(member) if is_telling and member.is_filled else 0
        yield from _finishing(member, names, bit)
    if is_telling:
        yield f"said.{UNSAID} = UNSAID_BY[absent]"


def _finishing(member: Member, names: dict[str, Any], bit: int) -> Iterator[str]:
    """The lines for one member; none if msgspec has done all."""
    name = member.name
    if member.value.read:
        names[f"read_{name}"] = member.value.read
        names |= {key.format(name=name): each for key, each in member.value.names.items()}
    reading = [*_reading(name, member.value)]
    if member.is_filled:
        names[f"default_{name}"] = member.default
        yield f"value = said.{name}"
        yield "if value is None:"
        yield f"    said.{name} = default_{name}"
        if bit:
            yield f"    absent |= {bit}"
        if reading:
            yield "else:"
    elif reading:
        yield f"value = said.{name}"
        if not member.is_required:
            yield "if value is not None:"
    indent = "" if member.is_required else "    "
    yield from (indent + line for line in reading)


def _reading(name: str, value: Value) -> Iterator[str]:
    if value.read is None:
        return
    if value.usual:
        yield f"said.{name} = {value.usual.format(name=name)} else read_{name}(value)"
    elif not value.is_list:
        yield f"said.{name} = read_{name}(value)" if value.is_changing else f"read_{name}(value)"
    elif value.is_changing:
        yield f"said.{name} = tuple([read_{name}(item) for item in value])"
    else:
        yield "for item in value:"
        yield f"    read_{name}(item)"


def _unsaid_by(names: Sequence[str]) -> list[frozenset[str]]:
    """For each set of bits the names it stands for; bit n is the n-th name."""
    numbers = range(1 << len(names))
    return [frozenset(each for n, each in enumerate(names) if bits >> n & 1) for bits in numbers]
