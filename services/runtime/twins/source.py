"""Generates and compiles the function that finishes a twin after msgspec has converted the body."""

from __future__ import annotations

import linecache
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from services.runtime.twins.values import Read, ValueReading

OMITTED = "omitted_"
"""The name of the member in which a twin stores which members were omitted."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a twin: its name, its key in JSON, how it is read, and its default."""

    name: str
    key: str
    value: ValueReading
    is_required: bool
    default: Any

    @property
    def is_filled(self) -> bool:
        """Whether null is replaced by a default other than None."""
        return not self.is_required and self.default is not None


def finisher(
    model: str, members: Sequence[Member], checks: Sequence[Read], *, has_omitted: bool
) -> tuple[Read | None, str]:
    """Generate the function that finishes a converted twin in place; returns it and its source.

    The function raises ValueError for what the contract refuses. It is None if there is nothing to
    do.
    """
    names: dict[str, Any] = {f"check_{n}": check for n, check in enumerate(checks)}
    if has_omitted:
        names["OMITTED_BY"] = _omitted_by([each.name for each in members if each.is_filled])
    body = [*_lines(members, names, has_omitted=has_omitted)]
    body += [f"check_{n}(message)" for n in range(len(checks))]
    if not body:
        return None, ""
    text = "\n    ".join((f"def finish_{model}(message):", *body)) + "\n"
    # The source is shown in tracebacks and in a debugger.
    file = f"<twin of {model}{', with omitted' if has_omitted else ''}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), names)  # noqa: S102 - generated above from the contract
    finish: Read = names[f"finish_{model}"]
    return finish, text


def _lines(members: Sequence[Member], names: dict[str, Any], *, has_omitted: bool) -> Iterator[str]:
    filled = [each for each in members if each.is_filled]
    if has_omitted:
        yield "absent = 0"
    for member in members:
        bit = 1 << filled.index(member) if has_omitted and member.is_filled else 0
        yield from _finishing(member, names, bit)
    if has_omitted:
        yield f"message.{OMITTED} = OMITTED_BY[absent]"


def _finishing(member: Member, names: dict[str, Any], bit: int) -> Iterator[str]:
    """Generate the lines for one member; none if msgspec's value is final."""
    name = member.name
    if member.value.read:
        names[f"read_{name}"] = member.value.read
        names |= {key.format(name=name): each for key, each in member.value.names.items()}
    reading = [*_reading(name, member.value)]
    if member.is_filled:
        names[f"default_{name}"] = member.default
        yield f"value = message.{name}"
        yield "if value is None:"
        yield f"    message.{name} = default_{name}"
        if bit:
            yield f"    absent |= {bit}"
        if reading:
            yield "else:"
    elif reading:
        yield f"value = message.{name}"
        if not member.is_required:
            yield "if value is not None:"
    indent = "" if member.is_required else "    "
    yield from (indent + line for line in reading)


def _reading(name: str, value: ValueReading) -> Iterator[str]:
    if value.read is None:
        return
    if value.usual:
        yield f"message.{name} = {value.usual.format(name=name)} else read_{name}(value)"
    elif not value.is_list:
        yield f"message.{name} = read_{name}(value)" if value.is_changing else f"read_{name}(value)"
    elif value.is_changing:
        yield f"message.{name} = tuple([read_{name}(item) for item in value])"
    else:
        yield "for item in value:"
        yield f"    read_{name}(item)"


def _omitted_by(names: Sequence[str]) -> list[frozenset[str]]:
    """List for each set of bits the names it stands for; bit n is the n-th name."""
    numbers = range(1 << len(names))
    return [frozenset(each for n, each in enumerate(names) if bits >> n & 1) for bits in numbers]


def omitted(message: Any) -> frozenset[str]:
    """Names of the members that have a default other than None because the sender left them out.

    `message` is a pydantic model or its twin.

    Raises:
        AttributeError: the message is a twin whose model is not among `omitted_of` of its reader.
    """
    if isinstance(message, BaseModel):
        left_out = type(message).model_fields.keys() - message.model_fields_set
        return frozenset(name for name in left_out if getattr(message, name) is not None)
    found: frozenset[str] = getattr(message, OMITTED)
    return found
