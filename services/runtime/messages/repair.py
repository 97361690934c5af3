"""Reads a message that its model refuses: describing values are repaired or left out.

The types of the contract have their repairs (`schemas/repair.py`). A value that is not repaired is
left out if its member is optional and no fact, and an entry of a list if the list only describes.
What is wrong with facts is left for the model, which refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec import Struct
from pydantic import BaseModel, ValidationError

from schemas.repair import (
    NothingSaid,
    RepairCode,
    Unrepairable,
    UnwantedEntry,
    kind_of,
)
from services.runtime.messages.error_text import expected_of
from services.runtime.messages.json_codec import (
    FIELD_ERRORS_MAX,
    Malformed,
    field_errors,
    pointer_step,
)
from services.runtime.messages.repair_members import Member, members_of

DETAIL_MAX_CHARACTERS = 300
SPARE_MAX_CHARACTERS = 64

ModelT = TypeVar("ModelT", bound=BaseModel)


class RepairWarning(Struct, frozen=True, gc=False):
    """What was done with one value; `pointer` is from the body that was read."""

    code: RepairCode
    pointer: str
    detail: str


class ItemWarning(Struct, frozen=True, gc=False):
    """A warning about one item of a message, as its outcome has it."""

    index: int
    warning: RepairWarning


@dataclass(slots=True)
class Repairs:
    """What was done with a body: its warnings, and every place that was changed."""

    warnings: list[RepairWarning] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)

    def warn(self, code: RepairCode, at: str, detail: str) -> None:
        """Add the warning about a changed place."""
        self.changed.add(at)
        self.warnings.append(RepairWarning(code, at, detail[:DETAIL_MAX_CHARACTERS]))


def repaired(model: type[BaseModel], body: Any) -> tuple[Any, Repairs]:
    """Repair a decoded body, which is not changed: a copy with the repairs, and what was done."""
    found = Repairs()
    return _object(members_of(model), body, "", found), found


def validate_repaired(model: type[ModelT], body: Any) -> tuple[ModelT, Sequence[RepairWarning]]:
    """Repair a body and read it by its model; returns the message and what was done.

    Raises:
        Malformed: `invalid_fields`, with a FieldError for each wrong field that is no describing
            one, at its place in the body as it was sent.
    """
    copy, found = repaired(model, body)
    try:
        return model.model_validate(copy), found.warnings
    except ValidationError as error:
        raise _malformed(model, body, found, error) from error


def _malformed(model: type[ModelT], body: Any, found: Repairs, after: ValidationError) -> Malformed:
    """Make the error of a body that is refused even when it is repaired, by the error `after`."""
    try:
        model.model_validate(body)
    except ValidationError as before:
        errors = [each for each in field_errors(before) if not _is_under(each.pointer, found)]
        if errors:
            return Malformed("invalid_fields", errors[:FIELD_ERRORS_MAX])
    return Malformed("invalid_fields", field_errors(after)[:FIELD_ERRORS_MAX])


def _is_under(pointer: str, found: Repairs) -> bool:
    steps = pointer.split("/")
    return any("/".join(steps[:depth]) in found.changed for depth in range(2, len(steps) + 1))


_ABSENT: Any = object()
_UNUSUAL = "it is not one of the values that are taken"


def _object(members: Mapping[str, Member], body: Any, at: str, found: Repairs) -> Any:
    """A copy of an object with its members repaired; what is no object is returned as it is."""
    if not isinstance(body, dict):
        return body
    copy = dict(body)
    for key, member in members.items():
        value = body.get(key)
        if value is None:
            continue
        kept = _value(member, value, at + pointer_step(key), found)
        if kept is _ABSENT:
            del copy[key]
            if member.repair and (spare := member.repair.spare) and value and not value.isspace():
                copy[spare] = copy.get(spare) or value[:SPARE_MAX_CHARACTERS]
        else:
            copy[key] = kept
    return copy


def _value(member: Member, value: Any, at: str, found: Repairs) -> Any:
    """The value of a member, repaired; _ABSENT if it is left out."""
    if not member.is_required and _is_empty(member, value):
        found.changed.add(at)
        return _ABSENT
    if member.entry is not None and isinstance(value, list):
        return _list(member, member.entry, value, at, found)
    if member.model is not None and isinstance(value, dict):
        value = _object(members_of(member.model), value, at, found)
    if member.repair is None and not member.only_describes:
        return value
    error = _error_of(member, value)
    if error is None:
        return value
    try:
        return _repaired(member, value, at, found)
    except NothingSaid:
        found.changed.add(at)
        return _ABSENT
    except Unrepairable as reason:
        why = str(reason) or error
        if not (member.only_describes and member.may_leave_out(value)):
            # A needed text that the model takes and that says nothing: it is missing.
            return _ABSENT if error is _UNUSUAL else value
    if not (isinstance(value, str) and value.isspace()):
        found.warn(RepairCode.VALUE_LEFT_OUT, at, f"{kind_of(value)} is left out: {why}")
    found.changed.add(at)
    return _ABSENT


def _is_empty(member: Member, value: Any) -> bool:
    """Whether a value is one that shop systems send for null: an empty text, `[]` for an object.

    PHP writes an empty array as `[]`, also where the array stands for an object.
    """
    if isinstance(value, str):
        return not value or value.isspace()
    is_object = member.model is not None and not member.is_fact
    return is_object and isinstance(value, list) and not value


def _error_of(member: Member, value: Any) -> str | None:
    """What is wrong with a value; None for one that is taken as it is."""
    try:
        member.adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(pointer_step(str(step)) for step in first["loc"])
        return f"{place}: {expected_of(first)}" if place else expected_of(first)
    if member.repair is None or member.repair.is_usual(value):
        return None
    return _UNUSUAL


def _repaired(member: Member, value: Any, at: str, found: Repairs) -> Any:
    if member.repair is None:
        raise Unrepairable
    made = member.repair.read(value)
    try:
        member.adapter.validate_python(made.value)
    except ValidationError:
        raise Unrepairable from None
    found.changed.add(at)
    if made.code is not None:
        found.warn(made.code, at, made.detail)
    return made.value


def _list(
    member: Member, entry: Member, values: Sequence[Any], at: str, found: Repairs
) -> list[Any]:
    """The entries of a list, without those that are unwanted or only describe and are wrong."""
    kept: list[Any] = []
    most = None if member.is_fact else member.most
    for index, value in enumerate(values):
        place = f"{at}/{index}"
        if most is not None and len(kept) == most:
            rest = f"{len(values) - index:,} entries are left out: at most {most} are taken"
            found.warn(RepairCode.LIST_CUT, at, rest)
            break
        read = _entry(member, entry, value, place, found)
        if read is not _ABSENT:
            kept.append(read)
    return kept


def _entry(member: Member, entry: Member, value: Any, at: str, found: Repairs) -> Any:
    if not (member.is_fact or member.is_apart) and (value is None or _is_empty(entry, value)):
        found.changed.add(at)
        return _ABSENT
    inside = Repairs()
    try:
        read = _value(entry, value, at, inside)
    except UnwantedEntry as unwanted:
        found.warn(RepairCode.LINE_LEFT_OUT, at, str(unwanted))
        return _ABSENT
    may_leave_out = member.is_apart or (not member.is_fact and entry.may_leave_out(value))
    if may_leave_out and (error := _error_of(entry, read)) is not None:
        found.warn(RepairCode.ENTRY_LEFT_OUT, at, f"{kind_of(value)} is left out: {error}")
        return _ABSENT
    found.warnings += inside.warnings
    found.changed |= inside.changed
    return read
