"""Twins are derived from pydantic models; what is not derivable is left to pydantic or refused."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    computed_field,
    field_validator,
    model_validator,
)

from schemas.model import ContractModel, refused
from schemas.values import (
    AbsoluteMoney,
    CalendarDate,
    DayOrTimestamp,
    LocalOrTimestamp,
    Money,
    Quantity,
    SignedMoney,
    Timestamp,
    Word,
    number,
    plain_number,
)
from services.runtime.messages.json_codec import Malformed
from services.runtime.observability.metrics import Metrics
from services.runtime.twins import Reader, Underivable, count_decoded, omitted


class Colour(StrEnum):
    """An enumeration."""

    RED = "red"


class Part(ContractModel):
    """A nested message."""

    name: Word
    weight: Money | None = None


class Whole(ContractModel):
    """A model with each kind of member and a check of the whole."""

    id: Annotated[str, StringConstraints(pattern=r"^\w+$", to_upper=True)]
    colour: Colour = Colour.RED
    count: int = 1
    parts: Annotated[list[Part], Field(max_length=2)] = Field(default_factory=list)
    from_: Annotated[Word | None, Field(alias="from")] = None

    model_config = ConfigDict(populate_by_name=True)

    @model_validator(mode="after")
    def _is_odd(self) -> Whole:
        if self.count % 2 == 0:
            raise refused("the count must be odd")
        return self


def test_twin_has_the_members_of_its_model():
    body = {"id": "é1", "count": 3, "parts": [{"name": "a", "weight": "1.50"}], "from": "x"}

    twin, model = Reader(Whole).fast_or_none(body), Whole.model_validate(body)

    assert twin is not None
    assert (twin.id, twin.colour, twin.count, twin.from_) == ("É1", Colour.RED, 3, "x")
    assert repr(twin.parts[0].weight) == repr(model.parts[0].weight) == "Decimal('1.50')"


def test_twin_stores_null_as_default_and_omitted():
    reader = Reader(Whole, omitted_of=(Whole,))

    for body in ({"id": "1"}, {"id": "1", "count": None, "parts": None, "colour": None}):
        twin = reader.fast_or_none(body)
        assert twin is not None
        assert (twin.count, list(twin.parts), twin.colour) == (1, [], Colour.RED)
        assert omitted(twin) == omitted(Whole.model_validate(body)) == {"count", "parts", "colour"}


def test_twin_that_does_not_store_omitted_members_raises():
    with pytest.raises(AttributeError):
        omitted(Reader(Whole).fast_or_none({"id": "1"}))


@pytest.mark.parametrize(
    "body",
    [
        {"id": "1", "count": 2},
        {"id": "1\n"},
        {"id": "1", "parts": [{"name": "a"}] * 3},
        {"id": "1", "parts": [{"name": "a", "weight": "1_0"}]},
        {"id": "1", "from": 7},
        {"id": 1},
        {"id": None},
        {},
        [],
        "text",
    ],
)
def test_twin_leaves_errors_to_the_model(body):
    reader = Reader(Whole)

    assert reader.fast_or_none(body) is None
    with pytest.raises(Malformed) as caught:
        reader.read(body, "/items/4")
    assert caught.value.errors[0].pointer.startswith("/items/4")


def test_twin_leaves_a_member_under_its_python_name_to_the_model():
    body = {"id": "1", "from_": "x"}
    reader = Reader(Whole)

    assert reader.fast_or_none(body) is None
    assert reader.read(body).from_ == "x"


def test_twin_and_fallback_are_counted_once():
    reader, metrics = Reader(Whole), Metrics()
    reader.read({"id": "1"})
    reader.read({"id": "1", "from_": "x"})

    count_decoded({"whole": reader}, metrics, "orders")
    count_decoded({"whole": reader}, metrics, "orders")

    for decoder in ("fast", "contract"):
        labels = {"service": "orders", "type": "whole", "road": decoder}
        assert metrics.registry.get_sample_value("orderflow_decoded_total", labels) == 1


class KeepsAll(ContractModel):
    """A model that keeps unknown members."""

    model_config = ConfigDict(extra="allow")


class NoMessage(BaseModel):
    """A model in which null is not absent."""

    name: str | None = None


class Strips(ContractModel):
    """A model that strips spaces."""

    model_config = ConfigDict(str_strip_whitespace=True)
    name: str


class Computes(ContractModel):
    """A model with a computed member."""

    name: str

    @computed_field
    def double(self) -> str:
        return self.name * 2


class Introspects(ContractModel):
    """A model whose check asks pydantic which members were sent."""

    name: str | None = None

    @model_validator(mode="after")
    def _is_not_empty(self) -> Introspects:
        if not self.model_fields_set:
            raise refused("must not be empty")
        return self


class Constructs(ContractModel):
    """A model with a constructor."""

    name: str

    def __init__(self, **sent: Any) -> None:
        super().__init__(**{"name": "x", **sent})


class Rewrites(ContractModel):
    """A model that changes the body before its members are read."""

    name: str = "x"

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, data: Any) -> Any:
        return {"name": data.get("title", "")}


class ChangingDefault(ContractModel):
    """A model with a mutable default."""

    names: dict[str, str] = Field(default={"a": "b"})


class Wrapped(ContractModel):
    """A model with a wrapping validator."""

    name: str

    @model_validator(mode="wrap")
    @classmethod
    def _shouting(cls, data: Any, read: Any) -> Any:
        return read({"name": data["name"].upper()})


UNDERIVABLE = (
    KeepsAll, NoMessage, Strips, Computes, Introspects, Constructs, Rewrites, ChangingDefault,
    Wrapped,
)  # fmt: skip


@pytest.mark.parametrize("model", UNDERIVABLE)
def test_twin_is_refused_for_what_only_pydantic_can_read(model):
    with pytest.raises(Underivable):
        Reader(model)


@pytest.mark.parametrize("model", UNDERIVABLE)
def test_twin_holds_a_pydantic_model_for_what_only_pydantic_can_read(model):
    class Holder(ContractModel):
        held: model
        word: Word

    reader = Reader(Holder)
    body = {"held": {"name": " a ", "title": "b", "more": 1}, "word": "w"}

    twin = reader.fast_or_none(body)

    assert twin is not None
    assert isinstance(twin.held, model)
    assert twin.held == model.model_validate(body["held"])


def test_twin_requires_a_member_with_a_default_factory():
    class Holder(ContractModel):
        part: Part = Field(default_factory=lambda: Part(name="a"))

    reader = Reader(Holder)

    for body in ({}, {"part": None}):
        assert reader.fast_or_none(body) is None
        assert reader.read(body) == Holder(part=Part(name="a"))
    twin = reader.fast_or_none({"part": {"name": "b"}})
    assert twin is not None
    assert twin.part.name == "b"


def test_twin_accepts_one_of_several_spellings():
    class Loose(ContractModel):
        done: bool
        count: Quantity
        more: dict[str, Any]

    body = {"done": True, "count": 100_000, "more": {"a": None, "b": {"c": []}}}
    reader = Reader(Loose)

    twin, model = reader.fast_or_none(body), Loose.model_validate(body)
    assert twin is not None
    assert (twin.done, twin.count, twin.more) == (model.done, model.count, model.more)
    for other in ({"done": "yes"}, {"count": Decimal("1.0")}):
        assert reader.fast_or_none(body | other) is None
        assert isinstance(reader.read(body | other), Loose)
    for wrong in ({"done": 2}, {"count": 0}, {"count": 100_001}, {"count": True}, {"more": []}):
        assert reader.fast_or_none(body | wrong) is None
        with pytest.raises(Malformed):
            reader.read(body | wrong)


def test_twin_runs_the_check_of_a_member():
    class Own(ContractModel):
        even: int
        text: Annotated[str, BeforeValidator(lambda sent: f"{sent}!"), AfterValidator(str.upper)]

        @field_validator("even")
        @classmethod
        def _is_even(cls, value: int) -> int:
            if value % 2:
                raise refused("must be even")
            return value // 2

    reader = Reader(Own)
    twin = reader.fast_or_none({"even": 4, "text": 1.5})

    assert twin is not None
    assert (twin.even, twin.text) == (2, "1.5!")
    assert reader.fast_or_none({"even": 3, "text": "a"}) is None


def test_twin_reads_an_amount_with_a_further_check_by_pydantic():
    exact = Annotated[
        Decimal,
        Field(max_digits=4, decimal_places=2),
        BeforeValidator(number),
        AfterValidator(plain_number),
        AfterValidator(lambda amount: amount * 2),
    ]

    class Doubled(ContractModel):
        amount: exact

    twin = Reader(Doubled).fast_or_none({"amount": "1.50"})

    assert twin is not None
    assert twin.amount == Decimal(3)


class Quick(ContractModel):
    """Members whose usual spellings a twin reads in its generated source."""

    money: Money | None = None
    signed: SignedMoney | None = None
    absolute: AbsoluteMoney | None = None
    count: Quantity | None = None
    at: Timestamp | None = None
    local: LocalOrTimestamp | None = None
    day: CalendarDate | None = None
    end: DayOrTimestamp | None = None


QUICK = Reader(Quick)
SPELLINGS = (
    *("0", "0.00", "-0", "12.95", "-12.95", "007.5", "9999999999.9999", "10000000000", "1.23456"),
    *("1e3", "1_000", " 5", "5 ", "5\n", "+5", "٣", "NaN", "", ".5", "5.", "9" * 400),
    *(0, 1, -1, 100_000, 100_001, True, False, 2**70, Decimal("1.50"), Decimal("2.0"), [], {}),
    *("1970-01-01", "1979-12-31", "1980-01-01", "2026-02-30", "2024-02-29", "2089-12-31"),
    *("2090-01-01", "2100-01-02", "2026-3-2", "20260302", "٢026-03-02", "2026-03-02\n"),
    *("1980-01-01T00:00:00+14:00", "2026-03-02T07:00:01Z", "2026-03-02t07:00:01z"),
    *("2026-03-02T07:00:01", "2026-03-02 07:00:01Z", "2026-03-02T07:00:01.1234567Z"),
    *("2026-03-02T07:00:01.5+01:00", "2026-03-02T24:00:00Z", "2026-03-02T07:00:01+14:60"),
    *("2026-03-02T07:00:01+0100", "2026-02-30T07:00:01Z", "2026-03-02T07:00:01Z\n"),
)


@pytest.mark.parametrize("member", Quick.model_fields)
def test_twin_reads_every_spelling_as_pydantic_does(member):
    """Each spelling is read twice, as the first reading may be cached."""
    taken = 0
    for spelling in SPELLINGS * 2:
        found = QUICK.fast_or_none({member: spelling})
        try:
            by_contract = getattr(Quick.model_validate({member: spelling}), member)
        except ValueError:
            assert found is None, spelling
            continue
        if found is not None:  # Else the model reads it.
            assert repr(getattr(found, member)) == repr(by_contract), spelling
            taken += 1
    assert taken >= 4
