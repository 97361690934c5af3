"""How the members of a contract's model are read: what each is, and its repair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from annotated_types import MaxLen
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from schemas.repair import APART, FACT, NUMBERS, Repair


@dataclass(frozen=True, slots=True)
class Member:
    """How one member is read. `model` is the model of the value, or of a list's entries."""

    adapter: TypeAdapter[Any]
    is_required: bool
    is_fact: bool
    is_apart: bool
    """Whether the value is a list whose entries stand by themselves."""
    repair: Repair | None
    model: type[BaseModel] | None
    entry: Member | None
    """How an entry is read, if the value is a list."""
    most: int | None

    @property
    def only_describes(self) -> bool:
        """Whether the member is optional and no fact."""
        return not (self.is_required or self.is_fact)

    def may_leave_out(self, value: Any) -> bool:
        """Whether a value is of the right kind of JSON, so that only its content is wrong."""
        if self.model is not None:
            return isinstance(value, dict)
        kinds = self.repair.spelled_by if self.repair else NUMBERS
        return isinstance(value, kinds) and not isinstance(value, bool)


@cache
def members_of(model: type[BaseModel]) -> Mapping[str, Member]:
    """How the members of a model are read, by their keys."""
    return {each.alias or name: _member_of(each) for name, each in model.model_fields.items()}


def _member_of(info: FieldInfo) -> Member:
    type_ = _without_none(info.annotation)
    whole: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    is_list = get_origin(_bare(type_)) is list
    entry = _entry_of(get_args(_bare(type_))[0]) if is_list else None
    marks = [*_marks(type_), *info.metadata]
    return Member(
        adapter=TypeAdapter(whole),
        is_required=info.is_required(),
        is_fact=FACT in marks,
        is_apart=APART in marks,
        repair=next((each for each in reversed(marks) if isinstance(each, Repair)), None),
        model=_model_in(_bare(type_)),
        entry=entry,
        most=next((each.max_length for each in marks if isinstance(each, MaxLen)), None),
    )


def _entry_of(type_: Any) -> Member:
    repair = next((each for each in _marks(type_) if isinstance(each, Repair)), None)
    model = _model_in(_bare(type_))
    return Member(
        TypeAdapter(type_),
        is_required=True,
        is_fact=False,
        is_apart=False,
        repair=repair,
        model=model,
        entry=None,
        most=None,
    )


def _without_none(type_: Any) -> Any:
    """The type of `T | None`; any other type as it is."""
    parts = [each for each in get_args(type_) if each is not NoneType]
    is_optional = NoneType in get_args(type_) and len(parts) == 1
    return parts[0] if is_optional else type_


def _bare(type_: Any) -> Any:
    return get_args(type_)[0] if get_origin(type_) is Annotated else type_


def _marks(type_: Any) -> Iterator[Any]:
    if get_origin(type_) is Annotated:
        yield from get_args(type_)[1:]


def _model_in(type_: Any) -> type[BaseModel] | None:
    return type_ if isinstance(type_, type) and issubclass(type_, BaseModel) else None
